"""Against ngrok itself; only where somebody asks for it, with an account of theirs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vmon.tunnel.ngrok.tunnel import NgrokTunnel

if TYPE_CHECKING:
    from tests.tunnel.conftest import Call, Opened, Options, Receiver

ASKED = os.environ.get("VMON_LIVE_NGROK") == "1"
TOKEN = os.environ.get("NGROK_AUTHTOKEN")
AGENT = os.environ.get("PYNGROK_NGROK_PATH") or shutil.which("ngrok")


@pytest.mark.skipif(not ASKED, reason="set VMON_LIVE_NGROK=1 and NGROK_AUTHTOKEN to try ngrok")
async def test_a_callback_comes_through_ngrok_itself(
    ngrok_options: Options, opened: Opened, call: Call, receiver: Receiver
) -> None:
    assert TOKEN, "NGROK_AUTHTOKEN is not set"
    assert AGENT, "there is no ngrok on PATH"
    options = ngrok_options(binary=Path(AGENT), authtoken=TOKEN, start_timeout_s=30.0)
    url = await opened(NgrokTunnel(options))
    assert url.startswith("https://")
    assert await call(url, "/live") == 200
    assert receiver.got == [("POST", "/live", '{"n": 1}')]
