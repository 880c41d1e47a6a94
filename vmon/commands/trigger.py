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
from vmon.render.outcome import answer_block
from vmon.replay.samples import Scenario
from vmon.sanitize import disarm
from vmon.security.access import known_paths
from vmon.stderr import say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmon.replay.samples import Sample
    from vmon.security.verifier import Signer

_HEADERS = (("Content-Type", "application/json"), ("User-Agent", f"vmon/{__version__} (sample)"))


_WHY_BLOCKED = (
    "hint: a listener with a public URL may ask for its secret path also here: "
    "use --to with the local URL that vmon listen prints\n"
)


@dataclass(frozen=True)
class Options:
    """Options of `vmon trigger`: `samples` in order, `times` times, `interval_s` apart."""

    samples: tuple[Sample, ...]
    target: Target
    changes: tuple[tuple[str, Any], ...] = ()
    unified: bool = False
    times: int = 1
    interval_s: float = 0.0
    wait_s: float = 0.0
    dry_run: bool = False
    signer: Signer | None = None
    quiet: bool = False
    in_full: bool = False


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
        sender = _Sender(client, options.target)
        async for name, body in _samples(options):
            if options.dry_run:
                _print(body + b"\n")
                continue
            outcome = await sender.send(_delivery(ids, body, options.signer))
            rejected += not outcome.ok
            unheard = unheard or outcome.kind == "unreachable"
            _report(name, outcome, quiet=options.quiet)
            if options.in_full:
                sys.stdout.buffer.write(answer_block(outcome))
                sys.stdout.flush()
    if unheard and options.target.url.startswith("http:"):  # which vmon listen speaks
        say("hint: start vmon listen, or set your app's URL with --to")
    return 1 if rejected else 0


class _Sender:
    """Sends to a target; to a listener that wants its secret path, where that is remembered."""

    def __init__(self, client: Client, target: Target) -> None:
        self._client = client
        self._target = target
        self._has_asked = False

    async def send(self, delivery: Delivery) -> Outcome:
        """Send one delivery."""
        outcome = await self._client.send(delivery, self._target)
        if self._has_asked or not (self._target.is_local and _is_blocked(outcome)):
            return outcome
        self._has_asked = True
        for path in known_paths():
            guarded = self._target.under(path)
            again = await self._client.send(delivery, guarded)
            if not _is_blocked(again):
                self._target = guarded
                return again
        sys.stderr.write(_WHY_BLOCKED)
        return outcome


def _is_blocked(outcome: Outcome) -> bool:
    """Whether an answer is what a listener gives to a request without its secret path."""
    return outcome.status == 404 and not outcome.body  # noqa: PLR2004 - that is "not found"


async def _samples(options: Options) -> AsyncIterator[tuple[str, bytes]]:
    """Each type and its sample, `interval_s` apart."""
    for number in range(options.times):
        scenario = Scenario(_now_ms(), unified=options.unified)
        for index, sample in enumerate(options.samples):
            if options.interval_s and (number or index):
                await asyncio.sleep(options.interval_s)
            yield sample.type, scenario.payload(sample, _now_ms(), options.changes)


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
