"""JSON documents of several lines (arrays, HAR, what is laid out to be read) as deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.capture.encodings import BOM, utf_16
from vmon.capture.format import START
from vmon.capture.inputs import errors_in_words, is_compressed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def is_document(data: bytes) -> bool:
    """Whether this is JSON of several lines: an array, or objects laid out to be read."""
    begin = data[:4096].removeprefix(BOM).lstrip()
    if begin[:1] == b"[" or begin.split(b"\n", 1)[0].strip() == b"{":
        return True
    return begin[:1] == b"{" and not begin.startswith(START) and _is_foreign(begin)


def _is_foreign(begin: bytes) -> bool:
    from vmon.capture.importers import is_foreign  # costs a capture nothing

    return is_foreign(begin)


def has_lines(path: str) -> bool:
    """Whether a file can be read from its end: plain lines, and no document; else WrongUse."""
    with errors_in_words(path), open(path, "rb", buffering=0) as raw:  # noqa: PTH123 - pathlib costs 5 ms
        if not raw.seekable():
            return False
        begin = raw.read(4096)
    return not (is_compressed(begin) or utf_16(begin) or is_document(begin))


def documents(whole: bytes) -> Iterator[bytes]:
    """The deliveries of JSON documents, each as one line; what breaks them off comes last.

    The whole is held in memory: an array has no lines to go by.
    """
    import json

    whole = whole.removeprefix(BOM)
    text, decoder, at = whole.decode("utf-8", "surrogateescape"), json.JSONDecoder(), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            end = decoder.raw_decode(text, at)[1]
        except (ValueError, RecursionError):
            if not text[:at].strip() and text[at] == "{":  # lines after all, the first one torn
                yield from whole.splitlines(keepends=True)
                return
            end = len(text)
        yield from _elements(text[at:end].encode("utf-8", "surrogateescape"))
        at = end


def _elements(document: bytes) -> Iterable[bytes]:
    """The elements of an array, or the one document, each on one line."""
    import msgspec

    from vmon.capture.importers import lines_of

    if (foreign := lines_of(document)) is not None:
        return foreign
    try:
        found = msgspec.json.decode(document, type=list[msgspec.Raw])
    except (ValueError, RecursionError):
        return [_on_one_line(document)]
    return [_on_one_line(bytes(element)) for element in found]


def _on_one_line(document: bytes) -> bytes:
    """JSON with its line ends turned to spaces: they stand between tokens, never in a string."""
    return document.replace(b"\r", b" ").replace(b"\n", b" ")
