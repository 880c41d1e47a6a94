from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from vmon.cli.options import (
    Command,
    asker,
    filter_option,
    option,
    redactor_from,
)
from vmon.cli.quantities import Duration, Size

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., tuple[int, str, str]]


@click.command(cls=Command)
@option("--for", "for_s", type=Duration(), default="10s")
@filter_option("--size", type=Size(), default="1MiB")
def command(for_s: float, size: int) -> None:
    click.echo(f"{for_s:g} {size}")


@pytest.mark.parametrize(
    ("args", "out"),
    [
        ((), "10 1048576\n"),
        (("--for", "1h30m"), "5400 1048576\n"),
        (("--for", "250ms", "--size", "2KiB"), "0.25 2048\n"),
    ],
)
def test_durations_are_seconds_and_sizes_are_bytes(args: tuple[str, ...], out: str) -> None:
    assert CliRunner().invoke(command, args).output == out


@pytest.mark.parametrize("args", [("--for", "soon"), ("--size", "huge"), ("--for", "-1")])
def test_what_is_none_is_wrong_use(args: tuple[str, ...]) -> None:
    result = CliRunner().invoke(command, args)
    assert result.exit_code == 2
    assert args[0] in result.output


def test_the_help_lists_options_under_their_headings_in_order() -> None:
    lines = CliRunner().invoke(command, ["--help"]).output.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Options:", "Filter:"]


@pytest.mark.parametrize(
    ("stdin", "stderr", "somebody"),
    [(True, True, True), (False, True, False), (True, False, False), (None, True, False)],
)
def test_confirmation_needs_standard_input_and_error_on_a_terminal(
    *, stdin: bool | None, stderr: bool, somebody: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, is_terminal in (("stdin", stdin), ("stderr", stderr)):
        stream = None if is_terminal is None else io.StringIO()
        if stream is not None:
            monkeypatch.setattr(stream, "isatty", lambda is_terminal=is_terminal: is_terminal)
        monkeypatch.setattr(sys, name, stream)
    assert (asker() is not None) == somebody


LINES = "".join(
    json.dumps({"event": "archive", "id": number, "sessionId": f"2_{number}"} | more) + "\n"
    for number, more in enumerate(
        (
            {"status": "started"},
            {"status": "stopped", "reason": "user initiated"},
            {"status": "failed", "reason": "Too long, stopped"},
            {"status": "uploaded", "reason": "Too long"},
        )
    )
)


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (("--status", "started,failed"), [0, 2]),
        (("--status", "started, failed", "--status", "uploaded"), [0, 2, 3]),
        (("--reason", "user initiated,too long"), [1, 3]),
        (("--reason", "too long, stopped"), [2]),
        (("--session", "2_0,2_3"), [0, 3]),
    ],
    ids=str,
)
def test_a_value_may_be_a_comma_list(
    args: tuple[str, ...], found: list[int], vmon_run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(LINES)
    out = vmon_run("filter", *args, path)[1]
    assert [json.loads(line)["id"] for line in out.splitlines()] == found


@pytest.mark.parametrize(
    "flag",
    [
        *("--event", "--session", "--connection", "--stream", "--archive", "--call", "--project"),
        *("--reason", "--status", "--path", "--since", "--until", "--where"),
    ],
)
@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize("command", ["filter", "sessions", "stats"])
def test_an_empty_value_of_a_filter_is_an_error_and_chooses_nothing(
    flag: str, value: str, command: str, vmon_run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(LINES)
    code, out, err = vmon_run(command, flag, value, path)
    assert (code, out) == (2, "")
    assert err == f"error: {flag} is empty\nhint: without it, everything matches\n"


def test_an_empty_value_in_a_comma_list_is_an_error(vmon_run: Run) -> None:
    code, out, err = vmon_run("filter", "--status", "started,", "x.jsonl")
    assert (code, out) == (2, "")
    assert err == "error: --status 'started,' has an empty value\nhint: use --status A,B\n"


def test_without_the_option_nothing_redacts() -> None:
    assert redactor_from(()) is None
    assert redactor_from(("stream.name",)) is not None
