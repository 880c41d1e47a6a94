"""Oddities as they are drawn, at several widths."""

from __future__ import annotations

import sys

import pytest

from vmon.analysis.oddities.codes import CODES, Oddity
from vmon.render.reports.oddities import OdditiesReport

S = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"
T0 = 1_470_257_700_000
FOUND = [
    Oddity(
        "stream-outlives-connection", "warning", T0 + 60_000, S, ("s", "c"),
        "stream 63245362 (desk) is still published, but connection c053fcc8 (Ann) is gone",
    ),
    Oddity("failed", "error", T0 + 65_000, S, ("a",), "archive 832641bf failed: failure"),
    Oddity("undecodable", "info", T0 + 86_400_000, None, (), "body is not JSON: empty body"),
]  # fmt: skip # a line each would be longer

AT_80 = """\
2016-08-03
20:56:00  warning  stream-outlives-connection  kxOH45
          stream 63245362 (desk) is still published, but connection c053fcc8
          (Ann) is gone
20:56:05  error  failed  kxOH45
          archive 832641bf failed: failure
2016-08-04
20:55:00  info  undecodable  -
          body is not JSON: empty body
"""
AT_40 = """\
2016-08-03
20:56:00  warning  kxOH45
          stream-outlives-connection
          stream 63245362 (desk) is
          still published, but
          connection c053fcc8 (Ann) is
          gone
20:56:05  error  kxOH45  failed
          archive 832641bf failed:
          failure
2016-08-04
20:55:00  info  -  undecodable
          body is not JSON: empty body
"""
AT_200 = """\
2016-08-03
20:56:00  warning  stream-outlives-connection  kxOH45  stream 63245362 (desk) is still published, \
but connection c053fcc8 (Ann) is gone
20:56:05  error    failed                      kxOH45  archive 832641bf failed: failure
2016-08-04
20:55:00  info     undecodable                 -       body is not JSON: empty body
"""


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(("width", "expected"), [(40, AT_40), (80, AT_80), (200, AT_200)])
def test_on_a_terminal_words_stay_whole_and_the_date_is_shown_once(
    width: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = OdditiesReport()
    assert "".join(map(drawn.rows, FOUND)) == expected
    assert max(map(len, expected.splitlines())) <= width


def test_every_code_is_explained_within_any_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    for width in (40, 80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        drawn = OdditiesReport()
        for code in CODES.values():
            rows = (drawn.explained(code) + drawn.listed(code)).splitlines()
            assert max(map(len, rows)) <= width
            assert rows[0].startswith(code.name)
            assert any(row.startswith(code.name) for row in rows[1:])


def test_an_unknown_time_is_shown_as_none() -> None:
    odd = Oddity("failed", "error", 0, S, (), "render 80abaf0d failed")
    assert OdditiesReport().rows(odd).startswith("---------- --------  error ")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "no oddities in 3 deliveries from 1 session\n"),
        (FOUND[:1], "1 oddity in 3 deliveries from 1 session: 1 warning\n"),
        (FOUND, "3 oddities in 3 deliveries from 1 session: 1 error, 1 warning, 1 info\n"),
    ],
)
def test_the_sum_is_a_line(found: list[Oddity], said: str) -> None:
    assert OdditiesReport().summary(found, 3, 1) == said
