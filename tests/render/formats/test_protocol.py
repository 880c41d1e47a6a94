from __future__ import annotations

import json

from tests.support.factories import make_entry
from vmon.render.formats.bodies import BodyFormatter
from vmon.render.formats.protocol import Redacted
from vmon.render.formats.table import TableFormatter
from vmon.security.pseudonyms import paths_of, redactor_of

BODY = b'{"event":"streamCreated","sessionId":"2_A","stream":{"id":"s","name":"Ann"}}'


def test_any_format_can_be_redacted() -> None:
    redact = redactor_of(paths_of(("stream.name",)))
    bodies = Redacted(BodyFormatter(for_people=False), redact)
    shown = json.loads(bodies.begin() + bodies.each([make_entry(BODY)]) + bodies.end())
    name = shown["stream"].pop("name")
    assert shown == {"event": "streamCreated", "sessionId": "2_A", "stream": {"id": "s"}}
    assert name not in {"Ann", ""}
    table = Redacted(TableFormatter(("stream.id", "stream.name"), "csv"), redact)
    rows = table.begin() + table.each([make_entry(BODY)]) + table.end()
    assert rows.decode() == f"stream.id,stream.name\ns,{name}\n"
