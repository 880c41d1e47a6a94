"""Rotation of a capture: a new file when it is big or old enough, the full one compressed.

The file that is written keeps its name; the full ones are `<name>.1.jsonl`, `.2.jsonl`, …, then
`.jsonl.gz`. Whatever is killed when, each delivery is in a file: a full one goes only once its
compressed twin is whole and on disk, and of two twins readers take one. While forwarding has still
to send of a full one, it stays as it is, and can be read anywhere in no time.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import queue
import re
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, BinaryIO, Protocol

from msgspec import Struct

from vmon.capture.folder import capture_of, closed_segments, default_folder
from vmon.capture.format import FRESH
from vmon.capture.fsync import sync_folder
from vmon.errors import WrongUse, unreadable
from vmon.files import remove_open
from vmon.humanize import parse_duration, parse_size
from vmon.locks import is_in_use, lock, unlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vmon.capture.writer import CaptureWriter

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
        raise WrongUse(f"invalid size or age {text!r}", hint="use 100MB, 1GiB, 1d or 12h")
    return limit


class Sending(Protocol):
    """Who sends deliveries on from the files, and has to know of a new one."""

    @property
    def sent_upto(self) -> int:
        """The place before which all was sent; -1 while what earlier runs left is sent."""

    def announce(self, line: bytes, at: int) -> None:
        """A file is about to begin with this line; OSError: it must not."""


class Rotation:
    """Looks at a capture before each line, and begins it anew when it is full.

    WrongUse where its folder cannot be listed: then nobody knows the names that are taken.
    """

    def __init__(
        self,
        capture: CaptureWriter,
        limit: Limit,
        say: Callable[[str], None],
        sending: Sending | None = None,
    ) -> None:
        self._capture = capture
        self._limit = limit
        self._say = say
        self._sending = sending
        self._begun_s = time.monotonic()
        self._not_before_s = 0.0
        self._packer = Compressor()
        with contextlib.suppress(FileNotFoundError):
            capture.path.with_name(capture.path.name + FRESH).unlink()
        try:
            self._held = [(0, one) for one in _left_full(capture.path)]
        except PermissionError as error:
            raise unreadable(str(capture.path.parent), error) from None
        self.pack_sent()

    def rotate_if_due(self, line: bytes) -> None:
        """Go on in a new file if the capture is too old, or too big with this line."""
        if self._is_full(len(line)) and time.monotonic() >= self._not_before_s:
            self._renew(line)

    def _is_full(self, length: int) -> bool:
        capture, limit = self._capture, self._limit
        if capture.is_empty or capture.waiting or not capture.can_be_read:
            return False
        if limit.size is not None and capture.end - capture.begin + length > limit.size:
            return True
        return limit.age_s is not None and time.monotonic() - self._begun_s >= limit.age_s

    def _renew(self, line: bytes) -> None:
        capture = self._capture
        try:
            full = _free(capture.path)
            fd = capture.renew(full, lambda: self._announce(line))
        except OSError as error:
            self._not_before_s = time.monotonic() + _AGAIN_S
            why = error.strerror or error
            self._say(f"cannot rotate the capture: {why}")
            return
        unlock(fd)  # the capture may have it open still, until it is synced
        os.close(fd)
        self._begun_s = time.monotonic()
        self._held.append((capture.begin, full))
        self.pack_sent()
        later = f"{full.name} (compressed once it is forwarded)"
        self._say(f"rotated the capture to {later if self._held else full.name + '.gz'}")

    def _announce(self, line: bytes) -> None:
        if self._sending:
            self._sending.announce(line, self._capture.end)

    def pack_sent(self) -> None:
        """Compress the full files of which nothing is still to be sent."""
        if self._held:
            upto = self._sending.sent_upto if self._sending else sys.maxsize
            for end, full in self._held:
                if end <= upto:
                    self._packer.put(full)
            self._held = [one for one in self._held if one[0] > upto]

    def close(self, within_s: float) -> None:
        """Wait for what is being compressed; what takes longer is done by a later run."""
        self.pack_sent()
        self._packer.close(within_s)


class Compressor:
    """Compresses one file after the other, in a thread of its own."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, full: Path) -> None:
        """Compress a closed segment, sometime soon."""
        self._waiting.put(full)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="vmon-pack", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while full := self._waiting.get():
            _pack(full)

    def close(self, within_s: float) -> None:
        """Wait so long for what is being compressed."""
        self._waiting.put(None)
        if self._thread:
            self._thread.join(within_s)


def _left_full(capture: Path) -> Iterator[Path]:
    """What earlier runs left uncompressed, in the default folder those of other captures too.

    Each run has a capture of its own there. One that is written is its writer's care.
    """
    for one in closed_segments(capture).values():
        if one.name.endswith(".jsonl"):
            yield one
    if capture.parent == default_folder():
        for one in sorted(capture.parent.glob("*.jsonl")):
            other = capture_of(one)
            if other not in (one, capture) and other.is_file() and not is_in_use(other):
                yield one


def _free(path: Path) -> Path:
    """The next name for a full file: greater than those there are."""
    number = max(closed_segments(path), default=0) + 1
    return path.with_name(f"{path.name.removesuffix('.jsonl')}.{number}.jsonl")


def _pack(full: Path) -> None:
    """Compress a file that nobody has locked; where that fails it stays as it is."""
    part = full.with_name(full.name + ".gz.part")
    with contextlib.suppress(OSError), full.open("rb") as plain:
        if not lock(plain.fileno()):
            return
        try:
            _compress(plain, part)
            part.replace(full.with_name(full.name + ".gz"))
        except OSError:
            part.unlink(missing_ok=True)
            return
        sync_folder(full.parent)
        remove_open(plain.fileno(), full)


def _compress(plain: BinaryIO, part: Path) -> None:
    """Write the compressed bytes of a file, with its times, and see them on disk."""
    made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(made, "wb") as out:
        with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=6) as packed:
            shutil.copyfileobj(plain, packed, 1 << 18)
        out.flush()
        status = os.fstat(plain.fileno())
        os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(out.fileno())
