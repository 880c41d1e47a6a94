import gzip
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.factories import make_entry, make_line
from tests.support.selected import selected
from vmon.capture import blocks
from vmon.capture.codec import read_line, write_line
from vmon.events.catalogue import NAMES, TYPES
from vmon.events.entry import Entry
from vmon.search import scan
from vmon.search.expression import Expression
from vmon.search.filter import Filter
from vmon.search.plan import plan_of

PATIENT = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

pytestmark = pytest.mark.usefixtures("both_searches")


class Dripping:
    """A stream that gives one byte at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readinto(self, buffer: memoryview, /) -> int:
        return self._data.readinto(buffer[:1])


def judged(data: bytes, event_filter: Filter) -> list[bytes]:
    """Choose by decoding every line: what `choose` has to agree with."""
    found = []
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            entry = read_line(line + b"\n", number) if line.strip() else None
        except ValueError:
            continue
        if entry and event_filter(entry):
            found.append(line + b"\n")
    return found


# Files: few ids, so that filters find some; and all that may hide an id or a type.

IDS = ("a1", "a2", "b", "63245362", '"', "\\", "é", "\u200b", "100.0", "streamCreated", "a b")
ID = st.sampled_from(IDS) | st.sampled_from([100, 1e2, 63245362, 99.99999999999999, None])
REASONS = ("clientDisconnected", "CLIENTdisconnected", "networ\u212aDisconnected", "\\x", "6", None)


def with_id(identifier: object, **more: Any) -> dict[str, Any]:
    return {"id": identifier, **more}


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, Any]:
    """Make events with ids where the filters look for them, and where they do not."""
    made = {
        "sessionId": draw(ID),
        "event": draw(st.sampled_from([*NAMES, "streamcreated", "somethingNew"])),
        "stream": with_id(draw(ID), name=draw(ID), connection=with_id(draw(ID))),
        "connection": with_id(draw(ID)),
        "id": draw(ID),
        "call": with_id(draw(ID), state="ACTIVE"),
        "reason": draw(st.sampled_from(REASONS)),
        "status": draw(st.sampled_from(["started", "stopped", None])),
        draw(st.sampled_from(["broadcastUrls", "captionsId", "captionId", "partnerId"])): draw(ID),
        draw(st.sampled_from(["outputMode", "duration"])): 1,
        "size": 1,
        "projectId": draw(ID),
        "timestamp": draw(st.sampled_from([1470258860571, 0, None])),
        '"type":"archive","session":': '{"vmon":1,"type":"archive","session":',
    }
    keys = draw(st.permutations(list(made)))
    return {key: made[key] for key in keys[: draw(st.integers(3, len(keys)))]}


@st.composite
def bodies(draw: st.DrawFn, *, lines: bool = True) -> bytes:
    """Make bodies in any spacing, escaped or not, deep or with a number too long to embed."""
    text = json.dumps(
        draw(payloads()),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", "\t:\t")])),
    )
    match draw(st.integers(0, 9)):
        case 0:
            text = text.replace("a1", "\\u00611").replace("streamCreated", "\\u0073treamCreated")
            text = text.replace('"id"', '"\\u0069d"').replace('"event"', '"e\\u0076ent"')
        case 1:
            text = text[:-1] + ',"deep":' + "[" * 201 + "]" * 201 + "}"
        case 2:
            text = text[:-1] + ',"long":' + "9" * 4400 + "}"
        case 3:
            text = text.replace("100.0", "1E2").replace(
                "99.99999999999999", "99.999999999999999999"
            )
        case 4 if not lines:
            text = text.replace(",", ",\r\n", 1)
        case 5 if not lines:
            text = draw(st.sampled_from(["", "{", "[1]", '"a1"', text[:-3]]))
    return text.encode()


@st.composite
def capture_lines(draw: st.DrawFn) -> bytes:
    """Make a line of a capture; its path and headers may look like a filter's business."""
    body, headers = draw(bodies(lines=False)), ()
    if draw(st.integers(0, 5)) == 0:
        body, headers = gzip.compress(body, 1), (("Content-Encoding", "gzip"),)  # type: ignore[assignment] # one header or none
    at = make_entry(b"").delivery.received_at + timedelta(seconds=draw(st.integers(-2, 2)))
    path = draw(st.sampled_from(["/", "/a1", '/"a1\\', "/\udcff", "/é"]))
    return make_line(body, path=path, headers=headers, received_at=at)


WHERES = (
    'type == "archive"',
    '"streamCreated" == type && stream.name == "a1"',
    'type in ["archive", "render", "unknown"] && id != "a1"',
    'stream.name == "streamCreated" && (reason == "x" || status == "started")',
    'session == "a1"',
    'type == "archive" || stream.connection.id == "b"',
    "projectId == 100",
)


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """Make any filter: one field, or several, or none."""
    at = make_entry(b"").delivery.received_at
    event_filter = st.lists(
        st.sampled_from([*IDS, "a", "6", "1", "‹U+200B›", "100"]), min_size=1, max_size=2
    ).map(tuple)
    made: dict[str, st.SearchStrategy[Any]] = {
        "types": st.frozensets(st.sampled_from(NAMES), max_size=3),
        "session": event_filter,
        "connection": event_filter,
        "stream": event_filter,
        "archive": event_filter,
        "call": event_filter,
        "project": event_filter,
        "reason": st.sampled_from(
            [("CLIENTDISCONNECTED", "x"), ("networkDisconnected",), ("\\X",), ("6",)]
        ),
        "status": st.just(("stopped",)),
        "path": st.sampled_from([("a1",), ("\\", '"'), ("é", '"'), ("/",), ("",)]),
        "since": st.just(at),
        "until": st.just(at + timedelta(seconds=1)),
        "where": st.sampled_from(WHERES).map(Expression),
        "invert": st.just(value=True),
    }
    names = draw(st.lists(st.sampled_from(list(made)), max_size=3, unique=True))
    return Filter(**{name: draw(made[name]) for name in names})


@PATIENT
@given(drawn=st.data())
def test_a_capture_is_chosen_from_as_if_every_line_was_decoded(drawn: st.DataObject) -> None:
    data = b"".join(drawn.draw(st.lists(capture_lines(), max_size=5)))
    event_filter = drawn.draw(filters())
    size = drawn.draw(st.sampled_from([16, 700, 1 << 16]))
    stream = Dripping(data) if drawn.draw(st.booleans()) else io.BytesIO(data)
    assert selected(stream, event_filter, size) == (judged(data, event_filter), [])


@PATIENT
@given(drawn=st.data())
def test_bare_bodies_are_chosen_from_as_if_every_line_was_decoded(drawn: st.DataObject) -> None:
    lines = drawn.draw(
        st.lists(bodies() | st.sampled_from([b"", b"  ", b"{", b"\xff"]), max_size=5)
    )
    end = drawn.draw(st.sampled_from([b"\n", b"\r\n"]))
    data = end.join(lines) + drawn.draw(st.sampled_from([b"", end]))
    if data.lstrip().split(b"\n")[0].strip() == b"{":
        data = b"{}\n" + data  # a first line of one brace begins a document
    event_filter = drawn.draw(filters())
    size = drawn.draw(st.sampled_from([16, 700, 1 << 16]))
    entries = drawn.draw(st.booleans())
    found, bad = selected(io.BytesIO(data), event_filter, size, entries=entries)
    assert found == judged(data, event_filter)
    held_none = sum(line in {b"{", b"\xff"} for line in data.replace(b"\r", b"").split(b"\n"))
    assert len(bad) <= held_none if plan_of(event_filter).signs else len(bad) == held_none


@PATIENT
@given(drawn=st.data())
def test_a_mixture_with_a_torn_end_is_chosen_from_as_if_every_line_was_decoded(
    drawn: st.DataObject,
) -> None:
    # A capture first and bare bodies after it: one block of the latter never looks like a capture.
    captured = drawn.draw(st.lists(capture_lines(), min_size=1, max_size=3))
    bare = [line + b"\n" for line in drawn.draw(st.lists(bodies(), max_size=3))]
    torn = drawn.draw(capture_lines())
    torn = torn[: drawn.draw(st.integers(0, len(torn) - 1))]
    data = b"".join([*captured, *bare, torn])
    event_filter = drawn.draw(filters())
    found, bad = selected(
        io.BytesIO(data), event_filter, drawn.draw(st.sampled_from([16, 1 << 16]))
    )
    assert found == judged(data, event_filter)
    assert len(bad) <= 1


@pytest.fixture
def lines() -> list[bytes]:
    """A capture of one delivery of each type."""
    return [make_line(json.dumps(one.sample).encode()) for one in TYPES.values()]


def test_a_time_that_is_written_in_another_way_is_found_too() -> None:
    line = make_line(b'{"event":"render"}')
    other = line.replace(b',"received_at":"', b', "received_at": "')
    assert other != line
    since = make_entry(b"").delivery.received_at
    for data in (other, other + line):
        event_filter = Filter(since=since)
        assert selected(io.BytesIO(data), event_filter)[0] == judged(data, event_filter) != []


def test_a_type_is_found_by_the_beginning_of_a_line_alone() -> None:
    liar = json.dumps({"event": "archive", "x": '\n{"vmon":1,"type":"render","session":'})
    data = make_line(liar.encode()) + make_line(b'{"event":"render"}')
    found, _ = selected(io.BytesIO(data), Filter(types=frozenset({"render"})))
    assert found == [data.splitlines(keepends=True)[1]]


def test_a_filter_by_type_decodes_nothing(
    lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("vmon.capture.codec.read_line", decoded)
    for event_filter in (
        Filter(),
        Filter(types=frozenset({"archive"})),
        Filter(types=frozenset(NAMES)),
    ):
        found, bad = selected(io.BytesIO(b"".join(lines)), event_filter)
        assert found == [
            line for line in lines if event_filter.types is None or chosen(line, event_filter)
        ]
        assert bad == []


def chosen(line: bytes, event_filter: Filter) -> bool:
    return json.loads(line)["type"] in (event_filter.types or ())


def test_lines_longer_than_a_block_are_read_whole(lines: list[bytes]) -> None:
    long = make_line(b'{"event":"archive","x":"' + b"x" * 100_000 + b'"}')
    data = lines[0] + long + lines[1]
    for stream in (io.BytesIO(data), Dripping(data)):
        assert selected(stream, Filter(), 64) == ([lines[0], long, lines[1]], [])


def test_bad_lines_are_reported_with_their_number_and_skipped() -> None:
    data = b'{"event":"archive"}\n\nnonsense\n{"event":"render"}\n{"event":\n'
    found, bad = selected(io.BytesIO(data), Filter())
    assert found == [b'{"event":"archive"}\n', b'{"event":"render"}\n']
    assert [(one.source, one.number) for one in bad] == [("x.jsonl", 3), ("x.jsonl", 5)]
    assert str(bad[0]).startswith("x.jsonl:3: skipped: ")


def test_a_bad_line_among_capture_lines_is_reported_where_lines_are_decoded(
    lines: list[bytes],
) -> None:
    data = b"".join([lines[0], b"nonsense\n", *lines[1:], lines[0][:40]])
    found, bad = selected(io.BytesIO(data), Filter(project=("1",)))
    assert found == lines
    assert [one.number for one in bad] == [2, len(lines) + 2]


@pytest.mark.parametrize(
    "event_filter",
    [
        Filter(types=frozenset({"archive"})),
        Filter(session=("2_MX",)),
        Filter(stream=("63245362-",)),
    ],
)
def test_a_torn_last_line_has_no_number_where_lines_were_not_counted(
    event_filter: Filter, lines: list[bytes]
) -> None:
    _, bad = selected(io.BytesIO(b"".join(lines) + lines[0][:-9]), event_filter)
    assert [one.number for one in bad] == [0]
    assert str(bad[0]).startswith("x.jsonl: skipped: ")


@pytest.mark.parametrize("rest", [b"\0" * 3000, b"\0a sentence of a stranger\n", b"\0\xff\n"])
def test_what_a_power_loss_left_is_no_sentence_of_ours(rest: bytes, lines: list[bytes]) -> None:
    for data in (rest, lines[0] + rest):
        _, bad = selected(io.BytesIO(data), Filter())
        why = "not UTF-8 at byte 1" if b"\xff" in rest else "not JSON: expecting value at byte 0"
        assert [one.why for one in bad] == [why]


def test_a_last_line_without_a_newline_gets_one(lines: list[bytes]) -> None:
    assert selected(io.BytesIO(lines[0] + lines[1][:-1]), Filter()) == (lines[:2], [])
    assert selected(io.BytesIO(b"{}"), Filter()) == ([b"{}\n"], [])


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\n  \n", b"[]", b"[\n]\n"])
def test_an_empty_input_has_no_deliveries(data: bytes) -> None:
    assert selected(io.BytesIO(data), Filter()) == ([], [])


def test_what_a_body_grows_to_beyond_all_bounds_is_a_bad_line(
    lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress(b" " * 5000 + b"{}")
    bomb = make_line(packed, headers=(("content-encoding", "gzip"),))
    defaults = {"limit": 4096}
    monkeypatch.setattr("vmon.capture.codec.read_body.__kwdefaults__", defaults)
    found, bad = selected(io.BytesIO(lines[0] + bomb + lines[1]), Filter(project=("1",)))
    assert found == lines[:2]
    assert [(one.number, one.why) for one in bad] == [
        (2, "the body decompresses to more than 4096 bytes")
    ]


def read_all(data: bytes, event_filter: Filter) -> list[tuple[bytes, Entry]]:
    batches = scan.select(io.BytesIO(data), "a", event_filter, print)
    return [pair for batch in batches for pair in scan.with_entries(batch, "a", print)]


def test_each_chosen_line_has_its_entry(lines: list[bytes]) -> None:
    event_filter = Filter(types=frozenset({"archive", "render"}))
    read = read_all(b"".join(lines), event_filter)
    assert [line for line, _ in read] == [line for line in lines if chosen(line, event_filter)]
    assert [write_line(entry) for _, entry in read] == [line for line, _ in read]


def test_bare_bodies_that_cannot_be_of_the_type_are_not_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[bytes] = []

    def reading(line: bytes, number: int = 0) -> Entry:
        read.append(line)
        return read_line(line, number)

    monkeypatch.setattr("vmon.capture.codec.read_line", reading)
    lines = [b'{"event":"archive"}\n', b'{"x":"\\"y"}\n', b'{ "event" : "render" }\n']
    lines += [b'{"event":"render\\u0061"}\n', b'{"event":"\\u0072ender"}\n']
    event_filter = Filter(types=frozenset({"render"}))
    found, bad = selected(io.BytesIO(b"".join(lines)), event_filter)
    assert (found, bad) == ([lines[2], lines[4]], [])
    assert read == [lines[2], lines[3], lines[4]]


def test_a_line_that_is_not_an_object_is_reported_when_bare_bodies_are_searched() -> None:
    bodies = b'{"event":"archive"}\n{"event":"render"}\n'
    event_filter = Filter(types=frozenset({"render"}))
    for torn in (b'{"event":"arch\n', b"nonsense\n", b'"event":"archive"}\n'):
        _, bad = selected(io.BytesIO(bodies + torn + bodies), event_filter)
        assert [one.number for one in bad] == [3]


def test_without_a_filter_a_foreign_line_in_a_capture_is_there_too(lines: list[bytes]) -> None:
    mixed = [lines[0], b'{"event":"archive"}\n', b"nonsense\n", lines[1]]
    found, bad = selected(io.BytesIO(b"".join(mixed)), Filter())
    assert found == [*mixed[:2], mixed[3]]
    assert [one.number for one in bad] == [3]


def test_bare_bodies_that_were_picked_out_have_their_numbers() -> None:
    lines = [b'{"event":"%b"}\n' % name for name in (b"archive", b"x", b"render") * 40]
    data = b"\n".join(lines)
    event_filter = Filter(types=frozenset({"render"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks.Blocks.__init__, "__defaults__", (100,))
        read = [entry.delivery.id for _, entry in read_all(data, event_filter)]
    assert read == [f"line-{number}" for number in range(5, 240, 6)]


def test_a_filter_by_time_decodes_only_where_a_block_has_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[bytes] = []

    def reading(line: bytes, number: int = 0) -> Entry:
        read.append(line)
        return read_line(line, number)

    monkeypatch.setattr("vmon.capture.codec.read_line", reading)
    at = make_entry(b"").delivery.received_at
    times = [at + timedelta(seconds=number) for number in range(100)]
    data = [make_line(b'{"received_at":"x"}', received_at=time) for time in times]
    event_filter = Filter(since=times[21], until=times[79])
    assert selected(io.BytesIO(b"".join(data)), event_filter, 4 * len(data[0])) == (data[21:79], [])
    assert 0 < len(read) <= 8
