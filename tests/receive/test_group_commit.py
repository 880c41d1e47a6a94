"""Answers that wait for the disk share a wait."""

import asyncio
import threading
from typing import TYPE_CHECKING, cast

from tests.support.waiting import until
from vmon.receive.group_commit import GroupCommit

if TYPE_CHECKING:
    from vmon.capture.writer import CaptureWriter
    from vmon.events.delivery import Delivery

ANY = cast("Delivery", None)


class Disk:
    """A capture, and all of it that is not synced, whose disk takes its time, and may fail."""

    def __init__(self) -> None:
        self.syncs = 0
        self.fails = False
        self.may = threading.Event()

    def unsynced(self) -> "Disk":
        return self

    def synced(self, what: "Disk") -> None:
        assert what is self

    def sync(self) -> None:
        self.syncs += 1
        assert self.may.wait(10)
        if self.fails:
            raise OSError("the disk is gone")


async def settled(disk: Disk, number: int) -> list[int]:
    sync = GroupCommit(cast("CaptureWriter", disk))
    waiting = [asyncio.ensure_future(sync.commit(ANY, 200)) for _ in range(number)]
    await until(lambda: disk.syncs)
    assert not any(one.done() for one in waiting)
    disk.may.set()
    return await asyncio.gather(*waiting)


async def test_answers_wait_for_the_disk_and_share_a_wait() -> None:
    disk = Disk()
    assert await settled(disk, 100) == [200] * 100
    assert disk.syncs <= 2


async def test_what_the_disk_did_not_take_is_answered_503() -> None:
    disk = Disk()
    disk.fails = True
    assert await settled(disk, 3) == [503] * 3


async def test_a_disk_that_failed_is_tried_again_for_the_next() -> None:
    disk = Disk()
    disk.may.set()
    disk.fails = True
    sync = GroupCommit(cast("CaptureWriter", disk))
    assert await sync.commit(ANY, 200) == 503
    disk.fails = False
    assert await sync.commit(ANY, 200) == 200


async def test_another_status_is_kept_when_it_is_settled() -> None:
    disk = Disk()
    disk.may.set()
    assert await GroupCommit(cast("CaptureWriter", disk)).commit(ANY, 503) == 503
