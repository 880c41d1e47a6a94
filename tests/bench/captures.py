"""A capture to measure with: generated, seeded, as `listen` would have written it."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from vmon.capture.codec import write_line
from vmon.events.catalogue import TYPES
from vmon.events.delivery import Delivery
from vmon.events.entry import Entry

_TYPES = ("connectionCreated", "connectionDestroyed", "streamCreated", "streamDestroyed")
_WEIGHTS = (40, 38, 5, 5)
_OTHERS = tuple(name for name in TYPES if name not in _TYPES)
ARCHIVES = tuple(str(UUID(int=random.Random(n).getrandbits(128))) for n in range(500))
_HEADERS = (
    ("Host", "hooks.example.com"),
    ("Content-Type", "application/json"),
    ("User-Agent", "Apache-HttpClient/4.5.13 (Java/11.0.20)"),
    ("X-Forwarded-For", "216.147.3.7"),
)


def write(path: Path, megabytes: int, *, bare: bool = False) -> int:
    """Write a capture (or its bodies alone) of that size; how many lines it has."""
    rng = random.Random(20261124)
    sessions = [f"2_MX4xMzExMjU3MX5-MTQ3MDI1NzY{rng.getrandbits(64):016x}-fg" for _ in range(5000)]
    lines, left, at = 0, megabytes * 1_000_000, datetime(2026, 11, 24, tzinfo=UTC)
    with path.open("wb", buffering=1 << 20) as file:
        while left > 0:
            at += timedelta(microseconds=rng.randrange(1000, 200_000))
            body = _body(rng, sessions, int(at.timestamp() * 1000))
            line = body + b"\n" if bare else write_line(Entry(_delivery(rng, lines, at, body)))
            left -= file.write(line)
            lines += 1
    return lines


def _body(rng: random.Random, sessions: list[str], now_ms: int) -> bytes:
    name = rng.choices((*_TYPES, "other"), (*_WEIGHTS, 12))[0]
    sample = dict(TYPES[rng.choice(_OTHERS) if name == "other" else name].sample)
    sample["sessionId"] = rng.choice(sessions)
    if "timestamp" in sample:
        sample["timestamp"] = now_ms
    for part in ("connection", "stream", "call"):
        if part in sample:
            sample[part] = sample[part] | {"id": str(UUID(int=rng.getrandbits(128)))}
    if "id" in sample:
        sample["id"] = str(UUID(int=rng.getrandbits(128)))
    if sample.get("event") == "archive":
        sample["id"] = rng.choice(ARCHIVES)
    return json.dumps(sample, separators=(",", ":")).encode()


def _delivery(rng: random.Random, number: int, at: datetime, body: bytes) -> Delivery:
    identifier = f"{int(at.timestamp() * 1e6):014x}-{number:08x}"
    remote = f"127.0.0.1:{rng.randrange(1024, 65535)}"
    return Delivery(identifier, at, "POST", "/hooks/vonage", _HEADERS, remote, body)
