"""What an app's answer says, on one line: of an error page its title, heading or `<pre>`."""

from __future__ import annotations

import html
import re
import zlib
from http import HTTPStatus

_PAGE = re.compile(r"\s*<(?:!doctype|html|head|body|title|h1|pre)\b", re.IGNORECASE)
_PARTS = tuple(
    re.compile(rf"<{tag}\b[^<>]*>(.*?)(?:</{tag}\s*>|\Z)", re.IGNORECASE | re.DOTALL)
    for tag in ("title", "h1", "h2", "pre")
)
_BREAK = re.compile(r"<(?:br|/p|/div)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_NUMBER = re.compile(r"(?:error |http )?\d{3}\b[\s:–-]*", re.IGNORECASE)
_SAYS_NOTHING = frozenset({"", "error", "whitelabel error page", "server error"}) | {
    status.phrase.lower() for status in HTTPStatus
}
"""Titles and headings that say no more than the status."""


def excerpt(body: bytes) -> str:
    """The beginning of an answer in short; "" for none. What acts on a terminal is still in it."""
    text = body.decode("utf-8", "replace").strip()
    if _PAGE.match(text):
        return _of_page(text)
    if text[:1] in {"{", "["}:
        return " ".join(text.split())
    return text.partition("\n")[0]


def _of_page(text: str) -> str:
    found = [line for part in _PARTS if (match := part.search(text)) and (line := _line(match[1]))]
    telling = (line for line in found if _NUMBER.sub("", line, 1).lower() not in _SAYS_NOTHING)
    return next(telling, found[0] if found else "")


def _line(markup: str) -> str:
    """The first line of markup, without its tags."""
    text = html.unescape(_TAG.sub("", _BREAK.sub("\n", markup)))
    return " ".join(text.strip().partition("\n")[0].split())


def unpacked(body: bytes, encoding: str, most: int) -> bytes:
    """The beginning of a body that came with this Content-Encoding, at most `most` bytes.

    What cannot be unpacked is left out: it says nothing to anybody.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip" | "deflate":
            try:
                return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, most)
            except zlib.error:
                return b""
        case _:
            return b""
