"""The query plan of a filter: the tests that a line has to pass, the cheapest first.

Types are tested by the prefix of a line, time and IDs in its header, needles before any decoding.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from vmon.capture.format import START
from vmon.humanize import iso
from vmon.sanitize import disarm
from vmon.search.filter import Filter

if TYPE_CHECKING:
    from collections.abc import Iterator


class Plan(NamedTuple):
    """The tests of a filter, the cheapest first.

    A selected capture line starts with one of `begins`, contains one of `needles` if there are any,
    and passes the filter itself; the filter is redundant when the plan is `exact`, or where
    `settled` follows the type. A selected bare body contains one of `signs` if there are any. It
    passes the filter if its type is one of `types`, where these are the whole filter. With
    `any_case` needles and signs are searched in lower case; with `numbers` they cannot be used for
    lines that contain a number like 1e3 or 2.5.
    """

    begins: tuple[bytes, ...] = (START,)
    needles: tuple[bytes, ...] = ()
    exact: bool = False
    settled: bytes | None = None
    signs: tuple[bytes, ...] = ()
    types: frozenset[str] | None = None
    any_case: bool = False
    numbers: bool = False


def plan_of(chosen: Filter) -> Plan:
    """Make the plan of a filter."""
    if chosen.invert:
        return Plan()
    types = chosen.types
    if chosen.where and chosen.where.types is not None:
        types = chosen.where.types if types is None else types & chosen.where.types
    begins = tuple(START + name.encode() + b'","session":' for name in sorted(types or ()))
    plan = Plan(
        begins=(START,) if types is None else begins,
        signs=() if types is None else _signs_of_types(types),
    )
    if chosen == Filter(types=chosen.types):
        return plan._replace(exact=True, types=types)
    return next((plan._replace(**parts) for parts in _required(chosen)), plan)


def _required(chosen: Filter) -> Iterator[dict[str, Any]]:
    """Yield what a selected line must contain, as parts of a plan: the rarest first."""
    if found := _ids(chosen.session):
        alone = chosen == Filter(types=chosen.types, session=chosen.session)
        one = alone and len(chosen.session) == 1 and bool(found.get("signs"))
        settled = b'","session":"' + chosen.session[0].encode() if one else None
        # In a capture it is in the header, unescaped.
        yield found | {"needles": tuple(map(_quoted, chosen.session)), "settled": settled}
    for values in (chosen.stream, chosen.connection, chosen.archive, chosen.call):
        if found := _ids(values):
            yield found
    if chosen.delivery:
        yield {"needles": tuple(b'"id":"' + _quoted(value) for value in chosen.delivery)}
    if len(chosen.verdict) == 1:
        yield {"needles": (b',"verdict":{"kind":"%b"' % chosen.verdict[0].encode(),)}
    if chosen.where and chosen.where.needle:
        yield _from_body((chosen.where.needle.encode(),))
    if chosen.path and all(part and part.isascii() for part in chosen.path):
        yield {"needles": tuple(map(_quoted, chosen.path))}
    for words in (chosen.reason, chosen.status):
        if found := _ids(words):
            yield found | _in_any_case(found)


def _ids(values: tuple[str, ...]) -> dict[str, Any]:
    """What a line has in it that has one of these in its body; nothing where that is not known."""
    if not values or not all(map(_stands_as_it_is, values)):
        return {}
    return _from_body(tuple(map(_quoted, values))) | {"numbers": any(map(str.isdigit, values))}


def _from_body(needles: tuple[bytes, ...]) -> dict[str, Any]:
    """Require one of the needles, or what may hide it: an escape, or base64."""
    if all(map(_WORD.fullmatch, needles)):
        hidden = (*needles, _ESCAPE, _BASE64)
        return {"needles": hidden, "signs": hidden}
    return {"needles": (*needles, b"\\", _BASE64)}


def _in_any_case(found: dict[str, Any]) -> dict[str, Any]:
    """Lower the needles' case; the Kelvin sign lowers to k as well."""
    return {
        part: (*(one.lower() for one in needles), *_KELVIN)
        for part, needles in found.items()
        if part != "numbers"
    } | {"any_case": True}


def _quoted(text: str) -> bytes:
    """Encode a text as it is between the quotes of a capture line."""
    from vmon.capture.codec import quote

    return quote(text)[1:-1]


def explain(chosen: Filter) -> str:
    """Explain in three lines what a filter selects, and how it scans."""
    plan = plan_of(chosen)
    timed = "" if chosen.invert or not span_of(chosen) else "skip blocks by time; "
    return (
        f"filter      {chosen}\n"
        f"captures    {timed}{_way_through_captures(plan)}\n"
        f"bare bodies {_way_through_bodies(plan)}\n"
    )


def _way_through_captures(plan: Plan) -> str:
    begun = "by line prefix"
    if plan.exact:
        return f"{begun}, nothing is decoded" if plan.begins != (START,) else "every line as it is"
    decoded = "decoding the rest"
    if plan.needles:
        first = "" if plan.begins == (START,) else f"{begun} and "
        return f"{first}{_by(plan.needles, plan)}, then {decoded}"
    return f"{begun}, then {decoded}" if plan.begins != (START,) else "by decoding every line"


def _way_through_bodies(plan: Plan) -> str:
    if not plan.signs:
        return "by decoding every line"
    return f"{_by(plan.signs, plan)}, then decoding possible matches"


def _by(needles: tuple[bytes, ...], plan: Plan) -> str:
    texts = [needle.decode() for needle in needles if needle not in _HIDING]
    shown = [f'{text}"' if text.startswith('"') else text for text in texts]
    return f"by needle {disarm(' or '.join(shown))}{' in any case' if plan.any_case else ''}"


_WORD = re.compile(rb"[A-Za-z0-9_@:+=~-]+")
"""Characters that JSON can write in another way only with `\\u00`."""
_ESCAPE = b"\\u00"
_BASE64 = b'"body_base64"'
_KELVIN = ("\N{KELVIN SIGN}".encode(), b"\\u212a")
_HIDING = frozenset({_ESCAPE, _BASE64, b"\\", *_KELVIN})
NUMBER = re.compile(rb'"[ \t\r\n]*:[ \t\r\n]*-?[0-9]+[.eE]')
"""A number that is not written as an ID is."""
_SHAPES = {
    "broadcast": (b'"broadcastUrls',),
    "captions": (b'"captionsId', b'"captionId'),
    "archive": (b'"outputMode', b'"partnerId', b'"duration'),
    "render": (b'"status',),
}
"""The keys of a body of each type that does not name the type: see `payload`.

Without their second quote: within a JSON string, as logs have it, a backslash comes before that.
"""


def _signs_of_types(types: frozenset[str]) -> tuple[bytes, ...]:
    """List strings of which a line of one of the types contains one; empty where unknown."""
    if not types or types & {"unknown", "undecodable"}:
        return ()
    names = sorted(types)
    shapes = [sign for name in names for sign in _SHAPES.get(name, ())]
    return (*(b'"%b' % name.encode() for name in names), *shapes, _ESCAPE)


_OF_A_NUMBER = r"-?([0-9]+(\.[0-9]*|e[+-]?[0-9]*|\.[0-9]*e[+-]?[0-9]*)|i|in|inf)?|-[0-9]*"


def _stands_as_it_is(text: str) -> bool:
    """Whether a line that matches this value contains it literally.

    False for a handle with disarmed characters, and for a number with a point, exponent or sign.
    """
    return text.isascii() and " " not in text and not re.fullmatch(_OF_A_NUMBER, text)


def span_of(chosen: Filter) -> tuple[bytes, bytes] | None:
    """Return `since` and `until` as lines have them, with the quote; None where neither is set."""
    if chosen.since is None and chosen.until is None:
        return None
    since = iso(chosen.since) + '"' if chosen.since else ""
    return since.encode(), (iso(chosen.until) + '"' if chosen.until else "~").encode()
