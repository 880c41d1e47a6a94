"""What earlier runs left to be sent."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from vmon.capture.folder import capture_of, default_folder, files_in
from vmon.capture.segments import Segment, Segments, fingerprint_in
from vmon.forward.journal import SUFFIX, Journal, JournalFile, head_decoder
from vmon.locks import has_name, lock

if TYPE_CHECKING:
    from collections.abc import Iterator


class Left(NamedTuple):
    """What an earlier run left for a target: how many deliveries, and whether they are sent now."""

    number: int
    url: str
    is_sent: bool


class LeftJournal(NamedTuple):
    """A run's journal, and whether that run goes on: then only what it gave up is ours to send.

    `only` is a file of several that a rotated capture is in: nothing of the others is meant.
    """

    spool: Journal
    is_alive: bool
    only: Path | None = None


def journals_of(file: str | None) -> Iterator[LeftJournal]:
    """The journals of a capture, or of a full file of it; without one all in the default folder."""
    path = Path(file) if file else None
    for one in left_in(path.parent if path else default_folder()):
        only = None
        if path and not one.name.startswith(f"{path.name}."):
            if not one.name.startswith(f"{capture_of(path).name}."):
                continue
            only = path
        if opened := reopen(one):
            yield LeftJournal(*opened, only)


def left_in(folder: Path) -> list[Path]:
    """The journals in a folder, oldest first: of runs that left something, or that go on.

    WrongUse where the folder cannot be read.
    """
    return sorted((path for path, _ in files_in(folder, SUFFIX)), key=_begun_s)


def _begun_s(path: Path) -> float:
    with contextlib.suppress(OSError, ValueError), path.open("rb") as file:
        return head_decoder.decode(file.readline(1 << 20)).begun_s
    return 0.0


def reopen(path: Path) -> tuple[Journal, bool] | None:
    """A journal of another run, and whether that run goes on; None when it is none (any more)."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        alive = not lock(fd)
        if not alive and not has_name(fd, path):  # its run wrote it anew, or was done with it
            raise ValueError(path)  # noqa: TRY301 - as below: nothing of it is ours
        data = path.read_bytes()
        head = head_decoder.decode(data.partition(b"\n")[0])
        if "/" in head.capture:
            raise ValueError(head.capture)  # noqa: TRY301 - a journal is beside its capture
        if not alive and not data.endswith(b"\n"):
            os.write(fd, b"\n")  # after a line that a crash tore
    except (OSError, ValueError):
        os.close(fd)
        return None
    capture = path.with_name(head.capture)
    files = _files(data) or [Segment(fingerprint_in(capture) or "", 0)]
    return Journal(path, head, fd, Segments(capture, files)), alive


def _files(journal: bytes) -> list[Segment]:
    found = []
    for line in journal.splitlines():
        if line.startswith(b'{"file":'):
            with contextlib.suppress(ValueError):
                said = msgspec.json.decode(line, type=JournalFile)
                found.append(Segment(said.file, said.at))
    return sorted(found, key=lambda one: one.at)
