import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.factories import make_line
from vmon.search import matching
from vmon.search import sort as merge

Run = Callable[..., tuple[int, str, str]]
BEGUN = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.fixture
def at() -> Callable[..., bytes]:
    """Make the line of a delivery received so many seconds after ten."""

    def line(second: int, said: int | None = None) -> bytes:
        event = int((BEGUN + timedelta(seconds=second if said is None else said)).timestamp())
        body = {"event": "streamCreated", "timestamp": event * 1000, "n": second}
        received = BEGUN + timedelta(seconds=second)
        return make_line(json.dumps(body).encode(), received_at=received)

    return line


def numbers(out: str) -> list[int]:
    return [json.loads(line)["body"]["n"] for line in out.splitlines()]


def test_files_and_folders_are_one_in_the_order_of_receipt(
    vmon_run: Run, at: Callable[..., bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(at(1) + at(4)))
    (folder / "a.jsonl").write_bytes(at(2) + at(5))
    (folder / "a.jsonl.5a17c0de.forward").write_bytes(b"{}\n")
    single = tmp_path / "c.jsonl"
    single.write_bytes(at(0) + at(3) + at(6))
    code, out, err = vmon_run("filter", folder, single)
    assert (code, err, numbers(out)) == (0, "", [0, 1, 2, 3, 4, 5, 6])
    out = vmon_run("filter", folder, single, "--sort", "none")[1]
    assert numbers(out) == [2, 5, 1, 4, 0, 3, 6]
    assert numbers(vmon_run("filter", folder, "--tail", "1")[1]) == [5]
    assert vmon_run("filter", folder, "--follow")[0] == 2
    assert "has more than one capture" in vmon_run("replay", folder)[2]


def test_one_file_can_be_sorted_by_what_the_events_say(
    vmon_run: Run, at: Callable[..., bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(at(1, 9) + at(2, 7) + at(3, 8))
    assert numbers(vmon_run("filter", path, "--sort", "event")[1]) == [2, 3, 1]
    assert numbers(vmon_run("filter", path)[1]) == [1, 2, 3]


def test_sorting_by_events_holds_back_no_more_than_its_bound(
    at: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "BOUND", 2)
    lines = [(at(n, said), None) for n, said in enumerate((5, 4, 3, 2, 1))]
    said = [json.loads(line)["body"]["n"] for line, _ in merge.by_event(iter(lines))]
    assert said == [2, 3, 4, 1, 0]


def test_a_file_is_opened_when_its_time_has_come(at: Callable[..., bytes], tmp_path: Path) -> None:
    names = []
    for number in range(9):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(at(2 * number) + at(2 * number + 1))
        names.append(str(path))
    open_now: set[str | None] = set()
    most = 0

    def read(source: str | None) -> Iterator[list[matching.StoredLine]]:
        nonlocal most
        open_now.add(source)
        most = max(most, len(open_now))
        assert source is not None
        yield [(line, None) for line in Path(source).read_bytes().splitlines(keepends=True)]
        open_now.discard(source)

    found = [line for batch in merge.merged(names[::-1], read, "received") for line, _ in batch]
    assert [json.loads(line)["body"]["n"] for line in found] == list(range(18))
    assert most == 1


@pytest.mark.parametrize("torn", [b'{"vmon":1,"type":"x\n', b'{"vmon":1,"type":"x","session":"\n'])
def test_a_torn_line_among_whole_ones_ends_nothing(
    vmon_run: Run, at: Callable[..., bytes], tmp_path: Path, torn: bytes
) -> None:
    one, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    one.write_bytes(at(1) + torn + at(3))
    other.write_bytes(at(2))
    out = vmon_run("filter", one, other)[1].encode()
    assert out == at(1) + torn + at(2) + at(3)
    for sort in ("received", "event"):
        code, drawn, err = vmon_run("filter", one, other, "--sort", sort, "--fields", "type")
        assert (code, drawn) == (0, "type\n" + "streamCreated\n" * 3)
        assert "a.jsonl: skipped" in err
