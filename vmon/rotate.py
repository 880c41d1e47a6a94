"""Rotation of a capture: a new file when it is big or old enough, the full one compressed.

The file that is written keeps its name; the full ones are `<name>.1.jsonl`, `.2.jsonl`, …, then
`.jsonl.gz`. Whatever is killed when, each delivery is in a file: a full one goes only once its
compressed twin is whole and on disk, and of two twins readers take one.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from vmon.errors import VmonError, WrongUse
from vmon.instants import parse_duration, parse_size
from vmon.spool import lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vmon.capture import Capture

_AGAIN_S = 60.0
"""How long after a failure rotation is tried again."""


class Limit(Struct, frozen=True):
    """When a capture is full: `size` in bytes, `age_s` in seconds since it was begun; either."""

    size: int | None = None
    age_s: float | None = None


def limit_of(text: str) -> Limit:
    """The limit of `100MB` or `1d`; WrongUse for anything else, and for `100m`, which is both."""
    word = text.strip().lower()
    if word.endswith("b"):
        limit = Limit(size=parse_size(word))
    elif re.search(r"[0-9]\s*(s|min|h|d|w)$", word):
        limit = Limit(age_s=parse_duration(word))
    else:
        limit = Limit()
    if not (limit.size or limit.age_s):
        raise WrongUse(
            f"{text!r} is neither a size nor a time", hint="write 100MB, 1GiB, 1d or 12h"
        )
    return limit


class Rotation:
    """Looks at a capture before each line, and begins it anew when it is full."""

    def __init__(self, capture: Capture, limit: Limit, say: Callable[[str], None]) -> None:
        self._capture = capture
        self._limit = limit
        self._say = say
        self._begun_s = time.monotonic()
        self._not_before_s = 0.0
        self._packing: list[threading.Thread] = []
        self._finish_earlier()

    def before(self, length: int) -> None:
        """Make place for a line of so many bytes, where its capture would become too big."""
        if self._is_full(length) and time.monotonic() >= self._not_before_s:
            self._renew()

    def _is_full(self, length: int) -> bool:
        capture, limit = self._capture, self._limit
        if not capture.end or capture.waiting or not capture.can_be_read:
            return False
        if limit.size is not None and capture.end + length > limit.size:
            return True
        return limit.age_s is not None and time.monotonic() - self._begun_s >= limit.age_s

    def _renew(self) -> None:
        full = _free(self._capture.path)
        try:
            fd = self._capture.renew(full)
        except (OSError, VmonError) as error:
            self._not_before_s = time.monotonic() + _AGAIN_S
            self._say(f"the capture cannot be rotated, and grows: {error}")
            return
        self._begun_s = time.monotonic()
        self._say(f"the capture goes on in a new file; the full one is {full.name}.gz")
        self._pack(full, fd)

    def _finish_earlier(self) -> None:
        """Compress what a run that was killed left behind."""
        for one in _full_ones(self._capture.path).values():
            if one.suffix == ".jsonl":
                with contextlib.suppress(OSError):
                    fd = os.open(one, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
                    if lock(fd):
                        self._pack(one, fd)
                    else:
                        os.close(fd)

    def _pack(self, full: Path, fd: int) -> None:
        """Compress a file in a thread of its own; it stays locked until then."""
        thread = threading.Thread(target=_packed, args=(full, fd), name="vmon-pack", daemon=True)
        self._packing = [one for one in self._packing if one.is_alive()] + [thread]
        thread.start()

    def close(self, within_s: float) -> None:
        """Wait for what is being compressed; what takes longer is done by a later run."""
        end = time.monotonic() + within_s
        for thread in self._packing:
            thread.join(max(0.0, end - time.monotonic()))


def _full_ones(path: Path) -> dict[int, Path]:
    """The full files of a capture by their number; of two twins the plain one."""
    stem = re.escape(path.name.removesuffix(".jsonl"))
    pattern = re.compile(rf"{stem}\.([0-9]+)\.jsonl(\.gz)?")
    found = {}
    for one in sorted(path.parent.iterdir(), reverse=True):
        if match := pattern.fullmatch(one.name):
            found[int(match[1])] = one
    return found


def _free(path: Path) -> Path:
    """The next name for a full file: greater than those there are."""
    number = max(_full_ones(path), default=0) + 1
    return path.with_name(f"{path.name.removesuffix('.jsonl')}.{number}.jsonl")


def _packed(full: Path, fd: int) -> None:
    """Compress a file; where that fails it stays as it is."""
    part = full.with_name(full.name + ".gz.part")
    try:
        with contextlib.suppress(OSError):
            _compress(full, part)
            part.replace(full.with_name(full.name + ".gz"))
            _sync_folder(full.parent)
            full.unlink()
            return
        with contextlib.suppress(OSError):
            part.unlink()
    finally:
        os.close(fd)


def _compress(full: Path, part: Path) -> None:
    """Write the compressed bytes of a file, with its times, and see them on disk."""
    made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(made, "wb") as out, full.open("rb") as plain:
        with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=6) as packed:
            shutil.copyfileobj(plain, packed, 1 << 18)
        out.flush()
        status = os.fstat(plain.fileno())
        os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(out.fileno())


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
