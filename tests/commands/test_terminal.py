"""Whatever form is asked for, nothing in a stranger's text acts on a terminal."""

from __future__ import annotations

import os
import pty
from typing import TYPE_CHECKING

import pytest

from tests.support.processes import Flow
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import Start

EVIL = "\x9b2J\u202e\u200b\x7f"
BODY = (
    '{"event":"streamDestroyed","sessionId":"2_%s","timestamp":1470258971953,"reason":"%s","stream":'
    '{"id":"s","name":"\\u001b[2J%s","connection":{"id":"c%s","data":"\\u001b]0;x\\u0007%s"}}}\n'
)


@pytest.mark.parametrize(
    "asked",
    [
        "filter --format json",
        "filter --format body",
        "filter --format csv --fields type,session,reason,stream.name",
        "filter --format tsv --fields type,session,reason,stream.name",
        "filter --redact stream.id --format json",
        "replay --format json",
        "sessions --format json",
        "oddities --format json",
        "usage --csv - --by connection",
    ],
)
def test_no_form_acts_on_a_terminal(asked: str, start: Start, tmp_path: Path) -> None:
    file = tmp_path / "evil.jsonl"
    file.write_bytes(BODY.replace("%s", EVIL).encode())
    ours, theirs = pty.openpty()
    program = start(*asked.split(), file, out=theirs)
    os.close(theirs)
    shown = Flow(ours)
    program.result()
    text = shown.all().decode()
    assert text
    assert [char for char in text if char not in "\r\n\t" and disarm(char) != char] == []
