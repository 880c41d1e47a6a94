"""Confirmation before a change: an answer at the terminal."""

from __future__ import annotations

from collections.abc import Callable

from vmon.errors import Refused, WrongUse

Ask = Callable[[str, bool], bool]
"""Asks a question with a default answer; None stands for no terminal to ask on."""


def confirm(question: str, ask: Ask | None, *, otherwise: str, hint: str) -> None:
    """Ask for confirmation; WrongUse (with `hint`) if `ask` is None, Refused if the answer is no.

    `otherwise` is the message for both: `nothing removed`.
    """
    if ask is None:
        raise WrongUse(f"{otherwise}: cannot ask for confirmation here", hint=hint)
    if not ask(question, False):
        raise Refused(otherwise)
