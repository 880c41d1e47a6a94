from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.factories import make_entry
from vmon.render.axis import Tick, ticks
from vmon.sessions.model import BEGUN, ENDED, ConnectionState, OutputState, Session, StreamState
from vmon.sessions.snapshot import snapshot
from vmon.sessions.store import SessionStore
from vmon.sessions.timeline import Chart, Mark, chart, labelled_marks, marks_of

if TYPE_CHECKING:
    from collections.abc import Callable


NOON = 1_764_072_000_000  # 2025-11-25T12:00:00Z
S, MIN, H, D = 1000, 60_000, 3_600_000, 86_400_000


# Ticks.


def labels(from_ms: int, until_ms: int, most: int) -> list[str]:
    return [tick.label for tick in ticks(from_ms, until_ms, most)]


@pytest.mark.usefixtures("utc")
def test_ticks_are_round_and_as_close_as_there_is_room() -> None:
    assert labels(NOON - 5 * MIN, NOON + 17 * MIN, 6) == [
        "11:55",
        "12:00",
        "12:05",
        "12:10",
        "12:15",
    ]
    assert labels(NOON - 5 * MIN, NOON + 17 * MIN, 2) == ["12:00", "12:15"]
    assert labels(NOON + 1, NOON + 25 * S, 4) == ["12:00:10", "12:00:20"]
    assert labels(NOON, NOON + 3 * D, 4) == ["11-26", "11-27", "11-28"]
    assert labels(NOON + 100, NOON + 350, 4) == ["00.100", "00.200", "00.300"]


def test_ticks_are_round_in_local_time(zone: Callable[[str], None]) -> None:
    zone("Asia/Kolkata")  # half an hour off the hour
    assert labels(NOON, NOON + 6 * H, 4) == ["18:00", "20:00", "22:00"]


@given(st.integers(1, NOON * 2), st.integers(1, 400 * D), st.integers(1, 30))
def test_there_are_never_more_ticks_than_fit(from_ms: int, lasted: int, most: int) -> None:
    found = ticks(from_ms, from_ms + lasted, most)
    assert len(found) <= most
    assert all(from_ms <= tick.at_ms <= from_ms + lasted for tick in found)


def test_a_span_of_ages_and_the_end_of_time_have_ticks() -> None:
    last = 253_402_300_799_999
    assert len(ticks(1, last, 5)) <= 5
    assert ticks(last - 10, last, 5)[0] == Tick(last - 9, ticks(last - 10, last, 5)[0].label)


# Marks.


@pytest.fixture
def marked() -> Callable[..., list[Mark]]:
    def of(*told: tuple[int, bytes]) -> list[Mark]:
        store, found = SessionStore(), list[Mark]()
        for received_s, body in told:
            at = datetime.fromtimestamp(NOON / 1000 + received_s, UTC)
            entry = make_entry(body, received_at=at)
            found += marks_of(entry, store.apply(entry))
        return found

    return of


CALL = ',"call":{"id":"c"},"reason_code":"'


def body(event: str, at_ms: int, more: str = "") -> bytes:
    return b'{"event":"%b","sessionId":"2_A","timestamp":%d%b}' % (
        event.encode(), at_ms, more.encode(),
    )  # fmt: skip # beside its pattern


def test_a_copy_is_marked_with_the_retry_it_fits(marked: Callable[..., list[Mark]]) -> None:
    one = body("sessionCreated", NOON)
    assert marked((0, one), (5, one), (60, one)) == [
        Mark(NOON, "again", ("session", "2_A"), "sessionCreated, retry #1 +5.0 s"),
        Mark(NOON, "again", ("session", "2_A"), "sessionCreated, duplicate #3 +1 min"),
    ]


def test_an_event_older_than_one_before_it_is_late(marked: Callable[..., list[Mark]]) -> None:
    told = (1, body("sessionDestroyed", NOON + 4000)), (2, body("sessionCreated", NOON))
    assert marked(*told) == [Mark(NOON, "late", ("session", "2_A"), "sessionCreated, 4.0 s late")]
    near = (1, body("sessionDestroyed", NOON + 400)), (2, body("sessionCreated", NOON))
    assert marked(*near) == []


def test_a_bare_body_is_never_late() -> None:
    store = SessionStore()
    for at_ms in (NOON + 9000, NOON):
        entry = make_entry(body("sessionCreated", at_ms), remote=None)
        assert list(marks_of(entry, store.apply(entry))) == []


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        (
            body("streamDestroyed", NOON, ',"reason":"networkDisconnected","stream":{"id":"s"}'),
            ("stream", "s"),
            "networkDisconnected",
        ),
        (
            body("archive", NOON, ',"id":"a","status":"failed","reason":"failure"'),
            ("archive", "a"),
            "failed: failure",
        ),
        (
            body("callDestroyed", NOON, CALL + '486","reason_message":"Busy"'),
            ("call", "c"),
            "486 Busy",
        ),
        (
            body("sessionDestroyed", NOON, ',"reason":"Internal server failure"'),
            ("session", "2_A"),
            "Internal server failure",
        ),
    ],
)  # fmt: skip # a case a block
def test_failures_are_marked_on_what_failed(
    text: bytes, key: tuple[str, str], said: str, marked: Callable[..., list[Mark]]
) -> None:
    (mark,) = marked((0, text))
    assert (mark.fault, mark.key, mark.text) == ("failed", key, said)


def test_what_went_well_is_not_marked(marked: Callable[..., list[Mark]]) -> None:
    cleared = CALL + '700","reason_message":"Normal call clearing"'
    assert marked((0, body("callDestroyed", NOON, cleared))) == []
    left = ',"reason":"clientDisconnected","connection":{"id":"c"}'
    assert marked((0, body("connectionDestroyed", NOON, left))) == []


# Rows.


def drawn(
    *people: ConnectionState, streams: tuple[StreamState, ...] = (), marks: tuple[Mark, ...] = ()
) -> Chart:
    session = Session(
        "2_A",
        first_ms=NOON,
        last_ms=NOON + MIN,
        people={one.id: one for one in people},
        streams={one.id: one for one in streams},
    )
    return chart(snapshot(session), marks, NOON + 2 * MIN)


def test_streams_stand_under_their_people_in_the_order_of_their_begin() -> None:
    made = drawn(
        ConnectionState("b", BEGUN, NOON + 5, name="Bob"),
        ConnectionState("a", BEGUN, NOON, name="Ann"),
        streams=(
            StreamState("s", BEGUN, NOON + 9, connection="a", video_type="camera", name="desk"),
        ),
    )
    assert [(row.kind, row.name, row.depth) for row in made.rows] == [
        ("session", "session 2_A", 0),
        ("connection", "Ann", 0),
        ("stream", 'camera "desk"', 1),
        ("connection", "Bob", 0),
    ]
    assert (made.from_ms, made.until_ms) == (NOON, NOON + 2 * MIN)


def test_what_began_ages_ago_does_not_stretch_the_chart() -> None:
    made = drawn(ConnectionState("a", BEGUN | ENDED, 1, NOON + MIN))
    assert made.from_ms == NOON - 7 * D
    assert made.at(1) == 0.0


def test_a_moment_has_a_chart() -> None:
    one = Session("2_A", first_ms=NOON, last_ms=NOON)
    made = chart(snapshot(one), (), NOON)
    assert made.until_ms - made.from_ms == 1000
    nothing = chart(snapshot(Session("2_A")), (), 0)
    assert nothing.at(0) == 0.0


def test_marks_stand_on_what_they_are_about_and_else_on_the_session() -> None:
    on = Mark(NOON + 7, "failed", ("stream", "s"), "networkDisconnected")
    off = Mark(NOON + 3, "late", ("stream", "unheard"), "streamCreated, late 9 s")
    made = drawn(
        ConnectionState("a", BEGUN, NOON, name="Ann"),
        streams=(StreamState("s", BEGUN, NOON, connection="a"),),
        marks=(on, off),
    )
    assert [row.marks for row in made.rows] == [(off,), (), (on,)]
    assert labelled_marks(made) == [(off, "session 2_A"), (on, "audio only of Ann")]


def test_ordinary_reasons_are_not_shown() -> None:
    left = ConnectionState("a", ENDED, NOON, NOON + 5, "clientDisconnected")
    cut_off = ConnectionState("b", ENDED, NOON, NOON + 5, "networkDisconnected")
    made = drawn(left, cut_off)
    assert [row.reason for row in made.rows] == [None, None, "networkDisconnected"]


def test_untrusted_names_are_disarmed() -> None:
    made = drawn(
        ConnectionState("a", BEGUN, NOON, name="A\x1b[2J"),
        streams=(StreamState("s", BEGUN, NOON, connection="a", video_type="\u202ecam", name="\n"),),
    )
    assert [row.name for row in made.rows[1:]] == ["A␛[2J", '‹U+202E›cam "␊"']


def test_two_archives_are_told_apart_by_their_tags() -> None:
    jobs = [OutputState(tag, "archive", BEGUN, NOON, name="x", tag=tag) for tag in ("a", "b\x1b")]
    session = Session("2_A", first_ms=NOON, last_ms=NOON)
    session.outputs = {(one.kind, one.id): one for one in jobs}
    made = chart(snapshot(session), [], NOON)
    assert [row.name for row in made.rows[1:]] == ['archive "x" tag a', 'archive "x" tag b␛']
