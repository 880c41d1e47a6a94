from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.factories import make_entry
from vmon.forward.client import KEPT_BODY, ForwardResult, Outcome
from vmon.forward.leftovers import Left
from vmon.forward.listener import TargetBack, TargetDown
from vmon.render.outcome import (
    Outcomes,
    answer_block,
    as_json,
    back_in_words,
    down_in_words,
    left_in_words,
    outcome_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable


BODY = b'{"event":"streamCreated","sessionId":"2_A","stream":{"id":"c053fcc8-1"}}'
URL = "http://localhost:3000"


def test_the_apps_response_is_below_its_event() -> None:
    assert outcome_line(Outcome(200, 0.012)).decode() == "    → 200 in 12 ms\n"
    assert outcome_line(Outcome(None, 0.1, "connection refused")).decode() == (
        "    → connection refused\n"
    )


ANSWER = Outcome(
    200,
    0.012,
    body=b'failed to decode\x1b[2J\n{"password":"opens"}\n',
    headers=((b"Content-Type", b"text/plain"), (b"Set-Cookie", b"session=abc; Path=/")),
)
IN_FULL = """\
      HTTP 200
      Content-Type: text/plain
      Set-Cookie: ••••
      │ failed to decode␛[2J
      │ {"password":"••••"}
"""


def test_in_full_stand_the_headers_and_the_body_also_of_a_success() -> None:
    assert outcome_line(ANSWER, in_full=True).decode() == "    → 200 in 12 ms\n" + IN_FULL
    assert answer_block(ANSWER).decode() == IN_FULL
    result = ForwardResult(make_entry(BODY), URL, ANSWER)
    outcomes = Outcomes(aside=False, several=False, in_full=True)
    assert outcomes(result, is_last=True).decode() == "    → 200 in 12 ms\n" + IN_FULL


def test_in_full_nothing_is_added_where_no_answer_came() -> None:
    refused = Outcome(None, 0.1, "connection refused")
    assert outcome_line(refused, in_full=True) == outcome_line(refused)


def test_in_full_a_long_answer_says_that_it_goes_on() -> None:
    for body in (b"line\n" * 41, b"x" * KEPT_BODY):
        assert answer_block(Outcome(200, 0.1, body=body)).decode().splitlines()[-1] == (
            "      … the rest is not shown"
        )


def test_as_json_in_full_an_outcome_has_the_headers_and_the_body() -> None:
    said = json.loads(as_json(make_entry(BODY), ANSWER, in_full=True))
    assert said["headers"] == [["Content-Type", "text/plain"], ["Set-Cookie", "••••"]]
    assert said["body"] == 'failed to decode\x1b[2J\n{"password":"••••"}'


def test_as_json_an_outcome_is_one_line() -> None:
    line = as_json(make_entry(BODY), Outcome(500, 0.0123456, "no such room"))
    assert line.endswith(b"}\n")
    assert json.loads(line) == {
        "id": "00053932d7f0ab-5a17c0de",
        "type": "streamCreated",
        "session": "2_A",
        "status": 500,
        "took_ms": 12.346,
        "problem": "no such room",
    }


def test_an_outcome_names_its_event_unless_that_is_above() -> None:
    result = ForwardResult(make_entry(BODY), URL, Outcome(200, 0.012))
    outcomes = Outcomes(aside=False, several=False)
    assert outcomes(result, is_last=True).decode() == "    → 200 in 12 ms\n"
    assert outcomes(result, is_last=False).decode() == (
        "    → 200 in 12 ms  (streamCreated c053fcc8)\n"
    )


def test_beside_json_an_outcome_has_its_time_and_event() -> None:
    result = ForwardResult(make_entry(BODY), URL, Outcome(200, 0.012))
    line = Outcomes(aside=True, several=False)(result, is_last=True).decode()
    assert re.fullmatch(r"\d\d:\d\d:\d\d → 200 in 12 ms  \(streamCreated c053fcc8\)\n", line)


def test_of_several_apps_the_one_is_named() -> None:
    result = ForwardResult(make_entry(BODY), URL, Outcome(200, 0.012))
    assert Outcomes(aside=False, several=True)(result, is_last=True).decode() == (
        f"    → {URL} 200 in 12 ms\n"
    )


def test_a_failure_says_which_attempt_it_was_and_when_the_next_is() -> None:
    result = ForwardResult(make_entry(BODY), URL, Outcome(None, 0.1, "connection refused"), 2, 5.0)
    assert Outcomes(aside=False, several=False)(result, is_last=True).decode() == (
        "    → connection refused (attempt 2); retrying in 5.0 s\n"
    )


@pytest.mark.parametrize("status", [201, 204, 302])
def test_a_status_that_vonage_counts_as_failure_is_noted(status: int) -> None:
    result = ForwardResult(make_entry(BODY), URL, Outcome(status, 0.012))
    line = Outcomes(aside=False, several=False)(result, is_last=True).decode()
    assert "; Vonage counts only 200 as success\n" in line


def test_an_event_of_nothing_is_named_by_its_session_or_delivery() -> None:
    outcomes = Outcomes(aside=False, several=False)
    session = make_entry(b'{"event":"sessionCreated","sessionId":"2_A"}')
    line = outcomes(ForwardResult(session, URL, Outcome(200, 0.01)), is_last=False)
    assert line.endswith(b"  (sessionCreated 2_A)\n")
    torn = make_entry(b"{", id="1-a\x1b")
    line = outcomes(ForwardResult(torn, URL, Outcome(200, 0.01)), is_last=False)
    assert line.decode().endswith("  (undecodable 1-a␛)\n")


def test_on_a_terminal_an_outcome_is_cut_to_its_width(terminal: Callable[[int], None]) -> None:
    terminal(60)
    result = ForwardResult(make_entry(BODY), URL, Outcome(None, 0.1, "refused " * 20))
    line = Outcomes(aside=False, several=False)(result, is_last=False).decode()
    assert len(line) == 61
    assert line.endswith("…  (streamCreated c053fcc8)\n")


REFUSED = "connection refused: nothing is listening on app:80"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (TargetDown("app:80", REFUSED, retrying=True), f"{REFUSED}; retrying"),
        (TargetDown("app:80", REFUSED, retrying=False), REFUSED),
        (
            TargetDown("app:80", "no response within 3.0 s", retrying=True),
            "app:80: no response within 3.0 s; retrying",
        ),
    ],
)
def test_a_target_that_is_down_is_named_with_its_problem(event: TargetDown, text: str) -> None:
    assert down_in_words(event) == text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (TargetBack("app:80", 3.0, 0), "app:80 is back after 3.0 s"),
        (TargetBack("app:80", 3.0, 1), "app:80 is back after 3.0 s"),
        (TargetBack("app:80", 3.0, 2345), "app:80 is back after 3.0 s: sending 2,345 deliveries"),
        (
            TargetBack("app:80", 3.0, 20_000, more=True),
            "app:80 is back after 3.0 s: sending 20,000+ deliveries",
        ),
    ],
)
def test_a_target_that_is_back_is_named_with_what_it_gets(event: TargetBack, text: str) -> None:
    assert back_in_words(event) == text


def test_leftovers_of_an_earlier_run_are_reported_with_what_happens_to_them() -> None:
    unsent = "3 deliveries from an earlier run were not forwarded to http://a"
    assert left_in_words(Left(1, "http://a", "send")) == (
        "1 delivery from an earlier run was not forwarded to http://a: sending it first "
        "(--discard-backlog drops it)"
    )
    assert left_in_words(Left(3, "http://a", "keep")) == (
        f"{unsent}: kept; vmon replay --failed sends them"
    )
    assert left_in_words(Left(3, "http://a", "discard")) == (
        f"{unsent}: discarded; the capture still has them"
    )
    assert left_in_words(Left(3, "http://a", None)) == (
        f"{unsent}, which is not a target now: resend them with vmon replay --failed, "
        "or drop them with --discard"
    )


def test_when_it_is_sent_again_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    outcome = Outcome(500, 0.012, body=b"a long page about what went wrong in this app of ours")
    result = ForwardResult(make_entry(BODY), URL, outcome, again_s=0.4494)
    shown = Outcomes(aside=False, several=False)(result, is_last=True).decode()
    assert shown.rstrip("\n").endswith("; retrying in 449 ms")
    assert "…" in shown


def test_what_several_runs_left_is_one_sentence() -> None:
    text = left_in_words(Left(5, URL, "send", runs=2))
    assert text.startswith(f"5 deliveries from 2 earlier runs were not forwarded to {URL}")
