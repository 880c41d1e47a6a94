import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.factories import make_line
from vmon.capture import inputs
from vmon.search import scan, tail
from vmon.search.filter import Filter

Run = Callable[..., tuple[int, str, str]]
LINES = (
    b'{"event":"archive"}',
    b'{"event":"streamCreated","sessionId":"2_A"}',
    b"[1]",
    b"",
    b"nonsense",
    b"{",
    b'{"event":"archive","name":"' + b"x" * 300 + b'"}',
    (
        b'{"vmon":1,"type":"archive","session":null,"id":"1-a","received_at":"2026-11-24T00:00:00Z"'
        b',"method":"POST","path":"/","headers":[],"remote":null,"body":{"event":"archive"}}'
    ),
)
ARCHIVES = Filter(types=frozenset({"archive"}))
CASES = st.one_of(
    st.tuples(st.lists(st.sampled_from(LINES), max_size=40), st.just(Filter())),
    # By type a foreign line between two of a capture need not be seen: it hangs on the block.
    st.tuples(st.lists(st.sampled_from(LINES[:-1]), max_size=40), st.just(ARCHIVES)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    CASES,
    st.sampled_from([b"", b"\n"]),
    st.integers(0, 12),
    st.integers(1, 700),
)
def test_the_last_are_those_that_reading_it_all_gives(
    tmp_path_factory: pytest.TempPathFactory,
    case: tuple[list[bytes], Filter],
    end_of_it: bytes,
    number: int,
    size: int,
) -> None:
    lines, chosen = case
    path = tmp_path_factory.mktemp("tail") / "a.jsonl"
    first = LINES[1]  # what begins with a document is read whole
    path.write_bytes(b"\n".join((first, *lines)) + end_of_it)
    with inputs.open_input(str(path)) as stream:
        batches = scan.select(stream, "a", chosen, lambda _bad: None)
        whole = [line for batch in batches for line, _ in batch]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "_FIRST", size)
        patch.setattr(tail, "_STEP", 97)
        found, end = tail.last(str(path), number, chosen)
    assert [line for line, _ in found] == whole[len(whole) - min(number, len(whole)) :]
    assert end == path.stat().st_size


def test_only_the_end_of_a_huge_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    line = make_line(b'{"event":"archive"}')
    with path.open("wb") as file:
        file.write(line)
        file.truncate(1 << 33)  # 8 GiB of nothing, that take no place
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + line * 3000)
    read: list[int] = []
    real = os.pread

    def pread(fd: int, count: int, at: int) -> bytes:
        read.append(count)
        return real(fd, count, at)

    monkeypatch.setattr(os, "pread", pread)
    found, _ = tail.last(str(path), 20, ARCHIVES)
    assert [one for one, _ in found] == [line] * 20
    assert sum(read) < 1 << 20


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: b"[%b]" % data.replace(b"\n", b",")])
def test_what_has_no_end_to_read_from_is_read_whole(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(pack(b"\n".join(b'{"event":"archive","id":"%d"}' % n for n in range(9))))
    found, _ = tail.last(str(path), 2, ARCHIVES)
    assert [json.loads(line)["id"] for line, _ in found] == ["7", "8"]


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b'{"event":"archive"}\n{"event":"arch')
    found, end = tail.last(str(path), 2, ARCHIVES, whole_lines=True)
    assert ([line for line, _ in found], end) == ([b'{"event":"archive"}\n'], 20)


def test_the_filter_has_a_tail(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a"
    lines = ['{"event":"archive"}\n', '{"event":"render"}\n', '{"event":"archive","a":1}\n']
    path.write_text("".join(lines))
    assert vmon_run("filter", path, "--tail", "2") == (0, "".join(lines[1:]), "")
    assert vmon_run("filter", path, "--tail", "1", "--event", "render")[1] == lines[1]
    assert vmon_run("filter", path, "--tail", "0")[:2] == (1, "")


def test_the_tail_of_several_files_is_the_last_of_all(vmon_run: Run, tmp_path: Path) -> None:
    lines = [f'{{"event":"archive","id":"{n}"}}\n' for n in range(4)]
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("".join(lines[:2]))
    second.write_text("".join(lines[2:]))
    event_filter = ("filter", first, second, "--sort", "none", "--tail", "3")
    assert vmon_run(*event_filter) == (0, "".join(lines[1:]), "")
    assert vmon_run(*event_filter, "--count") == (0, "3\n", "")
