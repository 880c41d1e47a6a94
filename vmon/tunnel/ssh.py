"""Tunnels by `ssh -R`: through the user's server with a known URL, or a service that prints it."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from msgspec import Struct

from vmon.tunnel.model import CannotTunnel, State, TunnelOptions
from vmon.tunnel.subprocess_tunnel import EngineEvent, EngineTunnel

ALLOCATED = re.compile(r"Allocated port (\d+) for remote forward")
FORWARDED = re.compile(r"remote forward success for: listen (?:\S*:)?([1-9]\d*),")
PRINTED_URL = re.compile(r"https://[\w.-]+(?::\d+)?(?=$|[\s,'\"|)]|/(?:$|\s))")
HOSTED = (
    "lhr.life",
    "lhr.pro",
    "localhost.run",
    "serveo.net",
    "serveousercontent.com",
    "pinggy.link",
    "pinggy.io",
    "pinggy.online",
)
NOT_A_TUNNEL = ("admin", "dashboard", "console", "docs", "www")
# Every option vmon relies on is set, because the user's ~/.ssh/config may differ: a
# control socket or a fork to the background would leave a child that ends at once.
SSH_OPTIONS = {
    "BatchMode": "yes",
    "ControlMaster": "no",
    "ControlPath": "none",
    "ExitOnForwardFailure": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "ServerAliveCountMax": "2",
    "ServerAliveInterval": "15",
    "StrictHostKeyChecking": "accept-new",
}


class Failure(Struct, frozen=True):
    """A known failure of ssh: the pattern in its output, and vmon's code, message and hint."""

    pattern: str
    code: str
    message: str
    hint: str
    fatal: bool = True
    lingers: bool = False


FAILURES = (
    Failure(
        r"Permission denied",
        "AUTH",
        "permission denied by the ssh server",
        "set a key in ~/.ssh/config, or load it with ssh-add",
    ),
    Failure(
        r"Host key verification failed|HOST IDENTIFICATION HAS CHANGED",
        "HOST_KEY",
        "the host key of the ssh server has changed",
        "if the change is expected, run ssh-keygen -R HOST",
    ),
    Failure(
        r"remote port forwarding failed",
        "PORT_IN_USE",
        "the ssh server refused to forward: port in use, or forwarding disabled",
        "use another --ssh-remote-port, or set AllowTcpForwarding yes in its sshd_config",
        lingers=True,
    ),
    Failure(
        r"Bad configuration option|Unsupported option|unknown option|no argument after keyword",
        "OPTIONS",
        "ssh rejected an option",
        "check ~/.ssh/config",
    ),
    Failure(
        r"Could not resolve|refused|timed out|not responding|closed by|unreachable|reset by peer"
        r"|Broken pipe",
        "NETWORK",
        "cannot connect to the ssh server, or connection lost",
        "check the network, and the server's name and port",
        fatal=False,
    ),
)


def ssh(user: str | None, host: str, port: int | None, options: TunnelOptions) -> EngineTunnel:
    """Make a forwarding from an ssh server to the receiver; port None is that of ~/.ssh/config."""
    return EngineTunnel(Ssh(user, host, port, options), options)


class Ssh:
    """The OpenSSH client, which forwards one port."""

    name = "ssh"
    program = "ssh"
    noise = ("debug",)

    def __init__(
        self, user: str | None, host: str, port: int | None, options: TunnelOptions
    ) -> None:
        self._target = f"{user}@{host}" if user else host
        self._host = host
        self._port = port
        self._options = options

    def arguments(self) -> tuple[str, ...]:
        """The arguments; a service prints its URL in a session, a user's server needs none (-N)."""
        has_template = self._options.url_template is not None
        settings = (word for setting in self._ssh_options() for word in ("-o", "=".join(setting)))
        forward = ("-R", f"{self._remote_port()}:{urlsplit(self._options.local_url).netloc}")
        port = ("-p", str(self._port)) if self._port else ()
        session = ("-T", "-N") if has_template else ("-T",)
        return (*self._options.ssh_args, *session, *settings, *port, *forward, "--", self._target)

    def parse_line(self, line: str) -> EngineEvent | None:
        """Parse a line: the URL of a service, or the template with the port of a user's server."""
        template = self._options.url_template
        if template is None:
            url = next(self._urls_in(line), None)
            return EngineEvent(State.ONLINE, url) if url else None
        if match := ALLOCATED.search(line) or FORWARDED.search(line):
            return EngineEvent(State.ONLINE, template.replace("{port}", match[1]).rstrip("/"))
        return None

    def explain(self, returncode: int | None, tail: list[str]) -> CannotTunnel:
        """Explain the exit by the last lines, because the exit code is always 255."""
        text = " | ".join(tail[-3:])
        for failure in FAILURES:
            if re.search(failure.pattern, text):
                return CannotTunnel(
                    f"{failure.message} (ssh: {text})",
                    code=failure.code,
                    hint=failure.hint,
                    fatal=failure.fatal,
                    lingers=failure.lingers,
                )
        return CannotTunnel(f"ssh exited with code {returncode}: {text}", code="ENDED")

    def _ssh_options(self) -> Iterator[tuple[str, str]]:
        yield from SSH_OPTIONS.items()
        # A requested port is confirmed at this log level only.
        confirmed = self._options.url_template is not None and self._remote_port() != 0
        yield "LogLevel", "DEBUG1" if confirmed else "INFO"
        yield "ConnectTimeout", str(max(1, int(self._options.start_timeout_s)))

    def _remote_port(self) -> int:
        if self._options.remote_port is not None:
            return self._options.remote_port
        server_chooses = self._options.url_template is not None or self._host.endswith("pinggy.io")
        return 0 if server_chooses else 80

    def _urls_in(self, line: str) -> Iterator[str]:
        for match in PRINTED_URL.finditer(line):
            name = urlsplit(match[0]).hostname or ""
            if name.partition(".")[0] not in NOT_A_TUNNEL and self._is_of_the_service(name):
                yield match[0]

    def _is_of_the_service(self, name: str) -> bool:
        family = ".".join(self._host.split(".")[-2:])
        return any(name.endswith(f".{service}") for service in (*HOSTED, family))
