"""What ngrok's error codes mean for somebody who wants a tunnel, and the way out of each.

Source: ngrok's error reference, https://ngrok.com/docs/errors/.
"""

import re

from msgspec import Struct

from vmon.tunnel.lines import plain
from vmon.tunnel.model import CannotTunnel

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
    """What a code tells; `lingers`: see CannotTunnel. All of them are fatal."""

    message: str
    hint: str
    lingers: bool = False


NO_TOKEN = "ERR_NGROK_4018"  # noqa: S105 - an error code
NEW_TOKEN = f"Copy it anew from {TOKENS}."
UPDATE = "Run: vmon tunnel install."
MEANINGS = {
    "ERR_NGROK_102": Meaning("The ngrok account has an unpaid bill.", f"See {BILLING}."),
    "ERR_NGROK_103": Meaning("The ngrok account is suspended.", "Write to support@ngrok.com."),
    "ERR_NGROK_105": Meaning("That is no ngrok authtoken (an API key, perhaps?).", NEW_TOKEN),
    "ERR_NGROK_106": Meaning("That ngrok authtoken is of an old kind.", NEW_TOKEN),
    "ERR_NGROK_107": Meaning("The ngrok authtoken was reset or revoked.", NEW_TOKEN),
    "ERR_NGROK_108": Meaning(
        "The ngrok account has as many agents running as it may.",
        f"End the other one; {AGENTS} shows where it runs.",
        lingers=True,
    ),
    "ERR_NGROK_120": Meaning("This ngrok agent is no longer supported.", UPDATE),
    "ERR_NGROK_121": Meaning("This ngrok agent is too old for the account.", UPDATE),
    "ERR_NGROK_123": Meaning(
        "The ngrok account's e-mail address is not verified.",
        "Verify it at https://dashboard.ngrok.com/user/settings.",
    ),
    "ERR_NGROK_313": Meaning("A name of one's own needs a paid ngrok plan.", "Drop --domain."),
    "ERR_NGROK_314": Meaning("That domain needs a paid ngrok plan.", "Drop --domain."),
    "ERR_NGROK_319": Meaning("That domain is not reserved.", f"Reserve it at {DOMAINS}."),
    "ERR_NGROK_320": Meaning(
        "That domain is reserved by another ngrok account.", f"Yours are at {DOMAINS}."
    ),
    "ERR_NGROK_324": Meaning("This agent has too many endpoints.", f"See {AGENTS}."),
    "ERR_NGROK_334": Meaning(
        "That URL is already served by another ngrok agent.",
        f"End the other one; {AGENTS} shows where it runs.",
        lingers=True,
    ),
    "ERR_NGROK_727": Meaning("The account's monthly requests are used up.", f"See {BILLING}."),
    NO_TOKEN: Meaning(
        "ngrok wants an account and its authtoken.",
        f"Set NGROK_AUTHTOKEN, or run: ngrok config add-authtoken TOKEN. It is at {TOKENS}.",
    ),
    "ERR_NGROK_15013": Meaning("The ngrok account has no domain yet.", f"Get one at {DOMAINS}."),
}


def explain(said: list[str]) -> CannotTunnel:
    """Why the agent gave no tunnel, from all that it said: the plainest first."""
    text = "\n".join(said)
    if code := CODE.search(text):
        return of_code(code[0], text)
    detail = first_line(text)
    if NETWORK.search(text):
        return CannotTunnel(
            f"The ngrok agent cannot reach ngrok: {detail}",
            code="NETWORK",
            hint="Check the network; behind a proxy, set proxy_url in ngrok.yml.",
        )
    return CannotTunnel(f"The ngrok agent gave no tunnel: {detail}", code=ENDED)


def of_code(code: str, text: str = "") -> CannotTunnel:
    """The error for a code; one we do not know shows what the agent said of it."""
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
        f"ngrok refused: {first_line(text)} ({code})", code=code, hint=f"See {docs}."
    )


def first_line(text: str) -> str:
    """The first line with something in it, the agent's own line ends undone."""
    unescaped = text.replace("\\r", "").replace("\\n", "\n").removeprefix("ERROR:")
    lines = (plain(line) for line in unescaped.splitlines())
    return next((line for line in lines if line), "it did not say why")
