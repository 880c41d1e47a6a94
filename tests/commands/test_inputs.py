"""Which sources a reading command takes, and what it says of those that cannot be read."""

import asyncio
import gzip
import os
import pty
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from tests.support.factories import DATA

if TYPE_CHECKING:
    from tests.support.app_server import App
    from tests.support.processes import Flow

Run = Callable[..., tuple[int, str, str]]

READING = {
    "filter": ("filter",),
    "filter --tail": ("filter", "--tail", "9"),
    "filter --sort event": ("filter", "--sort", "event"),
    "sessions": ("sessions",),
    "timeline": ("timeline",),
    "oddities": ("oddities",),
    "usage": ("usage",),
    "stats": ("stats",),
    "export": ("export", "--as", "curl"),
    "replay": ("replay", "--speed", "max"),
    "replay --dry-run": ("replay", "--dry-run"),
    "replay --to": ("replay", "--speed", "max", "--to", "http://127.0.0.1:9"),
    "verify": ("verify", "--secret", "s"),
}
LINES = b"".join(
    b" ".join((DATA / "seed" / f"{name}.json").read_bytes().split()) + b"\n"
    for name in ("connectionCreated", "connectionDestroyed")
)
NO_CAPABILITIES = """
import ctypes, struct
assert ctypes.CDLL(None).capset(struct.pack("Ii", 0x20080522, 0), bytes(24)) == 0
"""
"""Run first, it makes root heed permissions, as others must: capset(2), version 3, of nothing."""


reading = pytest.mark.parametrize("args", READING.values(), ids=READING)


@pytest.fixture
def captures(environment: dict[str, str]) -> Path:
    """The default folder of captures."""
    folder = Path(environment["XDG_DATA_HOME"]) / "vmon" / "captures"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def newest(captures: Path) -> Path:
    """The newest capture, of two deliveries."""
    path = captures / "2026-01-01T00-00-00.jsonl"
    path.write_bytes(LINES)
    return path


def is_told(result: tuple[int, str, str], name: str) -> bool:
    """Whether it ended with what cannot be read, why, and a way out; exit code 2."""
    code, _, err = result
    *_, error, hint = ["", *err.splitlines()]
    in_words = error.startswith("error: ") and hint.startswith("hint: ")
    return code == 2 and in_words and name in error and "Traceback" not in err


# What cannot be read.


@reading
def test_a_missing_file_is_an_error_with_a_hint(
    args: tuple[str, ...], vmon_run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "none.jsonl"
    result = vmon_run(*args, path)
    assert is_told(result, f"cannot read {path}: No such file or directory"), result


@reading
def test_a_folder_without_captures_is_an_error_with_a_hint(
    args: tuple[str, ...], vmon_run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.mkdir()
    result = vmon_run(*args, path)
    assert is_told(result, f"no captures in {path}"), result


@reading
@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_truncated_file_is_an_error_with_a_hint(
    args: tuple[str, ...], suffix: str, vmon_run: Run, tmp_path: Path
) -> None:
    packed = gzip.compress(LINES) if suffix == "gz" else zstandard.compress(LINES)
    path = tmp_path / f"a.jsonl.{suffix}"
    path.write_bytes(packed[:-9])
    result = vmon_run(*args, path)
    assert is_told(result, f"cannot read all of {path}"), result


@pytest.fixture
def forbidden() -> Iterator[Callable[[Path], Path]]:
    """Take all permissions from a path, until the test is over."""
    if sys.platform != "linux" and os.geteuid() == 0:
        pytest.skip("root may read everything here: run the tests as another user")
    taken = []

    def forbid(path: Path) -> Path:
        taken.append((path, path.stat().st_mode))
        path.chmod(0)
        return path

    yield forbid
    for path, mode in taken:
        path.chmod(mode)


@reading
@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "folder"])
def test_a_file_without_permission_is_an_error_with_a_hint(
    args: tuple[str, ...], forbidden: Callable[[Path], Path], vmon_run: Run, newest: Path,
    *, is_folder: bool,
) -> None:  # fmt: skip # one thing a line
    path = forbidden(newest.parent if is_folder else newest)
    result = vmon_run(*args, path, code=NO_CAPABILITIES)
    assert is_told(result, f"cannot read {path}: Permission denied"), result


@pytest.mark.parametrize(
    "args",
    [
        *READING.values(),
        ("captures",),
        ("captures", "--format", "json"),
        ("captures", "--prune", "1d", "--yes"),
        ("replay", "--failed"),
    ],
    ids=" ".join,
)
def test_a_default_folder_that_cannot_be_listed_is_not_one_without_captures(
    args: tuple[str, ...], forbidden: Callable[[Path], Path], vmon_run: Run, newest: Path
) -> None:
    folder = forbidden(newest.parent)
    result = vmon_run(*args, code=NO_CAPABILITIES)
    assert is_told(result, f"cannot read {folder}: Permission denied"), result


@pytest.mark.parametrize("args", [("filter",), ("captures",)], ids=" ".join)
def test_a_default_folder_that_can_only_be_listed_is_not_one_without_captures(
    args: tuple[str, ...], forbidden: Callable[[Path], Path], vmon_run: Run, newest: Path
) -> None:
    forbidden(newest.parent).chmod(0o400)
    result = vmon_run(*args, code=NO_CAPABILITIES)
    assert is_told(result, f"cannot read {newest}: Permission denied"), result


@pytest.mark.parametrize(
    "args", [("--rotate", "1MB"), ("--forward-to", "http://127.0.0.1:9")], ids=" ".join
)
def test_listen_says_that_it_cannot_list_a_folder_it_has_to_list(
    args: tuple[str, ...], forbidden: Callable[[Path], Path], vmon_run: Run, captures: Path
) -> None:
    forbidden(captures).chmod(0o300)
    to = captures / "a.jsonl"
    result = vmon_run("listen", "--port", "0", "--capture", to, *args, code=NO_CAPABILITIES)
    assert is_told(result, f"cannot read {captures}: Permission denied"), result


def test_a_capture_that_cannot_be_read_is_listed_with_a_warning(
    forbidden: Callable[[Path], Path], vmon_run: Run, newest: Path
) -> None:
    forbidden(newest)
    code, out, err = vmon_run("captures", code=NO_CAPABILITIES)
    assert (code, err) == (0, f"warning: cannot read {newest}: Permission denied\n")
    assert newest.name in out


async def test_what_stands_before_a_cut_is_sent_and_counted(
    app: "App", vmon_run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(LINES)[:-4])  # the lines are whole, the end is not
    args = ("replay", "--speed", "max", "--to", app.url, path)
    result = await asyncio.to_thread(vmon_run, *args)
    assert is_told(result, f"cannot read all of {path}"), result
    assert len(app.requests) == 2
    assert result[2].startswith("2 deliveries in ")


# Standard input.


@pytest.fixture
def vmon_of(environment: dict[str, str]) -> Callable[..., tuple[int, str, str]]:
    """Run `vmon` with a descriptor as its standard input, or with none (None)."""

    def run(stdin: int | None, *args: str) -> tuple[int, str, str]:
        close = ["sh", "-c", 'exec "$@" <&-', "sh"] if stdin is None else []
        ran = subprocess.run(
            [*close, sys.executable, "-m", "vmon", *args],
            env=environment, stdin=stdin, capture_output=True, timeout=30, check=False, text=True,
        )  # fmt: skip # one thing a line
        return ran.returncode, ran.stdout, ran.stderr

    return run


@reading
def test_with_dev_null_as_standard_input_the_newest_capture_is_read(
    args: tuple[str, ...], vmon_run: Run, newest: Path
) -> None:
    of_newest = vmon_run(*args, newest)
    assert "nothing was found" not in of_newest[2]
    assert without_times(vmon_run(*args)) == without_times(of_newest)


@reading
def test_with_standard_input_closed_the_newest_capture_is_read(
    args: tuple[str, ...], vmon_of: Run, vmon_run: Run, newest: Path
) -> None:
    assert without_times(vmon_of(None, *args)) == without_times(vmon_run(*args, newest))


def without_times(result: tuple[int, str, str]) -> tuple[int, str, list[str]]:
    """What a command came to, less how long it took."""
    code, out, err = result
    out = re.sub(r'"took_ms":[0-9.]+', "", out)
    return code, out, [line.partition(" in ")[0] for line in err.splitlines()]


def test_without_a_capture_dev_null_gives_the_way_out(vmon_run: Run, captures: Path) -> None:
    result = vmon_run("filter")
    assert is_told(result, f"no captures in {captures}"), result


def test_a_dash_is_standard_input_whatever_that_is(vmon_run: Run, newest: Path) -> None:
    assert newest.exists()
    code, out, err = vmon_run("filter", "--event", "archive", "-")
    assert (code, out) == (1, "")
    assert "no deliveries found in standard input" in err


@reading
def test_a_dash_with_standard_input_closed_is_an_error(
    args: tuple[str, ...], vmon_of: Run, newest: Path
) -> None:
    assert newest.exists()
    code, out, err = vmon_of(None, *args, "-")
    assert (code, "Traceback" in err) == (2, False)
    assert "error: cannot read standard input: it is closed" in err, out


def test_with_standard_input_closed_there_is_no_confirmation(vmon_of: Run, newest: Path) -> None:
    os.utime(newest, (0, 0))
    code, _, err = vmon_of(None, "captures", "--prune", "1d")
    assert (code, err) == (
        2, "error: nothing removed: cannot ask for confirmation here\nhint: add --yes\n",
    )  # fmt: skip # one thing a line
    assert newest.exists()


def test_a_pipe_is_read(vmon_of: Run, newest: Path) -> None:
    assert newest.exists()
    ours, theirs = os.pipe()
    os.write(theirs, LINES[: LINES.index(b"\n") + 1])
    os.close(theirs)
    assert vmon_of(ours, "filter", "--count") == (0, "1\n", "")
    os.close(ours)


def test_a_fifo_is_read(vmon_of: Run, newest: Path, tmp_path: Path) -> None:
    assert newest.exists()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(LINES * 2,), daemon=True)
    writer.start()
    with fifo.open("rb") as file:
        assert vmon_of(file.fileno(), "filter", "--count") == (0, "4\n", "")
    writer.join()


def test_a_file_is_read_and_an_empty_one_is_still_a_file(
    vmon_of: Run, newest: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(LINES * 3)
    with path.open("rb") as file:
        assert vmon_of(file.fileno(), "filter", "--count") == (0, "6\n", "")
    path.write_bytes(b"")
    with path.open("rb") as file:
        code, out, err = vmon_of(file.fileno(), "filter")
    assert (code, out) == (1, "")
    assert "no deliveries found in standard input" in err
    assert newest.exists()


def test_a_socket_is_read_where_something_comes(vmon_of: Run, newest: Path) -> None:
    assert newest.exists()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(LINES * 2)
        ours.shutdown(socket.SHUT_WR)
        assert vmon_of(theirs.fileno(), "filter", "--count") == (0, "4\n", "")


def test_an_idle_socket_does_not_hang_and_what_is_read_instead_is_said(
    vmon_of: Run, newest: Path
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        said = f"no data on standard input: reading {newest} (use - to wait for data)\n"
        assert vmon_of(theirs.fileno(), "filter", "--count") == (0, "2\n", said)


@pytest.fixture
def idle(
    environment: dict[str, str], flow_of: Callable[[int], "Flow"]
) -> Iterator[tuple[subprocess.Popen[bytes], "Flow"]]:
    """A filter that reads a pipe nobody has written to, and the terminal that is its stderr."""
    mine, theirs = pty.openpty()
    argv = [sys.executable, "-m", "vmon", "filter", "--count"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, env=environment, stdin=pipe, stdout=pipe, stderr=theirs) as run:
        os.close(theirs)
        terminal = flow_of(mine)
        yield run, terminal
        run.kill()
    terminal.all()
    os.close(mine)


def test_on_a_terminal_a_pipe_that_is_waited_on_is_said_and_then_read(
    idle: tuple[subprocess.Popen[bytes], "Flow"],
) -> None:
    run, terminal = idle
    said = terminal.until(b"/dev/null\r\n")
    assert said == (
        b"waiting for standard input\r\n"
        b"hint: to read the newest capture instead, add </dev/null\r\n"
    )
    out, _ = run.communicate(LINES, timeout=20)
    assert (run.returncode, out) == (0, b"2\n")


def test_of_a_pipe_that_is_not_waited_on_nothing_is_said(
    idle: tuple[subprocess.Popen[bytes], "Flow"],
) -> None:
    run, terminal = idle
    out, _ = run.communicate(LINES, timeout=20)
    assert (run.returncode, out) == (0, b"2\n")
    assert b"waiting" not in terminal.all()


NO_NAMES = ("--name-from", "none")
"""Only a file is read again for names."""


@pytest.mark.parametrize(
    "args",
    [
        *(READING[name] for name in READING if name not in {"stats", "replay", "replay --to"}),
        ("filter", "--sort", "received"),
        ("filter", "--format", "line", "--event", "connectionDestroyed", *NO_NAMES),
        (
            "replay",
            "--speed",
            "max",
            "--format",
            "line",
            "--event",
            "connectionDestroyed",
            *NO_NAMES,
        ),
    ],
    ids=" ".join,
)
def test_a_pipe_that_is_named_is_read_once_and_whole(
    vmon_run: Run, tmp_path: Path, args: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_bytes(LINES * 3000)  # more than one block
    os.mkfifo(tmp_path / "fifo")
    writer = threading.Thread(
        target=lambda: (tmp_path / "fifo").write_bytes(LINES * 3000), daemon=True
    )
    writer.start()
    code, out, _ = vmon_run(*args, tmp_path / "fifo")
    writer.join(10)
    whole = vmon_run(*args, tmp_path / "file")
    assert (code, out) == whole[:2]
