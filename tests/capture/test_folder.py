import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vmon.capture.folder import captures_in, sources_of
from vmon.capture.writer import CaptureWriter
from vmon.errors import WrongUse

if TYPE_CHECKING:
    from tests.support.processes import Listen

Run = Callable[..., tuple[int, str, str]]


def test_what_is_there_plain_and_compressed_is_read_once(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.jsonl.gz", "b.jsonl.gz", "c.txt", "b.jsonl.gz.part"):
        (tmp_path / name).write_bytes(b"")
    assert [Path(one).name for one in captures_in(str(tmp_path))] == [
        "a.jsonl", "b.jsonl.gz",
    ]  # fmt: skip # one thing a line


def test_a_folder_without_captures_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no captures in"):
        sources_of((str(tmp_path),))


LINE = '{"event":"archive"}\n'


@pytest.mark.parametrize("args", [("filter",), ("stats",), ("export", "--as", "curl")], ids=str)
@pytest.mark.parametrize("by", ["name", "folder", "standard input"])
def test_a_file_that_is_read_is_not_appended_to(
    args: tuple[str, ...], by: str, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "kept" / "a.jsonl"
    path.parent.mkdir()
    path.write_text(LINE)
    named = {"name": str(path), "folder": str(path.parent), "standard input": "-"}[by]
    with path.open("rb") as stdin, path.open("ab") as out:
        ran = subprocess.run(
            [sys.executable, "-m", "vmon", *args, named], env=environment, stdin=stdin,
            stdout=out, stderr=subprocess.PIPE, timeout=30, check=False, text=True,
        )  # fmt: skip # one thing a line
    shown = "standard input" if by == "standard input" else path
    assert ran.stderr == (f"error: {shown} is both input and output\nhint: write to another file\n")
    assert (ran.returncode, path.read_text()) == (2, LINE)


def test_another_file_can_be_appended_to(environment: dict[str, str], tmp_path: Path) -> None:
    path, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    path.write_text(LINE)
    with other.open("ab") as out:
        argv = [sys.executable, "-m", "vmon", "filter", str(path)]
        subprocess.run(argv, env=environment, stdout=out, timeout=30, check=True)
    assert other.read_text() == LINE


@pytest.fixture
def captures(environment: dict[str, str]) -> Path:
    """The default folder of captures."""
    made = Path(environment["XDG_DATA_HOME"]) / "vmon" / "captures"
    made.mkdir(parents=True)
    return made


@pytest.mark.parametrize("args", [("filter",), ("sessions",), ("stats",), ("timeline",)], ids=str)
def test_where_the_newest_capture_is_empty_the_last_one_is_named(
    args: tuple[str, ...], vmon_run: Run, captures: Path
) -> None:
    before, old = captures / "2026-01-02.jsonl", captures / "2026-01-01.jsonl"
    for age, path in enumerate((before, old)):
        path.write_text(LINE)
        os.utime(path, (1000 - age, 1000 - age))
    running = CaptureWriter(captures / "2026-01-03.jsonl", trouble=lambda _why: None)
    code, out, err = vmon_run(*args)
    assert (code, out) == (1, "")
    assert f" found in {running.path}\n" in err
    assert err.endswith(f"hint: it is empty; the last capture with deliveries is {before}\n")
    before.unlink()
    old.unlink()
    assert "the last capture" not in vmon_run(*args)[2]
    running.close()


async def test_a_folder_that_listen_makes_for_a_capture_is_said(
    listen: "Listen", tmp_path: Path
) -> None:
    path = tmp_path / "none" / "yet" / "a.jsonl"
    run = listen("--capture", path)
    code, _, err = await asyncio.to_thread(run.stop)
    assert (code, path.parent.is_dir()) == (0, True)
    assert f"creating the folder {path.parent}\n" in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("listen", "--port", "0", "--capture", ""), "--capture is empty"),
        (("replay", "--to", "", "a.jsonl"), "invalid URL ''"),
    ],
    ids=str,
)
def test_an_empty_file_or_url_is_an_error_and_not_the_default(
    args: tuple[str, ...], said: str, vmon_run: Run
) -> None:
    code, out, err = vmon_run(*args)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {said}\nhint: ")
