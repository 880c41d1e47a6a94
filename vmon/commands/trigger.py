"""`vmon trigger`: send sample events one after the other."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
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
from vmon.sanitize import disarm
from vmon.stderr import say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmon.security.verifier import Signer

_HEADERS = (("Content-Type", "application/json"), ("User-Agent", f"vmon/{__version__} (sample)"))


@dataclass(frozen=True)
class Options:
    """Options of `vmon trigger`: `types` in order, `times` times, `interval_s` apart."""

    types: tuple[str, ...]
    target: Target
    changes: tuple[tuple[str, Any], ...] = ()
    unified: bool = False
    times: int = 1
    interval_s: float = 0.0
    wait_s: float = 0.0
    dry_run: bool = False
    signer: Signer | None = None
    quiet: bool = False


def run(options: Options) -> int:
    """Send the samples; 0 if all were accepted, 1 if one was rejected."""
    return asyncio.run(_send_all(options))


async def _send_all(options: Options) -> int:
    if options.wait_s and not await connectable(options.target, options.wait_s):
        raise TimedOut(
            f"nothing is listening on {options.target.url} after {options.wait_s:g} s",
            hint="start vmon listen, or set your app's URL with --to",
        )
    rejected, unheard = 0, False
    ids = Ids()
    async with Client(connections=1) as client:
        async for name, body in _samples(options):
            if options.dry_run:
                _print(body + b"\n")
                continue
            outcome = await client.send(_delivery(ids, body, options.signer), options.target)
            rejected += not outcome.ok
            unheard = unheard or outcome.kind == "unreachable"
            _report(name, outcome, quiet=options.quiet)
    if unheard:
        say("hint: start vmon listen, or set your app's URL with --to")
    return 1 if rejected else 0


async def _samples(options: Options) -> AsyncIterator[tuple[str, bytes]]:
    """Each type and its sample, `interval_s` apart."""
    for number in range(options.times):
        scenario = Scenario(_now_ms(), unified=options.unified)
        for index, name in enumerate(options.types):
            if options.interval_s and (number or index):
                await asyncio.sleep(options.interval_s)
            yield name, scenario.payload(name, _now_ms(), options.changes)


def _report(name: str, outcome: Outcome, *, quiet: bool) -> None:
    if not outcome.ok:
        sys.stderr.write(f"{name}  {disarm(str(outcome))}\n")
    elif not quiet:
        _print(f"{name}  {outcome}\n".encode())


def _print(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.flush()  # show each line as it comes


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _delivery(ids: Ids, body: bytes, signer: Signer | None) -> Delivery:
    delivery = Delivery(ids.next(), datetime.now(UTC), "POST", "/", _HEADERS, None, body)
    return signer(Entry(delivery)) if signer else delivery
