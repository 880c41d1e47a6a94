"""Read JSON documents of several lines (arrays, HAR, pretty-printed JSON) as deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.capture.format import START
from vmon.capture.inputs import GZIP, ZSTD, errors_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BOM = b"\xef\xbb\xbf"


def is_document(data: bytes) -> bool:
    """Whether this is JSON of several lines: an array, or pretty-printed objects."""
    begin = data[:4096].removeprefix(_BOM).lstrip()
    if begin[:1] == b"[" or begin.split(b"\n", 1)[0].strip() == b"{":
        return True
    return begin[:1] == b"{" and not begin.startswith(START) and _is_foreign(begin)


def _is_foreign(begin: bytes) -> bool:
    from vmon.capture.importers import is_foreign  # captures do not need it

    return is_foreign(begin)


def has_lines(path: str) -> bool:
    """Whether a file can be read from its end: it has plain lines. WrongUse, unreadable."""
    with errors_in_words(path), open(path, "rb", buffering=0) as raw:  # noqa: PTH123 - pathlib costs 5 ms
        if not raw.seekable():
            return False
        begin = raw.read(4096)
    return not begin.startswith((GZIP, ZSTD)) and not is_document(begin)


def documents(whole: bytes) -> Iterator[bytes]:
    """Split JSON documents into deliveries, one line each; what is not valid JSON comes last.

    The whole input is held in memory: an array has no lines.
    """
    import json

    whole = whole.removeprefix(_BOM)
    text, decoder, at = whole.decode("utf-8", "surrogateescape"), json.JSONDecoder(), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            end = decoder.raw_decode(text, at)[1]
        except (ValueError, RecursionError):
            if not text[:at].strip() and text[at] == "{":  # lines after all, with a torn first one
                yield from whole.splitlines(keepends=True)
                return
            end = len(text)
        yield from _elements(text[at:end].encode("utf-8", "surrogateescape"))
        at = end


def _elements(document: bytes) -> Iterable[bytes]:
    """Split an array into its elements, each on one line; else return the document on one line."""
    import msgspec

    from vmon.capture.importers import lines_of

    if (imported := lines_of(document)) is not None:
        return imported
    try:
        elements = msgspec.json.decode(document, type=list[msgspec.Raw])
    except (ValueError, RecursionError):
        return [_on_one_line(document)]
    return [_on_one_line(bytes(element)) for element in elements]


def _on_one_line(document: bytes) -> bytes:
    """Replace newlines by spaces: in JSON they are between tokens, never in a string."""
    return document.replace(b"\r", b" ").replace(b"\n", b" ")
