import codecs
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.factories import DATA
from vmon.capture.encodings import Utf8, utf_16

Run = Callable[..., tuple[int, str, str]]
LINES = b"".join(
    b" ".join((DATA / "seed" / f"{name}.json").read_bytes().split()) + b"\n"
    for name in ("connectionCreated", "connectionDestroyed", "streamCreated")
)
TEXT = LINES.decode() + '{"event":"archive","name":"Zoë 🎉"}\n'
UTF_16 = {
    "BOM, little-endian": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "BOM, big-endian": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "no BOM, little-endian": TEXT.encode("utf-16-le"),
    "no BOM, big-endian": TEXT.encode("utf-16-be"),
}


class Trickle:
    """A stream that gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        self._file, self._step = io.BytesIO(data), step

    def readinto(self, buffer: memoryview, /) -> int:
        return self._file.readinto(buffer[: self._step])


def whole(data: bytes, step: int) -> bytes:
    stream, found, buffer = Utf8(Trickle(data, step), "a"), b"", bytearray(64)
    while count := stream.readinto(memoryview(buffer)):
        found += buffer[:count]
    return found


@pytest.mark.parametrize("step", [1, 2, 3, 4, 64])
def test_a_bom_goes_however_few_bytes_come_at_a_time(step: int) -> None:
    for rest in (b"", b"{", LINES):
        assert whole(codecs.BOM_UTF8 + rest, step) == rest
    for plain in (b"", b"\xef", b"\xef\xbb", b"\xff", b"{", b"\0", LINES):
        assert whole(plain, step) == plain


@pytest.mark.parametrize("step", [2, 3, 64])
@pytest.mark.parametrize("data", UTF_16.values(), ids=UTF_16)
def test_utf_16_comes_out_as_utf_8(
    data: bytes, step: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert whole(data, step) == TEXT.encode()
    assert capsys.readouterr().err == "a is UTF-16: converted to UTF-8\n"
    assert utf_16(data)


def test_two_files_with_a_bom_are_one_stream_for_jq(vmon_run: Run, tmp_path: Path) -> None:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path in paths:
        path.write_bytes(codecs.BOM_UTF8 + LINES)
    code, out, err = vmon_run("filter", "--sort", "none", *paths)
    assert (code, out.encode(), err) == (0, LINES * 2, "")
    assert [json.loads(line)["event"] for line in out.splitlines()].count("streamCreated") == 2


@pytest.mark.parametrize("args", [(), ("--tail", "9"), ("--sort", "event")], ids=str)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_bom_in_a_file_is_no_part_of_its_first_body(
    args: tuple[str, ...], pack: Callable[[bytes], bytes], vmon_run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(pack(codecs.BOM_UTF8 + LINES))
    code, out, err = vmon_run("filter", *args, path)
    assert (code, sorted(out.splitlines()), err) == (0, sorted(LINES.decode().splitlines()), "")


@pytest.mark.parametrize("args", [(), ("--tail", "9")], ids=str)
@pytest.mark.parametrize("data", UTF_16.values(), ids=UTF_16)
def test_a_file_in_utf_16_is_read_and_said_in_one_line(
    data: bytes, args: tuple[str, ...], vmon_run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    code, out, err = vmon_run("filter", *args, path)
    assert (code, out) == (0, TEXT)
    assert err == f"{path} is UTF-16: converted to UTF-8\n"


def test_an_array_in_utf_16_is_read(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps([json.loads(line) for line in LINES.splitlines()]).encode("utf-16"))
    code, out, _ = vmon_run("filter", "--count", path)
    assert (code, out) == (0, "3\n")


def test_powershells_utf_16_comes_through_a_pipe(
    environment: dict[str, str], tmp_path: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "vmon", "filter", "--count", "-"],
        input=UTF_16["BOM, little-endian"],
        env=environment, cwd=tmp_path, capture_output=True,
        timeout=30, check=True,
    )  # fmt: skip # one thing a line
    assert ran.stdout == b"4\n"
