import asyncio
from datetime import UTC, datetime

import pytest

from vmon.tunnel.changes import LAST, Changes
from vmon.tunnel.model import Change, State


async def read_all(changes: Changes) -> list[Change]:
    async with asyncio.timeout(10):
        return [change async for change in changes.read()]


async def test_changes_come_in_their_order_with_what_is_known_of_them() -> None:
    changes = Changes()
    before = datetime.now(UTC)
    changes.tell(State.ONLINE, url="https://a.example")
    changes.tell(State.RECONNECTING, detail="lost", code="NETWORK")
    changes.tell(State.CLOSED)
    online, lost, closed = await read_all(changes)
    assert (online.state, online.url) == (State.ONLINE, "https://a.example")
    assert (lost.state, lost.detail, lost.code) == (State.RECONNECTING, "lost", "NETWORK")
    assert before <= online.at <= lost.at <= closed.at <= datetime.now(UTC)


@pytest.mark.parametrize("last", LAST)
async def test_after_the_last_one_nothing_more_is_taken(last: State) -> None:
    changes = Changes()
    changes.tell(last)
    changes.tell(State.ONLINE, url="https://a.example")
    assert [change.state for change in await read_all(changes)] == [last]


async def test_a_reader_waits_for_what_is_to_come() -> None:
    changes = Changes()
    reading = asyncio.ensure_future(read_all(changes))
    await asyncio.sleep(0)  # a turn of the loop, in which it begins to wait
    assert not reading.done()
    changes.tell(State.FAILED, detail="gone")
    assert [change.detail for change in await reading] == ["gone"]
