import pytest

from vmon.analysis.oddities.scene import Scene, owner_of, shortened, what_is
from vmon.events.names import two_words
from vmon.sessions.model import Call, ConnectionState, OutputState, Session, StreamState

ANN = ConnectionState("c053fcc8-c681", name="Ann\x1b")
SESSION = Session("S", people={ANN.id: ANN})


def scene(now_ms: int = 100_000, began_ms: int = 1000) -> Scene:
    return Scene(SESSION, now_ms, 3600.0, began_ms, 10.0)


def test_an_oddity_is_as_severe_as_its_code_and_an_info_where_it_is_in_doubt() -> None:
    sure = scene().odd("failed", 5, ["a"], "it failed")
    assert (sure.severity, sure.text, sure.session, sure.ids) == ("error", "it failed", "S", ("a",))
    unsure = scene().odd("failed", 5, ["a"], "it failed", doubt="it may not have")
    assert (unsure.severity, unsure.text) == ("info", "it failed; it may not have")


@pytest.mark.parametrize(
    ("born_ms", "doubt"),
    [
        (None, "it may have started before the capture"),
        (999, "it started before the capture"),
        (1000, "it started before the capture"),
        (1001, None),
    ],
)
def test_what_began_before_the_capture_is_in_doubt(born_ms: int | None, doubt: str | None) -> None:
    assert scene().unseen(born_ms) == doubt


def test_what_the_capture_ends_with_is_in_doubt_for_ten_seconds() -> None:
    assert scene().unsettled(90_001) == "the capture ends there, so it may still arrive"
    assert scene().unsettled(90_000) is None


def test_parts_are_named_by_kind_handle_and_disarmed_name() -> None:
    assert what_is("connection", ANN) == "connection c053fcc8 (Ann␛)"
    nameless = ConnectionState("5d2451b8-1")
    assert what_is("connection", nameless) == f"connection 5d2451b8 ({two_words(nameless.id)})"
    assert what_is("stream", StreamState("63245362-e", name="desk")) == "stream 63245362 (desk)"
    assert what_is("archive", OutputState("832641bf-5", "archive")) == "archive 832641bf"
    lesson = OutputState("832641bf-5", "archive", name="lesson", tag="left")
    assert what_is("archive", lesson) == "archive 832641bf (lesson, tag left)"
    assert what_is("call", Call("b0a5a8c7-d")) == "call b0a5a8c7"


def test_an_unknown_owner_is_named_by_its_id() -> None:
    assert owner_of(SESSION, ANN.id) == what_is("connection", ANN)
    assert owner_of(SESSION, "5d2451b8-1").startswith("connection 5d2451b8 (")


def test_what_a_sender_wrote_is_cut_at_forty_characters() -> None:
    assert shortened("x" * 40) == "x" * 40
    assert shortened("x" * 41) == "x" * 40 + "…"
    assert shortened("a\x1b") == "a␛"
