"""Figures for people (a sparkline, a table of lags, sentences) and as JSON."""

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
_PIPED = 60
_GAP = "  "
_SHARES = (("p50", 0.5), ("p95", 0.95))
_ODD_SKEW_MS = 1000
_CELL, _NUMBER = 7, 11
_TABLE = _NUMBER + 2 * (len(_GAP) + 3 * _CELL)


class StatsReport:
    """Figures as lines for standard output, as wide as a terminal is."""

    def __init__(self, top: int) -> None:
        self._page = OutputPage()
        self._paint, self._width = self._page.paint, self._page.width
        self._top = top

    def lines(self, stats: Stats) -> Iterator[str]:
        """All figures, without newlines at the ends of lines."""
        yield from self._head(stats)
        yield from self._spark(stats.minutes)
        yield ""
        yield from self._types(stats)
        yield ""
        for name, text in _facts(stats):
            yield from self._fact(name, text)
        yield from self._busiest(stats)

    def _head(self, stats: Stats) -> Iterator[str]:
        whole = (stats.last_ms - (stats.first_ms or 0)) / 1000
        text = (
            f"{count(stats.deliveries, 'delivery', 'deliveries')} in {duration(whole)}, from "
            f"{_local(stats.first_ms or 0)}: {count(len(stats.sessions), 'session')}, "
            f"{count(len(stats.people), 'connection')}, {count(len(stats.streams), 'stream')}"
        )
        yield from self._page.wrapped(text)

    def _spark(self, minutes: dict[int, int]) -> Iterator[str]:
        cells, each = fitted(minutes, self._width or _PIPED)
        most, at = max((number, minute) for minute, number in minutes.items())
        yield self._paint("created", sparkline(cells))
        per = count(each, "minute")
        when = _local(at * MINUTE_MS)[11:16]
        yield from self._page.wrapped(f"{per} per bar; busiest minute: {when}, with {most:,}")

    def _types(self, stats: Stats) -> Iterator[str]:
        names = [name for name in NAMES if name in stats.types]
        names += sorted(set(stats.types) - set(names))
        wide = max(cell_len(disarm(name)) for name in names)
        narrow = not self._page.fits(wide + _TABLE)
        if not narrow:
            heads = "".join(f"{name:>{_CELL}}" for name in ("p50", "p95", "max"))
            lags = f"{'delivery lag':>{3 * _CELL}}{_GAP}{'event delay':>{3 * _CELL}}"
            yield self._paint("dim", f"{'':<{wide + _NUMBER}}{_GAP}{lags}")
            yield self._paint("dim", f"{'type':<{wide}}{'count':>{_NUMBER}}" + 2 * (_GAP + heads))
        for name in names:
            yield from self._type(disarm(name), stats.types[name], wide, narrow=narrow)

    def _type(self, name: str, one: OfType, wide: int, *, narrow: bool) -> Iterator[str]:
        if narrow:
            yield f"{self._paint('name', name)} {one.deliveries:,}"
            for text, lags in (("lag", one.delivery_lag), ("event delay", one.platform_lag)):
                if lags.number:
                    yield from self._page.wrapped(f"{_GAP}{text} {_in_words(lags)}", _GAP * 2)
        else:
            cells = "".join(
                _GAP + "".join(f"{cell:>{_CELL}}" for cell in _lags(lags))
                for lags in (one.delivery_lag, one.platform_lag)
            )
            pad = " " * (wide - cell_len(name))
            yield f"{self._paint('name', name)}{pad}{one.deliveries:>{_NUMBER},}{cells}".rstrip()
        for told in (one.reasons, one.statuses):
            if told:
                yield from self._page.wrapped(_GAP + _counted(told), _GAP * 2)

    def _fact(self, name: str, text: str) -> Iterator[str]:
        first, *rest = self._page.wrapped(f"{name:<10} {text}", " " * 11)
        yield self._paint("dim", first[:10]) + first[10:]
        yield from rest

    def _busiest(self, stats: Stats) -> Iterator[str]:
        found = busiest(stats, self._top)
        if not found:
            return
        begin = f"{'busiest':<10}"
        told = [(session, f" {number:,}") for session, number in found]
        wide = self._width or 0
        line, used = self._paint("dim", begin), len(begin)
        for session, number in told:
            shown = handle(session, "session")
            size = len(_GAP) + cell_len(shown) + len(number) - (used == len(begin))
            if wide and used + size > wide:
                yield line
                line, used = " " * len(begin), len(begin)
            line += (" " if used == len(begin) else _GAP) + self._paint(colour_of(session), shown)
            line += number
            used += size
        yield line


def _facts(stats: Stats) -> Iterator[tuple[str, str]]:
    people, streams = stats.peaks()
    if people.number or streams.number:
        yield "peak", f"{_peak(people, 'connection')}; {_peak(streams, 'stream')}"
    if stats.duplicates:
        after = stats.after_first
        half = _ms(after.percentile(0.5) or 0)
        text = (
            f"{stats.duplicates:,}, of {count(len(stats.repeated), 'delivery', 'deliveries')}; "
            f"{stats.retries:,} at Vonage's retry times; "
            f"half within {half} of the first, the last after {_ms(after.most)}"
        )
        yield "duplicates", text
    if text := _clocks(stats):
        yield "clock", text
    if stats.oddities is not None:
        yield "oddities", _counted(stats.oddities) or "none"


def _clocks(stats: Stats) -> str:
    """What is known of this clock against Vonage's; no lag above was changed for it."""
    skew = stats.skew
    early = sum(_before(one.delivery_lag) for one in stats.types.values())
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


def _before(lags: Histogram) -> int:
    return sum(number for ms, number in lags.counts.items() if ms < 0)


def _peak(one: Peak, noun: str) -> str:
    at = f" ({_local(one.at_ms)})" if one.number else ""
    return f"{count(one.number, noun)} at once{at}"


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


# A sparkline.


def fitted(minutes: dict[int, int], width: int) -> tuple[list[float], int]:
    """Numbers per minute in at most `width` cells, and how many minutes a cell is."""
    first, last = min(minutes), max(minutes)
    each = -(-(last - first + 1) // width)
    cells = [0.0] * -(-(last - first + 1) // each)
    for minute, number in minutes.items():
        cells[(minute - first) // each] += number / each
    return cells, each


def sparkline(cells: Iterable[float]) -> str:
    """Numbers as bars of eight heights; nothing is a blank, and the least something a low bar."""
    told = list(cells)
    most = max(told, default=0.0) or 1.0
    return "".join(_STEPS[-int(-number / most * 8 // 1)] for number in told).rstrip()


# For machines.


def as_json(stats: Stats, top: int) -> str:
    """`{"deliveries":…,"types":{…},"per_minute":{…},"peak":{…},…}`; durations and lags in ms."""
    people, streams = stats.peaks()
    document: dict[str, Any] = {
        "deliveries": stats.deliveries,
        "first_at": _iso(stats.first_ms),
        "last_at": _iso(stats.last_ms) if stats.deliveries else None,
        "sessions": len(stats.sessions),
        "connections": len(stats.people),
        "streams": len(stats.streams),
        "types": {name: _of_type(one) for name, one in stats.types.items()},
        "busiest": [
            {"session": session, "deliveries": number} for session, number in busiest(stats, top)
        ],
        "per_minute": {
            f"{_iso(minute * MINUTE_MS)}": number
            for minute, number in sorted(stats.minutes.items())
        },
        "peak": {
            name: {"number": one.number, "at": _iso(one.at_ms) if one.number else None}
            for name, one in (("connections", people), ("streams", streams))
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


def _of_type(one: OfType) -> dict[str, Any]:
    return {
        "deliveries": one.deliveries,
        "reasons": one.reasons,
        "statuses": one.statuses,
        "delivery_lag_ms": _quantiles(one.delivery_lag),
        "platform_lag_ms": _quantiles(one.platform_lag),
    }


def _quantiles(lags: Histogram) -> dict[str, int | None] | None:
    if not lags.number:
        return None
    return {name: lags.percentile(share) for name, share in _SHARES} | {"max": lags.most}


def _iso(ms: int | None) -> str | None:
    return (
        iso(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)) if ms is not None else None
    )
