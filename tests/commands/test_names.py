"""The names of connections in output that shows only a part of a capture."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.factories import make_line
from vmon.commands.names import known_names
from vmon.events.catalogue import TYPES
from vmon.search.filter import Filter

if TYPE_CHECKING:
    from tests.support.processes import Start

STREAMS = Filter(types=frozenset({"streamCreated"}))
SESSION = str(TYPES["connectionCreated"].sample["sessionId"])


def body(name: str, data: str) -> bytes:
    sample: dict[str, Any] = json.loads(json.dumps(TYPES[name].sample))
    (sample["connection"] if "connection" in sample else sample["stream"]["connection"])["data"] = (
        data
    )
    return json.dumps(sample).encode()


CONNECTION = json.loads(body("connectionCreated", ""))["connection"]["id"]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        make_line(body("connectionCreated", '{"name":"Ann"}'))
        + make_line(body("streamCreated", ""))
    )
    return path


def test_a_name_that_the_filter_hides_is_found(capture: Path) -> None:
    find = known_names((str(capture),), STREAMS)
    assert find is not None
    assert find(SESSION, CONNECTION) == "Ann"
    assert find(SESSION, "another") is None


def test_nothing_is_read_twice_where_nothing_is_hidden_or_there_is_only_standard_input(
    capture: Path,
) -> None:
    assert known_names((str(capture),), Filter()) is None
    assert known_names((None,), STREAMS) is None


def test_a_pipe_is_not_read_for_names(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert known_names((str(tmp_path / "fifo"),), STREAMS) is None
    assert known_names((str(tmp_path),), STREAMS) is not None


@pytest.mark.parametrize("command", [["filter"], ["replay", "--speed", "max"]])
def test_a_person_has_the_same_name_whatever_is_filtered(
    start: "Start", capture: Path, command: list[str]
) -> None:
    code, out, _ = start(*command, "--format", "line", "--event", "stream*", capture).result()
    assert code == 0
    assert " Ann " in out
