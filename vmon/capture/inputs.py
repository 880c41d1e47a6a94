"""Open inputs: files and pipes, plain and compressed, with errors as messages."""

from __future__ import annotations

import errno
import io
import os
import sys
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from vmon.capture.encodings import Utf8
from vmon.capture.follow import Following
from vmon.errors import WrongUse, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zstandard import ZstdDecompressionObj

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = tuple(bytes((first, 0x2A, 0x4D, 0x18)) for first in range(0x50, 0x60))
"""The magic numbers of zstd frames without data: pzstd and seekable zstd write these first."""
_LONG = 1 << 24
_ZSTD_CHUNK = 1 << 12  # at most 128 MiB when unpacked: runs of one byte


@contextmanager
def open_input(path: str | None, *, follow: bool = False, start: int = 0) -> Iterator[Stream]:
    """Open a file, or standard input (None), decompressed; WrongUse when unreadable.

    A followed file is read from `start`, never decompressed, and has no end.
    """
    name = source_name(path)
    with errors_in_words(name):
        raw = _stdin() if path is None else open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - pathlib costs 5 ms; closed below
        raw.seek(start) if start else None
        following = Following(raw, path) if follow else None
        plain = following or _decompressed(raw)
        stream = Stream(plain if start else Utf8(plain, name), name, raw)
        stream.is_long = not follow and _size(raw) >= _LONG
    try:
        yield stream
    finally:
        stream.count()
        if following:
            following.close()
        raw.close()


@contextmanager
def errors_in_words(name: str) -> Iterator[None]:
    """Convert errors in reading to WrongUse."""
    try:
        yield
    except OSError as error:
        raise unreadable(name, error) from None
    except Exception as error:
        if not _is_damage(error):
            raise
        raise WrongUse(
            f"cannot read all of {name}: {error}",
            hint="it is damaged or cut off; everything before that was read",
        ) from None


class Stream:
    """An input stream that converts its errors to WrongUse, and knows its position."""

    def __init__(self, stream: Readable, name: str, raw: io.RawIOBase) -> None:
        self._stream = stream
        self._name = name
        self._place = raw if raw.seekable() else None
        self._done = 0
        self.is_long = False
        """Whether it is a file large enough to be read ahead on a thread."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read into the buffer."""
        with errors_in_words(self._name):
            count = self._stream.readinto(buffer)
        if self._place is None:
            self._done += count or 0
        return count

    def count(self) -> None:
        """Note the position, before it is closed."""
        if self._place and not self._place.closed:
            self._done = self._place.tell()

    @property
    def done(self) -> int:
        """How many bytes of the file were read; of a pipe, decompressed bytes."""
        self.count()
        return self._done


def _size(raw: io.RawIOBase) -> int:
    return os.fstat(raw.fileno()).st_size if raw.seekable() else 0


def source_name(path: str | None) -> str:
    """Return the name of a source in messages."""
    return "standard input" if path is None else str(path)


def can_be_read_again(path: str | None) -> bool:
    """Whether it is a file or a folder: of a pipe, a second reader takes what the first misses."""
    if path is None:
        return False
    return os.path.isfile(path) or os.path.isdir(path)  # noqa: PTH112, PTH113 - pathlib costs 5 ms


def stdin_fd() -> int:
    """Return the descriptor of standard input; OSError where there is none."""
    if sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.fileno()


def _stdin() -> io.RawIOBase:
    return io.FileIO(stdin_fd(), closefd=False)


def _decompressed(raw: io.RawIOBase) -> Readable:
    if raw.seekable():
        magic = raw.read(4) or b""
        raw.seek(0)
        plain: io.RawIOBase | io.BufferedReader = raw
    else:
        plain = _Pipe(raw, BLOCK)
        magic = plain.peek(4)[:4]
    if magic.startswith(_GZIP):
        return _Gzip(plain)
    return _Zstd(plain) if is_compressed(magic) else plain


def is_compressed(begin: bytes) -> bool:
    """Whether a file with this beginning is gzip or zstd."""
    return begin.startswith((_GZIP, _ZSTD, *_SKIPPABLE))


class _Pipe(io.BufferedReader):
    """A pipe with `peek`, whose `readinto` does not wait for a whole block."""

    readinto = io.BufferedReader.readinto1


class _Gzip:
    """A gzip decompressor; returns what precedes damage, then raises the error."""

    def __init__(self, plain: io.RawIOBase | io.BufferedReader) -> None:
        import gzip

        self._file = gzip.GzipFile(fileobj=plain)
        self._damage: OSError | EOFError | zlib.error | None = None

    def readinto(self, buffer: memoryview, /) -> int:
        done = 0
        while not self._damage and done < len(buffer):
            try:
                count = self._file.readinto1(buffer[done:])
            except (OSError, EOFError, zlib.error) as error:
                self._damage = error
            else:
                if not count:
                    break
                done += count
        if self._damage and not done:
            raise self._damage
        return done


class _Zstd:
    """A zstd decompressor; unlike zstandard's own reader it detects truncation."""

    def __init__(self, plain: io.RawIOBase | io.BufferedReader) -> None:
        self._plain = plain
        self._frame: ZstdDecompressionObj | None = None
        self._ahead = b""
        self._out = memoryview(b"")

    def readinto(self, buffer: memoryview, /) -> int:
        while not self._out:
            chunk = self._ahead or self._plain.read(_ZSTD_CHUNK)
            if not chunk:
                if self._frame:
                    raise EOFError("unexpected end of file")
                return 0
            self._feed(chunk)
        count = min(len(buffer), len(self._out))
        buffer[:count] = self._out[:count]
        self._out = self._out[count:]
        return count

    def _feed(self, chunk: bytes) -> None:
        from zstandard import ZstdDecompressor

        frame = self._frame = self._frame or ZstdDecompressor().decompressobj()
        self._out, self._ahead = memoryview(frame.decompress(chunk)), b""
        if frame.eof:
            self._frame, self._ahead = None, frame.unused_data


def _is_damage(error: Exception) -> bool:
    """Whether a decompressor raises this for a damaged or truncated file."""
    return isinstance(error, EOFError | zlib.error) or type(error).__name__ == "ZstdError"


BLOCK = 1 << 20


HEAD = (1 << 16) + (1 << 11)
"""The offset of a block in its buffer: about half a page past the start of a page. A kernel may
copy at a quarter of the speed to an address a little past its source's offset in the page."""


class Readable(Protocol):
    """A stream of bytes: `readinto` returns how many it read, 0 at the end."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read into the buffer."""


class Buffer:
    """A buffer for a block, with a head before it for the rest of the block before."""

    def __init__(self, size: int) -> None:
        self.data = bytearray(HEAD + size)
        self.view = memoryview(self.data)

    def read(self, stream: Readable) -> int:
        """Read from a stream; how many bytes, 0 at the end."""
        return stream.readinto(self.view[HEAD:]) or 0
