"""Reading stored deliveries: captures and bare bodies, files and pipes, plain and compressed.

What a file holds is told by how it begins and ends: capture lines make it a capture, anything
else is decoded line by line. In a capture a filter by type decodes nothing: it looks for the
canonical beginning of a line, block by block.
"""

from __future__ import annotations

import io
import sys
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from vmon.capture import ASIDE, START
from vmon.catalogue import TYPES
from vmon.errors import VmonError, WrongUse
from vmon.follow import Following
from vmon.memmem import finder
from vmon.plan import WORD, Plan, plan_of, span_of
from vmon.text import disarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zstandard import ZstdDecompressionObj

    from vmon.entry import Entry
    from vmon.filters import Filter

BLOCK = 1 << 20
_GZIP, _ZSTD, _BOM = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf"
_ZSTD_CHUNK = 1 << 12  # at most 128 MiB when unpacked: runs of one byte


class Readable(Protocol):
    """A stream of bytes: `readinto` gives how many it read, 0 at the end."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read into the buffer."""


class BadLine(NamedTuple):
    """A line that holds no delivery: its number (from 1; 0 where none are counted), and why."""

    source: str
    number: int
    why: str

    def __str__(self) -> str:
        """As it is told: `file.jsonl:17: skipped: not JSON …`."""
        place = f":{self.number}" if self.number else ""
        return f"{self.source}{place}: a line is skipped: {disarm(self.why)}"


def say_bad(bad: BadLine) -> None:
    """Warn of a line that holds nothing, on standard error."""
    sys.stderr.write(f"warning: {bad}\n")


Stored = tuple[bytes, "Entry | None"]
"""A line of a file, and the entry it holds (None where nobody had to decode it yet)."""


@contextmanager
def opened(path: str | None, *, follow: bool = False, start: int = 0) -> Iterator[Stream]:
    """The decompressed bytes of a file, or of standard input (None); WrongUse when unreadable.

    A file that is followed is read from `start`, never decompressed, and has no end.
    """
    name = source_name(path)
    with _told(name):
        raw = _stdin() if path is None else open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - pathlib costs 5 ms; closed below
        raw.seek(start) if start else None
        following = Following(raw, path) if follow else None
        told = Stream(following or _decompressed(raw), name, raw)
    try:
        yield told
    finally:
        told.count()
        if following:
            following.close()
        raw.close()


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What goes wrong in reading becomes words."""
    try:
        yield
    except OSError as error:
        raise WrongUse(f"cannot read {name}: {error.strerror or error}") from None
    except Exception as error:
        if not _is_damage(error):
            raise
        raise WrongUse(f"{name} cannot be read to its end: {error}") from None


class Stream:
    """A stream whose failures are told in words, and that knows how far it is."""

    def __init__(self, stream: Readable, name: str, raw: io.RawIOBase) -> None:
        self._stream = stream
        self._name = name
        self._place = raw if raw.seekable() else None
        self._done = 0

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read into the buffer."""
        with _told(self._name):
            count = self._stream.readinto(buffer)
        if self._place is None:
            self._done += count or 0
        return count

    def count(self) -> None:
        """Note how far it was read, before it is closed."""
        if self._place and not self._place.closed:
            self._done = self._place.tell()

    @property
    def done(self) -> int:
        """How many bytes of the file are read; of a pipe, of what is in it."""
        self.count()
        return self._done


def source_name(path: str | None) -> str:
    """How messages call a source."""
    return "standard input" if path is None else str(path)


def _stdin() -> io.RawIOBase:
    return io.FileIO(sys.stdin.fileno(), closefd=False)


def _decompressed(raw: io.RawIOBase) -> Readable:
    if raw.seekable():
        magic = raw.read(4) or b""
        raw.seek(0)
        plain: io.RawIOBase | io.BufferedReader = raw
    else:
        plain = _Pipe(raw, BLOCK)
        magic = plain.peek(4)[:4]
    if magic.startswith(_GZIP):
        import gzip

        return gzip.GzipFile(fileobj=plain)
    if magic.startswith(_ZSTD):
        return _Zstd(plain)
    return plain


class _Pipe(io.BufferedReader):
    """A pipe that can be peeked into, and gives what there is without waiting for a whole block."""

    readinto = io.BufferedReader.readinto1


class _Zstd:
    """The decompressed bytes of zstd frames; unlike zstandard's own reader it tells a cut."""

    def __init__(self, plain: io.RawIOBase | io.BufferedReader) -> None:
        self._plain = plain
        self._frame: ZstdDecompressionObj | None = None
        self._ahead = b""
        self._out = memoryview(b"")

    def readinto(self, buffer: memoryview, /) -> int:
        while not self._out:
            chunk = self._ahead or self._plain.read(_ZSTD_CHUNK)
            if not chunk:
                if self._frame:
                    raise EOFError("it breaks off")
                return 0
            self._feed(chunk)
        count = min(len(buffer), len(self._out))
        buffer[:count] = self._out[:count]
        self._out = self._out[count:]
        return count

    def _feed(self, chunk: bytes) -> None:
        from zstandard import ZstdDecompressor

        frame = self._frame = self._frame or ZstdDecompressor().decompressobj()
        self._out, self._ahead = memoryview(frame.decompress(chunk)), b""
        if frame.eof:
            self._frame, self._ahead = None, frame.unused_data


def _is_damage(error: Exception) -> bool:
    """Whether this is what a decompressor says of a file that is damaged or cut off."""
    return isinstance(error, EOFError | zlib.error) or type(error).__name__ == "ZstdError"


class Blocks:
    """The whole lines of a stream, a block at a time: `data[1:end]`, a newline before them.

    Memory is one block, or the longest line where that is longer.
    """

    def __init__(self, stream: Readable, size: int = BLOCK) -> None:
        self._stream = stream
        self._filled = self.end = 1
        self._take(bytearray(b"\n").ljust(size + 1, b"\0"))
        self.rest = b""

    def _take(self, data: bytearray) -> None:
        self.data = data
        self.find = finder(data)

    def fill(self) -> bool:
        """Read the next block; False at the end, when `rest` is what had no newline."""
        kept = self._filled - self.end
        self.data[1 : 1 + kept] = self.data[self.end : self._filled]
        self._filled, self.end = 1 + kept, 1
        while self.end == 1:
            if self._filled == len(self.data):
                self._take(self.data + bytes(len(self.data)))
            with memoryview(self.data)[self._filled :] as free:
                count = self._stream.readinto(free)
            if not count:
                self.rest = bytes(self.data[1 : self._filled])
                return False
            self.end = max(self.data.rfind(b"\n", self._filled, self._filled + count) + 1, 1)
            self._filled += count
        return True

    def lines(self) -> list[bytes]:
        """The lines of this block, each with its newline."""
        return [line + b"\n" for line in bytes(self.data[1 : self.end - 1]).split(b"\n")]

    def remaining(self) -> bytes:
        """All from this block to the end of the stream."""
        parts = [bytes(self.data[1 : self.end])]
        while self.fill():
            parts.append(bytes(self.data[1 : self.end]))
        return b"".join((*parts, self.rest))

    def is_capture(self) -> bool:
        """Whether the block begins and ends with capture lines: then all of it is taken so."""
        last = self.data.rfind(b"\n", 0, self.end - 1) + 1
        return self.data.startswith(START, 1) and self.data.startswith(START, last)


def choose(  # noqa: PLR0913 - one for each thing that can be asked of reading
    stream: Readable,
    name: str,
    chosen: Filter,
    bad: Callable[[BadLine], None],
    *,
    only_lines: bool = False,
    entries: bool = True,
) -> Iterator[list[Stored]]:
    """The chosen lines of a stream in their order, a block at a time; `bad` is told of bad lines.

    With `only_lines` it is taken for lines, however it begins. A bad line is told of where every
    line is looked at, and has its number where all before it are counted. Without `entries` no bare
    body is read for more than what the filter asks.
    """
    blocks, whole, judge = Blocks(stream), plan_of(chosen), _Judge(name, chosen, bad)
    span = None if chosen.invert else span_of(chosen)
    in_time = plan_of(chosen._replace(since=None, until=None)) if span else whole
    first = not only_lines
    while blocks.fill():
        capture, plan = blocks.is_capture(), whole
        if capture and span and (placed := _place(blocks, span)):
            first = False
            if placed == "outside":
                judge.lose_count()
                continue
            plan = in_time
        if first and not capture and _is_document(blocks.data):
            break
        chosen_of = _of_capture if capture else _of_bodies
        yield chosen_of(blocks, plan, judge, entries=entries)
        first = False
    if first and (blocks.end > 1 or _is_document(blocks.rest)):
        yield judge.all(_documents(blocks))
    else:
        yield judge.all([blocks.rest])


def _of_capture(blocks: Blocks, plan: Plan, judge: _Judge, *, entries: bool) -> list[Stored]:
    """The chosen lines of a block of capture lines."""
    del entries  # they are read when they are wanted
    if plan.exact and plan.begins == (START,):
        return judge.as_they_are(blocks.lines())
    if not (plan.exact or plan.needle or plan.any_of):
        return judge.all(blocks.lines(), plan.begins)
    judge.lose_count()
    candidates = _candidates(blocks, plan)
    if plan.exact:
        return [(line, None) for line in candidates]
    return judge.some(candidates, plan.settled)


def _of_bodies(blocks: Blocks, plan: Plan, judge: _Judge, *, entries: bool) -> list[Stored]:
    """The chosen lines of a block of bare bodies."""
    if plan.signs and (lines := _looks_whole(blocks)):
        signed = _signed(blocks, plan.signs)
        found = judge.placed(signed, blocks.data, None if entries else plan.types)
        judge.pass_over(lines)
        return found
    return judge.all(blocks.lines())


def read(
    stream: Readable, name: str, chosen: Filter, bad: Callable[[BadLine], None]
) -> Iterator[tuple[bytes, Entry]]:
    """The chosen lines of a stream, each with its entry, one by one."""
    for batch in choose(stream, name, chosen, bad):
        yield from with_entries(batch, name, bad)


def with_entries(
    batch: Iterable[Stored], name: str, bad: Callable[[BadLine], None]
) -> Iterator[tuple[bytes, Entry]]:
    """The lines that hold something, each with its entry: nobody may have looked at them yet.

    One torn by `kill -9` begins as a capture line does, and holds nothing.
    """
    for line, entry in batch:
        if found := entry or _entry(line, name, bad):
            yield line, found


def _entry(line: bytes, name: str, bad: Callable[[BadLine], None], number: int = 0) -> Entry | None:
    """What a line holds; None, and a report, when it holds nothing."""
    if line.isspace() or not line or line.startswith(ASIDE):
        return None
    from vmon.line import read_line

    try:
        return read_line(line, number)
    except (ValueError, VmonError) as error:  # a body may decompress to too much
        bad(BadLine(name, number, str(error)))
        return None


class _Judge:
    """Puts a filter to lines by decoding them, and reports those that hold nothing."""

    def __init__(self, name: str, chosen: Filter, bad: Callable[[BadLine], None]) -> None:
        self._name = name
        self._chosen = chosen
        self._bad = bad
        self._number = 0
        self._counts = True

    def lose_count(self) -> None:
        """Lines went by uncounted: those that follow have no number."""
        self._counts = False

    def all(self, lines: Iterable[bytes], begins: tuple[bytes, ...] = ()) -> list[Stored]:
        """The chosen ones of consecutive lines; capture lines that do not begin so are not read."""
        found: list[Stored] = []
        for line in lines:
            self._number += 1
            if begins and line.startswith(START) and not line.startswith(begins):
                continue
            entry = self.entry(line, self._number if self._counts else 0)
            if entry and self._chosen(entry):
                found.append((line if line.endswith(b"\n") else line + b"\n", entry))
        return found

    def as_they_are(self, lines: Iterable[bytes]) -> list[Stored]:
        """All of consecutive lines: those that begin a capture line are not read."""
        found: list[Stored] = []
        for line in lines:
            self._number += 1
            if not line.startswith(START):
                entry = self.entry(line, self._number if self._counts else 0)
                found += [(line, entry)] if entry else []
            elif not line.startswith(ASIDE):
                found.append((line, None))
        return found

    def some(self, lines: Iterable[bytes], settled: bytes | None) -> list[Stored]:
        """The chosen ones of lines picked out of many: nobody knows their numbers."""
        found: list[Stored] = []
        for line in lines:
            if settled and _is_settled(line, settled):
                found.append((line, None))
            elif (entry := self.entry(line)) and self._chosen(entry):
                found.append((line, entry))
        return found

    def pass_over(self, lines: int) -> None:
        """So many lines went by."""
        self._number += lines

    def placed(
        self, lines: Iterable[tuple[int, bytes]], data: bytearray, types: frozenset[str] | None
    ) -> list[Stored]:
        """The chosen ones of lines picked out of a block's data, each with where it begins.

        Where all that is asked for are `types`, nothing else is read.
        """
        found: list[Stored] = []
        number, at = self._number + 1, 1
        for start, line in lines:
            if types is not None and (told := _bare_type(line)):
                if told in types:
                    found.append((line, None))
                continue
            number, at = number + data.count(b"\n", at, start), start
            entry = self.entry(line, number if self._counts else 0)
            if entry and self._chosen(entry):
                found.append((line, entry))
        return found

    def entry(self, line: bytes, number: int = 0) -> Entry | None:
        """What a line holds; None, and a report, when it holds nothing."""
        return _entry(line, self._name, self._bad, number)


_RECEIVED = b',"received_at":"'


def _place(blocks: Blocks, span: tuple[bytes, bytes]) -> Literal["inside", "outside"] | None:
    """Where all capture lines of a block are in time; None where that differs from line to line.

    A body may have such a key too: then one instant more has to be on the same side.
    """
    begun = _common_time(blocks)
    if begun and (begun + b"~" < span[0] or begun >= span[1]):
        return "outside"
    whole = bytes(blocks.data[1 : blocks.end])
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
    data, end = blocks.data, blocks.end
    places = data.find(_RECEIVED, 1, end), data.rfind(_RECEIVED, 1, end)
    first, last = (bytes(data[at + len(_RECEIVED) : at + len(_RECEIVED) + 27]) for at in places)
    pairs = enumerate(zip(first, last, strict=False))
    common = first[: next((place for place, (a, b) in pairs if a != b), len(first))]
    alike = data.count(_RECEIVED + common, 1, end)
    return common if alike == data.count(_RECEIVED, 1, end) else b""


def _candidates(blocks: Blocks, plan: Plan) -> Iterator[bytes]:
    """The capture lines of a block that pass the plan's own tests."""
    needle = plan.needle
    if plan.any_of:
        signed = (line for _, line in _signed(blocks, plan.any_of))
        yield from (line for line in signed if line.startswith(plan.begins))
    elif needle is None:
        yield from (line for line in blocks.lines() if line.startswith(plan.begins))
    elif plan.escapable and WORD.fullmatch(needle):
        signed = (line for _, line in _signed(blocks, plan.signs))
        yield from (line for line in signed if line.startswith(plan.begins))
    elif plan.escapable and any(blocks.find(sign, 1, blocks.end) >= 0 for sign in _HIDING):
        begun = (line for line in blocks.lines() if line.startswith(plan.begins))
        signs = (needle, *_HIDING)
        yield from (line for line in begun if any(sign in line for sign in signs))
    else:
        yield from _around(blocks, needle, plan.begins)


def _is_settled(line: bytes, settled: bytes) -> bool:
    """Whether this stands right after the name of a capture line's type."""
    end = line.find(b'"', len(START))
    return line.startswith(settled, end) and line[end - 1 : end] != b"\\"


def _bare_type(line: bytes) -> str | None:
    """The type that a bare body names; None where the line has to be read otherwise."""
    import msgspec

    try:
        value = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return None
    named = value.get("event") if type(value) is dict and "vmon" not in value else None
    return named if type(named) is str and named in TYPES else None


def _looks_whole(blocks: Blocks) -> int:
    """How many lines a block of bare bodies has; 0 where one is not an object by its two ends."""
    data, last = blocks.data, blocks.end
    if not (data.startswith(b"{", 1) and data.endswith((b"}\n", b"}\r\n"), 1, last)):
        return 0
    lines, joints = data.count(b"\n", 1, last), data.count(b"}\n{", 1, last)
    if joints < lines - 1:
        joints += data.count(b"}\r\n{", 1, last)
    return lines if joints == lines - 1 else 0


def _signed(blocks: Blocks, signs: tuple[bytes, ...]) -> Iterator[tuple[int, bytes]]:
    """The lines of a block that have one of the signs in them, and where they begin."""
    find, data, last = blocks.find, blocks.data, blocks.end
    places: dict[int, int] = {}
    for sign in signs:
        at = find(sign, 1, last)
        while at >= 0:
            end = data.find(b"\n", at, last) + 1
            places[data.rfind(b"\n", 0, at) + 1] = end
            at = find(sign, end, last)
    for start, end in sorted(places.items()):
        yield start, bytes(data[start:end])


_HIDING = (b"\\", b',"body_base64":"')


def _around(blocks: Blocks, needle: bytes, begins: tuple[bytes, ...]) -> list[bytes]:
    """The lines of a block in which the needle stands, if they begin as they should."""
    find, data, last = blocks.find, blocks.data, blocks.end
    whole_line = data.find
    found = []
    at = find(needle, 0, last)
    while at >= 0:
        start = data.rfind(b"\n", 0, at + 1) + 1
        end = whole_line(b"\n", at + 1, last) + 1
        if data.startswith(begins, start):
            found.append(bytes(data[start:end]))
        at = find(needle, end - 1, last)
    return found


def _is_document(data: bytes | bytearray) -> bool:
    """Whether this is JSON of several lines: an array, or objects laid out to be read."""
    begin = bytes(data[:4096]).removeprefix(b"\n").removeprefix(_BOM).lstrip()
    if begin[:1] == b"[" or begin.split(b"\n", 1)[0].strip() == b"{":
        return True
    return begin[:1] == b"{" and not begin.startswith(START) and _is_foreign(begin)


def _is_foreign(begin: bytes) -> bool:
    from vmon.foreign import is_foreign  # costs a capture nothing

    return is_foreign(begin)


def has_lines(path: str) -> bool:
    """Whether a file can be read from its end: plain lines, and no document; else WrongUse."""
    with _told(path), open(path, "rb", buffering=0) as raw:  # noqa: PTH123 - pathlib costs 5 ms
        if not raw.seekable():
            return False
        begin = raw.read(4096)
    return not begin.startswith((_GZIP, _ZSTD)) and not _is_document(begin)


def _documents(blocks: Blocks) -> Iterator[bytes]:
    """The deliveries of JSON documents, each as one line; what breaks them off comes last.

    The whole is held in memory: an array has no lines to go by.
    """
    import json

    whole = blocks.remaining().removeprefix(_BOM)
    text, decoder, at = whole.decode("utf-8", "surrogateescape"), json.JSONDecoder(), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            end = decoder.raw_decode(text, at)[1]
        except (ValueError, RecursionError):
            if not text[:at].strip() and text[at] == "{":  # lines after all, the first one torn
                yield from whole.splitlines(keepends=True)
                return
            end = len(text)
        yield from _elements(text[at:end].encode("utf-8", "surrogateescape"))
        at = end


def _elements(document: bytes) -> Iterable[bytes]:
    """The elements of an array, or the one document, each on one line."""
    import msgspec

    from vmon.foreign import lines_of

    if (foreign := lines_of(document)) is not None:
        return foreign
    try:
        found = msgspec.json.decode(document, type=list[msgspec.Raw])
    except (ValueError, RecursionError):
        return [_on_one_line(document)]
    return [_on_one_line(bytes(element)) for element in found]


def _on_one_line(document: bytes) -> bytes:
    """JSON with its line ends turned to spaces: they stand between tokens, never in a string."""
    return document.replace(b"\r", b" ").replace(b"\n", b" ")
