from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.factories import make_line
from vmon.commands.captures import Options, run
from vmon.errors import Refused, WrongUse

if TYPE_CHECKING:
    from pathlib import Path


DAY = 86_400.0


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A capture in a folder of the test's own, written to last 40 days ago."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = tmp_path / "vmon" / "captures" / "a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(make_line(b'{"event":"archive"}'))
    at = time.time() - 40 * DAY
    os.utime(path, (at, at))
    return path


def test_the_folder_and_the_list_go_to_standard_output(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(Options(only_path=True)) == 0
    assert capsys.readouterr() == (f"{old.parent}\n", "")
    assert run(Options()) == 0
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (2, "")
    assert "40 d old" in out


def test_after_a_yes_what_is_old_is_removed(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions: list[str] = []

    def ask(question: str, _default: bool) -> bool:  # noqa: FBT001 - as the caller passes it
        questions.append(question)
        return True

    assert run(Options(prune_after_s=30 * DAY, ask=ask)) == 0
    assert questions[0].startswith("Remove 1 capture, ")
    assert not old.exists()
    assert capsys.readouterr().err == "removed 1 capture\n"


def test_after_a_no_or_without_a_terminal_nothing_is_removed(old: Path) -> None:
    with pytest.raises(Refused):
        run(Options(prune_after_s=30 * DAY, ask=lambda *_: False))
    with pytest.raises(WrongUse):
        run(Options(prune_after_s=30 * DAY))
    assert old.exists()


def test_with_yes_there_is_no_confirmation(old: Path) -> None:
    assert run(Options(prune_after_s=30 * DAY, yes=True)) == 0
    assert not old.exists()


def test_what_is_young_stays(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Options(prune_after_s=50 * DAY, yes=True)) == 0
    assert capsys.readouterr().err == "nothing to remove: no unused capture is that old\n"
    assert old.exists()
