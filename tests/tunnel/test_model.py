from __future__ import annotations

from pathlib import Path

from vmon.errors import TunnelFailed
from vmon.tunnel.model import CannotTunnel, State, TunnelOptions


def test_the_authtoken_is_in_no_representation() -> None:
    options = TunnelOptions(
        local_url="http://127.0.0.1:1", state_dir=Path("/x"), authtoken="s3cret", domain="a.example"
    )
    assert repr(options) == "TunnelOptions(local_url='http://127.0.0.1:1', domain='a.example')"
    assert "s3cret" not in f"{options} {options!r}"


def test_a_tunnel_that_cannot_be_opened_is_exit_4_with_its_code_and_way_out() -> None:
    error = CannotTunnel("no", code="NOT_FOUND", hint="install it", fatal=True)
    assert isinstance(error, TunnelFailed)
    assert (error.exit_code, str(error)) == (4, "no")
    assert (error.code, error.hint, error.fatal, error.lingers) == (
        "NOT_FOUND", "install it", True, False,
    )  # fmt: skip # one thing a line


def test_a_state_is_its_word() -> None:
    assert [f"{state}" for state in State] == ["online", "reconnecting", "failed", "closed"]
