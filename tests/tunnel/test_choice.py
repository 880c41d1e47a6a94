from pathlib import Path

import pytest

from vmon.errors import WrongUse
from vmon.tunnel.choice import (
    Choice,
    NoTunnel,
    ViaCloudflared,
    ViaNgrok,
    ViaPublicUrl,
    ViaSsh,
    open_tunnel,
    parse,
)
from vmon.tunnel.model import TunnelOptions


@pytest.mark.parametrize(
    ("spec", "choice"),
    [
        ("ngrok", ViaNgrok()),
        ("cloudflared", ViaCloudflared()),
        ("none", NoTunnel()),
        ("ssh:me@host.example", ViaSsh("host.example", "me")),
        ("ssh:me@host.example:2222", ViaSsh("host.example", "me", 2222)),
        ("ssh:localhost.run", ViaSsh("localhost.run")),
        ("ssh:me@[::1]:22", ViaSsh("::1", "me", 22)),
    ],
)
def test_a_spec_is_read(spec: str, choice: Choice) -> None:
    assert parse(spec) == choice


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("ngork", "did you mean ngrok?"),
        ("cloudflare", "did you mean cloudflared?"),
        ("SSH:me@x", "did you mean ssh:USER@HOST?"),
        ("", "known providers: ngrok, cloudflared, ssh:USER@HOST, none"),
        ("ngrok:8000", "did you mean ngrok?"),
    ],
)
def test_an_unknown_spec_is_wrong_use_with_a_suggestion(spec: str, hint: str) -> None:
    with pytest.raises(WrongUse) as wrong:
        parse(spec)
    assert wrong.value.hint
    assert wrong.value.hint.startswith(hint)


@pytest.mark.parametrize(
    "target", ["", "me@", "me@h:0", "me@h:65536", "-oProxyCommand=x", "me@-x", "-l@x", "a b"]
)
def test_an_ssh_server_that_is_none_is_wrong_use(target: str) -> None:
    with pytest.raises(WrongUse, match="invalid ssh server"):
        parse(f"ssh:{target}")


def test_each_choice_opens_its_own_tunnel() -> None:
    options = TunnelOptions(local_url="http://127.0.0.1:1", state_dir=Path())
    choices = (ViaNgrok(), ViaCloudflared(), ViaSsh("h"), ViaPublicUrl("https://x"), NoTunnel())
    tunnels = [open_tunnel(choice, options) for choice in choices]
    names = [tunnel.name if tunnel else None for tunnel in tunnels]
    assert names == ["ngrok", "cloudflared", "ssh", "none", None]
