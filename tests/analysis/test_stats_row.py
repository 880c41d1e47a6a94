import base64
import json
from typing import Any

import pytest

from tests.support.factories import make_entry
from vmon.analysis.stats_row import StatsRow, occurred_ms, plain, signed_ms, stats_row_of, token_of
from vmon.capture.codec import write_line
from vmon.events.entry import Entry
from vmon.events.verdict import Verdict

T = 1_470_258_000_000


def both(entry: Entry) -> list[StatsRow]:
    """The brief of an entry, made of itself and of its line."""
    return [stats_row_of(entry), plain.decode(write_line(entry))]


@pytest.mark.parametrize(
    ("body", "at_ms"),
    [
        ({"event": "sessionCreated", "timestamp": T}, T),
        ({"event": "sessionCreated", "timestamp": T // 1000}, T),
        ({"event": "archive", "createdAt": T, "updatedAt": T + 5}, T + 5),
        ({"event": "archive", "createdAt": T}, None),
        ({"event": "render", "createdAt": T}, None),
        ({"event": "render", "createdAt": T, "updatedAt": T + 5}, T + 5),
        ({"captionsId": "c", "createdAt": T // 1000, "status": "started"}, T),
        ({"captionsId": "c", "createdAt": T, "duration": 9, "status": "stopped"}, T + 9000),
        ({"event": "sessionCreated", "timestamp": -1}, None),
    ],
)
def test_an_entry_and_its_line_have_the_same_timestamp(
    body: dict[str, Any], at_ms: int | None
) -> None:
    entry = make_entry(json.dumps(body).encode())
    assert [occurred_ms(one) for one in both(entry)] == [at_ms, at_ms]


@pytest.mark.parametrize(
    ("kind", "iat", "at_ms"),
    [
        ("valid", T / 1000, T),
        ("unchecked", T / 1000, T),
        ("invalid", T / 1000, None),
        ("valid", 0, None),
        ("valid", 1e300, None),
        ("valid", "now", None),
    ],
)
def test_the_iat_of_a_token_is_used_where_it_is_vonages(
    kind: str, iat: object, at_ms: int | None
) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"iat": iat}).encode()).decode().rstrip("=")
    entry = make_entry(b"{}", headers=(("Authorization", f"Bearer e30.{claims}.c2ln"),))
    entry.verdict = Verdict(kind)
    lines = token_of(entry), write_line(entry)
    assert [signed_ms(*one) for one in zip(both(entry), lines, strict=True)] == [at_ms, at_ms]
