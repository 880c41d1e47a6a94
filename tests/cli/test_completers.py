from pathlib import Path

import click
import pytest

from vmon.analysis.oddities.codes import CODES
from vmon.cli import completers
from vmon.cli.completers import MOST_CAPTURES, codes, files

PARAM = click.Option(["--x"])


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default folder of captures; the test stands in another, which is empty."""
    folder = tmp_path / "data" / "vmon" / "captures"
    folder.mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path / "here")
    return folder


def offered(what: str, incomplete: str) -> list[tuple[str, str]]:
    """What is offered for a word, with its kind."""
    context = click.Context(click.Command("x"))
    items = getattr(completers, what)(context, PARAM, incomplete)
    return [(item.value, item.type) for item in items]


def test_codes_of_oddities_are_offered_with_what_they_mean() -> None:
    context = click.Context(click.Command("x"))
    assert [item.value for item in codes(context, PARAM, "")] == list(CODES)
    (ghost,) = codes(context, PARAM, "GHO")
    assert (ghost.value, ghost.help) == ("ghost", CODES["ghost"].meaning)
    assert codes(context, PARAM, "no-such") == []


def test_of_many_captures_the_newest_are_offered(kept: Path) -> None:
    names = [f"2026-11-{day:02}T00-00-00.jsonl" for day in range(1, MOST_CAPTURES + 6)]
    for name in names:
        (kept / name).touch()
    expected = [(str(kept / name), "plain") for name in reversed(names)]
    assert offered("files", "") == expected[:MOST_CAPTURES]


def test_what_stands_beside_a_capture_is_not_offered(kept: Path) -> None:
    for name in ("a.jsonl", "a.jsonl.5a17c0de.forward", "a.jsonl.new"):
        (kept / name).touch()
    assert offered("files", "") == [(str(kept / "a.jsonl"), "plain")]


def test_a_name_that_could_act_on_a_terminal_is_not_offered(kept: Path) -> None:
    for folder in (kept, Path.cwd()):
        (folder / "a\x1b[31m.jsonl").touch()
    assert offered("files", "a") == [("a", "file")]


def test_where_there_is_none_the_shell_s_own_files_are_offered(kept: Path) -> None:
    kept.rmdir()
    assert offered("files", "") == [("", "file")]
    assert files(click.Context(click.Command("x")), PARAM, "/tmp")[0].type == "file"
