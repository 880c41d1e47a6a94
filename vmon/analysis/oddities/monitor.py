"""What does not add up now: the oddities that are new to a listener, each told once."""

from __future__ import annotations

import asyncio
from time import perf_counter, time
from typing import TYPE_CHECKING

from vmon.analysis.oddities.codes import Oddity, order
from vmon.analysis.oddities.payloads import PayloadChecks
from vmon.analysis.oddities.rules import comes_of_age, oddities_of
from vmon.analysis.oddities.scene import GHOST_AFTER_S, SETTLE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.events.entry import Entry
    from vmon.sessions.model import Session
    from vmon.sessions.store import ApplyResult, SessionStore

_MOST_SESSIONS = 10_000
_TOLD = -1
_SOON_MS = 1000
_BEAT_S = 0.5
"""How often the sessions of a run that changed are looked at."""
_LOOK_S = 0.005
_Key = tuple[str, tuple[str, ...]]


class OddityMonitor:
    """Tells a listener of each oddity once, when it has stood for `settle_s` seconds of its clock.

    Events come in any order, and a late one may put right what seemed odd: nothing is told before
    it was seen to be odd twice, so long apart. `touch` a session when something of it was entered;
    every second or so, `look` at those that are `due`. `began_ms` is when listening began; all
    instants are ms since the epoch by the receiver's clock.
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
        """Something of a session was entered: it is due soon, whatever else comes until then."""
        soon = now_ms + _SOON_MS
        self._due[session] = min(self._due.get(session, soon), soon)

    @property
    def waits(self) -> bool:
        """Whether a session is to be looked at, now or later."""
        return bool(self._due)

    def due(self, now_ms: int) -> list[str]:
        """The sessions to look at now."""
        return [session for session, at in self._due.items() if at <= now_ms]

    def look(self, session: Session, now_ms: int) -> list[Oddity]:
        """The oddities of a session that are to be told now."""
        known, settled = self._since.get(session.id, {}), list[Oddity]()
        standing: dict[_Key, int] = {key: at for key, at in known.items() if at == _TOLD}
        for one in oddities_of(session, now_ms, self._ghost_after_s, self._began_ms, 0.0):
            key = _key(one)
            since = known.get(key, now_ms)
            if since != _TOLD and now_ms - since >= self._settle_ms:
                settled.append(one)
                since = _TOLD
            standing[key] = since
        self._remember(session, standing, now_ms)
        return sorted(settled, key=order)

    def skip(self, session: str) -> None:
        """Leave a session alone until something of it is entered."""
        self._due.pop(session, None)

    def forget(self, session: str) -> None:
        """A session that the book does not have any more."""
        self._since.pop(session, None)
        self._due.pop(session, None)

    def _remember(self, session: Session, standing: dict[_Key, int], now_ms: int) -> None:
        due = [since + self._settle_ms for since in standing.values() if since != _TOLD]
        due += (ms for ms in comes_of_age(session, self._ghost_after_s) if ms > now_ms)
        self.forget(session.id)
        if due:
            self._due[session.id] = min(due)
        if standing:
            self._since[session.id] = standing
        if len(self._since) > _MOST_SESSIONS:
            self.forget(next(iter(self._since)))


class LiveOddities:
    """Reports each oddity of a run once: of a payload at once, of a session when it has settled.

    Give it each delivery and what it changed (`note`) and the sessions that the store has let go of
    (`forget`). A look takes `_LOOK_S` at most; the rest is looked at the next time.
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
        """Report what is new in a payload; look soon at the session that it changed."""
        if result.copies == 1:
            for oddity in self._payloads.note(entry):
                self.total += 1
                self._report(oddity)
        if result.session is not None:
            self._changed.add(result.session.id)
            if self._timer is None:
                self._later()

    def forget(self, session: str) -> None:
        """The store does not have this session any more."""
        self._monitor.forget(session)

    def close(self) -> None:
        """Look no more."""
        if self._timer:
            self._timer.cancel()

    def _later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._beat_s, self._beat)

    def _beat(self) -> None:
        self._timer = None
        try:
            for oddity in self.look(int(time() * 1000), _LOOK_S):
                self._report(oddity)
        except Exception as error:  # noqa: BLE001 - a bug ends this look, and not the run
            self._on_bug(error)
        if self._changed or self._monitor.waits:
            self._later()

    def look(self, now_ms: int, within_s: float) -> list[Oddity]:
        """The oddities that are to be reported now, as far as they are found in that time."""
        found: list[Oddity] = []
        end_s = perf_counter() + within_s
        for identifier in self._changed:
            self._monitor.touch(identifier, now_ms)
        self._changed.clear()
        for identifier in self._monitor.due(now_ms):
            if perf_counter() > end_s:
                break
            found += self._look_at(identifier, now_ms)
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
    """What makes it the same oddity: who is concerned; where they may grow fewer, when it was."""
    by_time = not one.ids or one.code == "session-ended-with-people"
    return one.code, (str(one.at_ms),) if by_time else one.ids
