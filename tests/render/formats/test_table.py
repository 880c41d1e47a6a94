from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.factories import make_entry
from vmon.capture.codec import write_line
from vmon.errors import WrongUse
from vmon.render.formats.table import DEFAULT_FIELDS, TableFormatter, TableKind, field, fields_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import Flow, Start
    from vmon.events.entry import Entry

Run = Callable[..., tuple[int, str, str]]
BODY = {
    "event": "streamCreated",
    "sessionId": "2_A",
    "stream": {"name": 'a,"b"\n\tc\\', "n": None, "hasAudio": True},
    "streams": [{"streamId": "x"}],
    "a.b": 1,
}


@pytest.fixture
def entry() -> Entry:
    return make_entry(json.dumps(BODY).encode())


def table(names: tuple[str, ...], kind: TableKind, *batches: list[Entry]) -> str:
    one = TableFormatter(names, kind)
    return b"".join((one.begin(), *map(one.each, batches), one.end())).decode()


def test_a_field_is_of_the_delivery_or_of_its_body(entry: Entry) -> None:
    assert field(entry, "type") == "streamCreated"
    assert field(entry, "session") == "2_A"
    assert field(entry, "received_at") == "2016-08-03T21:16:00.318542Z"
    assert field(entry, "delivery") == entry.delivery.id
    assert field(entry, "method") == "POST"
    assert field(entry, "stream.name") == 'a,"b"\n\tc\\'
    assert field(entry, "streams.0.streamId") == "x"
    assert field(entry, "a.b") == 1
    for missing in ("nothing", "stream.n", "stream.name.x", "streams.7", "streams.x", "lag"):
        assert field(entry, missing) is None


def test_csv_is_read_back_as_it_was(entry: Entry) -> None:
    names = ("type", "stream.name", "stream.hasAudio", "streams", "nothing")
    rows = list(csv.reader(io.StringIO(table(names, "csv", [entry], [entry]), newline="")))
    row = ["streamCreated", 'a,"b"\n\tc\\', "true", '[{"streamId":"x"}]', ""]
    assert rows == [list(names), row, row]


def test_tsv_has_one_line_for_each(entry: Entry) -> None:
    said = table(("type", "stream.name"), "tsv", [entry])
    assert said == 'type\tstream.name\nstreamCreated\ta,"b"\\n\\tc\\\\\n'


def test_columns_are_as_wide_as_the_first_rows_and_disarmed(entry: Entry) -> None:
    said = table(("type", "stream.name", "session"), "columns", [], [entry], [entry])
    assert said.splitlines() == [
        "type           stream.name  session",
        'streamCreated  a,"b"␊␉c\\    2_A',
        'streamCreated  a,"b"␊␉c\\    2_A',
    ]


def test_a_field_that_nothing_has_is_known_in_the_end(entry: Entry) -> None:
    one = TableFormatter(("type", "strem.name"), "csv")
    one.each([entry])
    assert one.unseen() == ["strem.name"]


def test_fields_are_a_comma_list() -> None:
    assert fields_of("reason, body.c") == ("reason", "body.c")
    assert fields_of(None) == DEFAULT_FIELDS
    with pytest.raises(WrongUse, match="empty field"):
        fields_of("reason,,type")


@pytest.fixture
def capture(entry: Entry, tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_bytes(write_line(entry))
    return path


def test_the_filter_writes_tables_and_bodies(vmon_run: Run, capture: Path) -> None:
    assert vmon_run("filter", capture, "--fields", "type,session") == (
        0, "type\tsession\nstreamCreated\t2_A\n", "",
    )  # fmt: skip # one thing a line
    code, out, err = vmon_run("filter", capture, "--fields", "type,body.strem", "--format", "csv")
    assert (code, out) == (0, "type,body.strem\nstreamCreated,\n")
    assert err == "warning: no match has a field body.strem\n"
    assert vmon_run("filter", capture, "--fields", "type,strem")[:2] == (2, "")
    out = vmon_run("filter", capture, "--format", "csv")[1]
    assert out.splitlines()[0] == ",".join(DEFAULT_FIELDS)
    assert json.loads(vmon_run("filter", capture, "--format", "body")[1]) == BODY
    assert vmon_run("filter", capture, "--fields", "type", "--format", "har")[0] == 2
    assert vmon_run("filter", capture, "--fields", "type", "--count")[1] == "1\n"


def test_on_a_terminal_fields_are_columns(
    start: Start, flow_of: Callable[[int], Flow], capture: Path
) -> None:
    leader, follower = os.openpty()
    program = start("filter", capture, "--fields", "type,session", out=follower)
    os.close(follower)
    seen = flow_of(leader)
    assert program.ended() == 0
    seen.until(b"streamCreated  2_A\r\n")
    os.close(leader)


def test_a_csv_has_the_id_and_status_of_archives(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"event":"archive","id":"a1","status":"failed","sessionId":"2_A"}\n')
    rows = list(csv.DictReader(vmon_run("filter", path, "--format", "csv")[1].splitlines()))
    assert [(row["id"], row["status"]) for row in rows] == [("a1", "failed")]


def test_a_field_that_no_event_has_is_refused_with_what_was_meant() -> None:
    with pytest.raises(WrongUse) as refused:
        fields_of("session,reson")
    assert refused.value.message == "no event has a field reson"
    assert (
        refused.value.hint == "did you mean reason? for any other field of the body use body.reson"
    )
    assert fields_of("body.reson,streams.0.streamId") == ("body.reson", "streams.0.streamId")


def test_any_field_of_the_body_can_be_named(entry: Entry) -> None:
    assert field(entry, "body.a.b") == 1
    assert field(entry, "body.stream.hasAudio") is True
