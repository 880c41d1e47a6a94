from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmon.errors import WrongUse
from vmon.humanize import parse_duration, parse_instant, parse_size

NOW = datetime(2026, 11, 24, 9, 30, 15, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("10m", 600),
        ("10 min", 600),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("2D", 172_800),
        ("1w", 604_800),
        ("0", 0),
    ],
)
def test_a_duration_is_read_as_people_type_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "m", "10y", "-5", "1e3", "1,5s", ".5s", "ten", "5s!"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(WrongUse, match="invalid duration") as caught:
        parse_duration(text)
    assert caught.value.hint == "use 250ms, 90, 10m, 1h30m or 2d"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("256k", 262_144),
        ("1MiB", 1 << 20),
        ("100MB", 100_000_000),
        (" 1.5 kb ", 1500),
        ("2G", 2 << 30),
        ("7b", 7),
    ],
)
def test_a_size_is_read_as_people_type_it(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "k", "-1", "1 TB", "1kk", "1_000", "9" * 400])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(WrongUse, match="invalid size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("now", "2026-11-24T09:30:15.250+00:00"),
        ("10m", "2026-11-24T09:20:15.250+00:00"),
        ("1d", "2026-11-23T09:30:15.250+00:00"),
        ("2026-11-24T09:30Z", "2026-11-24T09:30+00:00"),
        ("2026-11-24T09:30:00.5+02:00", "2026-11-24T07:30:00.500+00:00"),
        # What has no zone is local time, here an hour ahead.
        ("2026-11-24 09:30", "2026-11-24T08:30+00:00"),
        ("2026-11-24", "2026-11-23T23:00+00:00"),
        ("14:05", "2026-11-24T13:05+00:00"),
        ("9:05:30.5", "2026-11-24T08:05:30.500+00:00"),
        ("today", "2026-11-23T23:00+00:00"),
        (" Yesterday ", "2026-11-22T23:00+00:00"),
    ],
)
def test_an_instant_is_read_as_people_type_it(
    text: str, iso: str, zone: Callable[[str], None]
) -> None:
    zone("Europe/Berlin")
    found = parse_instant(text, NOW)
    assert found == datetime.fromisoformat(iso)
    assert found.tzinfo is UTC


def test_yesterday_began_at_its_own_midnight_when_the_clocks_changed_since(
    zone: Callable[[str], None],
) -> None:
    zone("Europe/Berlin")
    monday_after_the_change = datetime(2026, 10, 26, 12, tzinfo=UTC)
    assert parse_instant("yesterday", monday_after_the_change) == datetime(
        2026, 10, 24, 22, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "14:61", "2026-13-01", "2026-11-24T", "9" * 400, "2026-W99"]
)
def test_what_is_no_instant_is_refused_with_examples(text: str) -> None:
    with pytest.raises(WrongUse, match="invalid time") as caught:
        parse_instant(text, NOW)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("use 10m (ago), 14:05, yesterday")


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.text(max_size=12), st.from_regex(r"[0-9TZ:.+\-hms]{1,20}", fullmatch=True)))
def test_any_text_is_an_instant_or_refused(text: str) -> None:
    try:
        found = parse_instant(text, NOW)
    except WrongUse:
        return
    assert found.utcoffset() == timedelta()
