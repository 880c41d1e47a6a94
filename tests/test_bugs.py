"""Bugs are counted by kind, and their tracebacks kept."""

import pytest

from vmon.bugs import Bugs


def raised(error: Exception) -> Exception:
    with pytest.raises(type(error)):
        raise error
    return error


def test_bugs_are_kept_by_kind_with_a_count_and_not_without_end() -> None:
    bugs = Bugs()
    assert [bugs.note(raised(ValueError(n))) for n in range(3)] == [True, False, False]
    assert bugs.note(raised(TypeError("x")))
    assert [times for _, times in bugs.tracebacks()] == [3, 1]
    assert bugs.tracebacks()[0][0].endswith("\nValueError: 0\n")
    kinds = [type(f"E{n}", (Exception,), {}) for n in range(50)]
    noted = [bugs.note(raised(kind())) for kind in kinds]
    assert (sum(noted), len(bugs.tracebacks()), bugs.total) == (14, 16, 54)
