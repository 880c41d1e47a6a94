import gzip
import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from tests.support.factories import make_line
from vmon.capture import inputs
from vmon.errors import WrongUse
from vmon.events.catalogue import TYPES
from vmon.search import reader, scan, tail
from vmon.search.filter import Filter


@pytest.fixture
def lines() -> list[bytes]:
    """A capture of one delivery of each type."""
    return [make_line(json.dumps(one.sample).encode()) for one in TYPES.values()]


def packed_zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACKERS = [gzip.compress, packed_zstd]


def chosen_of_file(path: Path | None, event_filter: Filter) -> list[bytes]:
    source = str(path) if path else None
    return [line for batch in reader.batches((source,), event_filter) for line, _ in batch]


@pytest.mark.parametrize("pack", PACKERS)
def test_compressed_captures_are_read_also_when_appended_to(
    pack: Callable[[bytes], bytes], lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "any-name"
    path.write_bytes(pack(b"".join(lines[:5])) + pack(b"".join(lines[5:])))
    assert chosen_of_file(path, Filter()) == lines


@pytest.mark.parametrize("pack", PACKERS)
@pytest.mark.parametrize("damage", ["cut", "cut at a line", "changed"])
def test_a_damaged_compressed_file_is_an_error_message(
    pack: Callable[[bytes], bytes], damage: str, tmp_path: Path
) -> None:
    noise = [make_line(os.urandom(300)) for _ in range(500)]
    packed = bytearray(pack(b"".join(noise)))
    if damage == "cut":
        del packed[len(packed) // 2 :]
    elif damage == "cut at a line":
        del packed[-3:]
    else:
        packed[5:60] = b"\xff" * 55
    path = tmp_path / "a"
    path.write_bytes(packed)
    with pytest.raises(WrongUse, match="cannot") as caught:
        chosen_of_file(path, Filter())
    assert str(path) in caught.value.message


@pytest.mark.parametrize("pack", PACKERS)
def test_what_stands_before_damage_is_found(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    noise = [make_line(os.urandom(300)) for _ in range(1500)]
    path = tmp_path / "a"
    path.write_bytes(pack(b"".join(noise))[:-40_000])
    found: list[bytes] = []

    def find() -> None:
        with inputs.open_input(str(path)) as stream:
            for batch in scan.select(stream, "a", Filter(), lambda _bad: None):
                found.extend(line for line, _ in batch)

    with pytest.raises(WrongUse, match="cannot read all of"):
        find()
    assert found == noise[: len(found)]
    assert len(found) > 1100


def skippable(data: bytes) -> bytes:
    """A frame of zstd that holds no data of the file: pzstd and seekable zstd write such."""
    return b"\x5e\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data


def test_zstd_with_frames_to_be_skipped_is_read(lines: list[bytes], tmp_path: Path) -> None:
    path, (before, after) = tmp_path / "a", (b"".join(lines[:5]), b"".join(lines[5:]))
    path.write_bytes(
        skippable(b"") + skippable(b"x" * 9000) + packed_zstd(before) + skippable(b"y")
        + packed_zstd(after) + skippable(b"a seek table")
    )  # fmt: skip # one thing a line
    assert chosen_of_file(path, Filter()) == lines
    assert [line for line, _ in tail.last(str(path), 2, Filter())[0]] == lines[-2:]


@pytest.mark.skipif(shutil.which("pzstd") is None, reason="pzstd is not installed")
def test_what_pzstd_compressed_is_read(lines: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(lines * 2000))
    subprocess.run(["pzstd", "-q", "-p", "2", path], check=True, timeout=60)
    assert chosen_of_file(tmp_path / "a.jsonl.zst", Filter()) == lines * 2000


def test_an_unreadable_file_is_an_error_message(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"cannot read .*none: No such file"):
        chosen_of_file(tmp_path / "none", Filter())
    with pytest.raises(WrongUse, match=r"cannot read .*: Is a directory"):
        chosen_of_file(tmp_path, Filter())


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.FileIO]:
    """The writing end of a pipe that is standard input."""
    reading, writing = os.pipe()
    with io.FileIO(reading) as stdin, io.FileIO(writing, "w") as out:
        monkeypatch.setattr("sys.stdin", stdin)
        yield out


@pytest.mark.parametrize("pack", [bytes, *PACKERS])
def test_standard_input_is_read_plain_and_compressed(
    pack: Callable[[bytes], bytes], lines: list[bytes], piped: io.FileIO
) -> None:
    packed = pack(b"".join(lines))
    assert len(packed) < 1 << 16  # a pipe takes it without a reader
    piped.write(packed)
    piped.close()
    assert chosen_of_file(None, Filter()) == lines


def test_a_line_in_a_pipe_is_chosen_before_the_pipe_ends(
    lines: list[bytes], piped: io.FileIO
) -> None:
    piped.write(lines[0])
    with inputs.open_input(None) as stream:
        batches = scan.select(stream, "standard input", Filter(), print)
        watch = threading.Timer(5, piped.close)  # else a failure would hang
        watch.start()
        assert [line for line, _ in next(batches)] == lines[:1]
        assert watch.is_alive()
        watch.cancel()
        piped.write(lines[1])
        assert [line for line, _ in next(batches)] == lines[1:2]


def test_a_followed_file_gives_what_is_appended_later(lines: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines[0])
    with inputs.open_input(str(path), follow=True) as stream:
        batches = scan.select(stream, "a", Filter(), print)
        assert [line for line, _ in next(batches)] == lines[:1]
        with path.open("ab", buffering=0) as file:
            file.write(lines[1][:50])
            later = threading.Timer(0.02, file.write, (lines[1][50:],))
            later.start()
            assert [line for line, _ in next(batches)] == lines[1:2]
            later.join()
