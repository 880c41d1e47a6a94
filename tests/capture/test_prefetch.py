import io

import pytest

from vmon.capture.inputs import HEAD
from vmon.capture.prefetch import Ahead


def test_what_is_read_ahead_comes_in_order_and_ends_with_nothing() -> None:
    ahead, data = Ahead(io.BytesIO(bytes(range(250))), 100), b""
    while True:
        buffer, count = ahead.next()
        data += buffer.data[HEAD : HEAD + count]
        if not count:
            break
    ahead.close()
    assert data == bytes(range(250))


def test_what_was_given_stays_as_it_is_until_the_next_is_asked_for() -> None:
    ahead = Ahead(io.BytesIO(b"a" * 100 + b"b" * 100 + b"c" * 100 + b"d" * 100), 100)
    for letter in b"abcd":
        buffer, count = ahead.next()
        assert set(buffer.data[HEAD : HEAD + count]) == {letter}
    ahead.close()


class Failing(io.BytesIO):
    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # what Ahead gives
        raise OSError(f"the disk is gone, {len(buffer)} bytes")


def test_what_goes_wrong_is_raised_by_who_waits_for_it() -> None:
    ahead = Ahead(Failing(), 100)
    with pytest.raises(OSError, match="the disk is gone"):
        ahead.next()
    ahead.close()
