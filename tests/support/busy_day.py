"""A busy day of a project, generated and seeded, of which the truth is known.

Deliveries come in the order of their receipt: some late (within a bound), some again as Vonage
retries them; ends are missing, and oddities planted, at most one in a session.
"""

import heapq
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.factories import make_entry
from vmon.capture.codec import write_line
from vmon.events.entry import Entry
from vmon.events.redelivery import DUE_S

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
BEGIN_MS = int(BEGIN.timestamp() * 1000)
PROJECT = "13112571"
OTHER_PROJECT = "4711"
NAMES = ("Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ida", "Jo")
PLANTED = (
    "destroyed-without-created",
    "unknown-connection",
    "stream-outlives-connection",
    "session-ended-with-people",
    "ghost",
    "two-cameras",
    "publish-after-unpublish",
    "archive-stuck",
    "failed",
    "unknown-reason",
    "seconds-for-ms",
    "another-project",
)
"""The codes of the oddities that are planted."""

_RETRIES_S = DUE_S[:7]
_HEADERS = (
    ("Host", "hooks.example.com"),
    ("Content-Type", "application/json"),
    ("User-Agent", "Apache-HttpClient/4.5.13 (Java/11.0.20)"),
    ("X-Forwarded-For", "216.147.3.7"),
)

_GHOSTS_UNTIL_MS = 6 * 3_600_000

Life = tuple[int, int | None]
"""When something was created and when its end was told, in ms; None: it never was."""


@dataclass
class Truth:
    """What the store has to find out; people and streams by session and id."""

    people: dict[tuple[str, str], Life] = field(default_factory=dict)
    streams: dict[tuple[str, str], Life] = field(default_factory=dict)
    opened: dict[str, set[int]] = field(default_factory=dict)
    closed: dict[str, set[int]] = field(default_factory=dict)
    planted: set[tuple[str, str]] = field(default_factory=set)
    events: int = 0
    duplicates: int = 0

    def connected_ms(self) -> int:
        """How long people were connected, of whom both ends are known."""
        return _lived(self.people.values())

    def published_ms(self) -> int:
        """How long streams were published, of which both ends are known."""
        return _lived(self.streams.values())


def _lived(lives: Iterable[Life]) -> int:
    return sum(ended - born for born, ended in lives if ended is not None)


def there_at(lives: dict[tuple[str, str], Life], at_ms: int) -> set[tuple[str, str]]:
    """Who or what is there at an instant."""
    return {
        key for key, (born, end) in lives.items() if born <= at_ms and (end is None or at_ms < end)
    }


class Day:
    """A day of so many sessions, with about so many events in all; `truth` grows as it is read."""

    def __init__(  # noqa: PLR0913 - a day has this many sides
        self,
        sessions: int,
        events: int,
        seed: int = 20261123,
        *,
        lateness_s: float = 30.0,
        copied: float = 0.05,
        odd: float = 0.1,
    ) -> None:
        self.truth = Truth()
        self._rng = random.Random(seed)
        self._numbers = sessions, events
        self._lateness_s = lateness_s
        self._copied = copied
        self._odd = odd

    def entries(self) -> Iterator[Entry]:
        """The deliveries, in the order of their receipt."""
        for number, (at_us, _, body) in enumerate(self._received()):
            at = BEGIN + timedelta(microseconds=at_us)
            identifier = f"{BEGIN_MS * 1000 + at_us:014x}-{number:08x}"
            yield make_entry(
                body,
                id=identifier,
                received_at=at,
                path="/hooks/vonage",
                headers=_HEADERS,
                remote=f"127.0.0.1:{1024 + number % 60_000}",
            )

    def lines(self) -> Iterator[bytes]:
        """The same as lines of a capture."""
        return map(write_line, self.entries())

    def _received(self) -> Iterator[tuple[int, int, bytes]]:
        """When received (µs since the day began), a number, the body."""
        sessions, events = self._numbers
        starts = sorted(self._rng.randrange(0, 20 * 3_600_000) for _ in range(sessions))
        coming: list[tuple[int, int, bytes]] = []
        for number, start_ms in enumerate(starts):
            while coming and coming[0][0] < start_ms * 1000:
                yield heapq.heappop(coming)
            due = (events - self.truth.events) / (sessions - number)
            for at_ms, body in _Story(self._rng, self.truth, self._odd).told(start_ms, due):
                self._deliver(coming, at_ms - BEGIN_MS, json.dumps(body, separators=(",", ":")))
        while coming:
            yield heapq.heappop(coming)

    def _deliver(self, coming: list[tuple[int, int, bytes]], at_ms: int, body: str) -> None:
        rng, truth, coded = self._rng, self.truth, body.encode()
        late_s = rng.uniform(0, self._lateness_s) if rng.random() < 0.1 else 0.0
        at_us = int((at_ms / 1000 + rng.uniform(0.04, 0.4) + late_s) * 1e6)
        truth.events += 1
        heapq.heappush(coming, (at_us, truth.events + truth.duplicates, coded))
        if rng.random() < self._copied:
            truth.duplicates += 1
            again_us = at_us + int((rng.choice(_RETRIES_S) + rng.uniform(0, 0.3)) * 1e6)
            heapq.heappush(coming, (again_us, truth.events + truth.duplicates, coded))


class _Story:
    """One session: its rounds, and what is odd about it, if anything."""

    def __init__(self, rng: random.Random, truth: Truth, odd: float) -> None:
        self._rng = rng
        self._truth = truth
        self._odd = rng.choice(PLANTED) if rng.random() < odd else None
        self._session = f"2_MX4xMzExMjU3MX5-MTQ3MDI1NzY{rng.getrandbits(64):016x}-fg"
        self._said: list[tuple[int, dict[str, Any]]] = []

    def told(self, start_ms: int, due: float) -> list[tuple[int, dict[str, Any]]]:
        """Events with their instants, as many as are due, more or less."""
        if self._odd == "ghost" and start_ms > _GHOSTS_UNTIL_MS:
            self._odd = "failed"  # a ghost is one only after many hours
        if self._odd:
            self._truth.planted.add((self._odd, self._session))
        rounds = 2 if self._rng.random() < 0.2 and self._odd != "ghost" else 1
        at_ms = BEGIN_MS + start_ms
        for _ in range(rounds):
            at_ms = self._round(at_ms, due * self._rng.uniform(0.5, 1.5) / rounds)
            at_ms += self._rng.randrange(60_000, 600_000)
            self._odd = None
        return self._said

    def _round(self, at_ms: int, due: float) -> int:
        rng, truth = self._rng, self._truth
        lasts_ms = rng.randrange(300_000, 5_400_000)
        end_ms = at_ms + lasts_ms + 60_000
        number = max(1, round((due - 5) / 4.6))
        for who in range(number):
            self._person(at_ms, lasts_ms, first=not who)
        self._say("sessionCreated", at_ms + rng.randrange(1, 900), truth.opened)
        if self._odd != "ghost":
            self._say("sessionDestroyed", end_ms, truth.closed)
        if rng.random() < 0.3 or self._odd in {"archive-stuck", "failed"}:
            self._archive(at_ms + lasts_ms // 3, lasts_ms // 3)
        if rng.random() < 0.1:
            self._call(at_ms + lasts_ms // 4, lasts_ms // 4)
        if rng.random() < 0.1:
            self._unstamped(at_ms + lasts_ms // 4, lasts_ms // 4)
        return end_ms

    def _say(
        self, event: str, at_ms: int, noted: dict[str, set[int]] | None = None, **more: Any
    ) -> None:
        head = {"sessionId": self._session, "projectId": PROJECT, "event": event}
        self._said.append((at_ms, head | {"timestamp": at_ms} | more))
        if noted is not None:
            noted.setdefault(self._session, set()).add(at_ms)

    def _id(self) -> str:
        digits = f"{self._rng.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def _person(self, start_ms: int, lasts_ms: int, *, first: bool) -> None:
        """Someone who connects, publishes, and leaves; what is odd, is so of the first one."""
        rng, odd, identifier = self._rng, self._odd if first else None, self._id()
        born = start_ms + rng.randrange(0, lasts_ms // 3)
        ends = start_ms + rng.randrange(2 * lasts_ms // 3, lasts_ms)
        name = json.dumps({"name": rng.choice(NAMES)}) if rng.random() < 0.8 else ""
        one: dict[str, Any] = {"id": identifier, "createdAt": born, "data": name}
        if odd == "seconds-for-ms":
            born = born // 1000 * 1000
            one["createdAt"] = born // 1000
        other: dict[str, Any] = {"projectId": OTHER_PROJECT} if odd == "another-project" else {}
        if odd not in {"destroyed-without-created", "unknown-connection"}:
            self._say("connectionCreated", born + rng.randrange(1, 500), connection=one, **other)
        known = {"id": identifier, "createdAt": one["createdAt"], "data": ""}
        self._publish(known, born + 1000, ends - 1000, odd)
        reason = "becauseOfTheMoon" if odd == "unknown-reason" else "clientDisconnected"
        stays = odd in {"unknown-connection", "session-ended-with-people", "ghost"}
        if not stays:
            self._say("connectionDestroyed", ends, connection=known, reason=reason)
        self._truth.people[self._session, identifier] = (born, None if stays else ends)

    def _publish(self, by: dict[str, Any], from_ms: int, to_ms: int, odd: str | None) -> None:
        middle = (from_ms + to_ms) // 2
        outlives = odd == "stream-outlives-connection"
        if odd == "publish-after-unpublish":
            self._stream(by, from_ms, middle, "camera", "forceUnpublished")
            from_ms = middle + 700
        self._stream(by, from_ms, None if outlives else to_ms, "camera", "clientDisconnected")
        if odd == "two-cameras":
            self._stream(by, middle, to_ms, "camera", "clientDisconnected")
        if self._rng.random() < 0.2:
            self._stream(by, from_ms + 5000, middle, "screen", "mediaStopped")

    def _stream(
        self, by: dict[str, Any], from_ms: int, to_ms: int | None, kind: str, reason: str
    ) -> None:
        identifier = self._id()
        one = {"id": identifier, "connection": by, "createdAt": from_ms, "name": ""}
        one["videoType"] = kind
        self._say("streamCreated", from_ms + self._rng.randrange(1, 15_000), stream=one)
        if to_ms is not None:
            self._say("streamDestroyed", to_ms, stream=one, reason=reason)
        self._truth.streams[self._session, identifier] = (from_ms, to_ms)

    def _archive(self, at_ms: int, lasts_ms: int) -> None:
        at_ms = at_ms // 1000 * 1000
        head: dict[str, Any] = {"id": self._id(), "event": "archive"}
        head["sessionId"] = self._session
        head |= {"projectId": int(PROJECT), "createdAt": at_ms, "name": "lesson"}
        ends = [("uploaded", lasts_ms - 5), ("stopped", lasts_ms)]
        if self._rng.random() < 0.5:
            ends = [("stopped", lasts_ms), ("available", lasts_ms + 9000)]
        if self._odd == "archive-stuck":
            ends = [("stopped", lasts_ms)]
        if self._odd == "failed":
            ends = [("failed", lasts_ms)]
        for status, after_ms in [("started", 800), *ends]:
            told = {"status": status, "updatedAt": at_ms + after_ms, "outputMode": "composed"}
            told |= {"duration": lasts_ms // 1000 if status != "started" else 0, "size": 0}
            self._said.append((at_ms + after_ms, head | told))

    def _call(self, at_ms: int, lasts_ms: int) -> None:
        """A SIP call, with the connection and the stream that it has in the session."""
        person, ends = self._id(), at_ms + lasts_ms
        call = {"id": self._id(), "connectionId": person, "createdAt": at_ms}
        one = {"id": person, "createdAt": at_ms + 5, "data": ""}
        self._say("callCreated", at_ms + 9, call=call)
        self._say("connectionCreated", at_ms + 40, connection=one)
        self._stream(one, at_ms + 300, ends - 20, "camera", "clientDisconnected")
        for after_ms, state in ((500, "RINGING"), (7000, "ACTIVE")):
            self._say("callUpdated", at_ms + after_ms, call=call, state=state)
        self._say("callDestroyed", ends, call=call, reason_code="700", reason_message="normal")
        self._say("connectionDestroyed", ends, connection=one, reason="clientDisconnected")
        self._truth.people[self._session, person] = (at_ms + 5, ends)

    def _unstamped(self, at_ms: int, lasts_ms: int) -> None:
        """A render and captions, which tell no time."""
        head = {"sessionId": self._session}
        render = head | {"id": self._id(), "streamId": self._id()}
        captions = head | {"captionsId": self._id()}
        for after_ms, status in ((0, "starting"), (900, "started"), (lasts_ms, "stopped")):
            self._said.append((at_ms + after_ms, render | {"status": status}))
        for after_ms, status in ((50, "started"), (lasts_ms, "stopped")):
            self._said.append((at_ms + after_ms, captions | {"status": status}))


def torn(lines: Iterable[bytes], files: int, seed: int = 9) -> list[bytes]:
    """The contents of so many captures, each but the last ending where `kill -9` tore it.

    What was torn had not been answered: it is delivered again, and whole in the next file.
    """
    rng, every = random.Random(seed), list(lines)
    cuts = sorted(rng.sample(range(1, len(every)), files - 1))
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(every)], strict=True):
        last = every[end][: rng.randrange(1, len(every[end]))] if end < len(every) else b""
        found.append(b"".join(every[begin:end]) + last)
    return found
