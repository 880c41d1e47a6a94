import io

import pytest

from vmon.capture.inputs import HEAD
from vmon.capture.prefetch import Ahead


def test_prefetched_buffers_are_in_order_and_end_with_an_empty_one() -> None:
    ahead, data = Ahead(io.BytesIO(bytes(range(250))), 100), b""
    while True:
        buffer, count = ahead.next()
        data += buffer.data[HEAD : HEAD + count]
        if not count:
            break
    ahead.close()
    assert data == bytes(range(250))


def test_a_buffer_is_unchanged_until_the_next_call() -> None:
    ahead = Ahead(io.BytesIO(b"a" * 100 + b"b" * 100 + b"c" * 100 + b"d" * 100), 100)
    for letter in b"abcd":
        buffer, count = ahead.next()
        assert set(buffer.data[HEAD : HEAD + count]) == {letter}
    ahead.close()


class Failing(io.BytesIO):
    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # what Ahead gives
        raise OSError(f"the disk is gone, {len(buffer)} bytes")


def test_errors_of_the_thread_are_raised_by_next() -> None:
    ahead = Ahead(Failing(), 100)
    with pytest.raises(OSError, match="the disk is gone"):
        ahead.next()
    ahead.close()
