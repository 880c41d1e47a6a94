from pathlib import Path

import click
import pytest

from vmon.analysis.oddities.codes import CODES
from vmon.cli import completers
from vmon.cli.completers import MAX_CAPTURES, codes, files, join_words

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
    names = [f"2026-11-{day:02}T00-00-00.jsonl" for day in range(1, MAX_CAPTURES + 6)]
    for name in names:
        (kept / name).touch()
    expected = [(str(kept / name), "plain") for name in reversed(names)]
    assert offered("files", "") == expected[:MAX_CAPTURES]


def test_files_beside_a_capture_are_not_completed(kept: Path) -> None:
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
def test_words_split_by_bash_are_joined(words: str, at: int, whole: str, there: int) -> None:
    environ = {"COMP_WORDS": words.replace(" ", "\n"), "COMP_CWORD": str(at)}
    join_words(environ)
    assert (environ["COMP_WORDS"].replace("\n", " "), environ["COMP_CWORD"]) == (whole, str(there))


def test_a_type_that_is_named_already_is_not_offered_again() -> None:
    values = [value for value, _ in offered("event_types", "streamCreated,stream")]
    assert values == ["streamCreated,streamDestroyed"]
    values = [value for value, _ in offered("event_types", "archive,!streamC")]
    assert values == ["archive,!streamCreated"]


def test_captures_of_this_folder_come_before_the_default_folder(kept: Path) -> None:
    (kept / "2026.jsonl").touch()
    for name in ("b.jsonl.zst", "a.json", "c.ndjson", "d.txt"):
        Path(name).touch()
    values = [value for value, _ in offered("files", "")]
    assert values == ["a.json", "b.jsonl.zst", "c.ndjson", str(kept / "2026.jsonl")]


def test_reasons_statuses_and_fields_are_offered() -> None:
    assert ("networkDisconnected", "plain") in offered("reasons", "network")
    assert ("ACTIVE", "plain") in offered("statuses", "act")
    values = [value for value, _ in offered("fields", "reason,stream.n")]
    assert values == ["reason,stream.name"]
    assert ("delivery", "plain") in offered("fields", "del")
