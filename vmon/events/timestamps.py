"""Instants in payloads: milliseconds since the epoch, read and shown."""

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
    """A local instant of ms since the epoch."""
    return datetime.fromtimestamp(min(at_ms, _LAST_LOCAL_MS) / 1000, UTC).astimezone()


def instant(ms: int | None) -> datetime | None:
    """Turn `ms` since the epoch into an aware UTC instant; None when there is none, or absurd."""
    if ms is None or not 0 < ms <= LAST_MS:
        return None
    return _EPOCH + timedelta(milliseconds=ms)


def in_ms(told: float | None) -> int | None:
    """A time that was told, in ms, also where it was told in seconds; None: it is none."""
    if told is None or not 0 < told <= LAST_MS:
        return None
    return int(told if told >= FIRST_MS else told * 1000)


def is_in_seconds(told: float | None) -> bool:
    """Whether a time was told in seconds, where ms are due."""
    return told is not None and 0 < told < FIRST_MS
