import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vmon.capture.fsync import Unsynced, sync_folder

Open = Callable[[str], int]


@pytest.fixture
def open_file(tmp_path: Path) -> Iterator[Open]:
    """Open a file to be written; what a test leaves open is closed."""
    opened: list[int] = []

    def opening(name: str) -> int:
        opened.append(os.open(tmp_path / name, os.O_RDWR | os.O_CREAT))
        return opened[-1]

    yield opening
    for fd in opened:
        if is_open(fd):
            os.close(fd)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes of what is synced, in order."""
    inodes: list[int] = []

    def note(fd: int) -> None:
        inodes.append(os.fstat(fd).st_ino)

    monkeypatch.setattr(os, "fdatasync", note, raising=False)
    monkeypatch.setattr(os, "fsync", note)
    return inodes


def test_full_files_come_first_then_the_one_that_is_written_then_its_folder(
    open_file: Open, synced: list[int], tmp_path: Path
) -> None:
    full, own = open_file("full"), open_file("own")
    Unsynced((full,), own, 2, tmp_path).sync()
    assert synced == [(tmp_path / name).stat().st_ino for name in ("full", "own", ".")]


def test_only_its_own_descriptor_is_closed(
    open_file: Open, synced: list[int], tmp_path: Path
) -> None:
    full, own = open_file("full"), open_file("own")
    Unsynced((full,), own, 2, None).sync()
    assert (is_open(full), is_open(own)) == (True, False)
    assert tmp_path.stat().st_ino not in synced, "its name is known to be on the disk"


def test_a_disk_that_fails_is_an_error_and_leaves_nothing_open(
    open_file: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail, raising=False)
    own = open_file("own")
    with pytest.raises(OSError, match="Input/output error"):
        Unsynced((), own, 1, tmp_path).sync()
    assert not is_open(own)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
def test_a_file_system_that_cannot_sync_a_folder_is_no_failure_but_a_broken_one_is(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def fail(fd: int) -> None:
        tried.append(fd)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    if number == errno.EINVAL:
        sync_folder(tmp_path)
    else:
        with pytest.raises(OSError, match="Input/output error"):
            sync_folder(tmp_path)
    assert [is_open(fd) for fd in tried] == [False]
