from vmon.forward.client import Outcome
from vmon.replay.tally import Tally


def test_outcomes_are_counted_by_status_or_by_problem() -> None:
    tally = Tally()
    for outcome in (
        Outcome(200, 0.1),
        Outcome(204, 0.1),
        Outcome(200, 0.1),
        Outcome(500, 0.1),
        Outcome(None, 0.1, "connection refused", kind="unreachable"),
    ):
        tally.note(outcome)
    assert tally.outcomes == {200: 2, 204: 1, 500: 1, "connection refused": 1}
    assert tally.rejected == 2
