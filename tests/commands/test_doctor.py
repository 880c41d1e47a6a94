from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

from tests.support.checks import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable


def printed(out: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in json.loads(out)["checks"]}


def test_the_command_says_it_in_lines_or_as_json(
    vmon_run: Callable[..., tuple[int, str, str]], free_port: int
) -> None:
    env = {"VMON_PORT": str(free_port), "PATH": os.environ["PATH"]}
    code, out, err = vmon_run("doctor", "--offline", **env)
    assert (code, err) == (0, "")
    assert f"pass  port         127.0.0.1:{free_port} is free\n" in out
    assert "pass  settings     no config file; environment variables only\n" in out
    assert out.splitlines()[-1].startswith("13 checks: ")
    code, out, err = vmon_run("doctor", "--offline", "--json", **env)
    assert (code, err) == (0, "")
    assert list(printed(out)) == NAMES
    assert json.loads(out)["ok"] is True


def test_a_failure_is_exit_1(vmon_run: Callable[..., tuple[int, str, str]], free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        code, out, err = vmon_run("doctor", "--offline", "--json", VMON_PORT=str(free_port))
    assert (code, err) == (1, "")
    assert json.loads(out)["ok"] is False
    assert printed(out)["port"]["verdict"] == "fail"


def test_broken_settings_are_a_check_that_fails(
    vmon_run: Callable[..., tuple[int, str, str]],
) -> None:
    code, out, err = vmon_run("doctor", "--offline", "--json", VMON_PORT="x")
    assert (code, err) == (1, "")
    told = printed(out)["settings"]
    assert told["said"] == 'VMON_PORT must be an integer, not "x"'
