"""Match stored lines against a filter."""

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
    """A line without a delivery: its number (from 1; 0 where lines are not counted), and why."""

    source: str
    number: int
    why: str

    def __str__(self) -> str:
        """Describe it: `file.jsonl:17: skipped: not JSON …`."""
        place = f":{self.number}" if self.number else ""
        return f"{self.source}{place}: skipped: {disarm(self.why)}"


StoredLine = tuple[bytes, "Entry | None"]
"""A line of a file, and its entry (None where it is not decoded yet).

A pair, because objects with a lazy entry slow `filter --event` by a sixth where many lines match.
"""

DecodedLine = tuple[bytes, "Entry"]
"""A line and its decoded entry."""


def entry_of(stored: StoredLine) -> Entry:
    """Return the entry of a line, decoding it if necessary; ValueError or VmonError without one."""
    line, entry = stored
    return entry or _codec().read_line(line)


@cache
def _codec() -> Any:
    """Return the module that decodes lines: imported lazily, and looked up once."""
    from vmon.capture import codec

    return codec


def _entry(line: bytes, name: str, bad: Callable[[BadLine], None], number: int = 0) -> Entry | None:
    """Decode a line; None, and a report to `bad`, where it holds no delivery."""
    if line.isspace() or not line or line.startswith(ASIDE):
        return None
    try:
        entry: Entry = _codec().read_line(line, number)
    except (ValueError, VmonError) as error:  # a body may decompress to too much
        bad(BadLine(name, number, str(error)))
        return None
    return entry


class LineMatcher:
    """Matches lines against a filter by decoding them, and reports those without a delivery."""

    def __init__(self, name: str, chosen: Filter, bad: Callable[[BadLine], None]) -> None:
        self._name = name
        self._chosen = chosen
        self._bad = bad
        self._number = 0
        self._counts = True
        self.found_inside: int | None = None
        """How many events inside log lines are selected; None where there were no such events."""

    def stop_counting(self) -> None:
        """Stop numbering lines: some were skipped uncounted."""
        self._counts = False

    def all(self, lines: Iterable[bytes], begins: tuple[bytes, ...] = ()) -> list[StoredLine]:
        """Match consecutive lines; capture lines without one of the prefixes are not decoded."""
        found: list[StoredLine] = []
        for line in lines:
            self._number += 1
            if begins and line.startswith(START) and not line.startswith(begins):
                continue
            self.match(line, found, self._number if self._counts else 0)
        return found

    def undecoded(self, lines: Iterable[bytes]) -> list[StoredLine]:
        """Return all of consecutive lines; capture lines are not decoded."""
        found: list[StoredLine] = []
        for line in lines:
            self._number += 1
            if not line.startswith(START):
                self.match(line, found, self._number if self._counts else 0)
            elif not line.startswith(ASIDE):
                found.append((line, None))
        return found

    def some(self, lines: Iterable[bytes], settled: bytes | None) -> list[StoredLine]:
        """Match lines that were searched out of a block: their numbers are unknown."""
        found: list[StoredLine] = []
        for line in lines:
            if settled and _is_settled(line, settled):
                found.append((line, None))
            else:
                self.match(line, found)
        return found

    def skip(self, lines: int) -> None:
        """Count so many skipped lines."""
        self._number += lines

    def at_places(
        self, lines: Iterable[tuple[int, bytes]], blocks: Blocks, types: frozenset[str] | None
    ) -> list[StoredLine]:
        """Match lines that were searched out of a block, each with its start in the block's data.

        With `types`, which is then the whole filter, only the type of a bare body is decoded.
        """
        found: list[StoredLine] = []
        number, at, count = self._number + 1, blocks.start, blocks.data.count
        for start, line in lines:
            if types is not None and (name := _bare_type(line)):
                if name in types:
                    found.append((line, None))
                continue
            number, at = number + count(b"\n", at, start), start
            self.match(line, found, number if self._counts else 0)
        return found

    def match(self, line: bytes, found: list[StoredLine], number: int = 0) -> None:
        """Decode a line and append it where it matches; of a log line, the events inside."""
        if not line.startswith(START):
            found += self._match_foreign(line, number)
            return
        entry = _entry(line, self._name, self._bad, number)
        if entry and self._chosen(entry):
            found.append((line if line.endswith(b"\n") else line + b"\n", entry))

    def _match_foreign(self, line: bytes, number: int) -> Iterable[StoredLine]:
        """Match a line that is not a capture's."""
        if line.isspace() or not line:
            return ()
        entry, why = None, ""
        try:
            entry = _codec().read_line(line, number)
        except (ValueError, VmonError) as error:
            why = str(error)
        if entry and not _may_wrap(line, entry):
            return ((_with_newline(line), entry),) if self._chosen(entry) else ()
        if inner := _events_in(line):
            return self._match_inside(inner, number)
        if entry and not _is_log_line(entry):
            return ((_with_newline(line), entry),) if self._chosen(entry) else ()
        self._bad(BadLine(self._name, number, why or "a log line without an event"))
        return ()

    def _match_inside(self, bodies: list[bytes], number: int) -> list[StoredLine]:
        """Match the events inside a log line."""
        events = ((body + b"\n", _codec().bare(body, number)) for body in bodies)
        found: list[StoredLine] = [(line, entry) for line, entry in events if self._chosen(entry)]
        self.found_inside = (self.found_inside or 0) + len(found)
        return found


def _with_newline(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n"


def _may_wrap(line: bytes, entry: Entry) -> bool:
    """Whether a line of JSON may contain events: event bodies are not searched."""
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
    """The module that searches log lines, imported only when one is searched."""
    from vmon.capture import logs

    return logs


_RECEIVED = b',"received_at":"'


def _place(blocks: Blocks, span: tuple[bytes, bytes]) -> Literal["inside", "outside"] | None:
    """Locate the capture lines of a block relative to a time span; None where they differ.

    A body may have such a key too: then one more timestamp has to be on the same side.
    """
    prefix = _common_time(blocks)
    if prefix and (prefix + b"~" < span[0] or prefix >= span[1]):
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
    """Return the common prefix of all times of receipt in a block; empty where there is none.

    Counting a prefix takes a tenth of the time of parsing each timestamp.
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
    """Whether `settled` follows the type of a capture line."""
    end = line.find(b'"', len(START))
    return line.startswith(settled, end) and line[end - 1 : end] != b"\\"


def _bare_type(line: bytes) -> str | None:
    """Return the type that a bare body names; None where the line has to be decoded in full."""
    try:
        if not line.isascii():
            line.decode()  # the decoder does not check UTF-8 in fields it skips
        body = _type_decoder()(line)
    except (ValueError, RecursionError):
        return None
    return body.event if not body.vmon and body.event in TYPES else None


@cache
def _type_decoder() -> Callable[[bytes], Any]:
    """Make a decoder of a body's type, and of whether it is a capture line."""
    from msgspec import NODEFAULT, Raw, defstruct, json

    fields: list[tuple[str, Any, Any]] = [("event", str, NODEFAULT), ("vmon", Raw, Raw())]
    return json.Decoder(defstruct("Naming", fields)).decode


def _whole_lines(blocks: Blocks) -> int:
    """Count the lines of a block of bare bodies; 0 where one is not delimited as an object."""
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


def _lines_with(
    blocks: Blocks, signs: tuple[bytes, ...], *, any_case: bool
) -> Iterator[tuple[int, bytes]]:
    """Search the lines of a block that contain one of the signs, each with its start."""
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


def _with_prefix(blocks: Blocks, begins: tuple[bytes, ...]) -> list[StoredLine]:
    """Search the lines of a block that start with one of the prefixes."""
    if len(begins) != 1:
        return [(line, None) for line in blocks.lines() if line.startswith(begins)]
    newline, view, last = blocks.data.find, blocks.view, blocks.end
    return [
        (view[at + 1 : newline(b"\n", at + 1, last) + 1].tobytes(), None)
        for at in blocks.places(b"\n" + begins[0])
    ]
