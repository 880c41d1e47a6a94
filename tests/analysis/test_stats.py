import base64
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.busy_day import Day
from tests.support.factories import make_entry, make_line
from vmon.analysis.lifetimes import peak
from vmon.analysis.stats import Stats, stats_of
from vmon.capture.codec import read_line, write_line
from vmon.events.catalogue import TYPES
from vmon.events.entry import Entry
from vmon.events.verdict import Verdict
from vmon.render.reports.stats import minute_cells, sparkline
from vmon.search.filter import Filter
from vmon.sessions.store import SessionStore

Run = Callable[..., tuple[int, str, str]]
S = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"
AT = datetime(2016, 8, 3, 21, 0, tzinfo=UTC)
T = 1_470_258_000_000


def body(event: str, at: int, **more: Any) -> bytes:
    said = {"sessionId": S, "projectId": "13112571", "event": event, "timestamp": at} | more
    return json.dumps(said).encode()


def lines(entries: Iterable[Entry]) -> Stats:
    stats = Stats()
    for one in entries:
        stats.line(write_line(one))
    return stats


def plain(stats: Stats) -> dict[str, Any]:
    return {name: value for name, value in vars(stats).items() if name != "_copies"}


# Counting.


def test_a_line_is_counted_as_if_it_had_been_read_with_all_its_tolerance(
    bodies: dict[str, bytes],
) -> None:
    for name, one in bodies.items():
        line = make_line(one)
        quickly, fully = Stats(), Stats()
        quickly.line(line)
        fully.entry(read_line(line))
        assert plain(quickly) == plain(fully), name
        assert quickly.deliveries == 1


def test_lifetimes_are_those_of_the_session_store(bodies: dict[str, bytes]) -> None:
    samples = [json.dumps(one.sample).encode() for one in TYPES.values()]
    seconds = body("connectionCreated", T // 1000, connection={"id": "s", "createdAt": 1470257999})
    others = [one for name, one in bodies.items() if name.startswith("opentok")]
    entries, store = [make_entry(one) for one in (*samples, seconds, *others)], SessionStore()
    for one in entries:
        store.apply(one)
    found, sessions = lines(entries), list(store.sessions())
    told = [one for session in sessions for one in session.people.values()]
    assert {(one.id, one.created_ms or 0, one.ended_ms or 0) for one in told} == {
        (key, one.begin, one.end) for key, one in found.people.items()
    }
    streams = [one for session in sessions for one in session.streams.values()]
    assert {(one.id, one.created_ms or 0, one.ended_ms or 0) for one in streams} == {
        (key, one.begin, one.end) for key, one in found.streams.items()
    }


def test_a_copy_is_a_duplicate_and_no_second_lag() -> None:
    once = body("sessionCreated", T)
    entries = [make_entry(once, received_at=AT + timedelta(seconds=s)) for s in (1, 6, 16)]
    found = lines([*entries, make_entry(body("sessionCreated", T + 1), received_at=AT)])
    one = found.types["sessionCreated"]
    assert (one.deliveries, one.delivery_lag.number) == (4, 2)
    assert (found.duplicates, len(found.repeated)) == (2, 1)
    assert (found.after_first.least, found.after_first.most) == (5000, 15_000)


def test_lag_is_split_into_the_platforms_and_the_deliverys() -> None:
    told = {"connection": {"id": "a", "createdAt": T - 166}}
    one = make_entry(body("connectionCreated", T, **told), received_at=AT + timedelta(seconds=2))
    found = lines([one]).types["connectionCreated"]
    assert (found.delivery_lag.most, found.platform_lag.most) == (2000, 166)


def test_a_bare_body_has_no_delivery_lag(tmp_path: Path) -> None:
    path = tmp_path / "bare.jsonl"
    path.write_bytes(body("sessionCreated", T) + b"\n")
    found = stats_of([str(path)], Filter(), lambda bad: pytest.fail(str(bad)))
    assert found.types["sessionCreated"].delivery_lag.number == 0
    assert found.minutes == {T // 60_000: 1}


def token(iat: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"Bearer {part({'alg': 'HS256'})}.{part({'iat': iat, 'iss': 'Vonage'})}.c2ln"


def signed(iat: object, kind: str, second: int) -> Entry:
    at = AT + timedelta(seconds=second)
    headers = (("Host", "x"), ("Authorization", token(iat)))
    one = make_entry(body("sessionCreated", T + second), received_at=at, headers=headers)
    one.verdict = Verdict(kind)
    return one


def test_skew_is_the_least_of_receipt_less_iat_of_those_that_vonage_signed() -> None:
    entries = [
        signed(T // 1000 + 3, "valid", 0),
        signed(T // 1000 + 1, "unchecked", 5),
        signed(T // 1000 + 900, "invalid", 6),
        signed("soon", "valid", 7),
    ]
    quickly, fully = lines(entries), Stats()
    for one in entries:
        fully.entry(one)
    assert (quickly.skew.number, quickly.skew.least_ms) == (2, -3000)
    assert fully.skew == quickly.skew


# Peaks.


def test_what_never_ended_counts_until_its_connection_or_session_ended() -> None:
    def connection(name: str, event: str, at: int) -> bytes:
        return body(event, at, connection={"id": name, "createdAt": at})

    def stream(name: str, of: str, at: int) -> bytes:
        told = {"id": name, "createdAt": at, "connection": {"id": of}}
        return body("streamCreated", at, stream=told)

    found = lines(
        make_entry(one)
        for one in (
            connection("a", "connectionCreated", T),
            stream("1", "a", T + 1),
            body("connectionDestroyed", T + 2, connection={"id": "a"}),
            stream("2", "b", T + 3),
            connection("b", "connectionCreated", T + 3),
            body("sessionDestroyed", T + 4),
            connection("c", "connectionCreated", T + 5),
        )
    )
    people, streams = found.peaks()
    assert (people.number, streams.number) == (1, 1)


def test_the_figures_of_a_generated_day_are_the_true_ones(tmp_path: Path) -> None:
    day = Day(40, 4000, odd=0.0)
    path = tmp_path / "day.jsonl"
    path.write_bytes(b"".join(day.lines()))
    found, truth = stats_of([str(path)], Filter(), lambda bad: pytest.fail(str(bad))), day.truth
    assert (found.deliveries, found.duplicates) == (
        truth.events + truth.duplicates,
        truth.duplicates,
    )
    people = [(begin, end or found.last_ms + 1) for begin, end in truth.people.values()]
    streams = [(begin, end or found.last_ms + 1) for begin, end in truth.streams.values()]
    assert found.peaks() == (peak(people), peak(streams))
    assert (len(found.people), len(found.streams)) == (len(people), len(streams))


# Sparklines.


def test_a_sparkline_is_fitted_to_a_width_in_whole_minutes() -> None:
    minutes = {100: 4, 101: 2, 109: 1}
    assert minute_cells(minutes, 80) == ([4, 2, 0, 0, 0, 0, 0, 0, 0, 1], 1)
    assert minute_cells(minutes, 4) == ([2, 0, 0, 1 / 3], 3)


def test_the_least_something_is_a_bar_and_nothing_is_none() -> None:
    assert sparkline([8, 4, 0, 0.01]) == "█▄ ▁"
    assert sparkline([0, 0]) == ""
