"""Redaction: secrets are masked, personal fields get pseudonyms.

Equal values get equal pseudonyms, so that events can still be joined. Pseudonyms cannot be
reversed by guessing: they are keyed hashes, with a key of this user.
"""

from __future__ import annotations

import json
import re
from base64 import b32encode
from functools import cache, cached_property, lru_cache
from hmac import digest
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

from msgspec.structs import replace

from vmon.errors import WrongUse
from vmon.events.catalogue import TYPES
from vmon.events.entry import Entry
from vmon.events.payload import read_body
from vmon.humanize import size
from vmon.security.access import Guard, known_paths
from vmon.security.masking import MASK, SECRETS, masked_header
from vmon.state import made_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmon.events.delivery import Delivery
    from vmon.events.verdict import Verdict

_BODY_HEADERS = frozenset({"content-encoding", "content-md5", "digest", "content-digest", "etag"})
"""Headers about the exact bytes of a body, such as a hash of them."""
_WORDS = {"data": "person", "name": "person"}
_LOOKS_SECRET = re.compile(r"^/(?=[^/]*[a-z])(?=[^/]*[A-Z])[A-Za-z0-9_-]{22}(?=[/?]|$)")
_MIN_SUBSTRING = 4
"""A shorter value is replaced as a whole string only: as a substring it would match anywhere."""


def paths_of(values: Iterable[str]) -> tuple[str, ...]:
    """Parse `--redact` values, comma lists, into dotted paths; WrongUse for an empty one."""
    parts = [[part.strip() for part in value.split(",") if part.strip()] for value in values]
    if not all(parts):
        raise WrongUse("--redact is empty", hint="use --redact connection.data,stream.name")
    paths = tuple(part for some in parts for part in some)
    for path in paths:
        if not all(path.split(".")):
            raise WrongUse(
                f"invalid field {path!r}", hint="use --redact connection.data,stream.name"
            )
    return paths


def redactor_of(paths: tuple[str, ...]) -> Redactor:
    """Make a redactor for these paths, with this user's key."""
    import secrets

    key = made_once("redact.key", lambda: secrets.token_hex(32))
    return Redactor(paths, key.encode(), known_paths())


class Redactor:
    """Redacts entries: pseudonyms at some paths and no secrets, in the body, headers and path.

    A path is dotted, `*` is any key, lists are skipped; it matches every path with this end:
    `connection.data` also `stream.connection.data`. `met` has the paths that matched.
    """

    def __init__(
        self, paths: Iterable[str], key: bytes, secret_paths: tuple[str, ...] = ()
    ) -> None:
        self._paths = [(path, tuple(path.split("."))) for path in paths]
        self._key = key
        self._secret_paths = dict.fromkeys(secret_paths, "secret-path")
        self.met: set[str] = set()
        # Names and paths repeat.
        self._code = lru_cache(4096)(self._make_code)
        self._matching_paths = lru_cache(4096)(self._find_matching_paths)

    @property
    def unmet(self) -> list[str]:
        """The paths that matched no entry."""
        return [path for path, _ in self._paths if path not in self.met]

    def __call__(self, entry: Entry) -> Entry:
        """Redact an entry."""
        replacements = self._secret_paths.copy()
        body = self._body(entry, replacements)
        scrub = _Scrub(replacements)
        delivery = self._delivery(entry.delivery, scrub, body)
        payload = read_body(body)
        session = payload.session if entry.session and payload.session else None
        if entry.session and session is None:
            session = scrub(entry.session)
        return Entry(
            delivery, payload, (entry.type, session), _scrubbed_verdict(entry.verdict, scrub)
        )

    def at(self, path: str, text: str) -> str:
        """Redact a text that is at a path."""
        keys = tuple(path.split("."))
        return str(self._pseudonym(text, _word(keys), {})) if self._matching_paths(keys) else text

    def _delivery(self, delivery: Delivery, scrub: _Scrub, body: bytes) -> Delivery:
        headers = tuple(
            (
                scrub(name),
                str(len(body)) if lower == "content-length" else scrub.header(name, value),
            )
            for name, value in delivery.headers
            if (lower := name.lower()) not in _BODY_HEADERS
        )
        return replace(
            delivery,
            headers=headers,
            path=scrub.encoded(self._path(delivery.path)),
            body=body,
        )

    def _path(self, path: str) -> str:
        """The path without a secret first segment: a known one, or one that looks like it."""
        for prefix in self._secret_paths:
            path = Guard(prefix).inner_path(path)
        inner = _LOOKS_SECRET.sub("", path, count=1)
        return inner if inner.startswith("/") else f"/{inner}"

    def _body(self, entry: Entry, replacements: dict[str, str]) -> bytes:
        """The redacted body as JSON; if it is not JSON, only its size."""
        payload = entry.payload
        try:
            if payload.problem is None:
                value = self._walk(payload.value, (), replacements)
                return _json(_Scrub(replacements).all(value))
        except (ValueError, RecursionError):
            pass  # handled below
        return f"(redacted: {size(len(entry.delivery.body))}, not JSON)".encode()

    def _walk(self, value: Any, path: tuple[str, ...], replacements: dict[str, str]) -> Any:
        if isinstance(value, list):
            return [self._walk(item, path, replacements) for item in value]
        if not isinstance(value, dict):
            return value
        return {key: self._field(item, (*path, key), replacements) for key, item in value.items()}

    def _field(self, value: Any, path: tuple[str, ...], replacements: dict[str, str]) -> Any:
        if path[-1] in SECRETS and value:
            _note(value, lambda _text: MASK, replacements)
            return MASK
        matching = self._matching_paths(path)
        if not matching:
            return self._walk(value, path, replacements)
        self.met.update(matching)
        return self._pseudonym(value, _word(path), replacements)

    def _find_matching_paths(self, path: tuple[str, ...]) -> list[str]:
        return [text for text, keys in self._paths if _ends_with(path, keys)]

    def _make_code(self, text: str) -> str:
        hashed = digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256")
        return b32encode(hashed)[:8].decode().lower()

    def _pseudonym(self, value: Any, word: str, replacements: dict[str, str]) -> Any:
        def pseudonym(text: str) -> str:
            return f"{word}-{self._code(text)}"

        _note(value, pseudonym, replacements)
        match value:
            case None | "" | [] | {}:
                return value
            case bool():
                return None
            case int() | float():
                hashed = digest(self._key, str(value).encode(), "sha256")
                return int.from_bytes(hashed[:4], "big")
            case str():
                return pseudonym(value)
            case _:
                return pseudonym(json.dumps(value, sort_keys=True))


def _ends_with(path: tuple[str, ...], keys: tuple[str, ...]) -> bool:
    end = path[-len(keys) :]
    return len(end) == len(keys) and all(b in (a, "*") for a, b in zip(end, keys, strict=True))


def _word(path: tuple[str, ...]) -> str:
    """The prefix of a pseudonym: its key, or "value" if the key is not a plain word."""
    leaf = path[-2] if path[-1] == "id" and len(path) > 1 else path[-1].removesuffix("Id")
    word = _WORDS.get(leaf, leaf)
    return word if re.fullmatch("[a-zA-Z]{2,20}", word) else "value"


def _note(value: Any, pseudonym: Callable[[str], str], replacements: dict[str, str]) -> None:
    """Note every scalar of a replaced value: it may occur elsewhere, too."""
    match value:
        case dict():
            for key, item in value.items():
                _note("" if key in _vocabulary() else key, pseudonym, replacements)
                _note(item, pseudonym, replacements)
        case list():
            for item in value:
                _note(item, pseudonym, replacements)
        case None | bool() | "":
            pass
        case _:
            replacements.setdefault(str(value), pseudonym(str(value)))


def _json(value: Any) -> bytes:
    try:
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


class _Scrub:
    """Replaces redacted values wherever else they occur, in any encoding."""

    def __init__(self, replacements: dict[str, str]) -> None:
        self._replacements = replacements
        self._encodings = {
            encoded: new
            for old, new in replacements.items()
            if len(old) >= _MIN_SUBSTRING
            for encoded in _encodings(old)
        }

    def __call__(self, text: str) -> str:
        if (new := self._replacements.get(text)) is not None:
            return new
        return (
            self._pattern.sub(lambda hit: self._encodings[hit[0]], text)
            if self._is_in(text)
            else text
        )

    def _is_in(self, text: str) -> bool:
        return any(encoded in text for encoded in self._encodings)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """The pattern that matches them all; compiled on first match only, because that is slow."""
        return re.compile("|".join(map(re.escape, sorted(self._encodings, key=len, reverse=True))))

    def all(self, value: Any) -> Any:
        """Scrub all strings, keys and numbers of a payload."""
        match value:
            case dict():
                return {
                    self._key(key): item if key == "event" and _is_type(item) else self.all(item)
                    for key, item in value.items()
                }
            case list():
                return [self.all(item) for item in value]
            case str():
                return self(value)
            case int() | float() if not isinstance(value, bool):
                return self._encodings.get(str(value), value)
            case _:
                return value

    def _key(self, key: str) -> str:
        """Scrub a key, unless it is one of Vonage's, even if a person has that name."""
        known = len(key) < _MIN_SUBSTRING or key in _vocabulary()
        return key if known else self(key)

    def encoded(self, text: str) -> str:
        """Scrub text that may be percent-encoded; an unexpected encoding is replaced as a whole."""
        scrubbed = self(text)
        if self._encodings and "%" in scrubbed:
            plain = unquote_to_bytes(scrubbed.encode("utf-8", "surrogatepass"))
            if self._is_in(plain.decode("utf-8", "replace")):
                return "/redacted"
        return scrubbed

    def header(self, name: str, value: str) -> str:
        """Scrub and mask the value of a header; the mask is ASCII."""
        return masked_header(name, self.encoded(value), "****")


def _is_type(value: Any) -> bool:
    return isinstance(value, str) and value in TYPES


@cache
def _vocabulary() -> frozenset[str]:
    """The known keys of payloads."""
    return frozenset(_keys([[each.sample, each.sample_unified] for each in TYPES.values()]))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _keys(item)


@lru_cache(4096)
def _encodings(text: str) -> set[str]:
    """The encodings of a text: plain, escaped in JSON, in a URL, as Latin-1."""
    as_bytes = text.encode("utf-8", "surrogatepass")
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        quote(as_bytes, safe=""),
        quote(as_bytes),
        quote_plus(as_bytes),
        as_bytes.decode("latin-1"),
    }


def _scrubbed_verdict(verdict: Verdict | None, scrub: _Scrub) -> Verdict | None:
    return verdict and replace(verdict, why=scrub(verdict.why))
