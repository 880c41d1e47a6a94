"""The choice of a tunnel: `--tunnel` parsed, and the tunnel opened from it."""

import difflib
import re
from pathlib import Path

from msgspec import Struct

from vmon.errors import WrongUse
from vmon.state import state_dir
from vmon.tunnel.model import Tunnel, TunnelOptions

NAMES = ("ngrok", "cloudflared", "ssh:USER@HOST", "none")
SSH_TARGET = re.compile(
    r"(?:(?P<user>[\w.+][\w.+-]*)@)?(?P<host>[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
)
MAX_PORT = 65535


class NoTunnel(Struct, frozen=True):
    """No tunnel: the receiver is reached directly, or not from outside."""


class ViaNgrok(Struct, frozen=True):
    """Through an ngrok agent."""


class ViaCloudflared(Struct, frozen=True):
    """Through a Cloudflare quick tunnel."""


class ViaSsh(Struct, frozen=True):
    """Through a remote forwarding of an ssh server."""

    host: str
    user: str | None = None
    port: int | None = None


class ViaPublicUrl(Struct, frozen=True):
    """Through the user's own proxy or tunnel, at this URL."""

    url: str


Choice = NoTunnel | ViaNgrok | ViaCloudflared | ViaSsh | ViaPublicUrl


def parse(spec: str) -> Choice:
    """Parse `--tunnel`: ngrok, cloudflared, ssh:[USER@]HOST[:PORT] or none."""
    provider, _, target = spec.partition(":")
    match provider, target:
        case "ngrok", "":
            return ViaNgrok()
        case "cloudflared", "":
            return ViaCloudflared()
        case "none", "":
            return NoTunnel()
        case "ssh", _:
            return _parse_ssh(target)
    raise WrongUse(f"unknown tunnel provider {spec!r}", hint=_suggest(provider))


def named(choice: Choice) -> str:
    """The name of a choice, as it is shown."""
    match choice:
        case NoTunnel():
            return "none"
        case ViaNgrok():
            return "ngrok"
        case ViaCloudflared():
            return "cloudflared"
        case ViaSsh(host=host, user=user):
            return f"ssh {user}@{host}" if user else f"ssh {host}"
        case ViaPublicUrl(url=url):
            return url


def open_tunnel(choice: Choice, options: TunnelOptions) -> Tunnel | None:
    """Make the chosen tunnel, not yet started; None for NoTunnel."""
    match choice:
        case NoTunnel():
            return None
        case ViaNgrok():
            from vmon.tunnel.ngrok.tunnel import NgrokTunnel

            return NgrokTunnel(options)
        case ViaCloudflared():
            from vmon.tunnel.cloudflared import cloudflared

            return cloudflared(options)
        case ViaSsh(host=host, user=user, port=port):
            from vmon.tunnel.ssh import ssh

            return ssh(user, host, port, options)
        case ViaPublicUrl(url=url):
            from vmon.tunnel.fixed_url import PublicUrl

            return PublicUrl(url)


def _parse_ssh(target: str) -> ViaSsh:
    match = SSH_TARGET.fullmatch(target)
    port = int(match["port"]) if match and match["port"] else None
    if not match or (port is not None and not 1 <= port <= MAX_PORT):
        raise WrongUse(
            f"invalid ssh server {target!r}", hint="use ssh:USER@HOST or ssh:USER@HOST:PORT"
        )
    return ViaSsh(match["host"].strip("[]"), match["user"], port)


def _suggest(provider: str) -> str:
    names = [name.partition(":")[0] for name in NAMES]
    close = difflib.get_close_matches(provider.lower(), names, n=1, cutoff=0.5)
    suggestion = f"did you mean {NAMES[names.index(close[0])]}? " if close else ""
    return f"{suggestion}known providers: {', '.join(NAMES)}"


class TunnelRequest(Struct, frozen=True):
    """The tunnel to open and its options; the receiver's URL is added when it is known."""

    choice: Choice
    domain: str | None = None
    binary: Path | None = None
    url_template: str | None = None
    remote_port: int | None = None

    @property
    def marks_requests(self) -> bool:
        """Whether requests through it have a header that distinguishes them from local ones."""
        return isinstance(self.choice, ViaNgrok | ViaCloudflared)

    def tunnel(self, local_url: str) -> Tunnel:
        """Make a tunnel to the receiver, not yet started."""
        options = TunnelOptions(
            local_url=local_url,
            state_dir=state_dir(),
            domain=self.domain,
            binary=self.binary,
            url_template=self.url_template,
            remote_port=self.remote_port,
        )
        tunnel = open_tunnel(self.choice, options)
        if tunnel is None:
            raise WrongUse("no tunnel provider chosen")
        return tunnel
