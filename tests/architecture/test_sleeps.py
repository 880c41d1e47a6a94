"""A test waits for a condition with a deadline (`tests/support/waiting`), or says why it sleeps."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def bare_sleeps(text: str) -> list[int]:
    """The lines on which something sleeps, with no reason there or on the line before."""
    lines = text.splitlines()
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    sleeps = [node.lineno for node in calls if ast.unparse(node.func).endswith((".sleep", "sleep"))]
    return [
        number
        for number in sleeps
        if "#" not in lines[number - 1] and not lines[number - 2].lstrip().startswith("#")
    ]


def test_every_sleep_of_a_test_says_why() -> None:
    bare = [
        f"{path.relative_to(TESTS.parent)}:{number}"
        for path in sorted(TESTS.rglob("*.py"))
        for number in bare_sleeps(path.read_text("utf-8"))
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("time.sleep(1)", [1]),
        ("def f():\n    await asyncio.sleep(0)", [2]),
        ("time.sleep(1)  # it says why", []),
        ("# It says why.\ntime.sleep(1)", []),
        ("'time.sleep(1)'", []),
    ],
)
def test_what_says_no_reason_is_found(text: str, lines: list[int]) -> None:
    text = text if "await" not in text else f"async {text}"
    assert bare_sleeps(text) == lines
