from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.factories import make_entry
from vmon.render.formats.entries import Form, LineFormatter
from vmon.security.pseudonyms import paths_of, redactor_of
from vmon.sessions.tracker import Annotation, SessionTracker

if TYPE_CHECKING:
    from collections.abc import Callable


BODY = (
    b'{"event":"connectionCreated","sessionId":"2_A","timestamp":1470258960000,'
    b'"connection":{"id":"c053fcc8-1","createdAt":1470258960000,"data":"name=Ann"}}'
)
DESTROYED = (
    b'{"event":"connectionDestroyed","sessionId":"2_A","timestamp":1470258990000,'
    b'"reason":"clientDisconnected","connection":{"id":"c053fcc8-1","createdAt":1470258960000}}'
)
LINE = "2016-08-03 21:16:00.318 + connectionCreated   2_A     319ms  c053fcc8 Ann\n"
DETAILS = """\
    POST / from 127.0.0.1:50412, 150 B, 319 ms after the event, delivery 00053932d7f0ab-5a17c0de
    event                connectionCreated
    sessionId            2_A
    timestamp            1470258960000  2016-08-03 21:16:00.000
    connection.id        c053fcc8-1
    connection.createdAt 1470258960000  2016-08-03 21:16:00.000
    connection.data      name=Ann
"""


def test_json_is_chosen_by_option_or_outside_a_terminal() -> None:
    assert Form("json").is_json
    assert Form("auto").is_json
    assert not Form("line").is_json
    assert not Form("detail").is_json


def test_on_a_terminal_auto_is_not_json(terminal: Callable[[int], None]) -> None:
    terminal(80)
    assert not Form("auto").is_json
    assert Form("json").is_json


@pytest.mark.usefixtures("utc")
def test_in_a_pipe_lines_are_dated_and_as_long_as_they_are() -> None:
    formatter = LineFormatter(Form("line"))
    text = formatter.begin() + formatter.each([make_entry(BODY)]) + formatter.end()
    assert text.decode() == LINE


@pytest.mark.usefixtures("utc")
def test_details_are_below_their_line() -> None:
    assert LineFormatter(Form("detail")).entry(make_entry(BODY)).decode() == LINE + DETAILS
    assert LineFormatter(Form("line", 1)).entry(make_entry(BODY)).decode() == LINE + DETAILS
    both = LineFormatter(Form("detail", 2)).entry(make_entry(BODY)).decode()
    assert both.startswith(LINE + DETAILS + "    Content-Type: application/json\n    │ {\n")


@pytest.mark.usefixtures("utc")
def test_a_tracker_adds_the_name_that_an_earlier_entry_has() -> None:
    formatter = LineFormatter(Form("line"), tracker=SessionTracker())
    formatter.entry(make_entry(BODY))
    assert " Ann " in formatter.entry(make_entry(DESTROYED)).decode()
    assert " Ann " not in LineFormatter(Form("line")).entry(make_entry(DESTROYED)).decode()


@pytest.mark.usefixtures("utc")
def test_a_redacted_line_has_no_name_from_elsewhere() -> None:
    redact = redactor_of(paths_of(("connection.data",)))
    formatter = LineFormatter(Form("line"), redact)
    text = formatter.entry(make_entry(DESTROYED), None, Annotation("Ann", 2, "² copy"))
    assert b"Ann" not in text
    assert "² copy".encode() in text


def test_on_a_terminal_the_date_is_above_the_first_line_of_another_day(
    terminal: Callable[[int], None],
) -> None:
    terminal(80)
    first = make_entry(BODY)
    tomorrow = make_entry(BODY, received_at=first.delivery.received_at + timedelta(days=1))
    formatter = LineFormatter(Form("line"))
    lines = formatter.each([first, first, tomorrow]).decode().splitlines()
    assert [line for line in lines if line.startswith("2016")] == ["2016-08-03", "2016-08-04"]
    assert [line[:2] for line in lines] == ["20", "21", "21", "20", "21"]


def test_a_line_is_as_wide_as_the_terminal_is_now(terminal: Callable[[int], None]) -> None:
    terminal(80)
    formatter = LineFormatter(Form("line"))
    terminal(40)
    assert formatter.style.width == 80
    formatter.measure()
    assert formatter.style.width == 40
    assert max(map(len, formatter.entry(make_entry(BODY)).decode().splitlines())) <= 40
