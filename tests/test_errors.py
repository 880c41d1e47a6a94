import errno
import os
import re

import pytest

from vmon import errors
from vmon.errors import VmonError, WrongUse, traceback_of, unreadable
from vmon.tunnel.model import CannotTunnel


def test_each_way_has_an_exit_code_of_its_own_which_the_docstring_says() -> None:
    rows = re.findall(r"── (\w+) +(\d+) ", str(errors.__doc__))
    kinds = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, VmonError) and kind is not VmonError
    }
    assert {name: int(code) for name, code in rows} == kinds
    codes = [0, errors.BUG, errors.INTERRUPTED, *kinds.values()]
    assert len(set(codes)) == len(codes)


def test_an_error_says_what_and_the_way_out() -> None:
    error = CannotTunnel("no URL", hint="try another --tunnel")
    assert (str(error), error.message, error.hint) == ("no URL", "no URL", "try another --tunnel")
    assert (error.exit_code, VmonError("it").hint) == (4, None)


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOENT, "run vmon captures to list your captures"),
        (errno.EACCES, "change its permissions, or run vmon as a user who may read it"),
        (errno.EISDIR, "name a file in it"),
        (errno.EIO, None),
    ],
)
def test_what_cannot_be_read_is_wrong_use_with_a_way_out_where_there_is_one(
    number: int, hint: str | None
) -> None:
    error = unreadable("a.jsonl", OSError(number, os.strerror(number)))
    assert type(error) is WrongUse
    assert (error.message, error.hint) == (f"cannot read a.jsonl: {os.strerror(number)}", hint)


def test_an_error_without_a_number_is_shown_unchanged() -> None:
    assert unreadable("a.jsonl", OSError("gone away")).message == "cannot read a.jsonl: gone away"


def test_the_traceback_of_a_bug_cannot_act_on_a_terminal() -> None:
    def fail() -> None:
        raise ValueError("red \x1b[31m and\a a bell")

    with pytest.raises(ValueError, match="bell") as caught:
        fail()
    text = traceback_of(caught.value)
    assert text.startswith("Traceback (most recent call last):\n")
    assert "ValueError: red " in text.splitlines()[-1]
    assert not {"\x1b", "\a"} & set(text)
