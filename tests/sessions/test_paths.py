"""The same event at a second URL is told from a retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.factories import connection, make_entry
from vmon.security.access import secret_path
from vmon.sessions.paths import PathMemory, again_in_words
from vmon.sessions.store import SessionStore
from vmon.sessions.timeline import marks_of
from vmon.sessions.tracker import Annotation, SessionTracker, annotate

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BODY = connection("Created", 0)


def noted(*received: tuple[str, float], body: Any = BODY) -> list[Annotation]:
    """What is said beside a body that came at these paths, so many seconds into a session."""
    tracker = SessionTracker()
    entries = [make_entry(body, at_s, path=path) for path, at_s in received]
    return [annotate(entry, tracker.apply(entry)) for entry in entries]


def test_the_same_event_at_a_second_url_says_where_and_its_retries_are_counted_there() -> None:
    found = noted(("/hooks", 0), ("/pr-123/hooks", 0.1), ("/pr-123/hooks", 5.1), ("/hooks", 5.2))
    assert [(note.badge, note.copies, note.elsewhere) for note in found] == [
        ("", 1, 0),
        ("also at /pr-123/hooks", 1, 1),
        ("retry #1 +5.1 s", 2, 1),
        ("retry #1 +5.2 s", 2, 2),
    ]


def test_what_belongs_to_no_session_is_told_from_a_retry_too() -> None:
    found = noted(("/a", 0), ("/b", 0), ("/b", 0.2), body=b"{")
    assert [note.badge for note in found] == ["", "also at /b", "duplicate #2 +200 ms"]


def test_a_second_url_is_named_without_its_query_and_harmless() -> None:
    (_, note) = noted(("/a", 0), ("/b\x1b[2J" + "x" * 99 + "?token=1", 0))
    assert note.badge.startswith("also at /b␛[2Jxxx")
    assert note.badge.endswith("xxx…")
    assert len(note.badge) < 80


def test_a_second_url_is_named_without_the_secret_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    secret = secret_path("s3cret-s3cret")
    assert again_in_words(f"/{secret}/pr-123", 1, 0.0) == "also at /pr-123"


def test_where_it_is_not_remembered_a_copy_is_a_duplicate() -> None:
    paths = PathMemory(room=2)
    for mark in range(5):
        paths.first("S", mark, "/a")
    assert paths.again("S", 0, "/b") == 0
    assert paths.again("S", 4, "/b") == 1
    assert paths.again("T", 4, "/b") == 0


def test_however_many_copies_come_at_however_many_paths_little_is_remembered() -> None:
    paths = PathMemory()
    paths.first("S", 1, "/a")
    for number in range(1000):
        paths.again("S", 1, f"/{number}")
    (known,) = paths._new.values()
    assert len(known) == 20
    assert paths.again("S", 1, "/a") == 19


def test_a_copy_at_another_path_is_still_one_event_of_its_session() -> None:
    book = SessionStore()
    for path in ("/a", "/b"):
        book.apply(make_entry(BODY, 0, path=path))
    (session,) = book.sessions()
    assert (session.events, session.duplicates) == (1, 1)


def test_bodies_at_a_second_url_stand_out_in_a_timeline_as_what_they_are() -> None:
    book = SessionStore()
    marks = []
    for path in ("/a", "/b"):
        entry = make_entry(BODY, 0, path=path)
        marks += [mark.text for mark in marks_of(entry, book.apply(entry))]
    assert marks == ["connectionCreated, also at /b"]
