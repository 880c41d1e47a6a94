"""Read JSON documents of several lines (arrays, HAR, pretty-printed JSON) as deliveries."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from vmon.capture.encodings import BOM, utf_16
from vmon.capture.format import START
from vmon.capture.inputs import can_be_read_again, errors_in_words, is_compressed
from vmon.humanize import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_ELEMENTS = (b"", b"{", b"[", b'"', b"]")


def is_document(data: bytes) -> bool:
    """Whether this is JSON of several lines: an array, or pretty-printed objects."""
    begin = data[:4096].removeprefix(BOM).lstrip()
    if begin[:1] == b"[":  # lines of a log may begin so too: [2026-11-24 10:00:00], [INFO]
        return begin[1:].lstrip()[:1] in _ELEMENTS
    if begin.split(b"\n", 1)[0].strip() == b"{":
        return True
    return begin[:1] == b"{" and not begin.startswith(START) and _is_foreign(begin)


def _is_foreign(begin: bytes) -> bool:
    from vmon.capture.importers import is_foreign  # captures do not need it

    return is_foreign(begin)


def has_lines(path: str) -> bool:
    """Whether a file can be read from its end: it has plain lines. WrongUse, unreadable."""
    if os.path.exists(path) and not can_be_read_again(path):  # noqa: PTH110 - as below
        return False
    with errors_in_words(path), open(path, "rb", buffering=0) as raw:  # noqa: PTH123 - pathlib costs 5 ms
        begin = raw.read(4096)
    return not (is_compressed(begin) or utf_16(begin) or is_document(begin))


def documents(whole: bytes) -> Iterator[bytes]:
    """Split JSON documents into deliveries, one line each; what is not valid JSON comes last.

    The whole input is held in memory: an array has no lines.
    """
    whole = whole.removeprefix(BOM)
    text, at = whole.decode("utf-8", "surrogateescape"), 0
    while (at := _after(_SPACE, text, at)) < len(text):
        try:
            end = _scan(text, at)[1]
        except (ValueError, RecursionError):
            if not text[:at].strip() and text[at] == "{":  # lines after all, with a torn first one
                yield from whole.splitlines(keepends=True)
                return
            spans, end = _whole_elements(text, at)
            yield from (_on_one_line(_encoded(text[start:stop])) for start, stop in spans)
            if text[end - 1 : end] != "]" or not spans:
                yield from _broken(text[end:], len(spans))
                return
        else:
            yield from _elements(_encoded(text[at:end]))
        at = end


_SPACE, _COMMAS = re.compile(r"\s*"), re.compile(r"[\s,]*")
_scan = json.JSONDecoder().raw_decode


def _after(passed: re.Pattern[str], text: str, at: int) -> int:
    found = passed.match(text, at)
    return found.end() if found else at


def _whole_elements(text: str, at: int) -> tuple[list[tuple[int, int]], int]:
    """Locate the whole elements of an invalid array, and where it ends or breaks off."""
    spans: list[tuple[int, int]] = []
    if text[at] != "[":
        return spans, at
    end = at + 1
    while (start := _after(_COMMAS, text, end)) < len(text) and text[start] != "]":
        try:
            end = _scan(text, start)[1]
        except (ValueError, RecursionError):
            return spans, start
        spans.append((start, end))
    return spans, start + 1


def _broken(rest: str, elements: int) -> list[bytes]:
    """Lines for the rest after JSON breaks off: the reason, or lines of another kind."""
    from vmon.capture.codec import WHY

    if elements:
        return [WHY + f"the array is cut off after {count(elements, 'element')}".encode()]
    data = _encoded(rest)
    return [_on_one_line(data)] if rest[:1] in "{[" else data.splitlines(keepends=True)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


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
