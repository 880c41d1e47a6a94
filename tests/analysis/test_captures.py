import fcntl
import gzip
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.factories import make_line
from vmon.analysis import captures
from vmon.capture.codec import Outage, outage_line
from vmon.errors import WrongUse
from vmon.events.catalogue import TYPES
from vmon.events.verdict import Verdict
from vmon.forward.journal import JournalTarget, create_journal

pytestmark = pytest.mark.usefixtures("names")

Run = Callable[..., tuple[int, str, str]]
DAY = 86400.0
RECEIVED = datetime(2016, 8, 3, 21, 16, 0, 318_542, tzinfo=UTC)


@pytest.fixture
def lines() -> list[bytes]:
    bodies = [json.dumps(one.sample).encode() for one in TYPES.values()]
    return [
        make_line(body, received_at=RECEIVED + timedelta(seconds=number))
        for number, body in enumerate(bodies)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data" / "vmon" / "captures"
    made.mkdir(parents=True)
    return made


def keep(path: Path, data: bytes, age_s: float = 0.0) -> Path:
    path.write_bytes(data)
    at = time.time() - age_s
    os.utime(path, (at, at))
    return path


def test_counting_by_lines_gives_what_decoding_gives(lines: list[bytes], tmp_path: Path) -> None:
    path = keep(tmp_path / "a.jsonl", b"".join(lines * 300))
    held = captures.held(path)
    assert held == captures._by_decoding(path)
    assert held.types == Counter(dict.fromkeys(TYPES, 300))
    assert (held.first_at, held.last_at) == (RECEIVED, RECEIVED + timedelta(seconds=14))
    packed = keep(tmp_path / "a.jsonl.gz", gzip.compress(path.read_bytes()))
    assert captures.held(packed) == held


def test_outages_are_no_deliveries_and_torn_lines_are_none_either(
    lines: list[bytes], tmp_path: Path
) -> None:
    outage = outage_line("1-2", Outage("https://x", RECEIVED, RECEIVED, "gone"))
    path = keep(tmp_path / "a.jsonl", lines[0] + outage + lines[1] + b'{"vmon":1,"type":"arch')
    held = captures.held(path)
    assert held.types.total() == 2
    assert held.last_at == RECEIVED + timedelta(seconds=1)


def test_a_quote_in_a_session_does_not_make_another_of_it(tmp_path: Path) -> None:
    names = ['a"b', 'a"c', "a\\", None]
    made = [
        make_line(json.dumps({"event": "archive", "sessionId": name}).encode()) for name in names
    ]
    assert captures.held(keep(tmp_path / "a.jsonl", b"".join(made))).sessions == 3


def test_sessions_of_a_signed_capture_are_counted_without_their_verdicts(tmp_path: Path) -> None:
    sessions = ["1_A", "2_B", 'a"b', None]
    verdicts = [
        Verdict("valid", "", "main"), Verdict("invalid", 'a "why", "id":"x"'),
        Verdict("stale", "since 14 s"), Verdict("unsigned", refused=True), None,
    ]  # fmt: skip # one thing a line
    made = [
        make_line({"event": "archive", "sessionId": session}, verdict=verdict)
        for session in sessions
        for verdict in verdicts
    ]
    held = captures.held(keep(tmp_path / "a.jsonl", b"".join(made)))
    assert held.sessions == 3
    assert held == captures._by_decoding(tmp_path / "a.jsonl")


def test_bare_bodies_are_counted_too(tmp_path: Path) -> None:
    path = keep(tmp_path / "a.jsonl", b'{"event":"streamCreated"}\nnonsense\n')
    assert captures.held(path).types == {"streamCreated": 1}
    assert captures.held(keep(tmp_path / "b.jsonl", b"")) == (Counter(), 0, None, None)


def test_the_list_is_newest_first_with_its_sums(
    vmon_run: Run, folder: Path, lines: list[bytes]
) -> None:
    keep(folder / "old.jsonl", b"".join(lines), 2 * DAY)
    keep(folder / "new.jsonl", lines[0])
    keep(folder / "not-one.txt", b"")
    code, out, err = vmon_run("captures")
    assert (code, err) == (0, "")
    heads = out.splitlines()[::2]
    assert [head.split()[0].rpartition("/")[2] for head in heads] == ["new.jsonl", "old.jsonl"]
    assert "2 d old" in heads[1]
    assert "2016-08-03 21:16:00 for 14.0 s, 15 deliveries" in heads[1]
    assert "session 3  connection 2  stream 2  archive 1" in out.splitlines()[3]


def test_the_list_for_machines(vmon_run: Run, folder: Path, lines: list[bytes]) -> None:
    path = keep(folder / "a.jsonl", b"".join(lines))
    said = json.loads(vmon_run("captures", "--format", "json")[1])
    (one,) = said["captures"]
    assert said["folder"] == str(folder)
    assert (one["path"], one["deliveries"], one["in_use"]) == (str(path), 15, False)
    assert one["first_at"] == "2016-08-03T21:16:00.318542Z"


def test_a_damaged_capture_is_reported_and_the_others_are_listed(
    vmon_run: Run, folder: Path, lines: list[bytes]
) -> None:
    keep(folder / "a.jsonl.gz", gzip.compress(b"".join(lines))[:-20])
    keep(folder / "b.jsonl", lines[0])
    code, out, err = vmon_run("captures")
    assert code == 0
    assert "cannot read all of" in err
    assert "1 delivery" in out
    assert "unreadable" in out


def test_without_captures_the_list_says_so(vmon_run: Run, folder: Path) -> None:
    assert vmon_run("captures") == (0, "", f"no captures in {folder}\n")
    assert vmon_run("captures", "--path") == (0, f"{folder}\n", "")
    assert vmon_run("captures", "--prune", "1d")[0] == 0
    assert vmon_run("captures", "--yes")[0] == 2


def test_pruning_says_what_and_removes_nothing_where_nobody_can_be_asked(
    vmon_run: Run, folder: Path, lines: list[bytes]
) -> None:
    path = keep(folder / "a.jsonl", lines[0], 40 * DAY)
    code, out, err = vmon_run("captures", "--prune", "30d")
    assert code == 2
    assert out.startswith("~/data/vmon/captures/a.jsonl, 40 d old, ")
    assert err == ("error: nothing removed: cannot ask for confirmation here\nhint: add --yes\n")
    assert path.exists()


def test_pruning_takes_the_old_with_their_journals_and_leaves_what_is_in_use(
    vmon_run: Run, folder: Path, lines: list[bytes]
) -> None:
    gone = keep(folder / "a.jsonl", lines[0])
    create_journal(gone, "5a17c0de", (JournalTarget("http://x", types=("archive",)),), 0).close(
        keep=True
    )
    keep(gone, lines[0], 40 * DAY)
    used = keep(folder / "b.jsonl", lines[0], 40 * DAY)
    young = keep(folder / "c.jsonl", lines[0], DAY)
    with used.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, out, err = vmon_run("captures", "--prune", "30d", "--yes")
    assert (code, err) == (0, "removed 1 capture\n")
    assert "with 1 forwarding journal" in out
    assert sorted(folder.iterdir()) == [used, young]


def test_unsent_deliveries_are_reported_before_a_capture_is_removed(folder: Path) -> None:
    line = make_line(b'{"event":"archive"}', id="00053932d7f0ab-5a17c0de")
    path = keep(folder / "a.jsonl", line * 2)
    place = JournalTarget("http://x", types=("archive",))
    create_journal(path, "5a17c0de", (place,), 0).close(keep=True)
    ((_, unsent),) = captures.old(folder, 0)
    assert unsent == 2


def test_a_segment_is_listed_with_its_unsent_deliveries_and_its_journal_stays(folder: Path) -> None:
    lines = [
        make_line(b'{"event":"archive","n":%d}' % number, id=f"{number:014x}-5a17c0de")
        for number in range(3)
    ]
    place = JournalTarget("http://x", types=("archive",))
    journal = create_journal(folder / "a.jsonl", "5a17c0de", (place,), 0)
    journal.begin(lines[0], 0)
    journal.begin(lines[2], len(lines[0]) * 2)
    full = keep(folder / "a.1.jsonl", lines[0] + lines[1], 40 * DAY)
    keep(folder / "a.jsonl", lines[2])
    assert captures.old(folder, DAY) == []  # the run that goes on may still send from it
    journal.close(keep=True)
    ((gone, unsent),) = captures.old(folder, DAY)
    assert (gone.path, gone.journals, unsent) == (full, (), 2)
    assert [unsent for _, unsent in captures.old(folder, 0)] == [2, 1]
    assert captures.remove(captures.old(folder, DAY)[0])
    assert sorted(folder.iterdir()) == [folder / "a.jsonl", journal.path]
    ((_, unsent),) = captures.old(folder, 0)
    assert unsent == 1


def test_a_capture_that_is_written_meanwhile_stays(folder: Path, lines: list[bytes]) -> None:
    path = keep(folder / "a.jsonl", lines[0], 40 * DAY)
    (one,) = captures.old(folder, DAY)
    with path.open("ab") as file:
        file.write(lines[1])
    assert not captures.remove(one)
    assert path.exists()


def test_a_capture_that_cannot_be_opened_is_wrong_use(
    folder: Path, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(folder / "a.jsonl", lines[0], 40 * DAY)
    (one,) = captures.old(folder, DAY)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(WrongUse, match="cannot remove"):
        captures.remove(one)


def test_the_list_imports_nothing_of_servers(
    imports_of: Callable[..., set[str]], folder: Path, lines: list[bytes]
) -> None:
    keep(folder / "a.jsonl", lines[0])
    assert not imports_of("captures") & {"aiohttp", "pyngrok", "asyncio"}
