"""What an app answered: drawn under its event, or as a line of JSON."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

from vmon.line import quote
from vmon.render.form import console
from vmon.render.paint import Paint

if TYPE_CHECKING:
    from vmon.entry import Entry
    from vmon.forward import Outcome


@cache
def _paint() -> Paint:
    return Paint(console(sys.stdout))


def drawn(outcome: Outcome) -> bytes:
    """The line under an event, newline included."""
    style = "created" if outcome.ok else "failed"
    return f"    {_paint()(style, '→ ' + str(outcome))}\n".encode()


def as_json(entry: Entry, outcome: Outcome) -> bytes:
    """`{"id":…,"type":…,"session":…,"status":200,"took_ms":12.3,"problem":null}` and a newline."""
    said = {
        "id": entry.delivery.id,
        "type": entry.type,
        "session": entry.session,
        "status": outcome.status,
        "took_ms": round(outcome.took_s * 1000, 3),
        "problem": outcome.problem,
    }
    return quote(said) + b"\n"
