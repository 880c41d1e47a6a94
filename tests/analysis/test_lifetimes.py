from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from vmon.analysis.lifetimes import RECORDERS, Lifetime, Lifetimes, Peak, _note, peak
from vmon.analysis.stats_row import Body, StatsRow, Thing
from vmon.histogram import Histogram


def test_a_peak_counts_what_is_there_at_once_and_an_end_is_outside() -> None:
    assert peak([(0, 10), (10, 20), (5, 12), (7, 7), (30, 20)]) == Peak(2, 5)
    assert peak([]) == Peak()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50))))
def test_a_peak_is_what_counting_at_every_instant_finds(spans: list[tuple[int, int]]) -> None:
    counts = [sum(begin <= at < end for begin, end in spans) for at in range(51)]
    assert peak(spans).number == max(counts)


def test_of_repeated_events_the_earliest_begin_and_end_count_in_any_order() -> None:
    made = []
    for order in (1, -1):
        lives = Lifetimes()
        for begin, end in ((1_470_258_000_500, 0), (1_470_258_000_000, 0), (0, 1_470_258_000_900))[
            ::order
        ]:
            _note(lives.people, "2_A", Thing("a"), begin, end)
        made.append(lives)
    assert made[0] == made[1]
    assert made[0].people == {"a": Lifetime(1_470_258_000_000, 1_470_258_000_900, "2_A")}


def test_what_is_open_lasts_until_its_owner_left_or_else_until_the_last_delivery() -> None:
    lives = Lifetimes()
    lives.people["a"] = Lifetime(100, 200)
    lives.streams |= {"1": Lifetime(150, owner="a"), "2": Lifetime(160, owner="b")}
    assert lives.peaks(300) == (Peak(1, 100), Peak(2, 160))
    assert [lives._end(one, 300) for one in lives.streams.values()] == [200, 301]


def test_open_spans_last_until_the_end_of_the_session_in_any_order_of_events() -> None:
    lives = Lifetimes()
    lives.people |= {"a": Lifetime(100, session="S"), "b": Lifetime(250, session="S")}
    lives.destroyed["S"] = [300, 50, 200]
    assert lives.peaks(900) == (Peak(1, 100), Peak())
    assert [lives._end(one, 900) for one in lives.people.values()] == [200, 300]


def test_a_stream_without_an_id_does_not_count_its_connection() -> None:
    for identifier, people in (("s", {"c"}), (None, set[str]())):
        lives, thing = Lifetimes(), Thing(identifier, connection=Thing("c"))
        row = StatsRow("streamCreated", datetime.now(UTC), Body(stream=thing), "S")
        RECORDERS["streamCreated"](lives, row, 1_470_258_000_000, Histogram())
        assert set(lives.people) == people
