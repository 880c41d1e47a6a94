import pytest

from vmon.events.models import (
    StreamEvent,
)
from vmon.events.timestamps import instant


@pytest.mark.parametrize("ms", [None, 0, -1, 2**64, 10**400, 253_402_300_800_000])
def test_an_absurd_time_is_no_time(ms: int | None) -> None:
    assert instant(ms) is None
    assert StreamEvent(timestamp=ms).timestamp_at is None
