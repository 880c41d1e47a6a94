"""How a filter goes about a file: the tests a line has to pass, the cheapest first.

Type by how a line begins, time and ids by the header, needles before any decoding.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from vmon.capture import START
from vmon.filters import Filter
from vmon.text import disarm, iso


class Plan(NamedTuple):
    """How a filter looks at capture lines, the cheapest test first.

    A chosen line begins with one of `begins`; it has `needle` in it, or one of `any_of`, or, where
    these come from the body (`escapable`), a backslash or base64 that may hide it; and it passes
    the filter itself, which the other tests make needless when the plan is `exact`, or where
    `settled` stands right after the type's name.
    A line that is no capture's has one of `signs` in it, where there are any. It passes the filter
    where its type is one of `types`, if these are all that is asked for.
    """

    begins: tuple[bytes, ...] = (START,)
    needle: bytes | None = None
    any_of: tuple[bytes, ...] = ()
    escapable: bool = False
    exact: bool = False
    settled: bytes | None = None
    signs: tuple[bytes, ...] = ()
    types: frozenset[str] | None = None


def plan_of(chosen: Filter) -> Plan:
    """The plan of a filter."""
    if chosen.invert:
        return Plan()
    types = chosen.types
    if chosen.where and chosen.where.types is not None:
        types = chosen.where.types if types is None else types & chosen.where.types
    begins = tuple(START + name.encode() + b'","session":' for name in sorted(types or ()))
    begins = (START,) if types is None else begins
    signs = () if types is None else _signs_of_types(types)
    if chosen == Filter(types=chosen.types):
        return Plan(begins, exact=True, signs=signs, types=types)
    needle, from_body = _needle(chosen)
    if needle:
        hidden = (needle, _ESCAPE, _BASE64)
        signs = hidden if WORD.fullmatch(needle) else signs
        asked_is_all = chosen == Filter(types=chosen.types, session=chosen.session)
        settled = b'","session":"' + needle if asked_is_all and signs == hidden else None
        return Plan(begins, needle, escapable=from_body, settled=settled, signs=signs)
    if several := _several(chosen):
        return Plan(begins, any_of=several, signs=several)
    return Plan(begins, signs=signs)


def explain(chosen: Filter) -> str:
    """What a filter chooses, and how it goes about it, in three lines of plain English."""
    plan = plan_of(chosen)
    timed = (
        "" if chosen.invert or not span_of(chosen) else "blocks of other times are passed over; "
    )
    return (
        f"chooses     {chosen}\n"
        f"captures    {timed}{_way_through_captures(plan)}\n"
        f"bare bodies {_way_through_bodies(plan)}\n"
    )


def _way_through_captures(plan: Plan) -> str:
    begun = "by line prefix"
    if plan.exact:
        return f"{begun}: nothing is decoded" if plan.begins != (START,) else "every line as it is"
    decoded = "decoding what is left"
    if needles := plan.any_of or ((plan.needle,) if plan.needle else ()):
        first = "" if plan.begins == (START,) else f"{begun} and "
        return f"{first}{_by(needles)}, then {decoded}"
    return f"{begun}, then {decoded}" if plan.begins != (START,) else "by decoding every line"


def _way_through_bodies(plan: Plan) -> str:
    if not plan.signs:
        return "by decoding every line"
    return f"{_by(plan.signs)}, then decoding what has it or may hide it"


def _by(needles: tuple[bytes, ...]) -> str:
    shown = [needle.decode() for needle in needles if needle not in (_ESCAPE, _BASE64)]
    return f"by needle {disarm(' or '.join(shown))}"


def _several(chosen: Filter) -> tuple[bytes, ...]:
    """What a line that is chosen must have one of, where several ids of a kind are asked for.

    Nothing where one of them can be hidden otherwise than by an escape or base64.
    """
    for asked in (chosen.session, chosen.stream, chosen.connection, chosen.archive, chosen.call):
        needles = tuple(one.encode("utf-8", "surrogatepass") for one in asked)
        if needles and all(map(_stands_as_it_is, asked)) and all(map(WORD.fullmatch, needles)):
            return (*needles, _ESCAPE, _BASE64)
    return ()


def _needle(chosen: Filter) -> tuple[bytes | None, bool]:
    """What a line that is chosen must have in it, and whether it comes from the body."""
    ids = (chosen.session, chosen.stream, chosen.connection, chosen.archive, chosen.call)
    for place, asked in enumerate(ids):
        if len(asked) == 1 and _stands_as_it_is(asked[0]):
            from vmon.line import quote

            return quote(asked[0])[1:-1], place > 0
    if len(chosen.verdict) == 1:
        return b',"verdict":{"kind":"%b"' % chosen.verdict[0].encode(), False
    if chosen.where and chosen.where.needle:
        return chosen.where.needle.encode(), True
    return None, False


WORD = re.compile(rb"[A-Za-z0-9_@:+=~-]+")
"""What JSON can write in another way only with `\\u00`."""
_ESCAPE = b"\\u00"
_BASE64 = b'"body_base64"'
_SHAPES = {
    "broadcast": (b'"broadcastUrls"',),
    "captions": (b'"captionsId"', b'"captionId"'),
    "archive": (b'"outputMode"', b'"partnerId"', b'"duration"'),
    "render": (b'"status"',),
}
"""What a body has in it that is of the type without naming it: see `decode`."""


def _signs_of_types(types: frozenset[str]) -> tuple[bytes, ...]:
    """What a line of one of the types has in it, one of them; empty where that may be anything."""
    if not types or types & {"unknown", "undecodable"}:
        return ()
    names = sorted(types)
    shapes = [sign for name in names for sign in _SHAPES.get(name, ())]
    return (*(b'"%b"' % name.encode() for name in names), *shapes, _ESCAPE)


_OF_A_NUMBER = r"-?([0-9]+(\.[0-9]*)?(e[+-]?[0-9]*)?|i|in|inf)?"


def _stands_as_it_is(asked: str) -> bool:
    """Whether what matches this has it in its line.

    Not so a handle with characters disarmed, nor an id sent as a number in another notation.
    """
    return asked.isascii() and " " not in asked and not re.fullmatch(_OF_A_NUMBER, asked)


def span_of(chosen: Filter) -> tuple[bytes, bytes] | None:
    """From when to when, as lines have it, quote included; None where no time is asked for."""
    if chosen.since is None and chosen.until is None:
        return None
    since = iso(chosen.since) + '"' if chosen.since else ""
    return since.encode(), (iso(chosen.until) + '"' if chosen.until else "~").encode()
