"""Sentences on standard error, on a terminal and in a pipe."""

import sys

import pytest

from vmon.stderr import say

SENTENCE = "warning: /home/ann/captures/2026-11-24T10-00-00.jsonl line 3: not JSON: cut off"


def test_a_sentence_folds_between_words_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    say(f"{SENTENCE}\nhint: short")
    rows = capsys.readouterr().err.splitlines()
    assert " ".join(" ".join(rows).split()) == f"{SENTENCE} hint: short"
    assert rows[-1] == "hint: short"
    assert all(len(row) <= 40 or "jsonl" in row for row in rows)
    assert rows[1].startswith("  ")


def test_a_sentence_is_one_line_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    say(SENTENCE)
    assert capsys.readouterr().err == f"{SENTENCE}\n"


def test_a_sentence_cannot_act_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("error: no file a\x1b[2J\rb\nhint: none")
    assert capsys.readouterr().err == "error: no file a␛[2J␍b\nhint: none\n"
