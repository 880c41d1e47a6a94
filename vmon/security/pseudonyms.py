"""Taking out what is not for others' eyes: secrets masked, personal fields under pseudonyms.

A pseudonym is the same wherever its value stands, so that events can still be joined, and cannot
be turned back by guessing: it is made with a key that this user keeps.
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

_OF_THE_BODY = frozenset({"content-encoding", "content-md5", "digest", "content-digest", "etag"})
"""Headers that are about the very bytes of a body, and tell a hash of them."""
_WORDS = {"data": "person", "name": "person"}
_LOOKS_SECRET = re.compile(r"^/(?=[^/]*[a-z])(?=[^/]*[A-Z])[A-Za-z0-9_-]{22}(?=[/?]|$)")
_LONG_ENOUGH = 4
"""A shorter value is looked for as a whole string only: as a part it stands anywhere."""


def paths_of(values: Iterable[str]) -> tuple[str, ...]:
    """The dotted paths of `--redact` values, which may be comma lists; WrongUse for empty ones."""
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
    """The redactor for these paths, with this user's key."""
    import secrets

    key = made_once("redact.key", lambda: secrets.token_hex(32))
    return Redactor(paths, key.encode(), known_paths())


class Redactor:
    """Entry → entry: pseudonyms at some paths, and no secret, in its body or anywhere about it.

    A path is dotted, `*` is any one key, lists do not count; it means every place that ends so:
    `connection.data` also `stream.connection.data`. The paths that were met are in `met`.
    """

    def __init__(
        self, paths: Iterable[str], key: bytes, secret_paths: tuple[str, ...] = ()
    ) -> None:
        self._asked = [(path, tuple(path.split("."))) for path in paths]
        self._key = key
        self._secret_paths = dict.fromkeys(secret_paths, "secret-path")
        self.met: set[str] = set()
        # Names and paths come again and again.
        self._code = lru_cache(4096)(self._make_code)
        self._asked_at = lru_cache(4096)(self._find_asked)

    @property
    def unmet(self) -> list[str]:
        """The paths that no entry had."""
        return [path for path, _ in self._asked if path not in self.met]

    def __call__(self, entry: Entry) -> Entry:
        """The entry that may be shown."""
        found = self._secret_paths.copy()
        body = self._body(entry, found)
        scrub = _Scrub(found)
        delivery = self._delivery(entry.delivery, scrub, body)
        payload = read_body(body)
        session = payload.session if entry.session and payload.session else None
        if entry.session and session is None:
            session = scrub(entry.session)
        return Entry(delivery, payload, (entry.type, session), _judged(entry.verdict, scrub))

    def _delivery(self, delivery: Delivery, scrub: _Scrub, body: bytes) -> Delivery:
        headers = tuple(
            (scrub(name), str(len(body)) if lower == "content-length" else scrub.header(name, said))
            for name, said in delivery.headers
            if (lower := name.lower()) not in _OF_THE_BODY
        )
        return replace(
            delivery,
            headers=headers,
            path=scrub.encoded(self._path(delivery.path)),
            body=body,
        )

    def _path(self, path: str) -> str:
        """The path without a secret first part: one that is known, or looks like one."""
        for prefix in self._secret_paths:
            path = Guard(prefix).inner_path(path)
        inner = _LOOKS_SECRET.sub("", path, count=1)
        return inner if inner.startswith("/") else f"/{inner}"

    def _body(self, entry: Entry, found: dict[str, str]) -> bytes:
        """The body again as JSON; where it is not, only how much of it there was."""
        payload = entry.payload
        try:
            if payload.problem is None:
                value = self._walk(payload.value, (), found)
                return _json(_Scrub(found).all(value))
        except (ValueError, RecursionError):
            pass  # said below
        return f"(redacted: {size(len(entry.delivery.body))}, not JSON)".encode()

    def _walk(self, value: Any, path: tuple[str, ...], found: dict[str, str]) -> Any:
        if isinstance(value, list):
            return [self._walk(one, path, found) for one in value]
        if not isinstance(value, dict):
            return value
        return {key: self._field(one, (*path, key), found) for key, one in value.items()}

    def _field(self, value: Any, path: tuple[str, ...], found: dict[str, str]) -> Any:
        if path[-1] in SECRETS and value:
            _note(value, lambda _text: MASK, found)
            return MASK
        asked = self._asked_at(path)
        if not asked:
            return self._walk(value, path, found)
        self.met.update(asked)
        return self._pseudonym(value, _word(path), found)

    def _find_asked(self, path: tuple[str, ...]) -> list[str]:
        return [given for given, way in self._asked if _ends(path, way)]

    def _make_code(self, text: str) -> str:
        said = digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256")
        return b32encode(said)[:8].decode().lower()

    def _pseudonym(self, value: Any, word: str, found: dict[str, str]) -> Any:
        def named(text: str) -> str:
            return f"{word}-{self._code(text)}"

        _note(value, named, found)
        match value:
            case None | "" | [] | {}:
                return value
            case bool():
                return None
            case int() | float():
                said = digest(self._key, str(value).encode(), "sha256")
                return int.from_bytes(said[:4], "big")
            case str():
                return named(value)
            case _:
                return named(json.dumps(value, sort_keys=True))


def _ends(path: tuple[str, ...], way: tuple[str, ...]) -> bool:
    end = path[-len(way) :]
    return len(end) == len(way) and all(b in (a, "*") for a, b in zip(end, way, strict=True))


def _word(path: tuple[str, ...]) -> str:
    """What a pseudonym calls itself: after its key, which may itself be anything."""
    leaf = path[-2] if path[-1] == "id" and len(path) > 1 else path[-1].removesuffix("Id")
    word = _WORDS.get(leaf, leaf)
    return word if re.fullmatch("[a-zA-Z]{2,20}", word) else "value"


def _note(value: Any, named: Callable[[str], str], found: dict[str, str]) -> None:
    """Note every scalar of a value that goes: it may stand elsewhere, too."""
    match value:
        case dict():
            for key, one in value.items():
                _note("" if key in _vocabulary() else key, named, found)
                _note(one, named, found)
        case list():
            for one in value:
                _note(one, named, found)
        case None | bool() | "":
            pass
        case _:
            found.setdefault(str(value), named(str(value)))


def _json(value: Any) -> bytes:
    try:
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


class _Scrub:
    """Replaces what was found to be redacted wherever else it stands, in whatever spelling."""

    def __init__(self, found: dict[str, str]) -> None:
        self._found = found
        spelt = {
            way: new
            for old, new in found.items()
            if len(old) >= _LONG_ENOUGH
            for way in _spellings(old)
        }
        self._spelt = spelt

    def __call__(self, text: str) -> str:
        if (new := self._found.get(text)) is not None:
            return new
        return self._any.sub(lambda hit: self._spelt[hit[0]], text) if self._is_in(text) else text

    def _is_in(self, text: str) -> bool:
        return any(way in text for way in self._spelt)

    @cached_property
    def _any(self) -> re.Pattern[str]:
        """What finds them all in one go; made only for a text that has one: it takes its time."""
        return re.compile("|".join(map(re.escape, sorted(self._spelt, key=len, reverse=True))))

    def all(self, value: Any) -> Any:
        """A payload with all its strings, keys and numbers looked at."""
        match value:
            case dict():
                return {
                    self._key(key): one if key == "event" and _is_type(one) else self.all(one)
                    for key, one in value.items()
                }
            case list():
                return [self.all(one) for one in value]
            case str():
                return self(value)
            case int() | float() if not isinstance(value, bool):
                return self._spelt.get(str(value), value)
            case _:
                return value

    def _key(self, key: str) -> str:
        """A key: one that Vonage uses is not somebody's name, even if somebody is called so."""
        known = len(key) < _LONG_ENOUGH or key in _vocabulary()
        return key if known else self(key)

    def encoded(self, text: str) -> str:
        """Text that may be percent-encoded in a way that nobody foresaw: then it goes whole."""
        done = self(text)
        if self._spelt and "%" in done:
            plain = unquote_to_bytes(done.encode("utf-8", "surrogatepass"))
            if self._is_in(plain.decode("utf-8", "replace")):
                return "/redacted"
        return done

    def header(self, name: str, value: str) -> str:
        """A header's value, in which a byte is a character: ASCII goes in its place."""
        return masked_header(name, self.encoded(value), "****")


def _is_type(value: Any) -> bool:
    return isinstance(value, str) and value in TYPES


@cache
def _vocabulary() -> frozenset[str]:
    """The keys of payloads that are known."""
    return frozenset(_keys([[one.sample, one.sample_unified] for one in TYPES.values()]))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _keys(one)


@lru_cache(4096)
def _spellings(text: str) -> set[str]:
    """How a text may stand in another: as it is, escaped in JSON, in a URL, as bytes."""
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


def _judged(verdict: Verdict | None, scrub: _Scrub) -> Verdict | None:
    return verdict and replace(verdict, why=scrub(verdict.why))
