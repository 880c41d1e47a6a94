from __future__ import annotations

from tests.support.factories import make_entry
from vmon.capture.codec import read_line, write_line
from vmon.render.formats.json_lines import JsonFormatter
from vmon.security.pseudonyms import paths_of, redactor_of

BODY = b'{"event":"streamCreated","sessionId":"2_A","stream":{"id":"s","name":"Ann"}}'


def test_entries_are_capture_lines() -> None:
    entries = [make_entry(BODY), make_entry(b"\xff\x1b")]
    formatter = JsonFormatter()
    text = formatter.begin() + formatter.each(entries) + formatter.end()
    assert text == b"".join(map(write_line, entries))
    assert [read_line(line).delivery for line in text.splitlines(keepends=True)] == [
        entry.delivery for entry in entries
    ]


def test_a_capture_line_is_printed_unchanged() -> None:
    line = b'{ "event" : "archive" }\n'
    assert JsonFormatter().entry(make_entry(BODY), line) == line
    assert JsonFormatter().lines([line, line]) == line * 2


def test_on_a_terminal_nothing_in_a_line_can_act_on_it() -> None:
    formatter = JsonFormatter(for_people=True)
    line = '{"event":"archive","name":"\x9b31m\u202e"}\n'.encode()
    shown = b'{"event":"archive","name":"\\u009b31m\\u202e"}\n'
    assert formatter.lines([line]) == shown
    assert formatter.entry(make_entry(BODY), line) == shown


def test_a_redacted_entry_is_not_the_line_of_the_capture() -> None:
    formatter = JsonFormatter(redactor_of(paths_of(("stream.name",))))
    entry = make_entry(BODY)
    text = formatter.entry(entry, write_line(entry))
    assert b"Ann" not in text
    assert text == formatter.each([entry])
    body = read_line(text).payload.value
    assert (body["event"], body["stream"]["id"]) == ("streamCreated", "s")
