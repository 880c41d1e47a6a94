"""Text for people: strangers' text disarmed, sizes and durations said shortly, ids as handles."""

import re
from datetime import UTC, datetime
from functools import lru_cache

_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
"""Printable says Python, yet drawn as nothing: a name made of them would be an invisible name."""

_PLAIN_JSON = re.compile(rb"[ -~\t]*\r?\n?")
_MAYBE_ACTS = re.compile(r"\r(?!\n)|[^ -~\t\r\n]")

_MOST_MARKS = 2
"""Combining marks in a row beyond this climb over the lines above and below."""


def disarm(text: str) -> str:
    """One line of `text` in which nothing can act on a terminal or deceive a reader.

    Control characters show as their Unicode pictures, everything else that is not printable
    (C1, bidirectional overrides, zero-width characters, lone surrogates, unassigned code points)
    as its code point, other spaces as a space.
    """
    if text.isascii() and text.isprintable():
        return text
    marks = 0
    out = []
    for char in text:
        marks = marks + 1 if _is_mark(char) else 0
        out.append(_safe(char) if marks <= _MOST_MARKS else "")
    return "".join(out)


def disarm_json(line: bytes) -> bytes:
    """JSON in which nothing can act on a terminal: the same JSON, with escapes for what could."""
    if _PLAIN_JSON.fullmatch(line):
        return line
    return _MAYBE_ACTS.sub(_escaped, line.decode("utf-8", "replace")).encode()


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    if _safe(char) in {char, " "}:
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _is_mark(char: str) -> bool:
    if char < "\u0300":
        return False
    from unicodedata import category  # a shared library of its own: not for `--help`

    return category(char) in {"Mn", "Me"}


def _safe(char: str) -> str:
    if char.isprintable() and char not in _FILLERS and not _selects_a_glyph(char):
        return char
    if char < " ":
        return chr(0x2400 + ord(char))
    if char == "\x7f":
        return "\u2421"
    if char not in "\u2028\u2029" and char.isspace() and char > "\x9f":
        return " "
    return f"‹U+{ord(char):04X}›"


def _selects_a_glyph(char: str) -> bool:
    """A variation selector: it changes how the character before it is drawn, and how wide."""
    return (
        "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
        or "\u180b" <= char <= "\u180f"
    )


def handle(identifier: str, kind: str = "") -> str:
    """A short piece of an id that tells it from its neighbours, and can be searched for.

    Sessions of one project begin and end alike: their handle is taken from the random part
    before the end. Other ids are UUIDs: their first eight characters.
    """
    if kind != "session":
        return disarm(identifier[:8])
    return disarm(identifier[-10:-4] if len(identifier) > 20 else identifier[-6:])  # noqa: PLR2004 - shorter ids have no such part


def size(count: int) -> str:
    """Bytes as people say them: `312 B`, `4.2 MB`."""
    if count >= 10**18:
        return "over 1,000,000 TB"  # a stranger's number, and perhaps too long for a float
    if count < 1000:  # noqa: PLR2004 - the units are powers of 1000
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the last one is told
        value /= 1000
        if value < 999.5:  # noqa: PLR2004 - else it would be rounded to 1000
            break
    return f"{value:.1f} {unit}" if value < 99.5 else f"{value:.0f} {unit}"  # noqa: PLR2004 - three digits


def duration(seconds: float) -> str:
    """Seconds as people say them: `85 ms`, `1.5 s`, `20 min 9 s`, `3 h 5 min`, `2 d 4 h`."""
    sign, value = ("-" if seconds < 0 else ""), abs(seconds)
    if value < 0.9995:  # noqa: PLR2004 - else it would be rounded to 1000 ms
        return f"{sign}{value * 1000:.0f} ms"
    if value < 59.95:  # noqa: PLR2004 - else it would be rounded to 60 s
        return f"{sign}{value:.1f} s"
    whole = round(value)
    for big, small, per, of in (
        ("d", "h", 86400, 3600),
        ("h", "min", 3600, 60),
        ("min", "s", 60, 1),
    ):
        if whole >= per:
            rest = whole % per // of
            return f"{sign}{whole // per} {big}" + (f" {rest} {small}" if rest else "")
    return f"{sign}{whole} s"


def clock(at: datetime) -> str:
    """The local time of day with milliseconds: `14:02:07.318`."""
    return at.astimezone().strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03d}"


def iso(at: datetime) -> str:
    """An instant as the capture writes it: `2026-11-24T09:30:00.123456Z`."""
    micros = at.microsecond
    return f"{_utc_second(round(at.timestamp() - micros / 1e6))}.{micros:06d}Z"


@lru_cache(maxsize=64)
def _utc_second(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat()[:19]


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun: `1 delivery`, `1,204 deliveries`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
