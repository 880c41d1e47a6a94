import os
import threading
from collections.abc import Callable, Iterator

import pytest

from vmon.render.live import writer as module
from vmon.render.live.writer import ERR, OUT, Writer


class Pipe:
    def __init__(self) -> None:
        self.ours, self.theirs = os.pipe()

    def close(self) -> None:
        for end in (self.ours, self.theirs):
            if end >= 0:
                os.close(end)

    def close_ours(self) -> None:
        os.close(self.ours)
        self.ours = -1

    def read(self, size: int) -> bytes:
        """Read so many bytes, waiting for them."""
        data = b""
        while len(data) < size:
            data += os.read(self.ours, size - len(data))
        return data


@pytest.fixture
def pipe() -> Iterator[Callable[[], Pipe]]:
    made: list[Pipe] = []

    def make() -> Pipe:
        made.append(Pipe())
        return made[-1]

    yield make
    for one in made:
        one.close()


class Gone:
    def __init__(self) -> None:
        self.times = 0
        self.event = threading.Event()

    def __call__(self) -> None:
        self.times += 1
        self.event.set()


def test_the_descriptors_are_those_of_the_process() -> None:
    assert (OUT, ERR) == (1, 2)


def test_batches_go_out_in_their_order(pipe: Callable[[], Pipe]) -> None:
    one, gone = pipe(), Gone()
    writer = Writer(gone)
    for number in range(100):
        writer.put(one.theirs, b"%d\n" % number)
    assert writer.finish(10)
    assert one.read(290) == b"".join(b"%d\n" % number for number in range(100))
    assert writer.free
    writer.close()
    assert gone.times == 0


def test_an_empty_batch_is_nothing_to_wait_for(pipe: Callable[[], Pipe]) -> None:
    writer = Writer(Gone())
    writer.put(pipe().theirs, b"")
    assert writer.free
    writer.close()


def test_a_reader_that_does_not_read_blocks_nobody_and_gets_all_in_the_end(
    pipe: Callable[[], Pipe],
) -> None:
    one = pipe()
    writer = Writer(Gone())
    batches = [bytes([number]) * 50_000 for number in range(20)]
    for batch in batches:
        writer.put(one.theirs, batch)
    assert not writer.free
    assert not writer.finish(0.05)
    assert one.read(1_000_000) == b"".join(batches)
    assert writer.finish(10)
    assert writer.free
    writer.close()


def test_a_descriptor_that_does_not_block_gets_all_too(pipe: Callable[[], Pipe]) -> None:
    one, gone = pipe(), Gone()
    os.set_blocking(one.theirs, False)
    writer = Writer(gone)
    writer.put(one.theirs, b"x" * 1_000_000)
    assert one.read(1_000_000) == b"x" * 1_000_000
    assert writer.finish(10)
    writer.close()
    assert gone.times == 0


def test_a_reader_that_went_away_is_told_once_and_what_comes_after_is_thrown_away(
    pipe: Callable[[], Pipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err, gone = pipe(), pipe(), Gone()
    monkeypatch.setattr(module, "OUT", out.theirs)
    out.close_ours()
    writer = Writer(gone)
    for _ in range(3):
        writer.put(out.theirs, b"lost")
    writer.put(err.theirs, b"said")
    assert writer.finish(10)
    assert err.read(4) == b"said"
    assert gone.times == 1
    writer.close()


def test_a_standard_error_that_went_away_ends_nothing(pipe: Callable[[], Pipe]) -> None:
    err, out, gone = pipe(), pipe(), Gone()
    err.close_ours()
    writer = Writer(gone)
    writer.put(err.theirs, b"lost")
    writer.put(out.theirs, b"drawn")
    assert writer.finish(10)
    assert out.read(5) == b"drawn"
    assert gone.times == 0
    writer.close()


def test_its_thread_ends_when_what_waits_is_written(pipe: Callable[[], Pipe]) -> None:
    one = pipe()
    writer = Writer(Gone())
    writer.put(one.theirs, b"last")
    writer.close()
    writer._thread.join(10)
    assert not writer._thread.is_alive()
    assert one.read(4) == b"last"


def test_a_pinned_line_stands_under_all_that_is_written_and_leaves_nothing_behind(
    pipe: Callable[[], Pipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = pipe(), pipe()
    monkeypatch.setattr(module, "OUT", out.theirs)
    writer = Writer(Gone())
    writer.put(out.theirs, b"one\n")
    writer.pin(b"foot")
    writer.put(out.theirs, b"two\n")
    writer.put(err.theirs, b"aside\n")
    writer.pin(b"feet")
    writer.pin(b"")
    writer.put(out.theirs, b"three\n")
    assert writer.finish(10)
    writer.close()
    gone = "\r\x1b[2K"
    drawn = f"one\nfoot{gone}two\nfoot{gone}foot{gone}feet{gone}three\n".encode()
    assert out.read(len(drawn)) == drawn
    assert err.read(6) == b"aside\n"
