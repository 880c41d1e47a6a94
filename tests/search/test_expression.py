import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.factories import make_entry
from vmon.errors import WrongUse
from vmon.events.catalogue import TYPES
from vmon.events.entry import Entry
from vmon.search.expression import LONGEST, MOST_LOOPED, Expression
from vmon.search.filter import Filter


@pytest.fixture
def sample() -> Callable[..., Entry]:
    """Make the entry of a type's sample; keywords change its payload."""

    def entry(name: str, **changed: Any) -> Entry:
        headers = (("X-A", "1"), ("x-a", "2"), ("Content-Type", "application/json"))
        body = json.dumps(TYPES[name].sample | changed).encode()
        return make_entry(body, path="/hooks/a?b=c", headers=headers)

    return entry


@pytest.mark.parametrize(
    ("source", "name", "true"),
    [
        ('stream.videoType == "camera"', "streamCreated", True),
        ('stream.videoType == "screen"', "streamCreated", False),
        ('stream.videoType == "camera"', "archive", False),
        ('reason != "x"', "streamDestroyed", True),
        ('reason != "x"', "streamCreated", False),
        ('!(reason == "x")', "streamCreated", False),
        ('reason == "x" || stream.name != ""', "streamCreated", True),
        ("!has(body.stream.connection.nope) || true", "streamCreated", True),
        ('type == "archive" && duration > 40', "archive", True),
        ('type in ["render", "archive"]', "archive", True),
        ('session.startsWith("2_MX")', "archive", True),
        ('received_at > timestamp("2001-01-01T00:00:00Z")', "archive", True),
        ("lag > 0", "streamCreated", True),
        ("lag > 0 || lag <= 0", "render", False),
        ('path.contains("?b")', "archive", True),
        ('headers["x-a"] == "1"', "archive", True),
        ('headers["x-b"] == "1"', "archive", False),
        ("verdict == null", "archive", True),
        ("settings.hls.lowLatency == false", "broadcast", True),
        ('broadcastUrls.rtmp.exists(r, r.status == "live")', "broadcast", True),
        ('broadcastUrls.rtmp.all(r, r.status == "dead")', "broadcast", False),
        ("has(body.reason)", "archive", True),
        ('body.somethingNew == "x"', "archive", False),
        ("body.size() > 3 && body.size == 1804219", "archive", True),
        ("size(stream) == 5 && stream.videoType == 'camera'", "streamCreated", True),
        ('stream["videoType"] == "camera"', "streamCreated", True),
        ("1 / 0 == 1", "archive", False),
        ("9223372036854775807 + 1 > 0", "archive", False),
        ("reason", "archive", None),
    ],
)
def test_an_expression_is_true_of_an_event_or_not(
    source: str, name: str, *, true: bool | None, sample: Callable[..., Entry]
) -> None:
    if true is None:
        with pytest.raises(WrongUse, match="must be true or false, not string"):
            Expression(source)
        return
    where = Expression(source)
    assert [where(sample(name)), where(sample(name))] == [true, true]
    assert Filter(where=where)(sample(name)) is true
    assert Filter(where=where, invert=True)(sample(name)) is not true


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ('reason = "x"', "character 8: token recognition error", "use == to compare"),
        ("reason ==", "character 10: unexpected end of expression", None),
        ("", "character 1: unexpected end of expression", None),
        ("true &&\n  (", "character 12: unexpected end of expression", None),
        ("lag", "must be true or false, not double", "compare the value"),
        ("has(reason)", "character 5: has() argument must be a field", "has(body.reason)"),
        ("1" + "+1" * LONGEST, f"longer than {LONGEST}", None),
        ("(" * 900 + "1" + ")" * 900, "nested too deeply", "at most 32 levels"),
        ("1" + "+1" * 990 + " == 1", "nested too deeply", "at most 32 levels"),
        ("body" + ".b" * 900 + " == 1", "nested too deeply", "at most 32 levels"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    source: str, message: str, hint: str | None
) -> None:
    with pytest.raises(WrongUse) as caught:
        Expression(source)
    assert message in caught.value.message
    assert hint is None or hint in str(caught.value.hint)


def test_a_chain_that_is_not_nested_may_be_as_long_as_an_expression(
    sample: Callable[..., Entry],
) -> None:
    assert Expression("!" * 1900 + "true")(sample("archive"))
    assert Expression(" && ".join(["duration > 1"] * 100))(sample("archive"))


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(WrongUse, match="--where is not valid UTF-8"):
        Expression("reason == '\udcff'")


def test_a_list_is_gone_over_once_and_not_when_the_body_is_large(
    sample: Callable[..., Entry],
) -> None:
    where = Expression("streams.exists(s, s == 7) || streams[0] == 0")
    assert where(sample("archive", streams=list(range(2000))))
    assert not where(sample("archive", streams=list(range(MOST_LOOPED // 2))))


def test_bodies_as_deep_as_can_be_read_are_compared_and_what_is_no_object_is_no_match() -> None:
    where = Expression('body.x != "a"')
    for depth, true in ((100, True), (201, False), (900, False)):
        assert where(make_entry(b'{"x":' + b"[" * depth + b"]" * depth + b"}")) is true
    assert not where(make_entry(b"{"))
    assert not where(make_entry(b"[1]"))


def test_values_of_other_types_are_never_mixed_up() -> None:
    where = Expression("type(body.x) == int && body.x == 1")
    found = [where(make_entry(b'{"x":%b}' % x)) for x in (b"1", b"true", b"1.0", b'"1"', b"1")]
    assert found == [True, False, False, False, True]


def test_an_expression_is_compiled_in_one_thread_and_used_in_another(
    sample: Callable[..., Entry],
) -> None:
    where, found = Expression('type == "archive"'), list[bool]()
    thread = threading.Thread(target=lambda: found.append(where(sample("archive"))))
    thread.start()
    thread.join()
    assert found == [True]


def test_it_is_described_as_it_was_written_and_disarmed() -> None:
    where = Expression('type == "archive" // \x1b[2J')
    assert str(Filter(where=where)) == 'where type == "archive" // ␛[2J'


ARCHIVE, BOTH = frozenset({"archive"}), frozenset({"archive", "render"})


@pytest.mark.parametrize(
    ("source", "types", "needle"),
    [
        ('type == "archive"', ARCHIVE, None),
        ('"archive" == type && "started" == status', ARCHIVE, "started"),
        ('type in ["archive", "render"]', BOTH, None),
        ('type in ["archive", "render"] && type == "archive"', ARCHIVE, None),
        ('type == "archive" || status == "started"', None, None),
        ('type == "archive" ? true : false', None, None),
        ('!(type == "archive") && status != "started"', None, None),
        ('(type == "archive") && status == "a/b"', None, None),
        ("type == session && type in [session]", None, None),
        ('type == "arch" + "ive"', None, None),
        ('status == "up" && stream.name == "longest"', None, "longest"),
        ('session == "2_MX" && lag > 2', None, "2_MX"),
        ('path == "hooks" && headers["a"] == "bbb"', None, None),
    ],
)
def test_what_must_be_in_a_line_is_read_from_the_outermost_comparisons(
    source: str, types: frozenset[str] | None, needle: str | None
) -> None:
    where = Expression(source)
    assert (where.types, where.needle) == (types, needle)


PIECES = r"""
reason type session lag stream.name streams body 1 2u 1.5 'a' "b" r'\' && || ! == != < > in + - *
/ % ( ) [ ] { } . , : ? has( .exists(x, x .all( null true false size( // ''' \ é = #
.contains( .replace( .matches( math.abs( `a` body.a streams.all( headers received_at timestamp( x.id
""".split()  # noqa: SIM905 - one name a word reads better


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from([*PIECES, "\n", "\0"]), max_size=12).map(" ".join)
    | st.text(max_size=20)
)
def test_any_text_is_an_expression_or_refused_in_words(source: str) -> None:
    try:
        where = Expression(source)
    except WrongUse:
        return
    assert where(make_entry(json.dumps(TYPES["archive"].sample).encode())) in {True, False}


def test_a_moment_is_compared_to_the_microsecond() -> None:
    entry = make_entry(b"{}")
    at = entry.delivery.received_at
    before = (at - timedelta(microseconds=1)).isoformat()
    assert Expression(f'received_at > timestamp("{before}")')(entry)
    assert not Expression(f'received_at > timestamp("{at.isoformat()}")')(entry)
