from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from vmon.doctor.results import Result
from vmon.render.reports.doctor import DoctorReport, as_json

if TYPE_CHECKING:
    import pytest

RESULTS = [
    Result("python", "pass", "CPython 3.14"),
    Result("ngrok token", "warn", "not found", "Set NGROK_AUTHTOKEN."),
    Result("port", "fail", "127.0.0.1:4680 is taken", "Use --port."),
    Result("app", "skip", "not given: --app URL"),
    Result("clock", "pass", "0.1 s off"),
]


def test_results_are_lines_with_their_fix_below() -> None:
    report = DoctorReport()
    text = "".join(map(report.line, RESULTS)) + report.summary(RESULTS)
    assert (
        text
        == """\
pass  python       CPython 3.14
warn  ngrok token  not found
                   Set NGROK_AUTHTOKEN.
fail  port         127.0.0.1:4680 is taken
                   Use --port.
skip  app          not given: --app URL
pass  clock        0.1 s off
5 checks: 2 pass, 1 warn, 1 fail, 1 skip
"""
    )


def test_as_json_they_are_one_document_that_is_ok_without_a_failure() -> None:
    document = json.loads(as_json(RESULTS))
    assert document["ok"] is False
    assert document["checks"][1] == {
        "name": "ngrok token", "verdict": "warn", "said": "not found",
        "fix": "Set NGROK_AUTHTOKEN.",
    }  # fmt: skip # one thing a line
    assert json.loads(as_json(RESULTS[:2]))["ok"] is True


def test_a_terminal_that_is_narrow_gets_whole_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    line = DoctorReport().line(
        Result("ngrok token", "warn", "word " * 20, "Do this and that and more.")
    )
    assert max(len(one) for one in line.splitlines()) <= 60
    assert line.count("\n") > 3
    assert "\n                   Do this" in line
    assert capsys.readouterr() == ("", "")
