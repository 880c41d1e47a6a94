"""One check of `vmon doctor` at a time, and the programs it looks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.doctor.runner import checks, examine

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.doctor.results import DoctorOptions, Result

NAMES = [
    "python",
    "packages",
    "settings",
    "port",
    "captures",
    "ngrok agent",
    "ngrok token",
    "cloudflared",
    "ssh",
    "leftovers",
    "clock",
    "public URL",
    "app",
]
"""The checks, in their order."""


def program(folder: Path, name: str, text: str) -> Path:
    made = folder / name
    made.write_text(f"#!/bin/sh\n{text}\n")
    made.chmod(0o755)
    return made


def found(name: str, asked: DoctorOptions) -> Result:
    """The result of one check."""
    (result,) = examine([one for one in checks(asked) if one.name == name])
    assert not result.message.startswith("the check itself failed"), result
    return result


def short(result: Result) -> tuple[str, str]:
    return result.verdict, result.message
