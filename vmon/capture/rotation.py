"""Rotate a capture by size or age, and compress its closed segments.

The current file keeps its name; the closed segments are `<name>.1.jsonl`, `.2.jsonl`, …, then
`.jsonl.gz`. No kill at any time loses a delivery: a plain segment is removed only once the
compressed one is complete and on disk, and where both exist readers take one. While forwarding
still has to send deliveries of a segment, it stays uncompressed, for random access.
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
"""The delay after a failed rotation until the next attempt."""


class Limit(Struct, frozen=True):
    """When to rotate: at `size` bytes, or `age_s` seconds after the segment was begun; either."""

    size: int | None = None
    age_s: float | None = None


def limit_of(text: str) -> Limit:
    """Parse `100MB` or `1d`; WrongUse for anything else, and for `100m`, which is ambiguous."""
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
    """The forwarder, which reads deliveries from the segments and has to know of a new one."""

    @property
    def sent_upto(self) -> int:
        """The offset before which all was sent; -1 while deliveries of earlier runs are unsent."""

    def announce(self, line: bytes, at: int) -> None:
        """Announce a segment that is about to begin with this line; OSError prevents it."""


class Rotation:
    """Checks a capture before each line, and switches to a new file when it is due.

    WrongUse where its folder cannot be listed, as the names in use are unknown then.
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
        self._compressor = Compressor()
        with contextlib.suppress(FileNotFoundError):
            capture.path.with_name(capture.path.name + FRESH).unlink()
        try:
            self._held = [(0, one) for one in _uncompressed(capture.path)]
        except PermissionError as error:
            raise unreadable(str(capture.path.parent), error) from None
        self.compress_sent()

    def rotate_if_due(self, line: bytes) -> None:
        """Switch to a new file if the current one is too old, or too big with this line."""
        if self._is_due(len(line)) and time.monotonic() >= self._not_before_s:
            self._rotate(line)

    def _is_due(self, length: int) -> bool:
        capture, limit = self._capture, self._limit
        if capture.is_empty or capture.waiting or not capture.can_be_read:
            return False
        if limit.size is not None and capture.end - capture.begin + length > limit.size:
            return True
        return limit.age_s is not None and time.monotonic() - self._begun_s >= limit.age_s

    def _rotate(self, line: bytes) -> None:
        capture = self._capture
        try:
            segment = _next_name(capture.path)
            fd = capture.switch_file(segment, lambda: self._announce(line))
        except OSError as error:
            self._not_before_s = time.monotonic() + _AGAIN_S
            why = error.strerror or error
            self._say(f"cannot rotate the capture: {why}")
            return
        unlock(fd)  # the capture may have it open still, until it is synced
        os.close(fd)
        self._begun_s = time.monotonic()
        self._held.append((capture.begin, segment))
        self.compress_sent()
        name = f"{segment.name} (compressed once it is forwarded)"
        self._say(f"rotated the capture to {name if self._held else segment.name + '.gz'}")

    def _announce(self, line: bytes) -> None:
        if self._sending:
            self._sending.announce(line, self._capture.end)

    def compress_sent(self) -> None:
        """Compress the closed segments of which everything was sent."""
        if self._held:
            upto = self._sending.sent_upto if self._sending else sys.maxsize
            for end, segment in self._held:
                if end <= upto:
                    self._compressor.put(segment)
            self._held = [(end, segment) for end, segment in self._held if end > upto]

    def close(self, within_s: float) -> None:
        """Wait for the compression in progress; a later run does what takes longer."""
        self.compress_sent()
        self._compressor.close(within_s)


class Compressor:
    """Compresses one segment after the other, on a thread."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, segment: Path) -> None:
        """Queue a closed segment for compression."""
        self._waiting.put(segment)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="vmon-compress", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while segment := self._waiting.get():
            _replace_compressed(segment)

    def close(self, within_s: float) -> None:
        """Wait up to `within_s` seconds for the compression in progress."""
        self._waiting.put(None)
        if self._thread:
            self._thread.join(within_s)


def _uncompressed(capture: Path) -> Iterator[Path]:
    """Yield segments that earlier runs left uncompressed; in the default folder of all captures.

    Each run has a capture of its own there. Segments of one in use are left to its writer.
    """
    for segment in closed_segments(capture).values():
        if segment.name.endswith(".jsonl"):
            yield segment
    if capture.parent == default_folder():
        for path in sorted(capture.parent.glob("*.jsonl")):
            other = capture_of(path)
            if other not in (path, capture) and other.is_file() and not is_in_use(other):
                yield path


def _next_name(path: Path) -> Path:
    """Return the name for the next closed segment: one number above the existing ones."""
    number = max(closed_segments(path), default=0) + 1
    return path.with_name(f"{path.name.removesuffix('.jsonl')}.{number}.jsonl")


def _replace_compressed(segment: Path) -> None:
    """Replace a segment by its compressed form; unchanged while it is locked, or on an error."""
    part = segment.with_name(segment.name + ".gz.part")
    with contextlib.suppress(OSError), segment.open("rb") as plain:
        if not lock(plain.fileno()):
            return
        try:
            _compress(plain, part)
            part.replace(segment.with_name(segment.name + ".gz"))
        except OSError:
            part.unlink(missing_ok=True)
            return
        sync_folder(segment.parent)
        remove_open(plain.fileno(), segment)


def _compress(plain: BinaryIO, part: Path) -> None:
    """Write the compressed bytes of a file, with its timestamps, and sync them to disk."""
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as out:
        with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=6) as packed:
            shutil.copyfileobj(plain, packed, 1 << 18)
        out.flush()
        status = os.fstat(plain.fileno())
        os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(out.fileno())
