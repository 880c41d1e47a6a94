"""Where a needle stands in a buffer, all of its places in one call.

The library's search for one needle is a vectorised one; for several at once it is ten times slower,
so that each is looked for alone (figures: tests/bench).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ahocorasick_rs import BytesAhoCorasick

if TYPE_CHECKING:
    from collections.abc import Callable

    Find = Callable[[memoryview], list[tuple[int, int, int]]]


@cache
def finder(needle: bytes) -> Find:
    """What finds the places of a needle, which is not empty: (0, begin, end) of each.

    Places do not overlap; they are in their order.
    """
    return BytesAhoCorasick((needle,)).find_matches_as_indexes
