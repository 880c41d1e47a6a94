"""ngrok's error codes: their messages and hints.

Source: ngrok's error reference, https://ngrok.com/docs/errors/.
"""

import re

from msgspec import Struct

from vmon.tunnel.model import CannotTunnel
from vmon.tunnel.output import plain

ENDED = "ENDED"
CODE = re.compile(r"ERR_NGROK_\d+")
NETWORK = re.compile(
    r"dial (?:tcp|udp)|no such host|i/o timeout|connection refused|network is unreachable"
    r"|failed to (?:dial|reconnect)|x509|proxyconnect|connection reset",
)
TOKENS = "https://dashboard.ngrok.com/get-started/your-authtoken"
AGENTS = "https://dashboard.ngrok.com/agents"
DOMAINS = "https://dashboard.ngrok.com/domains"
BILLING = "https://dashboard.ngrok.com/billing"


class Meaning(Struct, frozen=True):
    """The meaning of a code; `lingers`: see CannotTunnel. All are fatal."""

    message: str
    hint: str
    lingers: bool = False


NO_TOKEN = "ERR_NGROK_4018"  # noqa: S105 - an error code
NEW_TOKEN = f"copy the authtoken from {TOKENS}"
UPDATE = "run vmon tunnel install"
MEANINGS = {
    "ERR_NGROK_102": Meaning("the ngrok account has an unpaid invoice", f"see {BILLING}"),
    "ERR_NGROK_103": Meaning("the ngrok account is suspended", "contact support@ngrok.com"),
    "ERR_NGROK_105": Meaning("not an ngrok authtoken (is it an API key?)", NEW_TOKEN),
    "ERR_NGROK_106": Meaning("the ngrok authtoken has an outdated format", NEW_TOKEN),
    "ERR_NGROK_107": Meaning("the ngrok authtoken was reset or revoked", NEW_TOKEN),
    "ERR_NGROK_108": Meaning(
        "the ngrok account has reached its limit of running agents",
        f"stop the other agent; see {AGENTS}",
        lingers=True,
    ),
    "ERR_NGROK_120": Meaning("this ngrok agent is no longer supported", UPDATE),
    "ERR_NGROK_121": Meaning("this ngrok agent is too old for the account", UPDATE),
    "ERR_NGROK_123": Meaning(
        "the email address of the ngrok account is not verified",
        "verify it at https://dashboard.ngrok.com/user/settings",
    ),
    "ERR_NGROK_313": Meaning("custom domains need a paid ngrok plan", "remove --domain"),
    "ERR_NGROK_314": Meaning("this domain needs a paid ngrok plan", "remove --domain"),
    "ERR_NGROK_319": Meaning("this domain is not reserved", f"reserve it at {DOMAINS}"),
    "ERR_NGROK_320": Meaning(
        "this domain is reserved by another ngrok account", f"see your domains at {DOMAINS}"
    ),
    "ERR_NGROK_324": Meaning("this ngrok agent has too many endpoints", f"see {AGENTS}"),
    "ERR_NGROK_334": Meaning(
        "another ngrok agent is already using this URL",
        f"stop the other agent; see {AGENTS}",
        lingers=True,
    ),
    "ERR_NGROK_727": Meaning(
        "the ngrok account has reached its monthly request limit", f"see {BILLING}"
    ),
    NO_TOKEN: Meaning(
        "ngrok needs an account and its authtoken",
        f"copy it from {TOKENS} and set NGROK_AUTHTOKEN or run ngrok config add-authtoken TOKEN",
    ),
    "ERR_NGROK_15013": Meaning("the ngrok account has no domain yet", f"get one at {DOMAINS}"),
}


def explain(texts: list[str]) -> CannotTunnel:
    """Explain why the agent opened no tunnel, by its output, the most specific first."""
    text = "\n".join(texts)
    if code := CODE.search(text):
        return of_code(code[0], text)
    detail = first_line(text)
    if NETWORK.search(text):
        return CannotTunnel(
            f"the ngrok agent cannot reach ngrok: {detail}",
            code="NETWORK",
            hint="check the network; behind a proxy, set proxy_url in ngrok.yml",
        )
    return CannotTunnel(f"the ngrok agent could not open a tunnel: {detail}", code=ENDED)


def of_code(code: str, text: str = "") -> CannotTunnel:
    """The error for a code; an unknown one has the agent's first line."""
    if meaning := MEANINGS.get(code):
        return CannotTunnel(
            f"{meaning.message} ({code})",
            code=code,
            hint=meaning.hint,
            fatal=True,
            lingers=meaning.lingers,
        )
    docs = f"https://ngrok.com/docs/errors/{code.lower()}"
    return CannotTunnel(
        f"ngrok refused: {first_line(text)} ({code})", code=code, hint=f"see {docs}"
    )


def first_line(text: str) -> str:
    """The first non-empty line; newlines that the agent escaped are unescaped."""
    unescaped = text.replace("\\r", "").replace("\\n", "\n").removeprefix("ERROR:")
    lines = (plain(line) for line in unescaped.splitlines())
    return next((line for line in lines if line), "no reason given")
