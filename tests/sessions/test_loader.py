import time
from pathlib import Path

import pytest

from tests.support.factories import START, T, connection, make_body, make_entry
from vmon.events.names import name_in_data
from vmon.locks import lock
from vmon.sessions.loader import SessionLoader, now_ms_of


@pytest.fixture
def loader() -> SessionLoader:
    """Two sessions: one that is over, then one in which somebody is."""
    loaded = SessionLoader(name_in_data)
    for body, after_s in (
        (make_body("sessionCreated", 0, "A"), 0.1),
        (connection("Created", 1, session="A"), 1.1),
        (connection("Destroyed", 5, session="A"), 5.1),
        (make_body("sessionDestroyed", 6, "A"), 6.1),
        (connection("Created", 9, "d", session="B", connection={"createdAt": T + 9000}), 9.1),
    ):
        loaded.apply(make_entry(body, after_s))
    return loaded


def names(loader: SessionLoader, at_ms: int | None = None) -> list[tuple[str, bool]]:
    order = loader.order if at_ms is None else loader.order_as_of(at_ms)
    order.settle()
    return [(one.session.id, one.is_open) for one in order.first()]


def test_sessions_are_given_open_ones_first(loader: SessionLoader) -> None:
    assert names(loader) == [("B", True), ("A", False)]


def test_sessions_can_be_seen_as_they_were(loader: SessionLoader) -> None:
    assert names(loader, T + 3000) == [("A", True)]
    assert names(loader, T + 7000) == [("A", False)]
    assert names(loader, T - 1) == []
    assert names(loader) == [("B", True), ("A", False)], "what is known now stays"


def test_the_last_receipt_includes_deliveries_without_a_session(loader: SessionLoader) -> None:
    assert loader.last_ms == T + 9100
    loader.apply(make_entry(b"", 20))
    assert loader.last_ms == T + 20_000
    loader.apply(make_entry(make_body("sessionCreated", 0), 3))
    assert loader.last_ms == T + 20_000
    assert SessionLoader(name_in_data).last_ms == 0


def test_a_delivery_says_what_it_changed(loader: SessionLoader) -> None:
    change = loader.apply(make_entry(make_body("sessionCreated", 0, "A"), 12))
    assert (change.copies, round(change.since_first_s, 3)) == (2, 11.9)


def test_what_is_open_goes_on_to_the_end_of_a_capture_and_until_now_while_it_is_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.jsonl"
    path.touch()
    last_ms = int(START.timestamp() * 1000)
    assert now_ms_of((None, str(path)), last_ms) == last_ms
    with path.open("r+b") as file:
        assert lock(file.fileno())
        before_ms = int(time.time() * 1000)
        assert before_ms <= now_ms_of((None, str(path)), last_ms) <= time.time() * 1000
    assert now_ms_of((str(path),), last_ms) == last_ms
