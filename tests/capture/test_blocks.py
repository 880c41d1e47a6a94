import io
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmon.capture import blocks, inputs
from vmon.capture.blocks import Blocks, finder

pytestmark = pytest.mark.usefixtures("both_searches")

LENGTHS = st.lists(st.one_of(st.integers(0, 40), st.integers(60_000, 80_000)), max_size=12)


class Bits(io.BytesIO):
    """A stream that gives as much as it is told, at most."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self.most = most

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # what Blocks gives
        return super().readinto(buffer[: self.most])


def read(reading: Blocks) -> tuple[list[bytes], bytes]:
    """The lines of all blocks, and the rest."""
    lines: list[bytes] = []
    while reading.fill():
        assert reading.data[reading.start - 1 : reading.start] == b"\n"
        assert b"".join(reading.lines()) == reading.view[reading.start : reading.end]
        lines += reading.lines()
    return lines, reading.rest


@settings(deadline=None, max_examples=150)
@given(
    lengths=LENGTHS,
    most=st.sampled_from([1, 7, 5000, 1 << 17]),
    whole=st.booleans(),
    ahead=st.booleans(),
)
def test_the_lines_are_those_of_the_stream(
    lengths: list[int],
    most: int,
    *,
    whole: bool,
    ahead: bool,
) -> None:
    if most < 10:
        lengths = [min(length, 2000) for length in lengths]
    lines = [bytes([97 + number]) * length for number, length in enumerate(lengths)]
    data = b"\n".join(lines) + b"\n" * whole
    reading = Blocks(Bits(data, most), 5000, ahead=ahead)
    try:
        expected = io.BytesIO(data).readlines()
        rest = expected.pop() if expected and not expected[-1].endswith(b"\n") else b""
        assert read(reading) == (expected, rest)
        assert (reading.fill(), reading.rest) == (False, rest), "the end stays the end"
    finally:
        reading.close()


def test_a_needle_is_found_from_the_newline_before_the_block_to_its_end() -> None:
    reading = Blocks(io.BytesIO(b"ab\nxab\nab"), 100)
    assert reading.fill()
    start = reading.start
    assert reading.places(b"ab") == [start, start + 4]
    assert reading.places(b"\nab") == [start - 1]
    assert reading.places(b"zz") == []


def test_all_that_remains_is_whole() -> None:
    data = b"".join(b"%d\n" % number for number in range(10_000)) + b"the last"
    reading = Blocks(io.BytesIO(data), 1000)
    assert reading.fill()
    assert reading.remaining() == data


class Failing(io.BytesIO):
    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # what Blocks gives
        if self.tell():
            raise OSError("the disk is gone")
        return super().readinto(buffer[:10])


def test_what_goes_wrong_on_the_thread_is_raised_where_it_is_waited_for() -> None:
    reading = Blocks(Failing(b"a line\nand more, much more"), 100, ahead=True)
    assert reading.fill()
    assert reading.lines() == [b"a line\n"]
    for _ in range(2):
        with pytest.raises(OSError, match="the disk is gone"):
            reading.fill()
    reading.close()


@pytest.fixture
def small_head(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in (blocks, inputs):
        monkeypatch.setattr(module, "HEAD", 64)
    yield
    assert not [one for one in threading.enumerate() if one.name.startswith("vmon-ahead")]


@pytest.mark.usefixtures("small_head")
def test_closing_early_leaves_no_thread() -> None:
    reading = Blocks(io.BytesIO(b"a line\n" * 100_000), 100, ahead=True)
    assert reading.fill()
    reading.close()
    reading.close()


@pytest.mark.usefixtures("small_head")
def test_a_line_of_many_blocks_costs_its_length() -> None:
    line = b"x" * 1_000_000 + b"\n"
    reading = Blocks(io.BytesIO(b"short\n" + line + b"short\n"), 100)
    assert read(reading) == ([b"short\n", line, b"short\n"], b"")
    assert len(reading.data) < 1000, "its memory is given back"


FEW = st.binary(max_size=60).map(lambda some: bytes(byte % 3 for byte in some))


@settings(deadline=None, max_examples=300)
@given(FEW, FEW.filter(lambda some: 0 < len(some) < 6))
def test_it_finds_the_places_that_bytes_find_finds(hay: bytes, needle: bytes) -> None:
    places, at = [], hay.find(needle)
    while at >= 0:
        places.append(at)
        at = hay.find(needle, at + len(needle))
    for data in (needle + hay + needle, bytearray(needle + hay + needle)):
        start, end = len(needle), len(needle) + len(hay)
        assert finder(needle)(data, start, end) == [start + at for at in places]
