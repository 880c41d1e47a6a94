import errno
import fcntl
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.factories import make_line
from vmon.capture import folder, fsync
from vmon.capture.format import START
from vmon.capture.writer import CaptureWriter
from vmon.errors import CannotListen, WrongUse
from vmon.events.ids import Ids
from vmon.locks import is_in_use, lock

Opened = Callable[..., CaptureWriter]
LINES = [START + b'archive","session":null,"n":%d,"body":{}}\n' % n for n in range(6)]


@pytest.fixture
def told() -> list[str | None]:
    """What a capture says of its troubles."""
    return []


@pytest.fixture
def opened(told: list[str | None]) -> Iterator[Opened]:
    """Open captures that are closed after the test."""
    every: list[CaptureWriter] = []

    def open_one(path: Path, bound: int = 1 << 20) -> CaptureWriter:
        every.append(CaptureWriter(path, bound=bound, trouble=told.append))
        return every[-1]

    yield open_one
    for one in every:
        one.waiting.clear()
        one.close()


class Disk:
    """A disk that may be full: writes go to the file as far as there is room."""

    def __init__(self) -> None:
        self.room = 1 << 30
        self.write = os.write

    def __call__(self, fd: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self.write(fd, data[: self.room])
        self.room -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Stand between the capture and the disk."""
    made = Disk()
    monkeypatch.setattr("vmon.capture.writer.os.write", made)
    return made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of captures of a user who has none yet."""
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "vmon")
    return tmp_path / "vmon" / "captures"


def test_a_capture_is_for_its_user_alone_and_its_folder_is_made(
    tmp_path: Path, opened: Opened
) -> None:
    path = tmp_path / "a" / "b" / "c.jsonl"
    before = os.umask(0)
    try:
        opened(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.usefixtures("names")
def test_each_line_is_in_the_file_when_append_returns(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "a.jsonl"
    one = opened(path)
    for number, line in enumerate(LINES, 1):
        assert one.append(line)
        assert path.read_bytes() == b"".join(LINES[:number])
    what = one.unsynced()
    what.sync()
    one.synced(what)


def test_a_line_is_appended_with_one_write(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, writes, write = opened(tmp_path / "a"), list[bytes](), os.write

    def noted(fd: int, data: bytes) -> int:
        writes.append(data)
        return write(fd, data)

    monkeypatch.setattr("vmon.capture.writer.os.write", noted)
    long = START + b"x" * 200_000 + b"}\n"
    assert one.append(long)
    assert writes == [long]


def test_the_next_run_appends(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "a"
    first = opened(path)
    first.append(LINES[0])
    assert first.close() is None
    first._fd = os.open(os.devnull, os.O_WRONLY)  # the fixture closes it once more
    opened(path).append(LINES[1])
    assert path.read_bytes() == LINES[0] + LINES[1]


@pytest.mark.parametrize("length", [1, 10, len(START), len(LINES[0]) - 2])
@pytest.mark.parametrize("before", [b"", LINES[0], b"".join(LINES) * 2000])
def test_a_torn_last_line_is_taken_out_by_the_next_writer(
    length: int, before: bytes, tmp_path: Path, opened: Opened
) -> None:
    path = tmp_path / "a"
    path.write_bytes(before + LINES[1][:length])
    opened(path).append(LINES[2])
    assert path.read_bytes() == before + LINES[2]


def test_a_torn_line_longer_than_what_is_read_at_once_is_taken_out(
    tmp_path: Path, opened: Opened
) -> None:
    path = tmp_path / "a"
    path.write_bytes(LINES[0] + LINES[1][:-3] + b"x" * 300_000)
    opened(path)
    assert path.read_bytes() == LINES[0]


def test_a_whole_last_line_that_lacks_its_newline_gets_it(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "a"
    path.write_bytes(LINES[0] + LINES[1][:-1])
    opened(path).append(LINES[2])
    assert path.read_bytes() == b"".join(LINES[:3])


def test_every_torn_end_of_a_real_line_is_repaired(tmp_path: Path, opened: Opened) -> None:
    line = make_line(b'{"event":"archive","x":{"y":[{}]}}', headers=())
    for length in range(1, len(line) - 1):
        path = tmp_path / str(length)
        path.write_bytes(LINES[0] + line[:length])
        opened(path)
        assert path.read_bytes() == LINES[0]


@pytest.mark.parametrize(
    "content",
    [
        b"my notes\n",
        b"my notes",
        b'{"event":"archive"}\n',
        b"my notes\n{",
        b'my notes\n{"vmon":1',
        b'{"vmon":2,"type":"',
        LINES[0] + b"my notes\n",
        b"\n",
        b"\0" * 70_000,
    ],
)
def test_a_file_that_is_no_capture_is_refused_and_left_as_it_is(
    content: bytes, tmp_path: Path, opened: Opened
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(WrongUse, match="is not a capture") as caught:
        opened(path)
    assert path.read_bytes() == content
    assert caught.value.hint is not None
    assert "--capture FILE" in caught.value.hint


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "a"
    first = opened(path)
    with pytest.raises(CannotListen, match="another vmon is writing to") as caught:
        opened(path)
    assert caught.value.exit_code == 3
    first.append(LINES[0])
    fcntl.flock(first._fd, fcntl.LOCK_UN)
    opened(path)
    assert path.read_bytes() == LINES[0]


def test_a_file_that_is_put_aside_before_it_is_locked_is_not_written(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, aside = tmp_path / "a.jsonl", tmp_path / "a.1.jsonl"
    path.write_bytes(LINES[0])

    def late(fd: int) -> bool:
        if not aside.exists():  # just now its writer rotated, and ended
            path.rename(aside)
            path.write_bytes(LINES[1])
        return lock(fd)

    monkeypatch.setattr("vmon.capture.writer.lock", late)
    opened(path).append(LINES[2])
    assert (aside.read_bytes(), path.read_bytes()) == (LINES[0], LINES[1] + LINES[2])


def test_a_file_that_never_keeps_its_name_is_somebody_else_s(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"

    def late(fd: int) -> bool:
        path.unlink()
        return lock(fd)

    monkeypatch.setattr("vmon.capture.writer.lock", late)
    with pytest.raises(CannotListen, match="another vmon is writing to"):
        opened(path)


def test_a_file_system_without_locks_is_no_reason_to_refuse(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unknown)
    assert opened(tmp_path / "a").append(LINES[0])


def test_an_unwritable_path_is_an_error_message(tmp_path: Path, opened: Opened) -> None:
    with pytest.raises(WrongUse, match=r"cannot write the capture .*: Is a directory") as caught:
        opened(tmp_path)
    assert caught.value.hint == "use another file with --capture FILE, or --no-capture"
    (tmp_path / "file").touch()
    with pytest.raises(WrongUse, match="cannot write the capture"):
        opened(tmp_path / "file" / "a.jsonl")


def test_a_device_can_be_the_capture(opened: Opened, told: list[str | None]) -> None:
    null = opened(Path(os.devnull))
    assert null.append(LINES[0])
    assert (list(null.waiting), told) == ([], [])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk always full")
def test_a_full_device_keeps_lines_waiting(opened: Opened, told: list[str | None]) -> None:
    full = opened(Path("/dev/full"))
    assert full.append(LINES[0])
    assert list(full.waiting) == LINES[:1]
    assert told == ["/dev/full: No space left on device"]


def test_a_pipe_can_be_the_capture(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert opened(path).append(LINES[0])
        assert os.read(reader, 1000) == LINES[0]
    finally:
        os.close(reader)


@pytest.mark.parametrize("room", [0, 1, len(LINES[0]) - 1])
def test_a_full_disk_leaves_whole_lines_and_the_rest_waits_in_order(
    room: int, tmp_path: Path, opened: Opened, disk: Disk, told: list[str | None]
) -> None:
    path = tmp_path / "a"
    one = opened(path)
    one.append(LINES[0])
    disk.room = room
    assert [one.append(line) for line in LINES[1:4]] == [True, True, True]
    assert path.read_bytes() == LINES[0]
    assert list(one.waiting) == LINES[1:4]
    assert len(told) == 1
    assert told[0] is not None
    assert str(path) in told[0]
    disk.room = len(LINES[1]) + 3
    assert not one.retry()
    assert path.read_bytes() == LINES[0] + LINES[1]
    disk.room = 1 << 20
    one.append(LINES[4])  # what waits goes first
    assert path.read_bytes() == LINES[0] + LINES[1]
    assert one.retry()
    assert path.read_bytes() == b"".join(LINES[:5])
    assert told[-1] is None
    assert one.append(LINES[5])
    assert path.read_bytes() == b"".join(LINES)


def test_beyond_the_bound_a_line_is_not_taken_and_later_ones_are_once_there_is_room(
    tmp_path: Path, opened: Opened, disk: Disk
) -> None:
    one = opened(tmp_path / "a", bound=2 * len(LINES[0]))
    disk.room = 0
    assert [one.append(line) for line in LINES[:4]] == [True, True, False, False]
    disk.room = 1 << 20
    assert one.retry()
    disk.room = 0
    assert [one.append(line) for line in LINES[3:]] == [True, True, False]
    disk.room = 1 << 20
    assert one.retry()
    assert one.path.read_bytes() == LINES[0] + LINES[1] + LINES[3] + LINES[4]


def test_many_waiting_lines_are_written_in_a_moment(
    tmp_path: Path, opened: Opened, disk: Disk
) -> None:
    one = opened(tmp_path / "a")
    disk.room = 0
    number = 20_000
    for _ in range(number):
        assert one.append(b"x\n")
    disk.room = 1 << 20
    began = time.monotonic()
    assert one.retry()
    assert time.monotonic() - began < 5
    assert one.path.stat().st_size == 2 * number


def test_what_waits_at_the_end_is_tried_once_more(
    tmp_path: Path, disk: Disk, told: list[str | None]
) -> None:
    one = CaptureWriter(tmp_path / "a", trouble=told.append)
    disk.room = 0
    one.append(LINES[0])
    disk.room = 1 << 20
    assert one.close() is None
    assert (tmp_path / "a").read_bytes() == LINES[0]


def test_what_cannot_be_written_at_the_end_is_kept_elsewhere(
    tmp_path: Path, disk: Disk, told: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one = CaptureWriter(tmp_path / "a", trouble=told.append)
    disk.room = 0
    for line in LINES[:2]:
        one.append(line)
    said = one.close()
    (rescued,) = tmp_path.glob("vmon-rescued-*.jsonl")
    assert said == f"2 deliveries, saved to {rescued}"
    assert rescued.read_bytes() == LINES[0] + LINES[1]
    assert stat.S_IMODE(rescued.stat().st_mode) == 0o600


def test_lines_that_cannot_be_written_anywhere_are_reported_lost(
    tmp_path: Path, disk: Disk, told: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    one = CaptureWriter(tmp_path / "a", trouble=told.append)
    disk.room = 0
    one.append(LINES[0])
    said = one.close()
    assert said is not None
    assert said.startswith("1 delivery LOST: ")


def _limit_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))


_FILLING = """
import resource, sys
from pathlib import Path
from vmon.capture.format import START
from vmon.capture.writer import CaptureWriter as Capture
told = []
one = Capture(Path(sys.argv[1]), trouble=told.append)
lines = [START + b"%d" % n + b"x" * 300 + b"}\\n" for n in range(6)]
assert all(one.append(line) for line in lines)
assert Path(sys.argv[1]).read_bytes() == b"".join(lines[:3]), "whole lines, and as many as fit"
assert list(one.waiting) == lines[3:] and told, "the rest waits"
assert not one.retry()
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
assert one.retry() and told[-1] is None
assert Path(sys.argv[1]).read_bytes() == b"".join(lines)
assert one.close() is None
print("written in order:", *(told[0].rpartition(": ")[2:]))
"""


def test_a_disk_that_is_really_full_tears_no_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FILLING, tmp_path / "a"],
        preexec_fn=_limit_files,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "written in order: no space left on device\n"


def test_ids_are_sorted_and_unique_when_the_clock_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([5_000, 5_000, 5_999, 4_000, 1, 6_000, 9_000_000, 8_000_000])
    monkeypatch.setattr("vmon.events.ids.time.time_ns", lambda: next(clock))
    ids = Ids()
    made = [ids.next() for _ in range(8)]
    assert made == sorted(set(made))
    assert [int(one.partition("-")[0], 16) for one in made] == [5, 6, 7, 8, 9, 10, 9000, 9001]


def test_two_runs_of_one_moment_have_different_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmon.events.ids.time.time_ns", lambda: 5_000)
    one, other = Ids().next(), Ids().next()
    assert one != other
    assert len(one) == len(other)


def test_runs_that_start_in_one_second_have_captures_of_their_own(
    home: Path, zone: Callable[[str], None], opened: Opened
) -> None:
    zone("Asia/Kolkata")
    now = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    names = []
    for _ in range(3):
        path = folder.default_path(now)
        opened(path)
        names.append(path.relative_to(home).name)
    assert names == [f"2026-11-24T15-00-00{n}.jsonl" for n in ("", "-1", "-2")]


def test_runs_that_start_at_once_have_captures_of_their_own_before_they_open_them(
    home: Path,
) -> None:
    now = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    one, other = folder.default_path(now), folder.default_path(now)
    assert one != other
    assert one.parent == home
    assert stat.S_IMODE(one.stat().st_mode) == 0o600


@pytest.mark.usefixtures("names")
def test_an_empty_capture_is_discarded_and_no_other(
    home: Path, tmp_path: Path, opened: Opened
) -> None:
    empty, full, named = home / "a.jsonl", home / "b.jsonl", tmp_path / "c.jsonl"
    assert opened(empty).discard()
    written = opened(full)
    written.append(LINES[0])
    assert not written.discard()
    assert not opened(named).discard()
    assert (empty.exists(), full.exists(), named.exists()) == (False, True, True)


def test_an_empty_capture_with_lines_that_wait_is_not_discarded(
    home: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = opened(home / "a.jsonl")
    disk = Disk()
    disk.room = 0
    monkeypatch.setattr(os, "write", disk)
    assert one.append(LINES[0])
    assert not one.discard()
    disk.room = 1 << 30
    assert one.retry()
    assert (home / "a.jsonl").read_bytes() == LINES[0]


def test_the_newest_capture_is_the_one_written_to_last(home: Path) -> None:
    assert folder.newest() is None
    home.mkdir(parents=True)
    (home / "folder.jsonl").mkdir()
    (home / "notes.txt").touch()
    assert folder.newest() is None
    for name, at in (("b.jsonl", 30), ("a.jsonl.gz", 40), ("c.jsonl", 20)):
        (home / name).write_bytes(LINES[0])
        os.utime(home / name, (at, at))
    assert folder.newest() == home / "a.jsonl.gz"


def test_an_empty_capture_is_the_newest_only_while_it_is_written(
    home: Path, opened: Opened
) -> None:
    written = opened(home / "a.jsonl")
    written.append(LINES[0])
    os.utime(home / "a.jsonl", (1, 1))
    empty = CaptureWriter(home / "b.jsonl", trouble=lambda _why: None)
    assert folder.newest() == home / "b.jsonl"
    empty.close()
    assert folder.newest() == home / "a.jsonl"
    (home / "a.jsonl").unlink()
    assert folder.newest() is None


def test_what_is_appended_can_be_read_as_json(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "a"
    opened(path).append(make_line(b"\x00"))
    assert json.loads(path.read_bytes())["type"] == "undecodable"


# A new file.


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[CaptureWriter]:
    one = CaptureWriter(tmp_path / "a.jsonl", trouble=lambda _why: None, durable=True)
    yield one
    one.close()


@pytest.mark.usefixtures("names")
def test_places_are_counted_over_all_files(durable: CaptureWriter, tmp_path: Path) -> None:
    durable.append(LINES[0])
    os.close(durable.switch_file(tmp_path / "a.1.jsonl", lambda: None))
    assert (durable.is_empty, durable.begin, durable.end) == (True, len(LINES[0]), len(LINES[0]))
    durable.append(LINES[1])
    assert (durable.is_empty, durable.end) == (False, len(LINES[0]) + len(LINES[1]))
    assert (tmp_path / "a.1.jsonl").read_bytes() == LINES[0]
    assert (tmp_path / "a.jsonl").read_bytes() == LINES[1]
    assert is_in_use(tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").stat().st_mode & 0o777 == 0o600


def no(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "fails", ["vmon.capture.writer._create", "vmon.capture.writer._take_name", None]
)
def test_where_there_can_be_no_new_file_all_is_as_it_was(
    durable: CaptureWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str | None
) -> None:
    durable.append(LINES[0])
    if fails:
        monkeypatch.setattr(fails, no)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            durable.switch_file(tmp_path / "a.1.jsonl", no if fails is None else lambda: None)
    durable.append(LINES[1])
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    assert durable.path.read_bytes() == LINES[0] + LINES[1]
    assert (durable.begin, durable.end) == (0, len(LINES[0]) + len(LINES[1]))


def test_a_name_that_is_another_file_s_by_now_is_left_to_it(
    durable: CaptureWriter, tmp_path: Path
) -> None:
    durable.append(LINES[0])
    durable.path.rename(tmp_path / "moved.jsonl")
    durable.path.write_bytes(b"another's")
    with pytest.raises(OSError, match="was replaced by another file"):
        durable.switch_file(tmp_path / "a.1.jsonl", lambda: None)
    durable.append(LINES[1])
    assert durable.path.read_bytes() == b"another's"
    assert (tmp_path / "moved.jsonl").read_bytes() == LINES[0] + LINES[1]


@pytest.mark.usefixtures("names")
def test_what_a_killed_run_left_of_a_new_file_does_no_harm(
    durable: CaptureWriter, tmp_path: Path
) -> None:
    durable.append(LINES[0])
    os.link(durable.path, tmp_path / "a.jsonl.new")  # killed between two of its steps
    os.close(durable.switch_file(tmp_path / "a.1.jsonl", lambda: None))
    assert (tmp_path / "a.1.jsonl").read_bytes() == LINES[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.1.jsonl", "a.jsonl"]


@pytest.mark.usefixtures("names")
def test_where_there_are_no_links_the_new_file_is_renamed(
    durable: CaptureWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", no)
    durable.append(LINES[0])
    os.close(durable.switch_file(tmp_path / "a.1.jsonl", lambda: None))
    durable.append(LINES[1])
    assert durable.path.read_bytes() == LINES[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.1.jsonl", "a.jsonl"]


def test_a_full_file_and_the_name_of_the_new_one_are_synced_too(
    durable: CaptureWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(os.fstat(fd).st_ino))
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    folder, first = tmp_path.stat().st_ino, durable.path.stat().st_ino

    def settled() -> list[int]:
        synced.clear()
        what = durable.unsynced()
        what.sync()
        durable.synced(what)
        return list(synced)

    durable.append(LINES[0])
    assert settled() == [first, folder]
    durable.append(LINES[1])
    assert settled() == [first]
    os.close(durable.switch_file(tmp_path / "a.1.jsonl", lambda: None))
    durable.append(LINES[2])
    second = durable.path.stat().st_ino
    assert settled() == [first, second, folder]
    durable.append(LINES[0])
    assert settled() == [second]


def test_a_folder_is_not_waited_for_where_it_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError):
        fsync.sync_folder(tmp_path / "none")
    monkeypatch.setattr(sys, "platform", "win32")
    fsync.sync_folder(tmp_path / "none")


def test_a_file_that_becomes_full_while_the_disk_is_waited_for_is_synced_the_next_time(
    durable: CaptureWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable.append(LINES[0])
    what = durable.unsynced()
    os.close(durable.switch_file(tmp_path / "a.1.jsonl", lambda: None))
    what.sync()
    durable.synced(what)
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(os.fstat(fd).st_ino))
    again = durable.unsynced()
    assert again.folder == tmp_path
    again.sync()
    assert synced == [(tmp_path / "a.1.jsonl").stat().st_ino, durable.path.stat().st_ino]


def test_while_lines_wait_in_memory_nothing_counts_as_synced(
    durable: CaptureWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    monkeypatch.setattr(os, "write", disk)
    disk.room = 0
    assert durable.append(LINES[0])
    with pytest.raises(OSError, match="in memory are not written"):
        durable.unsynced()
    disk.room = 1 << 30
    assert durable.retry()
    durable.unsynced().sync()
