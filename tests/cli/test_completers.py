from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from vmon.analysis.oddities.codes import CODES
from vmon.cli.completers import MOST_CAPTURES, codes, event_types, files, mend_words

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = click.Context(click.Command("filter"))
PARAM = click.Argument(["files"])


def names(items: list[click.shell_completion.CompletionItem]) -> list[str]:
    return [item.value for item in items]


@pytest.mark.parametrize(
    ("words", "at", "whole", "there"),
    [
        ("vmon a", 1, "vmon a", 1),
        ("vmon --e = s x", 3, "vmon --e=s x", 1),
        ("vmon --e = s x", 4, "vmon --e=s x", 2),
        ("vmon --e =", 2, "vmon --e =", 2),
        ("vmon", 1, "vmon", 1),
        ("= : =", 1, "= :=", 1),
    ],
)
def test_words_are_mended(words: str, at: int, whole: str, there: int) -> None:
    environ = {"COMP_WORDS": words.replace(" ", "\n"), "COMP_CWORD": str(at)}
    mend_words(environ)
    assert (environ["COMP_WORDS"].replace("\n", " "), environ["COMP_CWORD"]) == (whole, str(there))


def test_a_type_that_is_named_already_is_not_offered_again() -> None:
    assert names(event_types(CONTEXT, PARAM, "streamCreated,stream")) == [
        "streamCreated,streamDestroyed"
    ]
    assert names(event_types(CONTEXT, PARAM, "archive,!streamC")) == ["archive,!streamCreated"]


def test_codes_are_offered_with_what_they_mean() -> None:
    offered = codes(CONTEXT, PARAM, "")
    assert names(offered) == list(CODES)
    assert all(item.help == CODES[item.value].meaning for item in offered)


def test_the_captures_here_come_first_and_of_the_kept_ones_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, kept = tmp_path / "here", tmp_path / "vmon" / "captures"
    here.mkdir()
    kept.mkdir(parents=True)
    for name in ("b.jsonl.zst", "a.json", "c.ndjson", "d.txt", "e\x1b.jsonl"):
        (here / name).touch()
    for number in range(MOST_CAPTURES + 2):
        (kept / f"2026-01-{number:02}.jsonl").touch()
    monkeypatch.chdir(here)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    offered = names(files(CONTEXT, PARAM, ""))
    assert offered[:3] == ["a.json", "b.jsonl.zst", "c.ndjson"]
    newest = [str(kept / f"2026-01-{number:02}.jsonl") for number in range(21, 1, -1)]
    assert offered[3:] == newest
    assert names(files(CONTEXT, PARAM, "./")) == ["./"]
