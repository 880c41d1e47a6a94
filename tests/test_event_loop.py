import asyncio
import sys
from typing import Any, cast

import pytest

from vmon import event_loop


async def _which() -> type[asyncio.AbstractEventLoop]:
    return type(asyncio.get_running_loop())


def test_uvloop_is_used_where_there_is_one() -> None:
    uvloop = pytest.importorskip("uvloop")
    assert event_loop.run(_which()) is uvloop.Loop


def test_without_uvloop_it_is_the_loop_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", cast("Any", None))
    assert event_loop.run(_which()).__module__.startswith("asyncio")
