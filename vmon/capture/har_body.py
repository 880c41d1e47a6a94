"""The bytes of a request body in a HAR, which stores them as text.

mitmproxy writes bytes that are not UTF-8 as lone surrogates or, depending on the type, as Latin-1;
Chromium writes U+FFFD for them, and leaves out bodies of Blobs and of forms with files.
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoBody(ValueError):
    """The bytes of a body are not in the HAR."""


def har_body(post: Any, sizes: frozenset[int]) -> bytes:
    """Return the body of a `postData`; NoBody where the stated `sizes` (bytes) show it is missing.

    Of several possible bodies the first with such a size is taken, else the first.
    """
    post = {} if post is None else post
    if post.get("encoding") == "base64":
        return b64decode(post.get("text") or "")
    found = list(_candidates(post)) or [b""]
    fitting = [body for body in found if len(body) in sizes]
    if not fitting and sizes and (not found[0] and max(sizes) > 0):
        raise NoBody("the body is not in the HAR")
    if not fitting and sizes and "\ufffd" in str(post.get("text")):
        raise NoBody("the exact bytes of the body are not in the HAR")
    return [*fitting, *found][0]


def _candidates(post: dict[str, Any]) -> Iterator[bytes]:
    """Yield the bodies that the text may stand for, the likeliest first."""
    kind = str(post.get("mimeType") or "").lower()
    if text := str(post.get("text") or ""):
        for charset, errors in (("utf-8", "surrogateescape"), (_charset(kind), "strict")):
            try:
                yield text.encode(charset, errors)
            except (UnicodeError, LookupError):
                continue
        yield text.encode("utf-8", "replace")
    elif (params := post.get("params")) and not kind.startswith("multipart/"):
        pairs = [(str(one["name"]), str(one.get("value") or "")) for one in params]
        yield urlencode(pairs, errors="surrogateescape").encode()
        yield "&".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "replace")


def _charset(kind: str) -> str:
    """The charset of a content type, else Latin-1, in which each byte is a character."""
    named = kind.partition("charset=")[2].split(";")[0].strip(" \"'")
    return named if named and named != "utf-8" else "latin-1"
