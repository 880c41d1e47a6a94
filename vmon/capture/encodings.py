"""Text encodings of stored files: a BOM is removed, UTF-16 becomes UTF-8."""

from __future__ import annotations

import codecs
import sys
from typing import Protocol

from vmon.sanitize import disarm

BOM = codecs.BOM_UTF8
_UTF_16 = {
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    b"{\0": "utf-16-le",
    b"[\0": "utf-16-le",
    b"\0{": "utf-16-be",
    b"\0[": "utf-16-be",
}


def utf_16(begin: bytes) -> str | None:
    """The UTF-16 variant of a file with this beginning; None where it is not UTF-16."""
    return _UTF_16.get(begin[:2])


class _Readable(Protocol):
    """A stream of bytes; the public one is in inputs.py, which imports this module."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read into the buffer."""


class Utf8:
    """The bytes of a stream as UTF-8, without a BOM; a file in UTF-16 is converted, with a note."""

    def __init__(self, stream: _Readable, name: str) -> None:
        self._stream = stream
        self._name = name
        self._begun = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._text = memoryview(b"")

    def readinto(self, buffer: memoryview, /) -> int:
        """Read into the buffer; how many bytes, 0 at the end."""
        if not self._begun:
            self._begun = True
            return self._begin(buffer)
        if self._decoder:
            return self._converted(buffer, self._decoder)
        return self._stream.readinto(buffer) or 0

    def _begin(self, buffer: memoryview) -> int:
        """Read the beginning straight into the buffer: copying would cost."""
        count = self._stream.readinto(buffer) or 0
        while count < len(BOM) <= len(buffer) and _may_be_more(bytes(buffer[:count])):
            more = self._stream.readinto(buffer[count:]) or 0
            if not more:
                break
            count += more
        begin = bytes(buffer[: min(count, len(BOM))])
        if begin == BOM:
            rest = bytes(buffer[len(BOM) : count])
            buffer[: len(rest)] = rest
            return len(rest) or self.readinto(buffer)
        if coding := utf_16(begin):
            sys.stderr.write(f"{disarm(self._name)} is UTF-16: converted to UTF-8\n")
            self._decoder = codecs.getincrementaldecoder(coding)("replace")
            self._take(self._decoder, bytes(buffer[:count]))
            self._text = self._text[len(BOM) :] if self._text[: len(BOM)] == BOM else self._text
            return self._converted(buffer, self._decoder)
        return count

    def _converted(self, buffer: memoryview, decoder: codecs.IncrementalDecoder) -> int:
        while not self._text:
            count = self._stream.readinto(buffer) or 0
            self._take(decoder, bytes(buffer[:count]), final=not count)
            if not count:
                break
        count = min(len(buffer), len(self._text))
        buffer[:count] = self._text[:count]
        self._text = self._text[count:]
        return count

    def _take(
        self, decoder: codecs.IncrementalDecoder, data: bytes, *, final: bool = False
    ) -> None:
        self._text = memoryview(decoder.decode(data, final).encode())


def _may_be_more(begin: bytes) -> bool:
    """Whether more bytes are needed to recognise a BOM or UTF-16."""
    return bool(begin) and (BOM.startswith(begin) or (len(begin) < 2 and begin in b"\xff\xfe\0"))  # noqa: PLR2004 - a unit of UTF-16
