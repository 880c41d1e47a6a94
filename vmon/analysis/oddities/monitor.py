"""Monitor a run for oddities: each is reported once, after it has settled."""

from __future__ import annotations

import asyncio
from time import perf_counter, time
from typing import TYPE_CHECKING

from vmon.analysis.oddities.codes import Oddity, order
from vmon.analysis.oddities.disruption import disrupted
from vmon.analysis.oddities.payloads import PayloadChecks
from vmon.analysis.oddities.rules import due_times, oddities_of
from vmon.analysis.oddities.scene import GHOST_AFTER_S, SETTLE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.events.entry import Entry
    from vmon.sessions.model import Session
    from vmon.sessions.store import ApplyResult, SessionStore

_MOST_SESSIONS = 10_000
_REPORTED = -1
_SOON_MS = 1000
_BEAT_S = 0.5
"""The interval between checks of the sessions that changed."""
_LOOK_S = 0.005
_Key = tuple[str, tuple[str, ...]]


class OddityMonitor:
    """Reports each oddity once, when it has persisted for `settle_s` seconds.

    Events arrive in any order, and a late one may resolve an oddity: none is reported before it was
    found twice, so long apart. `touch` a session when a delivery of it was applied; every second or
    so, `look` at those that are `due`. `began_ms` is when the run began; all instants are ms since
    the epoch by the receiver's clock.
    """

    def __init__(
        self,
        ghost_after_s: float = GHOST_AFTER_S,
        settle_s: float = SETTLE_S,
        began_ms: int = 0,
    ) -> None:
        self._ghost_after_s = ghost_after_s
        self._settle_ms = int(settle_s * 1000)
        self._began_ms = began_ms
        self._since: dict[str, dict[_Key, int]] = {}
        self._due: dict[str, int] = {}

    def touch(self, session: str, now_ms: int) -> None:
        """Schedule a session that changed: it is due soon, however often it changes until then."""
        soon = now_ms + _SOON_MS
        self._due[session] = min(self._due.get(session, soon), soon)

    @property
    def waits(self) -> bool:
        """Whether any session is scheduled to be checked."""
        return bool(self._due)

    def due(self, now_ms: int) -> list[str]:
        """Return the sessions to check now."""
        return [session for session, at in self._due.items() if at <= now_ms]

    def look(self, session: Session, now_ms: int) -> list[Oddity]:
        """Check a session; the oddities to report now."""
        known, settled = self._since.get(session.id, {}), list[Oddity]()
        current: dict[_Key, int] = {key: at for key, at in known.items() if at == _REPORTED}
        for one in oddities_of(session, now_ms, self._ghost_after_s, self._began_ms, 0.0):
            key = _key(one)
            since = known.get(key, now_ms)
            if since != _REPORTED and now_ms - since >= self._settle_ms:
                settled.append(one)
                since = _REPORTED
            current[key] = since
        self._remember(session, current, now_ms)
        return sorted(settled, key=order)

    def skip(self, session: str) -> None:
        """Leave a session alone until something of it is entered."""
        self._due.pop(session, None)

    def forget(self, session: str) -> None:
        """Forget a session that the store has forgotten."""
        self._since.pop(session, None)
        self._due.pop(session, None)

    def _remember(self, session: Session, current: dict[_Key, int], now_ms: int) -> None:
        due = [since + self._settle_ms for since in current.values() if since != _REPORTED]
        due += (ms for ms in due_times(session, self._ghost_after_s) if ms > now_ms)
        self.forget(session.id)
        if due:
            self._due[session.id] = min(due)
        if current:
            self._since[session.id] = current
        if len(self._since) > _MOST_SESSIONS:
            self.forget(next(iter(self._since)))


class LiveOddities:
    """Reports each oddity of a run once: of a payload at once, of a session when it has settled.

    Pass it each delivery with its result (`note`) and the sessions that the store has forgotten
    (`forget`). A check takes `_LOOK_S` at most; the rest is checked the next time.
    """

    def __init__(
        self,
        store: SessionStore,
        report: Callable[[Oddity], None],
        on_bug: Callable[[Exception], None],
        *,
        beat_s: float = _BEAT_S,
    ) -> None:
        self.total = 0
        self._store = store
        self._report = report
        self._on_bug = on_bug
        self._beat_s = beat_s
        self._monitor = OddityMonitor(began_ms=int(time() * 1000))
        self._payloads = PayloadChecks()
        self._changed: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def note(self, entry: Entry, result: ApplyResult) -> None:
        """Report what is new in a payload; schedule a check of the session that it changed."""
        if result.copies == 1:
            for oddity in self._payloads.note(entry):
                self.total += 1
                self._report(oddity)
        if result.session is not None:
            self._changed.add(result.session.id)
            if self._timer is None:
                self._later()

    def forget(self, session: str) -> None:
        """Forget a session that the store has forgotten."""
        self._monitor.forget(session)

    def close(self) -> None:
        """Stop checking."""
        if self._timer:
            self._timer.cancel()

    def _later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._beat_s, self._beat)

    def _beat(self) -> None:
        self._timer = None
        try:
            for oddity in self.look(int(time() * 1000), _LOOK_S):
                self._report(oddity)
        except Exception as error:  # noqa: BLE001 - a bug ends this check, not the run
            self._on_bug(error)
        if self._changed or self._monitor.waits:
            self._later()

    def look(self, now_ms: int, within_s: float) -> list[Oddity]:
        """Check due sessions for at most `within_s` seconds; the oddities to report now."""
        found: list[Oddity] = []
        end_s = perf_counter() + within_s
        for identifier in self._changed:
            self._monitor.touch(identifier, now_ms)
        self._changed.clear()
        for identifier in self._monitor.due(now_ms):
            if perf_counter() > end_s:
                break
            found += self._look_at(identifier, now_ms)
        found = list(disrupted(found))
        self.total += len(found)
        return found

    def _look_at(self, identifier: str, now_ms: int) -> list[Oddity]:
        try:
            if session := self._store.session(identifier):
                return self._monitor.look(session, now_ms)
            self._monitor.forget(identifier)
        except Exception as error:  # noqa: BLE001 - a bug ends the look at this session alone
            self._monitor.skip(identifier)
            self._on_bug(error)
        return []


def _key(one: Oddity) -> _Key:
    """Return the identity of an oddity: its IDs, or its time where the IDs may change."""
    by_time = not one.ids or one.code in {"session-ended-with-people", "service-disruption"}
    return one.code, (str(one.at_ms),) if by_time else one.ids
