"""Waiting for what sets no event of ours: a file, a process, a thread; with a deadline."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def until(holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until something holds; TimeoutError when it does not in time."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)  # the one way to wait for it


def wait_until(holds: Callable[[], T], within_s: float = 10.0) -> T:
    """What holds, once it does; fails when it does not in time."""
    end = time.monotonic() + within_s
    while not (result := holds()):
        assert time.monotonic() < end, f"not within {within_s:g} s"
        time.sleep(0.005)  # the one way to wait for it
    return result
