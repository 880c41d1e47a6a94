import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmon import memmem

FEW = st.binary(min_size=1, max_size=40).map(lambda some: bytes(byte % 3 for byte in some))


@settings(deadline=None, max_examples=300)
@given(FEW, FEW.filter(lambda some: len(some) < 6), st.data())
def test_it_finds_what_bytearray_finds(data: bytes, needle: bytes, drawn: st.DataObject) -> None:
    hay = bytearray(data)
    start = drawn.draw(st.integers(0, len(hay)))
    end = drawn.draw(st.integers(0, len(hay)))
    assert memmem.finder(hay)(needle, start, end) == hay.find(needle, start, end)


def test_it_sees_what_is_written_into_the_buffer_later() -> None:
    data = bytearray(64)
    find = memmem.finder(data)
    assert find(b"needle", 0, 64) == -1
    data[58:64] = b"needle"
    assert find(b"needle", 0, 64) == 58
    assert find(b"needle", 0, 63) == -1


def test_without_such_a_c_library_python_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: object) -> None:
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", missing)
    data = bytearray(b"hay needle")
    assert memmem.finder(data) == data.find
