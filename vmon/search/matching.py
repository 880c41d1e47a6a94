"""Lines judged by a filter."""

from __future__ import annotations

from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from vmon.capture.format import ASIDE, START
from vmon.errors import VmonError
from vmon.events.catalogue import TYPES
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmon.capture.blocks import Blocks
    from vmon.events.entry import Entry
    from vmon.search.filter import Filter


class BadLine(NamedTuple):
    """A line that holds no delivery: its number (from 1; 0 where none are counted), and why."""

    source: str
    number: int
    why: str

    def __str__(self) -> str:
        """As it is told: `file.jsonl:17: skipped: not JSON …`."""
        place = f":{self.number}" if self.number else ""
        return f"{self.source}{place}: skipped: {disarm(self.why)}"


StoredLine = tuple[bytes, "Entry | None"]
"""A line of a file, and the entry it holds (None where nobody had to decode it yet).

A pair: as an object with a lazy entry a line would cost `filter --event` a sixth where many match.
"""

DecodedLine = tuple[bytes, "Entry"]
"""A line that was decoded."""


def entry_of(stored: StoredLine) -> Entry:
    """The entry of a line, decoded where it was not; ValueError or VmonError where it has none."""
    line, entry = stored
    return entry or _codec().read_line(line)


@cache
def _codec() -> Any:
    """The module that decodes lines, imported only where one is decoded, and looked up once."""
    from vmon.capture import codec

    return codec


def _entry(line: bytes, name: str, bad: Callable[[BadLine], None], number: int = 0) -> Entry | None:
    """What a line holds; None, and a report, when it holds nothing."""
    if line.isspace() or not line or line.startswith(ASIDE):
        return None
    try:
        entry: Entry = _codec().read_line(line, number)
    except (ValueError, VmonError) as error:  # a body may decompress to too much
        bad(BadLine(name, number, str(error)))
        return None
    return entry


class LineMatcher:
    """Puts a filter to lines by decoding them, and reports those that hold nothing."""

    def __init__(self, name: str, chosen: Filter, bad: Callable[[BadLine], None]) -> None:
        self._name = name
        self._chosen = chosen
        self._bad = bad
        self._number = 0
        self._counts = True
        self.found_inside: int | None = None
        """How many of the events inside lines of a log are chosen; None where there are none."""

    def lose_count(self) -> None:
        """Lines went by uncounted: those that follow have no number."""
        self._counts = False

    def all(self, lines: Iterable[bytes], begins: tuple[bytes, ...] = ()) -> list[StoredLine]:
        """The chosen ones of consecutive lines; capture lines that do not begin so are not read."""
        found: list[StoredLine] = []
        for line in lines:
            self._number += 1
            if begins and line.startswith(START) and not line.startswith(begins):
                continue
            found += self.matches(line, self._number if self._counts else 0)
        return found

    def as_they_are(self, lines: Iterable[bytes]) -> list[StoredLine]:
        """All of consecutive lines: those that begin a capture line are not read."""
        found: list[StoredLine] = []
        for line in lines:
            self._number += 1
            if not line.startswith(START):
                found += self.matches(line, self._number if self._counts else 0)
            elif not line.startswith(ASIDE):
                found.append((line, None))
        return found

    def some(self, lines: Iterable[bytes], settled: bytes | None) -> list[StoredLine]:
        """The chosen ones of lines picked out of many: nobody knows their numbers."""
        found: list[StoredLine] = []
        for line in lines:
            if settled and _is_settled(line, settled):
                found.append((line, None))
            else:
                found += self.matches(line)
        return found

    def pass_over(self, lines: int) -> None:
        """So many lines went by."""
        self._number += lines

    def placed(
        self, lines: Iterable[tuple[int, bytes]], blocks: Blocks, types: frozenset[str] | None
    ) -> list[StoredLine]:
        """The chosen ones of lines picked out of a block's data, each with where it begins.

        Where all that is asked for are `types`, nothing else is read.
        """
        found: list[StoredLine] = []
        number, at, count = self._number + 1, blocks.start, blocks.data.count
        for start, line in lines:
            if types is not None and (told := _bare_type(line)):
                if told in types:
                    found.append((line, None))
                continue
            number, at = number + count(b"\n", at, start), start
            found += self.matches(line, number if self._counts else 0)
        return found

    def matches(self, line: bytes, number: int = 0) -> Iterable[StoredLine]:
        """The line and what it holds, where that is chosen; of a log's line, the events inside."""
        if not line.startswith(START):
            return self._other(line, number)
        entry = _entry(line, self._name, self._bad, number)
        return ((_ended(line), entry),) if entry and self._chosen(entry) else ()

    def _other(self, line: bytes, number: int) -> Iterable[StoredLine]:
        """The same of what is no line of a capture."""
        if line.isspace() or not line:
            return ()
        entry, why = None, ""
        try:
            entry = _codec().read_line(line, number)
        except (ValueError, VmonError) as error:
            why = str(error)
        if entry and not _may_wrap(line, entry):
            return ((_ended(line), entry),) if self._chosen(entry) else ()
        if inner := _events_in(line):
            return self._inside(inner, number)
        if entry and not _is_log_line(entry):
            return ((_ended(line), entry),) if self._chosen(entry) else ()
        self._bad(BadLine(self._name, number, why or "a log line without an event"))
        return ()

    def _inside(self, bodies: list[bytes], number: int) -> list[StoredLine]:
        """The chosen ones of events that were found inside a line."""
        read = ((body + b"\n", _codec().bare(body, number)) for body in bodies)
        found: list[StoredLine] = [(line, entry) for line, entry in read if self._chosen(entry)]
        self.found_inside = (self.found_inside or 0) + len(found)
        return found


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n"


def _may_wrap(line: bytes, entry: Entry) -> bool:
    """Whether a line that is JSON may have events inside it: whole bodies are not looked into."""
    if entry.type != "unknown" and "event" in entry.payload.value:
        return False
    return entry.delivery.body == line.strip() and bool(_logs().may_wrap(entry.payload))


def _events_in(line: bytes) -> list[bytes]:
    if b"{" not in line or line.startswith(_codec().WHY):
        return []
    found: list[bytes] = _logs().events_in(line)
    return found


def _is_log_line(entry: Entry) -> bool:
    return bool(_logs().is_log_line(entry.payload.value))


@cache
def _logs() -> Any:
    """The module that looks into lines of logs, imported only where there are some."""
    from vmon.capture import logs

    return logs


_RECEIVED = b',"received_at":"'


def _place(blocks: Blocks, span: tuple[bytes, bytes]) -> Literal["inside", "outside"] | None:
    """Where all capture lines of a block are in time; None where that differs from line to line.

    A body may have such a key too: then one instant more has to be on the same side.
    """
    begun = _common_time(blocks)
    if begun and (begun + b"~" < span[0] or begun >= span[1]):
        return "outside"
    whole = blocks.view[blocks.start : blocks.end].tobytes()
    times = [part[:28] for part in whole.split(_RECEIVED)[1:]]
    if len(times) < whole.count(b"\n") or not all(time.endswith(b'Z"') for time in times):
        return None
    first, last = min(times), max(times)
    if last < span[0] or first >= span[1]:
        return "outside"
    return "inside" if first >= span[0] and last < span[1] else None


def _common_time(blocks: Blocks) -> bytes:
    """How all the times of receipt in a block begin; empty where they begin differently.

    Counting what they have in common is a tenth of the work of looking at each.
    """
    data, start, end = blocks.data, blocks.start, blocks.end
    places = data.find(_RECEIVED, start, end), data.rfind(_RECEIVED, start, end)
    if places[0] < 0:
        return b""
    first, last = (bytes(data[at + len(_RECEIVED) : at + len(_RECEIVED) + 27]) for at in places)
    pairs = enumerate(zip(first, last, strict=False))
    common = first[: next((place for place, (a, b) in pairs if a != b), len(first))]
    alike = data.count(_RECEIVED + common, start, end)
    return common if alike == data.count(_RECEIVED, start, end) else b""


def _is_settled(line: bytes, settled: bytes) -> bool:
    """Whether this stands right after the name of a capture line's type."""
    end = line.find(b'"', len(START))
    return line.startswith(settled, end) and line[end - 1 : end] != b"\\"


def _bare_type(line: bytes) -> str | None:
    """The type that a bare body names; None where the line has to be read otherwise."""
    try:
        if not line.isascii():
            line.decode()  # of what is not asked for, the decoder does not ask that
        body = _naming()(line)
    except (ValueError, RecursionError):
        return None
    return body.event if not body.vmon and body.event in TYPES else None


@cache
def _naming() -> Callable[[bytes], Any]:
    """What reads of a body the type it names, and whether it is a capture's line."""
    from msgspec import NODEFAULT, Raw, defstruct, json

    fields: list[tuple[str, Any, Any]] = [("event", str, NODEFAULT), ("vmon", Raw, Raw())]
    return json.Decoder(defstruct("Naming", fields)).decode


def _looks_whole(blocks: Blocks) -> int:
    """How many lines a block of bare bodies has; 0 where one is not an object by its two ends."""
    lines = blocks.lines()
    try:
        begins, ends = set(map(_FIRST, lines)), set(map(_LAST, lines))
    except IndexError:  # nothing but a newline
        return 0
    if begins != {ord("{")} or not ends <= {ord("}"), ord("\r")}:
        return 0
    is_whole = ends == {ord("}")} or all(line.endswith((b"}\n", b"}\r\n")) for line in lines)
    return len(lines) if is_whole else 0


_FIRST, _LAST = itemgetter(0), itemgetter(-2)


def _signed(
    blocks: Blocks, signs: tuple[bytes, ...], *, any_case: bool
) -> Iterator[tuple[int, bytes]]:
    """The lines of a block that have one of the signs in them, and where they begin."""
    data, view, last = blocks.data, blocks.view, blocks.end
    places = blocks.places_in_lower() if any_case else blocks.places
    lines: dict[int, int] = {}
    for sign in signs:
        end = 0
        for at in places(sign):
            if at >= end:
                end = data.find(b"\n", at, last) + 1
                lines[data.rfind(b"\n", 0, at) + 1] = end
    for start, end in sorted(lines.items()):
        yield start, view[start:end].tobytes()


def _begun(blocks: Blocks, begins: tuple[bytes, ...]) -> list[StoredLine]:
    """The lines of a block that begin so."""
    if len(begins) != 1:
        return [(line, None) for line in blocks.lines() if line.startswith(begins)]
    newline, view, last = blocks.data.find, blocks.view, blocks.end
    return [
        (view[at + 1 : newline(b"\n", at + 1, last) + 1].tobytes(), None)
        for at in blocks.places(b"\n" + begins[0])
    ]
