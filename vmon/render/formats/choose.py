"""Deliveries as other tools take them: shell commands (curl, HTTPie), HAR, a pytest module.

Everything in a delivery is a stranger's: it is quoted for where it goes, and exact after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from vmon.render.formats.har import Har
from vmon.render.formats.pytest_module import PytestModule
from vmon.render.formats.shell import LISTENER, Commands, curl, httpie

if TYPE_CHECKING:
    from vmon.render.formats.protocol import Formatter, ScrubPolicy

As = Literal["curl", "httpie", "har", "pytest"]


def writing(kind: As, seal: ScrubPolicy, to: str = LISTENER) -> Formatter:
    """What writes deliveries so; `to` is the URL that commands send to."""
    match kind:
        case "curl":
            return Commands(seal, to, curl)
        case "httpie":
            return Commands(seal, to, httpie)
        case "har":
            return Har(seal)
        case "pytest":
            return PytestModule(seal)


# Commands of a shell.


# HAR.


# A module of tests.
