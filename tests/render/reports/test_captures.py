from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vmon.analysis.captures import Gone, Held, Kept
from vmon.render.reports.captures import CapturesReport, as_json, removal_line

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path("/captures")
AT = datetime(2016, 8, 3, 21, 16, tzinfo=UTC)
HELD = Held(
    Counter(streamCreated=6, streamDestroyed=2, connectionCreated=1, odd=1),
    3, AT, AT + timedelta(seconds=14),
)  # fmt: skip # one thing a line


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """A capture that was written to two days ago, by a clock that stands still."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    return Kept(FOLDER / "a.jsonl", 1_804_219, now - 2 * 86_400, False, ())


@pytest.mark.usefixtures("utc")
def test_in_a_pipe_a_capture_has_its_path_and_its_types(capture: Kept) -> None:
    assert CapturesReport().rows(capture, HELD) == (
        "/captures/a.jsonl  2 d old, 1.8 MB, 2016-08-03 21:16:00 for 14.0 s, 10 deliveries, "
        "3 sessions\n"
        "  connection 1  stream 8  other 1\n"
    )


def test_on_a_terminal_a_capture_has_its_name_and_a_bar(
    capture: Kept, terminal: Callable[[int], None]
) -> None:
    terminal(100)
    head, bar = CapturesReport().rows(capture, HELD).splitlines()
    assert head.startswith("a.jsonl  2 d old, ")
    assert bar == "  " + "▇" * 23 + "  connection 1  stream 8  other 1"


def test_what_is_in_use_or_has_journals_or_cannot_be_read_says_so(capture: Kept) -> None:
    used = capture._replace(in_use=True, journals=(FOLDER / "a.forward",))
    assert CapturesReport().rows(used, None) == (
        "/captures/a.jsonl  2 d old, 1.8 MB, unreadable, in use, 1 forwarding journal\n"
    )


def test_what_goes_is_named_with_what_goes_with_it(capture: Kept) -> None:
    assert removal_line(Gone(capture, 0)) == "/captures/a.jsonl, 2 d old, 1.8 MB"
    with_journal = capture._replace(journals=(FOLDER / "a.forward",))
    assert removal_line(Gone(with_journal, 2)) == (
        "/captures/a.jsonl, 2 d old, 1.8 MB, with 1 forwarding journal, "
        "2 deliveries not accepted by your app"
    )


def test_json_is_one_document_and_null_where_nothing_could_be_read(capture: Kept) -> None:
    document = json.loads(as_json([(capture, HELD), (capture, None)], FOLDER))
    first, second = document["captures"]
    assert document["folder"] == "/captures"
    assert (first["deliveries"], first["first_at"]) == (10, "2016-08-03T21:16:00.000000Z")
    assert (second["deliveries"], second["types"]) == (None, None)
