import os
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from vmon.locks import is_in_use, lock, unlock


def test_a_file_is_in_use_while_it_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert not is_in_use(path)
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    assert not is_in_use(path)
    assert lock(fd)
    assert is_in_use(path)
    os.close(fd)
    assert not is_in_use(path)


def test_what_is_unlocked_can_be_locked_although_a_descriptor_stays_open(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    assert lock(fd)
    again = os.dup(fd)
    other = os.open(tmp_path / "a", os.O_RDWR)
    assert not lock(other)
    unlock(fd)
    os.close(fd)
    assert lock(other)
    os.close(again)
    os.close(other)


def test_without_file_locks_nothing_is_refused_and_nothing_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", cast("Any", None))
    fd, other = (os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert lock(fd)
    assert lock(other)
    assert not is_in_use(tmp_path / "a")
    unlock(fd)
    os.close(fd)
    os.close(other)
