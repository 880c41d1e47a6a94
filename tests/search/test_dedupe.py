import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.busy_day import Day
from tests.support.factories import make_entry, make_line
from vmon.search.dedupe import Dedupe

Run = Callable[..., tuple[int, str, str]]


def said(session: str, number: int) -> bytes:
    return json.dumps(
        {"event": "sessionCreated", "sessionId": session, "timestamp": number}
    ).encode()


def test_the_first_copy_passes_and_the_others_are_counted() -> None:
    first = Dedupe()
    told = [first(make_entry(said("2_A", number))) for number in (1, 2, 1, 1, 2)]
    assert told == [True, True, False, False, False]
    assert first.hidden == 3


def test_at_another_path_a_body_is_no_copy_unless_any_path_is_asked_for() -> None:
    entries = [make_entry(said("2_A", 1), path=path) for path in ("/a", "/b", "/a", "/b")]
    assert [Dedupe()(entries[0]), Dedupe()(entries[1])] == [True, True]
    by_path, anywhere = Dedupe(), Dedupe(any_path=True)
    assert [by_path(one) for one in entries] == [True, True, False, False]
    assert [anywhere(one) for one in entries] == [True, False, False, False]


@pytest.mark.parametrize(("option", "left"), [("--dedupe", 2), ("--dedupe=any-path", 1)])
def test_filter_and_replay_dedupe_by_path_or_at_any_path(
    option: str, left: int, vmon_run: Run, tmp_path: Path
) -> None:
    capture = tmp_path / "two-urls.jsonl"
    paths = ("/hooks", "/pr-123/hooks", "/hooks")
    capture.write_bytes(b"".join(make_line(said("2_A", 1), path=path) for path in paths))
    assert vmon_run("filter", option, "--count", capture)[1] == f"{left}\n"
    out = vmon_run("replay", option, "--speed", "max", "--format", "json", capture)[1]
    assert len(out.splitlines()) == left


def test_an_empty_body_always_passes() -> None:
    first = Dedupe()
    assert [first(make_entry(b"")) for _ in range(3)] == [True] * 3


def test_what_is_remembered_is_bounded_and_the_silent_are_forgotten_first() -> None:
    first = Dedupe(room=4)
    for session, number in (("2_A", 1), ("2_A", 2), ("2_B", 1), ("2_A", 2), ("2_C", 1), ("2_C", 2)):
        first(make_entry(said(session, number)))
    assert first._held <= 4
    assert not first(make_entry(said("2_A", 1)))
    assert first(make_entry(said("2_B", 1)))


def test_a_line_without_a_delivery_passes() -> None:
    assert Dedupe().line((b'{"vmon":1,"type":"arch', None))


@pytest.fixture
def day(tmp_path: Path) -> tuple[int, int, Path]:
    made, path = Day(5, 300), tmp_path / "day.jsonl"
    path.write_bytes(b"".join(made.lines()))
    assert made.truth.duplicates
    return made.truth.events, made.truth.duplicates, path


def test_filter_leaves_out_the_copies_of_a_day_in_every_form(
    vmon_run: Run, day: tuple[int, int, Path]
) -> None:
    events, copies, path = day
    code, out, err = vmon_run("filter", "--dedupe", path)
    assert (code, len(out.splitlines())) == (0, events)
    assert err == f"{copies} duplicates skipped\n"
    assert vmon_run("filter", "--dedupe", "--count", path)[1] == f"{events}\n"
    assert vmon_run("filter", "--dedupe", "--fields", "type", path)[1].count("\n") == events + 1


def test_replay_leaves_them_out_too(vmon_run: Run, day: tuple[int, int, Path]) -> None:
    events, copies, path = day
    code, out, err = vmon_run("replay", "--dedupe", "--speed", "max", "--format", "json", path)
    assert (code, len(out.splitlines())) == (0, events)
    assert f"{copies} duplicates skipped\n" in err
    dry = json.loads(vmon_run("replay", "--dedupe", "--dry-run", "--format", "json", path)[1])
    assert dry["deliveries"] == events
    assert vmon_run("replay", "--dedupe", "--failed")[0] == 2
