"""Format and parse values for people: sizes, durations, times, counts, short IDs (handles)."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from vmon.errors import WrongUse
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from pathlib import Path


def handle(identifier: str, kind: str = "") -> str:
    """Return a short, searchable part of an ID that distinguishes it from others.

    Session IDs of one project have the same beginning and end: their handle is from the random part
    before the end. Other IDs are UUIDs: their first eight characters.
    """
    if kind != "session":
        return disarm(identifier[:8])
    return disarm(identifier[-10:-4] if len(identifier) > 20 else identifier[-6:])  # noqa: PLR2004 - shorter ids have no such part


def size(count: int) -> str:
    """Format bytes: `312 B`, `4.2 MB`."""
    if count >= 10**18:
        return "over 1,000,000 TB"  # an untrusted number may be too large for a float
    if count < 1000:  # noqa: PLR2004 - the units are powers of 1000
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the last one is used below
        value /= 1000
        if value < 999.5:  # noqa: PLR2004 - else it would be rounded to 1000
            break
    return f"{value:.1f} {unit}" if value < 99.5 else f"{value:.0f} {unit}"  # noqa: PLR2004 - three digits


def duration(seconds: float) -> str:
    """Format seconds: `85 ms`, `1.5 s`, `20 min 9 s`, `3 h 5 min`, `2 d 4 h`."""
    sign, value = ("-" if seconds < 0 else ""), abs(seconds)
    if value < 0.9995:  # noqa: PLR2004 - else it would be rounded to 1000 ms
        return f"{sign}{value * 1000:.0f} ms"
    if value < 59.95:  # noqa: PLR2004 - else it would be rounded to 60 s
        return f"{sign}{value:.1f} s"
    whole = round(value)
    for big, small, per, of in (
        ("d", "h", 86400, 3600),
        ("h", "min", 3600, 60),
        ("min", "s", 60, 1),
    ):
        if whole >= per:
            rest = whole % per // of
            return f"{sign}{whole // per} {big}" + (f" {rest} {small}" if rest else "")
    return f"{sign}{whole} s"


def clock(at: datetime) -> str:
    """Format the local time of day with milliseconds: `14:02:07.318`."""
    return at.astimezone().strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03d}"


def iso(at: datetime) -> str:
    """Format an instant as captures do: `2026-11-24T09:30:00.123456Z`."""
    micros = at.microsecond
    return f"{_utc_second(round(at.timestamp() - micros / 1e6))}.{micros:06d}Z"


@lru_cache(maxsize=64)
def _utc_second(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat()[:19]


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Format a number with its noun: `1 delivery`, `1,204 deliveries`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


SPLIT_S = 0.9995
"""Longer durations are in seconds: in ms they would be rounded to 1000."""


def compact(seconds: float) -> str:
    """Format a duration in at most six columns: `85ms`, `1.5s`, `20min`, `3h`, `412d`, `-3s`."""
    value = abs(seconds)
    sign = "-" if seconds < 0 else ""
    if value < SPLIT_S:
        return f"{sign}{value * 1000:.0f}ms"
    if value < 9.95:  # noqa: PLR2004 - one decimal where it tells something
        return f"{sign}{value:.1f}s"
    for unit, per, most in (("s", 1, 99.5), ("min", 60, 99.5), ("h", 3600, 47.5)):
        if value / per < most:
            return f"{sign}{value / per:.0f}{unit}"
    return f"{sign}{min(value / 86400, 9999):.0f}d"


def home(path: Path) -> str:
    """Quote a path for a shell, with `~` for the home directory."""
    try:
        return "~/" + shlex.quote(str(path.absolute().relative_to(path.home())))
    except (ValueError, RuntimeError):
        return shlex.quote(str(path))


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


_SIZES = {"": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "kb": 1000, "m": 1 << 20, "mib": 1 << 20}


_SIZES |= {"mb": 1000_000, "g": 1 << 30, "gib": 1 << 30, "gb": 1000_000_000}


_MOST = 2.0**53  # beyond it, floats skip integers


def parse_duration(text: str) -> float:
    """Parse `90`, `250ms`, `10m`, `1h30m` to seconds; WrongUse for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if not parts or re.sub(r"[\d.\sa-z]", "", text.lower()) or not _covers(parts, text):
        raise _invalid_duration(text)
    seconds = sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)
    if seconds >= _MOST:
        raise _invalid_duration(text)
    return seconds


def _invalid_duration(text: str) -> WrongUse:
    return WrongUse(f"invalid duration {text!r}", hint="use 250ms, 90, 10m, 1h30m or 2d")


def _covers(parts: list[tuple[str, str]], text: str) -> bool:
    known = all((unit or "s") in _UNITS for _, unit in parts)
    return known and "".join(a + b for a, b in parts) == re.sub(r"\s", "", text.lower())


def parse_size(text: str) -> int:
    """Parse `4096`, `256k`, `1MiB`, `100MB` to bytes; WrongUse for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    count = float(found[1]) * _SIZES.get(found[2], _MOST) if found else _MOST
    if count >= _MOST:
        raise WrongUse(f"invalid size {text!r}", hint="use 4096, 256k, 1MiB or 100MB")
    return round(count)


def parse_instant(text: str, now: datetime) -> datetime:
    """Parse a time to an aware UTC instant; local time without a zone, today without a date.

    Accepts ISO 8601, `14:05`, `now`, `today`, `yesterday`, and a duration, meaning so long ago.
    """
    value = text.strip()
    # Without its zone: each day has its own UTC offset, which astimezone finds.
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
