from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from vmon.analysis.usage import Bounds, Row, Span, Usage, Why
from vmon.render.reports.usage import UsageReport, as_csv, as_json

if TYPE_CHECKING:
    from collections.abc import Callable

T, MIN = 1_470_258_000_000, 60_000  # 2016-08-03 21:00:00Z


def minutes(low: int, high: int | None = None) -> Bounds:
    return Bounds(low * MIN, (low if high is None else high) * MIN)


def span(why: Why | None = "open", name: str = "Ann") -> Span:
    end = T + 5 * MIN
    return Span("stream", "2_A", "11111111-1", "aaaaaaaa-1", name, end, end, end, why, "connection")


def usage(name: str = "Ann", **changed: Any) -> Usage:
    rows = [
        Row("2_A", "aaaaaaaa-1", name, None, 1, 1, minutes(40), minutes(0, 35), minutes(0, 35)),
        Row("2_A", "bbbbbbbb-2", "Bob", None, 1, 0, minutes(20)),
    ]
    total = Row(None, None, None, None, 2, 1, minutes(60), minutes(0, 35), minutes(0, 35))
    fields: dict[str, Any] = {
        "by": "connection", "window": (None, None), "rows": rows, "total": total,
        "explained": [(span(name=name), 35 * MIN)], "duplicates": 1,
        "first_ms": T, "end_ms": T + 60 * MIN,
    }  # fmt: skip # pairs
    return Usage(**fields | changed)


def test_a_table_of_connections_is_this() -> None:
    assert (
        "".join(UsageReport().lines(usage()))
        == """\
connection        connections  streams  connected  participant  published
2_A aaaaaaaa Ann            1        1       40.0     0.0–35.0   0.0–35.0
2_A bbbbbbbb Bob            1        0       20.0          0.0        0.0
total                       2        1       60.0     0.0–35.0   0.0–35.0
minutes from 2016-08-03 21:00:00Z to 2016-08-03 22:00:00Z; anything older counts from createdAt
1 duplicate ignored
uncertain, with the minutes each may add:
  2016-08-03 21:05:00Z  2_A  stream 11111111 of Ann  +35.0 min  open: last seen 21:05:00Z, \
at most until the end of its connection
"""
    )


def test_on_a_narrow_terminal_nothing_is_wider_and_no_figure_is_lost(
    terminal: Callable[[int], None],
) -> None:
    terminal(40)
    text = "".join(UsageReport().lines(usage()))
    assert max(map(len, text.splitlines())) <= 40
    assert all(figure in text for figure in ("40.0", "20.0", "60.0", "0.0–35.0", "+35.0"))


def test_csv_has_a_row_for_each_with_both_bounds() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(usage()))))
    assert [row["name"] for row in rows] == ["Ann", "Bob"]
    assert (rows[0]["published_low_min"], rows[0]["published_high_min"]) == ("0.00000", "35.00000")


def test_csv_for_people_acts_on_no_terminal_and_for_machines_keeps_all() -> None:
    odd = usage(name="\x1b[31m")
    assert "\x1b" not in as_csv(odd, for_people=True)
    assert "\x1b" in as_csv(odd)
    assert "\x1b" not in "".join(UsageReport().lines(odd))


def test_json_is_one_document_in_ms() -> None:
    document = json.loads(as_json(usage()))
    assert document["total"]["connected_ms"] == {"low": 60 * MIN, "high": 60 * MIN}
    assert document["explained"][0]["adds_ms"] == 35 * MIN
    assert document["capture"]["end_at"] == "2016-08-03 22:00:00Z"


def test_every_reason_to_explain_a_span_has_its_words() -> None:
    whys: tuple[Why, ...] = ("open", "unannounced", "unbegun", "backwards", "ahead", "ancient")
    texts = set()
    for why in whys:
        lines = list(UsageReport().lines(usage(explained=[(span(why), MIN)])))
        texts.add(lines[-1])
    assert len(texts) == len(whys)
