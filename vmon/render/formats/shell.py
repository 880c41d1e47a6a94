"""Deliveries as curl and HTTPie commands."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Protocol

from vmon.events.delivery import HOP_BY_HOP, Delivery
from vmon.events.entry import Entry, url_for
from vmon.humanize import iso
from vmon.sanitize import disarm
from vmon.security.access import stored_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.security.scrub import ScrubPolicy

_MAX_WORD = 100_000
"""Maximum bytes of a command-line argument: Linux allows 128 KiB."""
_TRICKY = re.compile(rb"[^A-Za-z0-9 ,.:;/=+_{}\[\]()<>@#&*?|~^]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class ShellFormatter:
    """Formats entries as a POSIX shell script with a command for each delivery."""

    def __init__(self, scrub: ScrubPolicy, to: str, command: Command) -> None:
        self._scrub = scrub
        self._to = to
        self._command = command
        self._path_of = stored_path()

    def begin(self) -> bytes:
        """Nothing: there is no header."""
        return b""

    def each(self, entries: Iterable[Entry]) -> bytes:
        """Format the commands of the next deliveries."""
        return b"".join([self._command_of(entry) for entry in entries])

    def _command_of(self, entry: Entry) -> bytes:
        delivery = self._scrub(entry)
        at = delivery.received_or_none
        when = iso(at) if at else "no time"
        comment = f"# {disarm(entry.type)}, {when}, {disarm(delivery.id)}\n"
        url = url_for(self._to, self._path_of(delivery.path))
        return comment.encode() + self._command(delivery, url) + b"\n"

    def end(self) -> bytes:
        """Nothing: there is no footer."""
        return b""


class Command(Protocol):
    """A function that formats the command that sends a delivery to a URL."""

    def __call__(self, delivery: Delivery, url: str, /) -> bytes:
        """Format the command."""


def curl(delivery: Delivery, url: str) -> bytes:
    """Format the curl command that sends a delivery to a URL."""
    words = [b"curl -sS --globoff --path-as-is -X " + _word(delivery.method.encode())]
    headers = list(headers_to_send(delivery))
    for name, value in headers:
        text = f"{name}: {value}" if value else f"{name};"  # curl's syntax for an empty value
        words.append(b"-H " + _word(_wire(text)))
    if not any(name.lower() == "content-type" for name, _ in headers):
        words.append(b"-H 'Content-Type:'")  # else curl adds one
    return _piped(delivery.body, words, b"--data-raw ", b"--data-binary @-", _word(_wire(url)))


def httpie(delivery: Delivery, url: str) -> bytes:
    """Format the HTTPie command that sends a delivery to a URL."""
    items = []
    for name, value in headers_to_send(delivery):
        if not _is_utf8(_wire(value)):  # HTTPie cannot send it
            continue
        escaped = "\\" + value if value.startswith(("=", "@", ":", "\\")) else value
        items.append(_word(_wire(f"{name}:{escaped}" if value else f"{name};")))
    request = _word(delivery.method.encode()) + b" " + _word(_wire(url))
    words = [b"http --path-as-is", request, *items]
    if delivery.body and _is_plain(delivery.body):
        words.insert(1, b"--ignore-stdin --raw=" + _word(delivery.body))
        return b" ".join(words)
    return _octal(delivery.body) + b" | " + b" ".join(words)


def _piped(body: bytes, words: list[bytes], as_word: bytes, as_input: bytes, last: bytes) -> bytes:
    """Join the command, with its body as an argument, or piped in if it cannot be one."""
    if _is_plain(body):
        return b" ".join((*words, as_word + _word(body), last))
    return _octal(body) + b" | " + b" ".join((*words, as_input, last))


def headers_to_send(delivery: Delivery) -> Iterable[tuple[str, str]]:
    """The end-to-end headers of a delivery that can be sent again."""
    for name, value in delivery.headers:
        is_valid = _TOKEN.fullmatch(name) and not re.search(r"[\r\n\0]", value)
        if is_valid and name.lower() not in HOP_BY_HOP:
            yield name, value


def _wire(text: str) -> bytes:
    """Encode text of a request's head, in which each character is a byte."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_plain(word: bytes) -> bool:
    """Whether bytes can be in a command unchanged, without hidden or misleading characters."""
    try:
        text = word.decode()
    except UnicodeDecodeError:
        return False
    return len(word) <= _MAX_WORD and disarm(text.replace("\n", "")) == text.replace("\n", "")


def _word(word: bytes) -> bytes:
    """Quote a shell word; bytes that are not plain are written by printf."""
    if _is_plain(word):
        return shlex.quote(word.decode()).encode()
    return b'"$(' + _octal(word.replace(b"\0", b"")) + b')"'


def _octal(data: bytes) -> bytes:
    """The printf command that writes the bytes."""
    return b"printf '" + _TRICKY.sub(lambda match: b"\\%03o" % match[0][0], data) + b"'"
