from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vmon.render.formats.bodies import BodyFormatter
from vmon.render.formats.protocol import Redacted
from vmon.render.formats.table import TableFormatter
from vmon.security.pseudonyms import paths_of, redactor_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.events.entry import Entry

BODY = b'{"event":"streamCreated","sessionId":"2_A","stream":{"id":"s","name":"Ann"}}'


def test_any_format_can_be_redacted(delivered: Callable[..., Entry]) -> None:
    redact = redactor_of(paths_of(("stream.name",)))
    bodies = Redacted(BodyFormatter(for_people=False), redact)
    shown = json.loads(bodies.begin() + bodies.each([delivered(BODY)]) + bodies.end())
    name = shown["stream"].pop("name")
    assert shown == {"event": "streamCreated", "sessionId": "2_A", "stream": {"id": "s"}}
    assert name not in {"Ann", ""}
    table = Redacted(TableFormatter(("stream.id", "stream.name"), "csv"), redact)
    rows = table.begin() + table.each([delivered(BODY)]) + table.end()
    assert rows.decode() == f"stream.id,stream.name\ns,{name}\n"
