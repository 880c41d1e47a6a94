"""Which of vmon's packages have a wheel for which platform: python tests/wheels.py [PYTHON …].

Asks pip, which installs nothing, for each platform and version of Python (3.11 and 3.14 unless
others are given), and prints the table that stands in vmon/docs/installing.md. It needs the
network and some minutes, so it is no test.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GLIBC = ("manylinux2014", "manylinux_2_17", "manylinux_2_24", "manylinux_2_28")
MUSL = ("musllinux_1_1", "musllinux_1_2")
INTEL_MAC = tuple(f"macosx_{version}" for version in ("10_9", "10_13", "11_0", "12_0", "13_0"))
ARM_MAC = tuple(f"macosx_{version}_0" for version in (11, 12, 13, 14))
PLATFORMS = {
    "glibc x86-64": [f"{one}_x86_64" for one in GLIBC],
    "glibc arm64": [f"{one}_aarch64" for one in GLIBC],
    "musl x86-64": [f"{one}_x86_64" for one in MUSL],
    "musl arm64": [f"{one}_aarch64" for one in MUSL],
    "macOS x86-64": [f"{one}_{kind}" for one in INTEL_MAC for kind in ("x86_64", "universal2")],
    "macOS arm64": [f"{one}_{kind}" for one in ARM_MAC for kind in ("arm64", "universal2")]
    + ["macosx_10_9_universal2", "macosx_10_13_universal2"],
    "Windows x86-64": ["win_amd64"],
}
EXTRAS = ("cel", "fast")


def report(*arguments: str) -> dict[str, Any] | None:
    """What pip would install; None where it could not."""
    with tempfile.TemporaryDirectory() as target:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet",
             "--no-input", "--target", target, "--report", "-", *arguments],
            capture_output=True, text=True, check=False, timeout=600, cwd=ROOT,
        )  # fmt: skip # pip's options in their lines
    return json.loads(done.stdout) if done.returncode == 0 else None


def packages() -> list[str]:
    """All that an installation with the extras is made of, as NAME==VERSION."""
    found = report(f".[{','.join(EXTRAS)}]")
    if found is None:
        sys.exit("pip could not resolve the packages of vmon")
    installed = [one["metadata"] for one in found["install"]]
    return sorted(
        f"{one['name'].lower()}=={one['version']}"
        for one in installed
        if one["name"] != "vmon-video"
    )


def wheels(names: list[str], tags: list[str], version: str) -> dict[str, str]:
    """The wheel's file name for each package that has one, for a platform's tags."""
    platforms = [f"--platform={tag}" for tag in tags]
    asked = ("--only-binary=:all:", "--no-deps", f"--python-version={version}", *platforms)
    if found := report(*asked, *names):
        files = [one["download_info"]["url"].rpartition("/")[2] for one in found["install"]]
        return {
            one["metadata"]["name"].lower(): file
            for one, file in zip(found["install"], files, strict=True)
        }
    if len(names) == 1:
        return {}
    half = len(names) // 2  # one without a wheel fails the rest
    return wheels(names[:half], tags, version) | wheels(names[half:], tags, version)


def table(versions: list[str]) -> str:
    """A row for each package that is not the same file everywhere, and the others' names."""
    names = packages()
    found = {
        (platform, version): wheels(names, tags, version)
        for platform, tags in PLATFORMS.items()
        for version in versions
    }
    short = [name.partition("==")[0] for name in names]
    pure = [
        name for name in short if all("-none-any" in have.get(name, "") for have in found.values())
    ]
    rows = [f"| package | {' | '.join(PLATFORMS)} |", "|---" * (len(PLATFORMS) + 1) + "|"]
    for name in short:
        if name not in pure:
            cells = [
                _cell(
                    [version for version in versions if name in found[platform, version]], versions
                )
                for platform in PLATFORMS
            ]
            rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*rows, "", f"Pure Python, and so everywhere: {', '.join(pure)}.", ""])


def _cell(have: list[str], versions: list[str]) -> str:
    return "yes" if have == versions else ", ".join(have) or "no"


if __name__ == "__main__":
    sys.stdout.write(table(sys.argv[1:] or ["3.11", "3.14"]))
