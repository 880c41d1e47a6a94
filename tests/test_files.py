import os
import threading
from pathlib import Path

import pytest

from vmon.files import OPEN_FLAGS, move_open, read_at, remove_open
from vmon.locks import is_in_use, lock


def opened(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | OPEN_FLAGS)
    assert lock(fd)
    return fd


def test_without_pread_a_file_is_read_anywhere_and_written_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fd = opened(tmp_path / "a")
    os.write(fd, b"0123456789")
    monkeypatch.delattr(os, "pread")
    assert [read_at(fd, 4, 2), read_at(fd, 4, 8), read_at(fd, 4, 20)] == [b"2345", b"89", b""]
    os.write(fd, b"ab")
    assert read_at(fd, 20, 0) == b"0123456789ab"
    os.close(fd)


def test_without_pread_threads_do_not_move_each_others_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pread")
    fd = opened(tmp_path / "a")
    os.write(fd, bytes(range(256)))
    wrong: list[int] = []

    def read(place: int) -> None:
        wrong.extend(at for at in range(2000) if read_at(fd, 1, place) != bytes([place]))

    threads = [threading.Thread(target=read, args=(place,)) for place in (3, 200)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    os.close(fd)
    assert wrong == []


@pytest.mark.usefixtures("names")
def test_an_open_file_gets_another_name_and_stays_open_and_locked(tmp_path: Path) -> None:
    path, to = tmp_path / "a", tmp_path / "b"
    fd = opened(path)
    os.write(fd, b"1")
    move_open(fd, path, to)
    os.write(fd, b"2")
    assert not path.exists()
    assert to.read_bytes() == b"12"
    assert is_in_use(to)
    assert not os.get_inheritable(fd)
    os.close(fd)


@pytest.mark.usefixtures("names")
def test_an_open_file_takes_the_name_of_another_that_is_open(tmp_path: Path) -> None:
    path, to = tmp_path / "a", tmp_path / "b"
    fd, over = opened(path), opened(to)
    os.write(fd, b"new")
    move_open(fd, path, to, over=over)
    os.close(over)
    assert to.read_bytes() == b"new"
    assert is_in_use(to)
    os.close(fd)


@pytest.mark.usefixtures("names")
def test_what_cannot_be_renamed_goes_on_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a"
    fd, over = opened(path), opened(tmp_path / "b")
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        move_open(fd, path, tmp_path / "folder")
    os.write(fd, b"1")
    assert path.read_bytes() == b"1"
    assert is_in_use(path)
    os.close(fd)
    os.close(over)


@pytest.mark.usefixtures("names")
def test_an_open_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    fd = opened(path)
    remove_open(fd, path)
    os.close(fd)
    assert not path.exists()
