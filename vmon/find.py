"""One run of `vmon filter`: reads stored deliveries, and puts out those that are asked for."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, NamedTuple

from vmon import scan
from vmon.filters import Prefixes

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO, Literal

    from vmon.filters import Filter


class Options(NamedTuple):
    """What was asked for; a source of None is standard input."""

    sources: tuple[str | None, ...]
    chosen: Filter
    kind: Literal["auto", "line", "detail", "json"] = "auto"
    verbosity: int = 0
    only_count: bool = False
    follow: bool = False

    @property
    def unchanged(self) -> bool:
        """Lines go out as they stand in the file."""
        return self.kind == "json" or (self.kind == "auto" and not sys.stdout.isatty())


def run(asked: Options) -> int:
    """Put out what is found; 0 when something was, 1 when nothing."""
    gc.disable()  # nothing below makes cycles, and what is read is much
    out = sys.stdout.buffer
    found = 0
    put, prefixes = _putter(asked, out), Prefixes(asked.chosen)
    for source in asked.sources:
        with scan.opened(source, follow=asked.follow) as stream:
            for batch in scan.choose(
                stream,
                scan.source_name(source),
                asked.chosen,
                _say_bad,
                entries=not (asked.unchanged or asked.only_count),
            ):
                found += len(batch)
                put(batch)
                prefixes.note(entry for _, entry in batch)
    for sentence in prefixes.ambiguous():
        sys.stderr.write(f"warning: {sentence}\n")
    if asked.only_count:
        out.write(b"%d\n" % found)
    return 0 if found else 1


def _putter(asked: Options, out: BinaryIO) -> Callable[[list[scan.Stored]], None]:
    if asked.only_count:
        return lambda _batch: None
    write = _unchanged if asked.unchanged else _drawn(asked)

    def put(batch: list[scan.Stored]) -> None:
        out.write(write(batch))
        if asked.follow:
            out.flush()

    return put


def _unchanged(batch: list[scan.Stored]) -> bytes:
    return b"".join([line for line, _ in batch])


def _drawn(asked: Options) -> Callable[[list[scan.Stored]], bytes]:
    from vmon.line import read_line
    from vmon.render.form import Drawn, Form

    draw = Drawn(Form(asked.kind, asked.verbosity))
    return lambda batch: b"".join([draw(entry or read_line(line)) for line, entry in batch])


def _say_bad(bad: scan.BadLine) -> None:
    sys.stderr.write(f"warning: {bad}\n")
