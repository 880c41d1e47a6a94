"""Failures of the platform: several of different kinds within seconds are one event."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vmon.analysis.oddities.codes import CODES, Oddity, PlatformFailure, order
from vmon.humanize import count, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WITHIN_MS = 10_000
"""Of one event are failures that are no further apart."""
PLATFORM_REASONS = frozenset({"Internal server failure", "forceDisconnected"})
"""What Vonage gives as the reason where it was the platform that ended something."""
_CODE = "service-disruption"


def disrupted(found: Iterable[Oddity]) -> Iterator[Oddity]:
    """The oddities, where failures of the platform of different kinds within seconds are one."""
    failed: list[Oddity] = []
    for one in found:
        if one.failures and one.at_ms:
            failed.append(one)
        else:
            yield one
    for group in _close(sorted(failed, key=order)):
        failures = {failure for one in group for failure in one.failures}
        if len({failure.kind for failure in failures}) > 1:
            yield _as_one(failures)
        else:
            yield from group


def _close(failed: list[Oddity]) -> Iterator[list[Oddity]]:
    """Oddities in groups: each no further from those before it than `_WITHIN_MS`."""
    group: list[Oddity] = []
    until_ms = 0
    for one in failed:
        if group and one.at_ms - until_ms > _WITHIN_MS:
            yield group
            group = []
        group.append(one)
        until_ms = max(until_ms, *(failure.at_ms for failure in one.failures))
    if group:
        yield group


def _as_one(failures: set[PlatformFailure]) -> Oddity:
    ended = sorted(failures, key=lambda one: (one.at_ms, one.kind, one.id or "", one.session))
    sessions = {one.session for one in ended}
    number = Counter(one.kind for one in ended)
    what = ", ".join(count(number[kind], *_words(kind)) for kind in sorted(number))
    within = duration((ended[-1].at_ms - ended[0].at_ms) / 1000)
    reasons = ", ".join(sorted({one.reason for one in ended}))
    where = f" in {count(len(sessions), 'session')}" if len(sessions) > 1 else ""
    text = f"the platform failed: it ended {what}{where} within {within} ({reasons})"
    ids = tuple(dict.fromkeys(one.id for one in ended if one.id))
    session = next(iter(sessions)) if len(sessions) == 1 else None
    severity = CODES[_CODE].severity
    return Oddity(_CODE, severity, ended[0].at_ms, session, ids, text, failures=tuple(ended))


def _words(kind: str) -> tuple[str, str | None]:
    return (kind, kind) if kind == "captions" else (kind, None)
