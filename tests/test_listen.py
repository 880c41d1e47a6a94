"""A run from inside, and from outside where a part of it has to fail on purpose."""

import asyncio
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast

from vmon.capture import Capture
from vmon.events import Delivery
from vmon.listen import _Sync

if TYPE_CHECKING:
    from tests.conftest import Listen

ANY = cast(Delivery, None)


class Disk:
    """A capture whose disk takes its time, and may fail."""

    def __init__(self) -> None:
        self.syncs = 0
        self.fails = False
        self.may = threading.Event()

    def sync(self) -> None:
        self.syncs += 1
        assert self.may.wait(10)
        if self.fails:
            raise OSError("the disk is gone")


async def settled(disk: Disk, number: int) -> list[int]:
    sync = _Sync(cast(Capture, disk))
    waiting = [asyncio.ensure_future(sync.settle(ANY, 200)) for _ in range(number)]
    async with asyncio.timeout(10):
        while not disk.syncs:  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0.001)
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
    sync = _Sync(cast(Capture, disk))
    assert await sync.settle(ANY, 200) == 503
    disk.fails = False
    assert await sync.settle(ANY, 200) == 200


async def test_another_status_is_kept_when_it_is_settled() -> None:
    disk = Disk()
    disk.may.set()
    assert await _Sync(cast(Capture, disk)).settle(ANY, 503) == 503


def test_without_uvloop_it_works_the_same(listen: "Listen") -> None:
    run = listen(code="import sys\nsys.modules['uvloop'] = None")
    client = run.client()
    for body in (b"{}", b"x" * 600_000):
        client.request("POST", "/", body)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    client.close()
    code, out, err = run.stop()
    assert (code, len(out.splitlines())) == (0, 2)
    assert "\n2 deliveries in " in err


def test_a_disk_with_room_again_gets_what_waited_first_and_it_is_said(
    listen: "Listen", tmp_path: Path
) -> None:
    room = tmp_path / "room"
    patch = f"""
import os, vmon.capture as c, vmon.listen as l
l._RETRY_S = 0.02
write = c.Capture._write
def full(self, line):
    if os.path.exists({str(room)!r}):
        return write(self, line)
    self._trouble("a.jsonl: No space left on device")
    return False
c.Capture._write = full
"""
    run = listen("-q", code=patch)
    assert [run.post(b"%d" % number) for number in range(5)] == [200] * 5
    run.err.until(b"warning: the capture cannot be written: a.jsonl: No space left on device\n")
    assert Path(run.capture).read_bytes() == b""
    room.touch()
    run.err.until(b"the capture can be written again: nothing was lost\n")
    assert run.post(b"5") == 200
    code, _, err = run.stop()
    assert code == 0
    assert err.count("warning: ") == 1
    assert "not in the capture" not in err
    lines = Path(run.capture).read_bytes().splitlines()
    assert [line[-2:] for line in lines] == [b"%d}" % number for number in range(6)]


def test_a_terminal_that_is_stuck_does_not_keep_a_run_from_ending(listen: "Listen") -> None:
    ours, theirs = os.pipe()
    run = listen(out=theirs, code="import vmon.listen as l\nl._DRAIN_S = 0.2")
    os.close(theirs)
    client = run.client()
    for _ in range(40):
        client.request("POST", "/", b"x" * 30_000)
        assert client.getresponse().read() == b""
    client.close()
    run.signal(signal.SIGINT)
    code, _, err = run.result()
    os.close(ours)
    assert code == 0
    assert "\n40 deliveries in " in err
    assert "  see it again " in err
    assert len(Path(run.capture).read_bytes().splitlines()) == 40
