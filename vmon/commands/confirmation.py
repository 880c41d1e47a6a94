"""Confirmation of what changes something: by `--yes`, or by an answer at the terminal."""

from __future__ import annotations

from collections.abc import Callable

from vmon.errors import Refused, WrongUse

Ask = Callable[[str, bool], bool]
"""Asks a question with a default answer; None in its place where nobody can be asked."""


def confirm(question: str, ask: Ask | None, *, otherwise: str, hint: str) -> None:
    """Ask; WrongUse (with `hint`) where nobody can be asked, Refused when the answer is no.

    `otherwise` is what then did not happen: `nothing removed`.
    """
    if ask is None:
        raise WrongUse(f"{otherwise}: cannot ask for confirmation here", hint=hint)
    if not ask(question, False):
        raise Refused(otherwise)
