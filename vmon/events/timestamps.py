"""Timestamps in payloads: milliseconds since the epoch, parsed and converted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1000, 60_000, 3_600_000, 86_400_000

FIRST_MS = 100_000_000_000  # March 1973 in ms, the year 5138 in seconds: less are seconds
LAST_MS = 253_402_300_799_999  # the end of the year 9999, which is datetime's
FUTURE_MS = DAY_MS
"""No clock is so much ahead of another: what an event says beyond is no time to go by."""
LATE_AFTER_S = 1.0
"""What is less out of order than this happened at once: some times are rounded to a second."""
_LAST_LOCAL_MS = LAST_MS - 2 * DAY_MS
"""Beyond, a zone east of Greenwich has the year 10,000."""


def local(at_ms: int) -> datetime:
    """Convert ms since the epoch to local time."""
    return datetime.fromtimestamp(min(at_ms, _LAST_LOCAL_MS) / 1000, UTC).astimezone()


def instant(ms: int | None) -> datetime | None:
    """Convert ms since the epoch to an aware UTC instant; None for none, or out of range."""
    if ms is None or not 0 < ms <= LAST_MS:
        return None
    return _EPOCH + timedelta(milliseconds=ms)


def in_ms(stated: float | None) -> int | None:
    """Normalize a timestamp to ms, also one stated in seconds; None when it is out of range."""
    if stated is None or not 0 < stated <= LAST_MS:
        return None
    return int(stated if stated >= FIRST_MS else stated * 1000)


def is_in_seconds(stated: float | None) -> bool:
    """Whether a timestamp is in seconds instead of ms."""
    return stated is not None and 0 < stated < FIRST_MS


def not_before(received_ms: int, earliest_ms: int | None) -> int:
    """Return the receipt, but no earlier than something can have happened; 0 if neither is known.

    An earliest time on a later day than the receipt is ignored.
    """
    if not earliest_ms or (received_ms and earliest_ms > received_ms + FUTURE_MS):
        return received_ms
    return max(received_ms, earliest_ms)
