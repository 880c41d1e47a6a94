"""What the tests of forwarding share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.factories import make_line
from tests.support.forwarding import Recorder, Tape
from tests.support.journals import RUN


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Make a listener that must not be told of bugs."""
    recorder = Recorder()
    yield recorder
    assert recorder.bugs == []


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[Tape]:
    """Make a capture for a worker to read back."""
    tape = Tape(tmp_path / "a.jsonl")
    yield tape
    tape.file.close()


@pytest.fixture
def broken_recorder(recorder: Recorder) -> Iterator[Recorder]:
    """Make a listener that must be told of one bug."""
    yield recorder
    assert [type(bug) for bug in recorder.bugs] == [ZeroDivisionError]
    recorder.bugs.clear()


@pytest.fixture
def line() -> Callable[..., bytes]:
    """Make the line of a delivery of a run."""

    def made(number: int, event: str = "streamCreated", run: str = RUN, pad: int = 0) -> bytes:
        body = b'{"event":"%b","n":%d,"pad":"%b"}' % (event.encode(), number, b"x" * pad)
        return make_line(body, id=f"{number:014x}-{run}")

    return made
