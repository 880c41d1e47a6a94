"""One run of `vmon trigger`: samples made and sent, one after the other."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vmon import __version__
from vmon.errors import TimedOut
from vmon.events.delivery import Delivery
from vmon.events.entry import Entry
from vmon.events.ids import Ids
from vmon.forward.client import Client, Outcome
from vmon.forward.targets import Target, connectable
from vmon.replay.samples import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.security.verifier import Signer

_HEADERS = (("Content-Type", "application/json"), ("User-Agent", f"vmon/{__version__} (sample)"))


@dataclass(frozen=True)
class Options:
    """What was asked for: types in their order, so many times, `pace_s` apart."""

    types: tuple[str, ...]
    target: Target
    changes: tuple[tuple[str, Any], ...] = ()
    unified: bool = False
    times: int = 1
    pace_s: float = 0.0
    wait_s: float = 0.0
    dry_run: bool = False
    signer: Signer | None = None
    told: Callable[[str, Outcome | bytes], None] = field(default=lambda _name, _what: None)


def run(asked: Options) -> int:
    """Send the samples; 0 when all were taken, 1 when one was not."""
    return asyncio.run(_send_all(asked))


async def _send_all(asked: Options) -> int:
    if asked.wait_s and not await connectable(asked.target, asked.wait_s):
        raise TimedOut(
            f"nothing is listening on {asked.target.url} after {asked.wait_s:g} s",
            hint="start vmon listen, or set your app's URL with --to",
        )
    refused = 0
    ids = Ids()
    async with Client(connections=1) as client:
        for number in range(asked.times):
            scenario = Scenario(_now_ms(), unified=asked.unified)
            for place, name in enumerate(asked.types):
                if asked.pace_s and (number or place):
                    await asyncio.sleep(asked.pace_s)
                body = scenario.payload(name, _now_ms(), asked.changes)
                if asked.dry_run:
                    asked.told(name, body)
                    continue
                delivery = _delivery(ids, body)
                if asked.signer:
                    delivery = asked.signer(Entry(delivery))
                outcome = await client.send(delivery, asked.target)
                refused += not outcome.ok
                asked.told(name, outcome)
    return 1 if refused else 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _delivery(ids: Ids, body: bytes) -> Delivery:
    return Delivery(ids.next(), datetime.now(UTC), "POST", "/", _HEADERS, None, body)
