from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from vmon.tunnel.changes import Changes
from vmon.tunnel.model import State


async def test_changes_are_read_in_their_order_with_what_they_say() -> None:
    changes, before = Changes(), datetime.now(UTC)
    changes.publish(State.RECONNECTING, detail="lost", code="NETWORK")
    changes.publish(State.ONLINE, url="https://x")
    changes.publish(State.CLOSED)
    first, second, last = [change async for change in changes.read()]
    assert (first.state, first.detail, first.code) == (State.RECONNECTING, "lost", "NETWORK")
    assert (second.state, second.url) == (State.ONLINE, "https://x")
    assert last.state is State.CLOSED
    assert before <= first.at <= second.at <= last.at <= datetime.now(UTC)


@pytest.mark.parametrize("last", [State.FAILED, State.CLOSED])
async def test_after_the_last_change_nothing_more_is_added(last: State) -> None:
    changes = Changes()
    changes.publish(last)
    changes.publish(State.ONLINE, url="https://x")
    changes.publish(State.CLOSED)
    assert [change.state async for change in changes.read()] == [last]


async def test_a_reader_waits_for_the_next_change() -> None:
    changes = Changes()
    reading = asyncio.ensure_future(anext(changes.read()))
    await asyncio.sleep(0)  # the reader gets its turn, and finds nothing
    assert not reading.done()
    changes.publish(State.ONLINE, url="https://x")
    async with asyncio.timeout(5):
        assert (await reading).state is State.ONLINE
