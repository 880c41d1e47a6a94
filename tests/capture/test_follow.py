import gzip
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from vmon.capture import follow, inputs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a.jsonl"
    made.write_bytes(b"1\n2\n")
    return made


@pytest.fixture
def seen(path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., bytes]:
    """Follow the file: what was read of it when each step was done as soon as it waited."""
    monkeypatch.setattr(follow, "_EVERY_S", 0.0)

    def read(*steps: Callable[[], object], size: int = 64, start: int = 0) -> bytes:
        class Over(Exception):
            pass

        left = list(steps)

        def waited(_: float) -> None:
            if not left:
                raise Over
            left.pop(0)()

        monkeypatch.setattr("time.sleep", waited)
        found, buffer = bytearray(), memoryview(bytearray(size))
        with inputs.open_input(str(path), follow=True, start=start) as stream:
            try:
                while count := stream.readinto(buffer):
                    found += buffer[:count]
            except Over:
                return bytes(found)
        raise AssertionError("it came to an end")

    return read


Seen = Callable[..., bytes]


def append(path: Path, data: bytes) -> Callable[[], object]:
    def step() -> None:
        with path.open("ab") as file:
            file.write(data)

    return step


def rotate(path: Path, data: bytes) -> Callable[[], object]:
    def step() -> None:
        path.rename(path.with_name("a.1"))
        path.write_bytes(data)

    return step


def test_what_is_appended_is_read(seen: Seen, path: Path) -> None:
    assert seen(append(path, b"3\n"), append(path, b"4\n")) == b"1\n2\n3\n4\n"
    assert seen(append(path, b"5\n"), start=6) == b"4\n5\n"


@pytest.mark.parametrize("size", [1, 64])
def test_a_file_that_is_renamed_is_read_to_its_end_and_then_its_successor(
    seen: Seen, path: Path, size: int
) -> None:
    steps = append(path, b"3\n"), rotate(path, b"4\n"), append(path, b"5\n"), rotate(path, b"6\n")
    assert seen(*steps, size=size) == b"1\n2\n3\n4\n5\n6\n"


def test_what_was_written_just_before_the_renaming_is_read(seen: Seen, path: Path) -> None:
    def both() -> None:
        append(path, b"3\n")()
        rotate(path, b"4\n")()

    assert seen(both) == b"1\n2\n3\n4\n"


def test_a_moment_without_a_file_is_waited_through(seen: Seen, path: Path) -> None:
    def away() -> None:
        path.rename(path.with_name("a.1"))

    assert seen(away, lambda: path.write_bytes(b"3\n")) == b"1\n2\n3\n"


def test_a_file_that_is_cut_short_is_read_from_its_beginning(seen: Seen, path: Path) -> None:
    assert seen(lambda: path.write_bytes(b""), append(path, b"3\n")) == b"1\n2\n3\n"
    assert seen(lambda: path.write_bytes(b"")) == b"3\n"


def test_a_line_that_breaks_off_is_not_glued_to_the_next_file(seen: Seen, path: Path) -> None:
    assert seen(append(path, b'{"torn'), rotate(path, b"4\n")) == b'1\n2\n{"torn\n4\n'


def put_aside(path: Path, number: int, data: bytes, *, packed: bool = False) -> None:
    """As `listen --rotate` does: the full file gets a number, and is compressed some time later."""
    full = path.with_name(f"a.{number}.jsonl")
    path.rename(full)
    if packed:
        full.with_name(full.name + ".gz").write_bytes(gzip.compress(full.read_bytes()))
        full.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("packed", [False, True])
def test_no_segment_closed_meanwhile_is_skipped(
    seen: Seen,
    path: Path,
    packed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    put_aside(path, 1, b"3\n")

    def thrice() -> None:
        for number in (2, 3, 4):
            put_aside(path, number, b"%d\n" % (number + 2), packed=packed)

    def once() -> None:
        put_aside(path, 5, b"7\n", packed=packed)

    assert seen(thrice, once, append(path, b"8\n")) == b"3\n4\n5\n6\n7\n8\n"


def test_a_full_file_that_was_removed_is_no_end(seen: Seen, path: Path) -> None:
    def twice() -> None:
        put_aside(path, 1, b"3\n")
        put_aside(path, 2, b"4\n")
        path.with_name("a.2.jsonl").unlink()

    assert seen(twice, append(path, b"5\n")) == b"1\n2\n4\n5\n"


def test_what_is_followed_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_EVERY_S", 0.01)
    with inputs.open_input(str(path), follow=True) as stream:
        buffer = memoryview(bytearray(64))
        assert stream.readinto(buffer) == 4
        timer = threading.Timer(0.02, rotate(path, b"new\n"))
        timer.start()
        assert stream.readinto(buffer) == 4
        timer.join()


def test_following_ends_when_the_reader_of_standard_output_is_gone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(follow, "_STDOUT", writer)
    monkeypatch.setattr("time.sleep", lambda _: os.close(reader))
    with inputs.open_input(str(path), follow=True) as stream:
        buffer = memoryview(bytearray(64))
        assert stream.readinto(buffer) == 4
        with pytest.raises(follow.Unread):
            stream.readinto(buffer)
    os.close(writer)


def test_without_poll_a_reader_that_is_gone_is_left_to_the_next_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert follow._is_unread(writing)
    monkeypatch.delattr(select, "poll")
    assert not follow._is_unread(writing)
    os.close(writing)
