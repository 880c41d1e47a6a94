from pathlib import Path

import pytest

from vmon.errors import TunnelFailed
from vmon.tunnel.model import CannotTunnel, TunnelOptions


def test_a_token_never_reaches_a_traceback() -> None:
    token = "2abcdefghijklmnopqrst"
    options = TunnelOptions(local_url="http://127.0.0.1:1", state_dir=Path("x"), authtoken=token)
    assert token not in f"{options!r} {options}"
    assert "http://127.0.0.1:1" in repr(options)


def test_a_tunnel_that_does_not_come_up_may_be_tried_again_unless_it_says_so() -> None:
    with pytest.raises(TunnelFailed) as caught:
        raise CannotTunnel("no URL", code="TIMEOUT")
    error = caught.value
    assert isinstance(error, CannotTunnel)
    assert (error.exit_code, error.code, error.fatal, error.lingers) == (4, "TIMEOUT", False, False)
