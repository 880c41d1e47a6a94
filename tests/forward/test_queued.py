import pytest

from tests.support.forwarding import Tape, numbered
from vmon.forward.backlog import JournalCursor
from vmon.forward.client import Outcome
from vmon.forward.queued import QueuedDelivery


def test_a_delivery_is_at_hand_or_read_from_its_capture(tape: Tape) -> None:
    entry, start, size = tape.write(numbered(7))
    assert QueuedDelivery(tape.cursor, start, size, entry).read() is entry
    read = QueuedDelivery(tape.cursor, start, 0, None).read()
    assert read is not None
    assert read.delivery == entry.delivery


def test_a_delivery_that_no_capture_has_any_more_is_none(tape: Tape) -> None:
    tape.write(numbered(7))
    assert QueuedDelivery(tape.cursor, 1, 0, None).read() is None
    assert QueuedDelivery(JournalCursor(), 0, 0, None).read() is None


def test_a_failure_is_another_one_when_its_status_or_problem_is() -> None:
    delivery = QueuedDelivery(JournalCursor(), 0, 0, None)
    refused = Outcome(None, 0.1, "refused", kind="unreachable")
    outcomes = (Outcome(500, 0.1), Outcome(500, 0.2), refused, refused, Outcome(500, 0.1))
    assert [delivery.failed_differently(one) for one in outcomes] == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_the_time_of_failing_begins_with_the_first_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delivery = QueuedDelivery(JournalCursor(), 0, 0, None)
    clock = iter([100.0, 103.5])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    assert [delivery.failing_s(), delivery.failing_s()] == [0.0, 3.5]
