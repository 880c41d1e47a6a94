from hypothesis import given, settings
from hypothesis import strategies as st

from vmon.capture.blocks import finder

FEW = st.binary(max_size=60).map(lambda some: bytes(byte % 3 for byte in some))


@settings(deadline=None, max_examples=300)
@given(FEW, FEW.filter(lambda some: 0 < len(some) < 6))
def test_it_finds_the_places_that_bytes_find_finds(hay: bytes, needle: bytes) -> None:
    places, at = [], hay.find(needle)
    while at >= 0:
        places.append((0, at, at + len(needle)))
        at = hay.find(needle, at + len(needle))
    assert finder(needle)(memoryview(b"x" + hay)[1:]) == places
