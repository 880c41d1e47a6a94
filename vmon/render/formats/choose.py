"""Deliveries as other tools take them: shell commands (curl, HTTPie), HAR, a pytest module.

Everything in a delivery is a stranger's: it is quoted for where it goes, and exact after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from vmon.render.formats.har import _Har
from vmon.render.formats.pytest_module import _Pytest
from vmon.render.formats.shell import LISTENER, _Commands, _curl, _httpie

if TYPE_CHECKING:
    from vmon.render.formats.protocol import Sealing, Writing

As = Literal["curl", "httpie", "har", "pytest"]


def writing(kind: As, seal: Sealing, to: str = LISTENER) -> Writing:
    """What writes deliveries so; `to` is the URL that commands send to."""
    match kind:
        case "curl":
            return _Commands(seal, to, _curl)
        case "httpie":
            return _Commands(seal, to, _httpie)
        case "har":
            return _Har(seal)
        case "pytest":
            return _Pytest(seal)


# Commands of a shell.


# HAR.


# A module of tests.
