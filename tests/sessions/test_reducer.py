from typing import Any

from tests.support.factories import T, connection, make_body, make_entry, only, sessions_of, stream
from vmon.sessions.model import BEGUN, ENDED, NAMED, SECONDS, Totals
from vmon.sessions.store import SessionStore


def test_a_person_is_joined_from_all_events_of_the_connection() -> None:
    session = only(
        connection("Created", 0.1, connection={"data": '{"name":"Ann"}'}),
        stream("Created", 1.5, stream={"name": "cam", "videoType": "camera"}),
        stream("Destroyed", 9, reason="mediaStopped"),
        connection("Destroyed", 10, reason="clientDisconnected"),
    )
    (ann,), (cam,) = session.people.values(), session.streams.values()
    assert (ann.name, ann.created_ms, ann.ended_ms) == ("Ann", T, T + 10_000)
    assert (ann.reason, ann.seen) == ("clientDisconnected", BEGUN | ENDED | NAMED)
    assert (cam.connection, cam.name, cam.video_type) == ("c", "cam", "camera")
    assert (cam.created_ms, cam.ended_ms, cam.reason) == (T + 1, T + 9000, "mediaStopped")
    assert (session.first_ms, session.last_ms, session.events) == (T + 100, T + 10_000, 4)
    assert session.projects == {"7"}


def test_a_capture_that_starts_in_the_middle_knows_beginnings_from_later_events() -> None:
    session = only(stream("Destroyed", 60), connection("Destroyed", 70, "other"))
    assert session.people["c"].seen == NAMED
    assert session.people["c"].created_ms == T
    assert session.people["other"].seen == ENDED
    assert session.people["other"].created_ms == T
    assert session.streams["s"].created_ms == T + 1


def test_the_earliest_end_counts_with_its_own_reason() -> None:
    session = only(
        connection("Destroyed", 9, reason="networkDisconnected"),
        connection("Destroyed", 8, reason="forceDisconnected"),
        connection("Destroyed", 8, reason="clientDisconnected"),
        connection("Destroyed", 8),
    )
    assert session.people["c"].ended_ms == T + 8000
    assert session.people["c"].reason == "clientDisconnected"


def test_a_session_has_one_instant_per_round() -> None:
    session = only(
        make_body("sessionCreated", 0),
        make_body("sessionDestroyed", 10),
        make_body("sessionCreated", 20),
        make_body("sessionDestroyed", 30, reason="serverRotation"),
    )
    assert session.created_ms == {T, T + 20_000}
    assert session.destroyed == {T + 10_000: None, T + 30_000: "serverRotation"}


def test_seconds_become_milliseconds_and_it_is_remembered() -> None:
    session = only(
        connection("Created", 0.5, connection={"createdAt": T // 1000}),
        connection("Created", 0.5, "d"),
        make_body("sessionCreated", None, timestamp=T // 1000),
        {"sessionId": "S", "captionsId": "x", "status": "started", "createdAt": T / 1000},
    )
    assert session.people["c"].created_ms == T
    assert session.people["c"].seen == BEGUN | SECONDS
    assert session.people["d"].seen == BEGUN
    assert session.created_ms == {T}
    (captions,) = session.outputs.values()
    assert (captions.created_ms, captions.seen) == (T, SECONDS)
    assert session.seconds == 3


def test_an_end_before_its_begin_is_kept() -> None:
    session = only(
        connection("Created", 10, connection={"createdAt": T + 9000}),
        connection("Destroyed", 5, connection={"createdAt": T + 9000}),
    )
    assert (session.people["c"].created_ms, session.people["c"].ended_ms) == (T + 9000, T + 5000)
    totals = Totals()
    totals.add(session)
    assert totals == Totals(sessions=1, people=1, events=2)


def test_a_call_has_its_connection_its_states_and_its_reason() -> None:
    call = {"id": "k", "connectionId": "c", "createdAt": T}
    session = only(
        make_body("callCreated", 1, call=call),
        make_body("callUpdated", 2, call=call, state="RINGING"),
        make_body("callUpdated", 3, call=call, state="ACTIVE"),
        make_body("callUpdated", 4, call=call, state="RINGING"),
        make_body("callDestroyed", 5, call=call, reason_code="700", reason_message="normal"),
        connection("Created", 1),
    )
    (one,) = session.calls.values()
    assert (one.connection, one.created_ms, one.ended_ms) == ("c", T, T + 5000)
    assert one.states == {"RINGING": T + 2000, "ACTIVE": T + 3000}
    assert one.reason == "normal"
    assert list(session.people) == ["c"]


def archive(status: str, after_s: float, **more: Any) -> dict[str, Any]:
    said = {"sessionId": "S", "event": "archive", "id": "r", "createdAt": T, "status": status}
    return said | {"updatedAt": T + round(after_s * 1000)} | more


def test_an_archive_that_is_uploaded_before_it_is_stopped_is_no_trouble() -> None:
    session = only(
        archive("started", 0, duration=0, size=0),
        archive("uploaded", 8, duration=7, size=99, reason="user initiated", name="lesson"),
        archive("stopped", 9, duration=7, size=0, reason="user initiated"),
        archive("failed", 10, duration=0, reason="failure"),
    )
    one = session.outputs["archive", "r"]
    later = {"uploaded": T + 8000, "stopped": T + 9000, "failed": T + 10_000}
    assert one.statuses == {"started": T} | later
    assert (one.created_ms, one.ended_ms, one.duration_s, one.size) == (T, T + 8000, 7, 99)
    assert (one.name, one.reason) == ("lesson", "failure")


def test_what_tells_two_outputs_apart_is_known_whichever_of_their_events_came() -> None:
    broadcast = archive("started", 0) | {"event": "broadcast", "multiBroadcastTag": "live"}
    render = {"id": "r", "sessionId": "S", "status": "started", "name": "grid"}
    session = only(
        archive("started", 0, multiArchiveTag="left"),
        archive("stopped", 9, multiArchiveTag=""),
        broadcast,
        render,
    )
    assert session.outputs["archive", "r"].tag == "left"
    assert session.outputs["broadcast", "r"].tag == "live"
    assert session.outputs["render", "r"].name == "grid"


def test_a_render_without_a_time_has_the_receivers() -> None:
    render = {"id": "r", "sessionId": "S", "streamId": "s", "status": "started"}
    late, soon = make_entry(render, 40), make_entry(render, 5)
    for order in ((late, soon), (soon, late)):
        (session,) = sessions_of(order).values()
        one = session.outputs["render", "r"]
        assert (one.statuses, one.stream) == ({"started": T + 5000}, "s")
        assert (session.first_ms, session.last_ms) == (T + 5000, T + 5000)


def test_a_bare_body_without_any_time_is_no_event_of_1970() -> None:
    render = {"id": "r", "sessionId": "S", "status": "stopped"}
    store = SessionStore()
    store.apply(make_entry(render, -T / 1000))
    (session,) = store.sessions()
    assert (session.first_ms, session.last_ms) == (0, 0)
    assert session.outputs["render", "r"].ended_ms == 0
    store.apply(make_entry(render | {"reason": "x"}, 3))
    assert session.outputs["render", "r"].ended_ms == T + 3000
    assert session.first_ms == T + 3000
