"""Instants and durations as people type them: `10m`, `yesterday`, `14:05`, `2026-11-24T09:30Z`."""

import re
from datetime import UTC, datetime, timedelta

from vmon.errors import WrongUse

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZES = {"": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "kb": 1000, "m": 1 << 20, "mib": 1 << 20}
_SIZES |= {"mb": 1000_000, "g": 1 << 30, "gib": 1 << 30, "gb": 1000_000_000}
_MOST = 2.0**53  # as far as a float counts every one


def parse_duration(text: str) -> float:
    """Seconds of `90`, `250ms`, `10m`, `1h30m`; WrongUse for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if not parts or re.sub(r"[\d.\sa-z]", "", text.lower()) or not _covers(parts, text):
        raise _no_duration(text)
    seconds = sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)
    if seconds >= _MOST:
        raise _no_duration(text)
    return seconds


def _no_duration(text: str) -> WrongUse:
    return WrongUse(f"invalid duration {text!r}", hint="use 250ms, 90, 10m, 1h30m or 2d")


def _covers(parts: list[tuple[str, str]], text: str) -> bool:
    known = all((unit or "s") in _UNITS for _, unit in parts)
    return known and "".join(a + b for a, b in parts) == re.sub(r"\s", "", text.lower())


def parse_size(text: str) -> int:
    """Bytes of `4096`, `256k`, `1MiB`, `100MB`; WrongUse for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    count = float(found[1]) * _SIZES.get(found[2], _MOST) if found else _MOST
    if count >= _MOST:
        raise WrongUse(f"invalid size {text!r}", hint="use 4096, 256k, 1MiB or 100MB")
    return round(count)


def parse_instant(text: str, now: datetime) -> datetime:
    """An aware UTC instant; what has no zone is local time, what has no date is today's.

    Takes ISO 8601, `14:05`, `now`, `today`, `yesterday`, and a duration, meaning so long ago.
    """
    value = text.strip()
    # Without its zone: each day has its own offset, and astimezone knows it.
    day = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    named = {"now": now, "today": day, "yesterday": day - timedelta(days=1)}
    if found := named.get(value.lower()):
        return found.astimezone(UTC)
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?", value):
            value = f"{day:%Y-%m-%d}T{'0' * (value[1] == ':')}{value}"
        elif not re.match(r"\d{4}-\d", value):
            return (now - timedelta(seconds=parse_duration(value))).astimezone(UTC)
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError, WrongUse):
        raise WrongUse(
            f"invalid time {text!r}",
            hint="use 10m (ago), 14:05, yesterday or 2026-11-24T09:30:00Z",
        ) from None
