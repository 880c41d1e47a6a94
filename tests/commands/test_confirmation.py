from __future__ import annotations

import pytest

from vmon.commands.confirmation import confirm
from vmon.errors import Refused, WrongUse


def test_a_yes_goes_on_and_the_default_is_no() -> None:
    asked: list[tuple[str, bool]] = []

    def ask(question: str, default: bool) -> bool:  # noqa: FBT001 - as the caller passes it
        asked.append((question, default))
        return True

    confirm("Remove it?", ask, otherwise="nothing removed", hint="add --yes")
    assert asked == [("Remove it?", False)]


def test_a_no_is_refused() -> None:
    with pytest.raises(Refused, match="nothing removed"):
        confirm("Remove it?", lambda *_: False, otherwise="nothing removed", hint="add --yes")


def test_without_a_terminal_confirmation_is_wrong_use_with_a_hint() -> None:
    with pytest.raises(WrongUse, match="nothing removed: cannot ask") as caught:
        confirm("Remove it?", None, otherwise="nothing removed", hint="add --yes")
    assert caught.value.hint == "add --yes"
