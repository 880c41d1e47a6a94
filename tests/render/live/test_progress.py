import fcntl
import io
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import IO

import pytest

from tests.support.factories import make_line
from tests.support.waiting import wait_until
from vmon.capture import inputs
from vmon.render.live.progress import Progress, bytes_of

DEADLINE_S = 20.0


@pytest.fixture
def line() -> bytes:
    return make_line(b'{"event":"streamCreated","sessionId":"2_MX4x"}')


def test_what_takes_long_has_a_bar_and_ends_with_a_count_and_a_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 5_000_000)
    for name in ("FORCE_COLOR", "TTY_INTERACTIVE"):
        monkeypatch.setenv(name, "1")
    now = [100.0]
    monkeypatch.setattr("vmon.render.live.progress.time.monotonic", lambda: now[0])
    progress = Progress(bytes_of((str(path),)), shown=True)
    with inputs.open_input(str(path)) as stream:
        progress.reads(stream)
        stream.readinto(memoryview(bytearray(2_500_000)))
        progress.found(3)
        assert capsys.readouterr().err == ""
        now[0] += 2
        progress.found(4)
        drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
        assert "2.5/5.0 MB" in drawn
        assert "7 deliveries found" in drawn
    progress.end()
    assert capsys.readouterr().err.endswith("7 deliveries found · 2.5 MB in 2.0 s, 1.2 MB/s\n")


def test_what_is_quick_or_nobody_watches_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for shown in (True, False):
        progress = Progress(None, shown=shown)
        progress.found(3)
        progress.end()
    assert capsys.readouterr().err == ""


def test_bytes_are_counted_where_they_can_be(tmp_path: Path) -> None:
    one, two = tmp_path / "a", tmp_path / "b"
    one.write_bytes(b"12345")
    two.write_bytes(b"123")
    assert bytes_of((str(one), str(two))) == 8
    assert bytes_of((str(one), str(tmp_path / "none"))) is None
    reading, writing = os.pipe()
    os.write(writing, b"1234")
    os.close(writing)
    with io.FileIO(reading) as raw:
        stream = inputs.Stream(raw, "pipe", raw)
        stream.readinto(memoryview(bytearray(3)))
        assert stream.done == 3


def test_ctrl_c_waits_for_the_batch_that_is_written() -> None:
    progress, done = Progress(None, shown=False), []
    before = signal.getsignal(signal.SIGINT)

    def pressed_while_writing() -> None:
        with progress.writing():
            signal.raise_signal(signal.SIGINT)
            done.append("written")
        done.append("never")

    with progress.interruptible(), pytest.raises(KeyboardInterrupt):
        pressed_while_writing()
    assert done == ["written"]
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt), progress.interruptible():
        signal.raise_signal(signal.SIGINT)


def test_an_interrupted_filter_keeps_whole_lines_and_says_so(tmp_path: Path, line: bytes) -> None:
    path, out = tmp_path / "a.jsonl", tmp_path / "out.har"
    path.write_bytes(line * 10)
    with out.open("wb") as into:
        run = subprocess.Popen(
            [sys.executable, "-m", "vmon", "filter", "--follow", str(path)],
            stdout=into, stderr=subprocess.PIPE,
        )  # fmt: skip # one thing a line
    wait_until(lambda: out.stat().st_size >= len(line) * 10, DEADLINE_S)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=DEADLINE_S)
    assert run.returncode == 130
    assert out.read_bytes() == line * 10
    assert said.startswith(b"interrupted: 10 deliveries found so far, ")


def _waiting(pipe: IO[bytes]) -> int:
    """How many bytes are in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4), sys.byteorder)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_filter_that_is_interrupted_while_nobody_reads_writes_its_lines_to_their_end(
    tmp_path: Path, line: bytes, unbuffered: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(line * 20_000)
    argv = [sys.executable, "-m", "vmon", "filter", str(path)]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    ) as run:  # fmt: skip # one thing a line
        assert run.stdout
        assert run.stderr
        pipe = run.stdout
        wait_until(lambda: _waiting(pipe) >= 1 << 15, DEADLINE_S)
        time.sleep(0.1)  # until the pipe is full; were it not yet, the lines are whole all the same
        run.send_signal(signal.SIGINT)
        time.sleep(0.1)  # until the signal came; were it not yet, the lines are whole all the same
        written, said = run.stdout.read(), run.stderr.read()
    assert run.returncode == 130
    count = written.count(b"\n")
    assert written == line * count
    assert said.decode().startswith(f"interrupted: {count:,} deliveries found so far")


def test_on_a_terminal_what_is_drawn_ends_with_a_count(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(line * 3)
    mine, theirs = pty.openpty()
    argv = [sys.executable, "-m", "vmon", "filter", str(path)]
    code = subprocess.run(argv, stdout=theirs, stderr=theirs, stdin=theirs, check=False).returncode
    os.close(theirs)
    drawn = b""
    while True:
        try:
            drawn += os.read(mine, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            break
    os.close(mine)
    assert code == 0
    assert drawn.splitlines()[-1].startswith(b"3 deliveries found \xc2\xb7 ")
