"""`vmon verify`: verify the signatures of stored deliveries."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from vmon.capture.codec import safe_json
from vmon.errors import WrongUse
from vmon.events.verdict import Verdict
from vmon.humanize import count, iso
from vmon.sanitize import disarm
from vmon.search import matching, reader
from vmon.search.filter import Filter
from vmon.search.not_found import nothing_found
from vmon.stderr import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.events.entry import Entry
    from vmon.security.verifier import Verifier


class Options(NamedTuple):
    """Options of `vmon verify`: a source of None is stdin, `verbose` lists valid deliveries too."""

    sources: tuple[str | None, ...]
    verifier: Verifier
    verbose: bool = False
    as_json: bool = False


def run(options: Options) -> int:
    """Verify all deliveries: 0 if all are valid, 1 if not, 2 if something could not be read."""
    tally, bad = Counter[str](), list[matching.BadLine]()
    text_of = _as_json if options.as_json else _line_formatter()
    for entry in _entries(options, bad):
        verdict = options.verifier.verdict(entry.delivery) or Verdict("unsigned")
        tally[verdict.kind] += 1
        if options.verbose or verdict.kind != "valid":
            sys.stdout.buffer.write(text_of(entry, verdict))
    sys.stdout.flush()
    if not tally and not bad:
        raise nothing_found("deliveries", options.sources)
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in tally.most_common())
    number = count(tally.total(), "delivery", "deliveries")
    sys.stderr.write(f"{number}" + (f": {kinds}\n" if kinds else "\n"))
    if bad:
        return WrongUse.exit_code
    return 0 if tally.total() == tally["valid"] else 1


def _entries(options: Options, bad: list[matching.BadLine]) -> Iterator[Entry]:
    def note(line: matching.BadLine) -> None:
        bad.append(line)
        say(f"warning: {line}")

    return reader.entries(options.sources, Filter(), note)


def _line_formatter() -> Callable[[Entry, Verdict], bytes]:
    from vmon.render.formats.entries import Form, LineFormatter
    from vmon.render.line import verdict_line

    style = LineFormatter(Form("line")).style
    return lambda entry, verdict: verdict_line(entry, verdict, style).encode() + b"\n"


def _as_json(entry: Entry, verdict: Verdict) -> bytes:
    """`{"id":…,"type":…,"session":…,"received_at":…,"kind":…,"why":…,"secret":…,"claims":…}`."""
    fields = {
        "id": entry.delivery.id,
        "type": entry.type,
        "session": entry.session,
        "received_at": iso(entry.delivery.received_at),
        "kind": verdict.kind,
        "why": disarm(verdict.why),
        "secret": verdict.secret,
        "claims": verdict.claims,
    }
    return safe_json(fields) + b"\n"
