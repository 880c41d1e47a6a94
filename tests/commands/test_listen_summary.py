"""What `vmon listen` sums up at its end is what its capture says, whatever its terminal took."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.processes import Flow, Listen, Listening

    VmonRun = Callable[..., tuple[int, str, str]]

T_MS = 1_795_512_600_000
SESSIONS = 7
ROUNDS = 110
"""Connections of each session, of which each publishes a stream."""
FEW = "import vmon.receive.feed as f\nf.MOST_ELEMENTS = 300"
HURRIED = "import vmon.commands.listen as l\nl._DRAIN_S = 0.2"


def session_id(number: int) -> str:
    return f"2_MX4xMzExMjU3MX5-MTQ3MDI1NzY4ODMw{number:06}abcdfg"


def body(session: int, event: str, at_ms: int, **more: Any) -> bytes:
    common = {"sessionId": session_id(session), "projectId": "7", "event": event}
    return json.dumps(common | {"timestamp": T_MS + at_ms} | more).encode()


def connection(session: int, number: int) -> dict[str, Any]:
    return {"id": f"c{session}-{number}", "createdAt": T_MS + number * 1000, "data": ""}


def events_of(session: int) -> Iterator[bytes]:
    """A session's events in their order; of the highest number are most, and it stays open."""
    yield body(session, "sessionCreated", 0)
    for number in range(ROUNDS - 5 * (SESSIONS - session)):
        at_ms, who = number * 1000, connection(session, number)
        stream = {"id": f"s{session}-{number}", "createdAt": at_ms + T_MS, "connection": who}
        yield body(session, "connectionCreated", at_ms, connection=who)
        yield body(session, "streamCreated", at_ms + 100, stream=stream)
        yield body(
            session, "streamDestroyed", at_ms + 800, stream=stream, reason="clientDisconnected"
        )
        if number:
            yield body(
                session, "connectionDestroyed", at_ms + 900, connection=who, reason="timeout"
            )
    if session < SESSIONS - 1:
        who = connection(session, 0)
        yield body(session, "connectionDestroyed", 99_000, connection=who, reason="timeout")
        yield body(session, "sessionDestroyed", 100_000)


def deliveries() -> list[bytes]:
    """All events, those of sessions mixed; every third twice, and every fifth late."""
    made: list[tuple[int, int, bytes]] = []
    for session in range(SESSIONS):
        for number, event in enumerate(events_of(session)):
            late = 40 if number % 5 == 4 else 0
            made.append((number + late, session, event))
            if number % 3 == 0:
                made.append((number + 25, session, event))
    return [event for *_, event in sorted(made)]


def send(run: Listening, bodies: list[bytes]) -> None:
    """POST them all on one connection that stays open, each answered before the next."""
    client = run.client()
    for one in bodies:
        client.request("POST", "/", one, {"Content-Type": "application/json"})
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    client.close()


def summary_of(err: str) -> tuple[int, dict[str, str]]:
    """How many deliveries a run says it received, and the rows of its summary by label."""
    found = re.search(r"^([\d,]+) deliveries in ", err, re.MULTILINE)
    assert found is not None, err
    rows = err[found.end() :].splitlines()[1:]
    parts = [re.fullmatch(r"  (\S.*?) {2,}(\S.*)", row) for row in rows]
    return number(found[1]), {part[1]: part[2] for part in parts if part}


def number(text: str) -> int:
    return int(text.replace(",", ""))


def in_words(session: dict[str, Any]) -> str:
    """What a summary says of a session that `vmon sessions --format json` told."""
    people, streams = len(session["people"]), len(session["streams"])
    streams += sum(len(person["streams"]) for person in session["people"])
    return f"{people} connections, {streams} streams, {session['events']} events, "


@pytest.mark.parametrize("code", ["", FEW], ids=["with room for all", "with the queue overflown"])
def test_a_paused_terminal_leaves_what_is_summed_up_as_the_capture_has_it(
    listen: Listen, vmon_run: VmonRun, flow_of: Callable[[int], Flow], code: str
) -> None:
    bodies = deliveries()
    ours, theirs = os.pipe()
    run = listen("--format", "line", out=theirs, code=code)
    os.close(theirs)
    send(run, bodies)
    run.signal(signal.SIGINT)
    drawn = flow_of(ours)  # nobody has read until now
    status, _, err = run.result()
    lines = drawn.all().splitlines()
    os.close(ours)
    assert status == 0
    _, rows = summary_of(err)
    missed = number(rows.get("not shown", "0"))
    assert len(lines) + missed == len(bodies)
    assert bool(missed) == bool(code)
    assert any(b"duplicate #2" in line for line in lines)
    assert any(b" late" in line for line in lines)
    check(err, len(bodies), vmon_run, run.capture)


def test_so_does_one_that_is_paused_for_ever(listen: Listen, vmon_run: VmonRun) -> None:
    bodies = deliveries()
    ours, theirs = os.pipe()
    run = listen("--format", "line", out=theirs, code=f"{FEW}\n{HURRIED}")
    os.close(theirs)
    send(run, bodies)
    status, _, err = run.stop()
    os.close(ours)
    assert status == 0
    _, rows = summary_of(err)
    assert number(rows["not shown"]) > 1000
    check(err, len(bodies), vmon_run, run.capture)


def check(err: str, sent: int, vmon_run: VmonRun, capture: str) -> None:
    """Compare what a run summed up with what `vmon sessions` and `vmon stats` say."""
    received, rows = summary_of(err)
    assert received == sent == len(Path(capture).read_bytes().splitlines()) > 3000
    lines = vmon_run("sessions", "--format", "json", capture)[1].splitlines()
    sessions = [json.loads(line) for line in lines]
    stats = json.loads(vmon_run("stats", "--format", "json", capture)[1])
    assert {name: number(rows[name].split()[0]) for name in stats["types"]} == {
        name: counted["deliveries"] for name, counted in stats["types"].items()
    }
    duplicates = sum(session["duplicates"] for session in sessions)
    assert number(rows["duplicates"]) == duplicates == stats["duplicates"]["number"] > 800
    is_open = sum(session["open"] for session in sessions)
    assert (len(sessions), is_open) == (SESSIONS, 1)
    assert rows["sessions"] == (
        f"{stats['sessions']} ({is_open} open), "
        f"{stats['connections']} connections, {stats['streams']} streams"
    )
    busiest = sorted(sessions, key=lambda session: -session["events"])[:5]
    for session in busiest:
        assert rows[session["handle"]].startswith(in_words(session))
        assert ("open" in rows[session["handle"]]) == session["open"]
    assert f"… {SESSIONS - 5} more sessions (see vmon sessions)\n" in err
