"""A room full of people, as the lines of a capture: the same in every run.

People come every 9 s; most have a camera, some a screen; each fourth loses the network, each fifth
never leaves, one event comes late and one again; there are an archive that fails and a call.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.support.factories import make_line

SESSION = "2_MX4xMzExMjU3MX5-MTc2NDAwMDAwMDAwMH5RcVdXZXJ0WQ"
BEGIN_MS = 1_764_000_000_000
NAMES = ("Ann", "Bob", "Çelik Öztürk-Müller", "", "小林さん", "<b>Eve</b>", "Zoë & co")

Told = tuple[int, dict[str, Any]]
"""When it was received (ms), and the body."""


def said(event: str, at_ms: int, **more: Any) -> dict[str, Any]:
    """The body of a session monitoring event."""
    head = {"sessionId": SESSION, "projectId": "13112571", "event": event, "timestamp": at_ms}
    return head | more


def line(told: Told) -> bytes:
    """The capture line of a body."""
    at_ms, body = told
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    coded = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return make_line(coded, id=f"{at_ms:014x}-0", received_at=at, headers=(), remote="1.2.3.4:5")


def capture(people: int) -> bytes:
    """The lines of a room of so many people, in the order of receipt."""
    told = [(BEGIN_MS + 20, said("sessionCreated", BEGIN_MS)), *_archive(), *_call()]
    for number in range(people):
        told += _person(number)
    told.sort(key=lambda one: one[0])
    told.insert(6, (told[5][0] + 5100, told[4][1]))
    return b"".join(line(one) for one in told)


def _person(number: int) -> list[Told]:
    name, began = NAMES[number % len(NAMES)], BEGIN_MS + 2000 + 9000 * number
    connection = {"id": f"{number:08x}-aaaa-4bbb-8ccc-000000000000", "createdAt": began, "data": ""}
    data = json.dumps({"name": name}) if name else ""
    told = [
        (began + 90, said("connectionCreated", began + 60, connection=connection | {"data": data}))
    ]
    told += _streams(number, connection)
    if number % 5 != 3:
        left = began + 240_000 + 61_000 * (number * 7 % 23)
        reason = "networkDisconnected" if number % 4 == 1 else "clientDisconnected"
        gone = said("connectionDestroyed", left, reason=reason, connection=connection)
        told.append((left + 90, gone))
    return told


def _streams(number: int, connection: dict[str, Any]) -> list[Told]:
    began: int = connection["createdAt"] + 3000
    camera = {
        "id": f"{number:08x}-cccc-4bbb-8ccc-000000000000",
        "connection": connection,
        "createdAt": began,
        "name": "desk" if number % 2 else "",
        "videoType": "camera",
    }
    told = [(began + 200, said("streamCreated", began + 100, stream=camera))]
    if number % 3 == 1:
        screen = camera | {"id": f"{number:08x}-5555-4bbb-8ccc-000000000000", "videoType": "screen"}
        ended = began + 95_000
        gone = said("streamDestroyed", ended, reason="mediaStopped", stream=screen)
        told += [
            (began + 260, said("streamCreated", began + 150, stream=screen)),
            (ended + 90, gone),
        ]
    if number % 5 not in {2, 3}:
        ended = began + 200_000
        gone = said("streamDestroyed", ended, reason="clientDisconnected", stream=camera)
        told.append((ended + (7000 if number % 7 == 0 else 90), gone))
    return told


def _archive() -> list[Told]:
    archive = {
        "id": "832641bf-5dbf-41a1-ad94-fea213e59a92", "event": "archive", "sessionId": SESSION,
        "projectId": 13112571, "name": "Monday's lesson", "createdAt": BEGIN_MS + 60_000,
    }  # fmt: skip # what every status says
    steps = (
        ("started", 60_100, 0, ""),
        ("stopped", 400_000, 340, ""),
        ("failed", 460_000, 0, "failure"),
    )
    return [
        (
            BEGIN_MS + at + 120,
            archive
            | {"status": status, "updatedAt": BEGIN_MS + at, "duration": lasted, "reason": why},
        )
        for status, at, lasted, why in steps
    ]


def _call() -> list[Told]:
    began = BEGIN_MS + 100_000
    call = {
        "id": "b0a5a8c7-dc38-459f-a48d-a7f2008da853",
        "connectionId": "00000001-aaaa-4bbb-8ccc-000000000000",
        "createdAt": began,
    }
    return [
        (began + 90, said("callCreated", began + 40, call=call)),
        (began + 9000, said("callUpdated", began + 8900, call=call, state="ACTIVE")),
        (
            began + 99_000,
            said(
                "callDestroyed", began + 98_900, call=call, reason_code="486", reason_message="Busy"
            ),
        ),
    ]
