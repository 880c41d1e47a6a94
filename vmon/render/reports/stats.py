"""The report of `vmon stats`: a sparkline, a table of delays, sentences; or JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from vmon.analysis.stats import MINUTE_MS
from vmon.capture.codec import without_surrogates
from vmon.events.catalogue import NAMES
from vmon.events.timestamps import instant
from vmon.humanize import compact, count, duration, handle, iso
from vmon.render.columns import OutputPage
from vmon.render.style import colour_of
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.analysis.lifetimes import Peak
    from vmon.analysis.stats import OfType, Stats
    from vmon.histogram import Histogram

_STEPS = " ▁▂▃▄▅▆▇█"
_PIPE_WIDTH = 60
_GAP = "  "
_SHARES = (("p50", 0.5), ("p95", 0.95))
_ODD_SKEW_MS = 1000
_CELL, _NUMBER = 7, 11
_TABLE = _NUMBER + 2 * (len(_GAP) + 3 * _CELL)


class StatsReport:
    """Formats statistics as lines for standard output, wrapped to the terminal's width."""

    def __init__(self, top: int) -> None:
        self._page = OutputPage()
        self._paint, self._width = self._page.paint, self._page.width
        self._top = top

    def lines(self, stats: Stats) -> Iterator[str]:
        """Format all statistics; lines have no newline."""
        yield from self._head(stats)
        if stats.minutes:
            yield from self._spark(stats.minutes)
        yield ""
        yield from self._types(stats)
        yield ""
        for name, text in _facts(stats):
            yield from self._fact(name, text)
        yield from self._busiest(stats)

    def _head(self, stats: Stats) -> Iterator[str]:
        span = "without a time"
        if stats.first_ms is not None:
            span_s = (stats.last_ms - stats.first_ms) / 1000
            span = f"in {duration(span_s)}, from {_local(stats.first_ms)}"
        text = (
            f"{count(stats.deliveries, 'delivery', 'deliveries')} {span}: "
            f"{count(len(stats.sessions), 'session')}, {count(len(stats.people), 'connection')}, "
            f"{count(len(stats.streams), 'stream')}"
        )
        yield from self._page.wrapped(text)

    def _spark(self, minutes: dict[int, int]) -> Iterator[str]:
        cells, minutes_per_cell = minute_cells(minutes, self._width or _PIPE_WIDTH)
        most, busiest_minute = max((number, minute) for minute, number in minutes.items())
        yield self._paint("created", sparkline(cells))
        per = count(minutes_per_cell, "minute")
        when = _local(busiest_minute * MINUTE_MS)[11:16]
        yield from self._page.wrapped(f"{per} per bar; busiest minute: {when}, with {most:,}")

    def _types(self, stats: Stats) -> Iterator[str]:
        names = [name for name in NAMES if name in stats.types]
        names += sorted(set(stats.types) - set(names))
        width = max(cell_len(disarm(name)) for name in names)
        narrow = not self._page.fits(width + _TABLE)
        if not narrow:
            heads = "".join(f"{name:>{_CELL}}" for name in ("p50", "p95", "max"))
            lags = f"{'delivery lag':>{3 * _CELL}}{_GAP}{'event delay':>{3 * _CELL}}"
            yield self._paint("dim", f"{'':<{width + _NUMBER}}{_GAP}{lags}")
            yield self._paint("dim", f"{'type':<{width}}{'count':>{_NUMBER}}" + 2 * (_GAP + heads))
        for name in names:
            yield from self._type(disarm(name), stats.types[name], width, narrow=narrow)

    def _type(self, name: str, of_type: OfType, width: int, *, narrow: bool) -> Iterator[str]:
        if narrow:
            yield f"{self._paint('name', name)} {of_type.deliveries:,}"
            for text, lags in (
                ("lag", of_type.delivery_lag),
                ("event delay", of_type.platform_lag),
            ):
                if lags.number:
                    yield from self._page.wrapped(f"{_GAP}{text} {_in_words(lags)}", _GAP * 2)
        else:
            cells = "".join(
                _GAP + "".join(f"{cell:>{_CELL}}" for cell in _lags(lags))
                for lags in (of_type.delivery_lag, of_type.platform_lag)
            )
            padding = " " * (width - cell_len(name))
            number = f"{of_type.deliveries:>{_NUMBER},}"
            yield f"{self._paint('name', name)}{padding}{number}{cells}".rstrip()
        for counts in (of_type.reasons, of_type.statuses):
            if counts:
                yield from self._page.wrapped(_GAP + _counted(counts), _GAP * 2)

    def _fact(self, name: str, text: str) -> Iterator[str]:
        first, *rest = self._page.wrapped(f"{name:<10} {text}", " " * 11)
        yield self._paint("dim", first[:10]) + first[10:]
        yield from rest

    def _busiest(self, stats: Stats) -> Iterator[str]:
        sessions = busiest(stats, self._top)
        if not sessions:
            return
        heading = f"{'busiest':<10}"
        width = self._width or 0
        line, used = self._paint("dim", heading), len(heading)
        for session, deliveries in sessions:
            name, number = handle(session, "session"), f" {deliveries:,}"
            size = len(_GAP) + cell_len(name) + len(number) - (used == len(heading))
            if width and used + size > width:
                yield line
                line, used = " " * len(heading), len(heading)
            line += (" " if used == len(heading) else _GAP) + self._paint(colour_of(session), name)
            line += number
            used += size
        yield line


def _facts(stats: Stats) -> Iterator[tuple[str, str]]:
    people, streams = stats.peaks()
    if people.number or streams.number:
        yield "peak", f"{_peak(people, 'connection')}; {_peak(streams, 'stream')}"
    if stats.duplicates:
        after = stats.after_first
        median = _ms(after.percentile(0.5) or 0)
        text = (
            f"{stats.duplicates:,}, of {count(len(stats.repeated), 'delivery', 'deliveries')}; "
            f"{stats.retries:,} at Vonage's retry times; "
            f"half within {median} of the first, the last after {_ms(after.most)}"
        )
        yield "duplicates", text
    if text := _clocks(stats):
        yield "clock", text
    if stats.oddities is not None:
        yield "oddities", _counted(stats.oddities) or "none"


def _clocks(stats: Stats) -> str:
    """Describe the offset of this clock from Vonage's; the delays are not corrected for it."""
    skew = stats.skew
    early = sum(_negative(of_type.delivery_lag) for of_type in stats.types.values())
    if skew.number:
        signed = f"by the `iat` of {count(skew.number, 'signed delivery', 'signed deliveries')}"
        least = duration(abs(skew.least_ms) / 1000)
        if skew.least_ms < 0:
            return f"at least {least} behind Vonage's ({signed}), so lags are too low"
        if skew.least_ms > _ODD_SKEW_MS:
            return f"up to {least} ahead of Vonage's, or deliveries take that long ({signed})"
        return f"within {least} of Vonage's ({signed}, in whole seconds)"
    if early:
        return (
            f"{count(early, 'delivery', 'deliveries')} arrived before the event happened: this "
            "clock is behind Vonage's, so lags are too low"
        )
    return ""


def _negative(lags: Histogram) -> int:
    return sum(number for ms, number in lags.counts.items() if ms < 0)


def _peak(peak: Peak, noun: str) -> str:
    at = f" ({_local(peak.at_ms)})" if peak.number else ""
    return f"{count(peak.number, noun)} at once{at}"


def _counted(numbers: dict[str, int]) -> str:
    pairs = sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{disarm(name)} {number:,}" for name, number in pairs)


def _lags(lags: Histogram) -> list[str]:
    if not lags.number:
        return ["", "", ""]
    return [_ms(lags.percentile(share) or 0) for _, share in _SHARES] + [_ms(lags.most)]


def _in_words(lags: Histogram) -> str:
    names = [name for name, _ in _SHARES] + ["max"]
    return ", ".join(f"{name} {text}" for name, text in zip(names, _lags(lags), strict=True))


def _ms(ms: int) -> str:
    return compact(ms / 1000)


def _local(ms: int) -> str:
    at = instant(ms)
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}" if at else "?"


def busiest(stats: Stats, top: int) -> list[tuple[str, int]]:
    """The sessions with the most deliveries."""
    return nlargest(top, stats.sessions.items(), key=lambda pair: pair[1])


# Sparkline.


def minute_cells(minutes: dict[int, int], width: int) -> tuple[list[float], int]:
    """Average numbers per minute over at most `width` cells; the cells and the minutes per cell."""
    first, last = min(minutes), max(minutes)
    per_cell = -(-(last - first + 1) // width)
    cells = [0.0] * -(-(last - first + 1) // per_cell)
    for minute, number in minutes.items():
        cells[(minute - first) // per_cell] += number / per_cell
    return cells, per_cell


def sparkline(cells: Iterable[float]) -> str:
    """Format numbers as bars of eight heights; 0 is a blank, all others are at least a low bar."""
    numbers = list(cells)
    most = max(numbers, default=0.0) or 1.0
    return "".join(_STEPS[-int(-number / most * 8 // 1)] for number in numbers).rstrip()


# JSON.


def as_json(stats: Stats, top: int) -> str:
    """`{"deliveries":…,"types":{…},"per_minute":{…},"peak":{…},…}`; durations and lags in ms."""
    people, streams = stats.peaks()
    document: dict[str, Any] = {
        "deliveries": stats.deliveries,
        "first_at": _iso(stats.first_ms),
        "last_at": _iso(stats.last_ms) if stats.last_ms else None,
        "sessions": len(stats.sessions),
        "connections": len(stats.people),
        "streams": len(stats.streams),
        "types": {name: _of_type(of_type) for name, of_type in stats.types.items()},
        "busiest": [
            {"session": session, "deliveries": number} for session, number in busiest(stats, top)
        ],
        "per_minute": {
            f"{_iso(minute * MINUTE_MS)}": number
            for minute, number in sorted(stats.minutes.items())
        },
        "peak": {
            name: {"number": peak.number, "at": _iso(peak.at_ms) if peak.number else None}
            for name, peak in (("connections", people), ("streams", streams))
        },
        "duplicates": {
            "number": stats.duplicates,
            "of": len(stats.repeated),
            "when_retried": stats.retries,
            "after_first_ms": _quantiles(stats.after_first),
        },
        "clock": {"signed": stats.skew.number, "receipt_less_iat_ms_least": _least(stats)},
        "oddities": stats.oddities,
    }
    return json.dumps(without_surrogates(document), indent=2) + "\n"


def _least(stats: Stats) -> int | None:
    return stats.skew.least_ms if stats.skew.number else None


def _of_type(of_type: OfType) -> dict[str, Any]:
    return {
        "deliveries": of_type.deliveries,
        "reasons": of_type.reasons,
        "statuses": of_type.statuses,
        "delivery_lag_ms": _quantiles(of_type.delivery_lag),
        "platform_lag_ms": _quantiles(of_type.platform_lag),
    }


def _quantiles(lags: Histogram) -> dict[str, int | None] | None:
    if not lags.number:
        return None
    return {name: lags.percentile(share) for name, share in _SHARES} | {"max": lags.most}


def _iso(ms: int | None) -> str | None:
    return (
        iso(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)) if ms is not None else None
    )
