"""What does not add up now: the oddities that are new to a listener, each told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.analysis.oddities.codes import Oddity, order
from vmon.analysis.oddities.rules import comes_of_age, oddities_of
from vmon.analysis.oddities.scene import GHOST_AFTER_S, SETTLE_S

if TYPE_CHECKING:
    from vmon.sessions.model import Session

_MOST_SESSIONS = 10_000
_TOLD = -1
_SOON_MS = 1000
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
        known, settled = self._since.pop(session.id, {}), list[Oddity]()
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

    def forget(self, session: str) -> None:
        """A session that the book does not have any more."""
        self._since.pop(session, None)
        self._due.pop(session, None)

    def _remember(self, session: Session, standing: dict[_Key, int], now_ms: int) -> None:
        due = [since + self._settle_ms for since in standing.values() if since != _TOLD]
        due += (ms for ms in comes_of_age(session, self._ghost_after_s) if ms > now_ms)
        self._due.pop(session.id, None)
        if due:
            self._due[session.id] = min(due)
        if standing:
            self._since[session.id] = standing
        if len(self._since) > _MOST_SESSIONS:
            self.forget(next(iter(self._since)))


def _key(one: Oddity) -> _Key:
    """What makes it the same oddity: who is concerned; where they may grow fewer, when it was."""
    by_time = not one.ids or one.code == "session-ended-with-people"
    return one.code, (str(one.at_ms),) if by_time else one.ids
