import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.factories import make_entry
from vmon.errors import WrongUse
from vmon.events.catalogue import NAMES, TYPES, types_of
from vmon.events.entry import Entry
from vmon.search.filter import Filter, Prefixes, session_matches

SESSION = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"
STREAM = "63245362-e00e-4834-8371-9397deb3e452"
CONNECTION = "c053fcc8-c681-41d5-8ec2-7a9e1434a21e"
ARCHIVE = "832641bf-5dbf-41a1-ad94-fea213e59a92"
CALL = "b0a5a8c7-dc38-459f-a48d-a7f2008da853"
STREAMS = frozenset({"streamCreated", "streamDestroyed"})


@pytest.fixture
def sample() -> Callable[..., Entry]:
    """Make the entry of a type's sample; keywords change its payload."""

    def entry(name: str, **changed: Any) -> Entry:
        return make_entry(json.dumps(TYPES[name].sample | changed).encode(), path="/hooks/a?b=c")

    return entry


@pytest.mark.parametrize(
    ("patterns", "types"),
    [
        (["streamCreated"], {"streamCreated"}),
        (["streamCreated,archive", "render"], {"streamCreated", "archive", "render"}),
        (["stream*"], STREAMS),
        (["STREAMcreated"], {"streamCreated"}),
        (["*ed", "!*Created", "!muteForced"], {n for n in NAMES if n.endswith(("yed", "pdated"))}),
        (["!archive"], set(NAMES) - {"archive"}),
        (["!stream*, !unknown"], set(NAMES) - STREAMS - {"unknown"}),
        (["streamCreated,!streamCreated"], set()),
        (["undecodable"], {"undecodable"}),
        (["?aptions"], {"captions"}),
        (["stream[CD]*"], STREAMS),
        (["", " , "], set(NAMES)),
    ],
)
def test_types_are_named_by_lists_globs_and_exclusions(
    patterns: list[str], types: set[str]
) -> None:
    assert types_of(patterns) == types


def test_an_unknown_type_is_refused_with_a_suggestion_and_the_list() -> None:
    with pytest.raises(WrongUse) as caught:
        types_of(["archive", "streamcreate"])
    assert caught.value.message == "unknown event type 'streamcreate'"
    assert caught.value.hint == "did you mean streamCreated? known types: " + ", ".join(NAMES)


@pytest.mark.parametrize("pattern", ["zzz", "!zzz", "stream*x", "!"])
def test_what_is_like_no_type_is_refused_with_the_list(pattern: str) -> None:
    with pytest.raises(WrongUse) as caught:
        types_of([pattern])
    assert caught.value.hint == "known types: " + ", ".join(NAMES)


@pytest.mark.parametrize(
    ("event_filter", "name", "chosen"),
    [
        ({"types": STREAMS}, "streamCreated", True),
        ({"types": STREAMS}, "connectionCreated", False),
        ({"types": frozenset()}, "streamCreated", False),
        ({"session": (SESSION,)}, "streamCreated", True),
        ({"session": (SESSION[:8],)}, "streamCreated", True),
        ({"session": ("kxOH45",)}, "streamCreated", True),
        ({"session": ("xOH45",)}, "streamCreated", False),
        ({"session": (SESSION + "x",)}, "streamCreated", False),
        ({"session": ("nope", "2_MX")}, "streamCreated", True),
        ({"stream": ("6324",)}, "streamCreated", True),
        ({"stream": ("e00e",)}, "streamCreated", False),
        ({"stream": ("6324",)}, "connectionCreated", False),
        ({"connection": (CONNECTION,)}, "streamCreated", True),
        ({"connection": ("c053",)}, "connectionDestroyed", True),
        ({"archive": ("8326",)}, "archive", True),
        ({"archive": ("8326",)}, "broadcast", False),
        ({"call": ("b0a5",)}, "callUpdated", True),
        ({"project": ("1311",)}, "streamCreated", True),
        ({"project": ("99",)}, "streamCreated", False),
        ({"reason": ("CLIENTdisconnected",)}, "streamDestroyed", True),
        ({"reason": ("client",)}, "streamDestroyed", False),
        ({"reason": ("clientDisconnected",)}, "streamCreated", False),
        ({"status": ("active",)}, "callUpdated", True),
        ({"status": ("active", "available")}, "archive", True),
        ({"path": ("oks/a?b",)}, "archive", True),
        ({"path": ("/HOOKS",)}, "archive", False),
        ({"path": ("none", "/hooks")}, "archive", True),
        ({"types": STREAMS, "stream": ("6324",)}, "streamDestroyed", True),
        ({"types": STREAMS, "stream": ("nope",)}, "streamDestroyed", False),
    ],
)
def test_a_filter_chooses_by_each_of_its_fields(
    event_filter: dict[str, Any], *, name: str, chosen: bool, sample: Callable[..., Entry]
) -> None:
    assert Filter(**event_filter)(sample(name)) is chosen
    assert Filter(**event_filter, invert=True)(sample(name)) is not chosen


def test_since_takes_its_own_moment_and_until_does_not(sample: Callable[..., Entry]) -> None:
    entry = sample("archive")
    at, tick = entry.delivery.received_at, timedelta(microseconds=1)
    assert Filter(since=at)(entry)
    assert not Filter(since=at + tick)(entry)
    assert not Filter(until=at)(entry)
    assert Filter(until=at + tick)(entry)


def test_a_body_without_a_session_is_in_no_session() -> None:
    assert not Filter(session=("",))(make_entry(b"[1]"))
    assert not session_matches(None, ("",))


def test_an_undecodable_body_can_be_chosen_by_type_and_has_no_ids() -> None:
    broken = make_entry(b"{")
    assert Filter(types=frozenset({"undecodable"}))(broken)
    for name in ("connection", "stream", "archive", "call", "project", "reason", "status"):
        event_filter: dict[str, Any] = {name: ("",)}
        assert not Filter(**event_filter)(broken)


def test_only_a_filter_without_conditions_selects_all() -> None:
    assert Filter().selects_all
    assert not Filter(invert=True).selects_all
    assert not Filter(types=frozenset(NAMES)).selects_all


@pytest.mark.parametrize(
    ("event_filter", "said"),
    [
        ({}, "everything"),
        ({"invert": True}, "not (everything)"),
        ({"types": STREAMS}, "streamCreated or streamDestroyed"),
        ({"types": frozenset()}, "no event types"),
        ({"types": frozenset(NAMES) - STREAMS}, "all types except streamCreated, streamDestroyed"),
        ({"session": (SESSION,)}, "session kxOH45"),
        ({"session": ("2_MX",)}, "session 2_MX"),
        ({"stream": ("6324", "7")}, "stream 6324 or 7"),
        ({"reason": ("x\x1b[2J",), "path": ("/a",)}, "reason x␛[2J, path /a"),
        (
            {
                "types": frozenset({"archive"}),
                "since": datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
                "until": datetime(2026, 11, 24, 10, tzinfo=UTC),
                "invert": True,
            },
            "not (archive, since 2026-11-24T09:30:00Z, until 2026-11-24T10:00:00Z)",
        ),
    ],
)
def test_a_filter_describes_itself(event_filter: dict[str, Any], said: str) -> None:
    assert str(Filter(**event_filter)) == said


def test_an_ambiguous_prefix_is_reported(sample: Callable[..., Entry]) -> None:
    prefixes = Prefixes(Filter(stream=("6",), connection=("c0",)))
    first = sample("streamCreated")
    other = sample("streamCreated", stream=first.payload.value["stream"] | {"id": "6x"})
    prefixes.note((first, None, first))
    prefixes.note((other, sample("archive")))
    assert list(prefixes.ambiguous()) == ["--stream 6 matches 2 streams"]


def test_a_delivery_is_chosen_by_its_id_or_how_it_begins() -> None:
    entry = make_entry(b"{}", id="00053932d7f0ab-5a17c0de")
    assert Filter(delivery=("00053932d7f0ab-5a17c0de",))(entry)
    assert Filter(delivery=("00053932",))(entry)
    assert not Filter(delivery=("5a17c0de",))(entry)
