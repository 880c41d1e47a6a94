import os
import stat
from pathlib import Path

import pytest

from vmon import state
from vmon.errors import WrongUse


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "vmon"


def test_an_unknown_name_has_no_lines(kept: Path) -> None:
    assert state.remembered("x") == []
    assert not kept.exists()


def test_what_is_kept_comes_back_and_is_for_this_user_alone(kept: Path) -> None:
    before = os.umask(0)
    try:
        state.remember("x", ["a", "b"])
        state.remember("x", ["c"])
    finally:
        os.umask(before)
    assert state.remembered("x") == ["c"]
    assert [path.name for path in kept.iterdir()] == ["x"]
    assert stat.S_IMODE((kept / "x").stat().st_mode) == 0o600


def test_a_value_is_created_once() -> None:
    made = iter(["first", "second"])
    assert [state.made_once("x", lambda: next(made)) for _ in range(3)] == ["first"] * 3


def test_an_empty_file_is_as_good_as_none(kept: Path) -> None:
    kept.mkdir()
    (kept / "x").touch()
    assert state.made_once("x", lambda: "made") == "made"


@pytest.mark.parametrize("broken", [b"\xff", None])
def test_an_unreadable_file_is_an_error_with_a_hint(kept: Path, broken: bytes | None) -> None:
    kept.mkdir()
    (kept / "x").mkdir() if broken is None else (kept / "x").write_bytes(broken)
    with pytest.raises(WrongUse, match=f"cannot read {kept / 'x'}: ") as caught:
        state.remembered("x")
    assert caught.value.hint == "set XDG_STATE_HOME to another folder"


def test_an_unwritable_file_is_an_error_and_leaves_nothing_behind(kept: Path) -> None:
    (kept / "x").mkdir(parents=True)
    with pytest.raises(WrongUse, match="cannot write"):
        state.remember("x", ["a"])
    assert [path.name for path in kept.iterdir()] == ["x"]
