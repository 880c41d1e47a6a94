"""Shell completion: by the protocol of each shell, and in a real one where there is one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from vmon.cli import COMMANDS
from vmon.events.catalogue import ALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Offered = Callable[..., list[str]]

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder the shell is in."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The folder of captures, with one in it."""
    folder = tmp_path / "data" / "vmon" / "captures"
    folder.mkdir(parents=True)
    (folder / "2026-11-24T10-31-21.jsonl").write_text("")
    return folder


@pytest.fixture
def offered(environment: dict[str, str], here: Path) -> Offered:
    """What bash is offered for the last of some words, as `type,value`."""

    def ask(*words: str) -> list[str]:
        asked = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
        ran = subprocess.run(
            [sys.executable, "-m", "vmon"],
            env=environment | asked | {"_VMON_COMPLETE": "bash_complete"},
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stderr == ""
        return [line for line in ran.stdout.splitlines() if line]

    return ask


def plain(*values: str) -> list[str]:
    return [f"plain,{value}" for value in values]


def test_commands_are_offered_in_the_order_of_the_help(offered: Offered) -> None:
    assert offered("vmon", "") == plain(*COMMANDS)
    assert offered("vmon", "tr") == plain("trigger")
    assert offered("vmon", "--prof") == plain("--profile")
    assert offered("vmon", "tunnel", "") == plain("install", "leftovers", "status")
    assert offered("vmon", "completion", "") == plain(*SHELLS)


def test_options_and_their_choices_are_offered(offered: Offered) -> None:
    assert offered("vmon", "filter", "--ev") == plain("--event")
    assert offered("vmon", "listen", "--format", "") == plain("auto", "line", "detail", "json")


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("str", ["streamCreated", "streamDestroyed"]),
        ("STREAMC", ["streamCreated"]),
        ("!call", ["!callCreated", "!callUpdated", "!callDestroyed"]),
        ("archive,ren", ["archive,render"]),
        ("archive,!ren", ["archive,!render"]),
        ("archive,arch", []),
        ("'!conn", ["!connectionCreated", "!connectionDestroyed"]),
        ("", list(ALL)),
        ("x\x1b", []),
    ],
)
def test_event_types_are_offered_with_what_is_before_them(
    word: str, values: list[str], offered: Offered
) -> None:
    for before in (("filter", "--event"), ("listen", "-q", "--event"), ("trigger",), ("events",)):
        assert offered("vmon", *before, word) == plain(*values)


def test_what_bash_takes_apart_is_put_together_again(offered: Offered, here: Path) -> None:
    (here / "a.jsonl").write_text("")
    types = plain("streamCreated", "streamDestroyed")
    assert offered("vmon", "filter", "--event", "=", "str") == types
    assert offered("vmon", "filter", "--event", "=") == plain(*ALL)
    assert offered("vmon", "trigger", "--set", "a", "=", "b", "str") == types
    url = ("http", ":", "//localhost", ":", "3000")
    assert offered("vmon", "replay", "--to", *url, "a") == plain("a.jsonl")


def test_captures_are_offered_and_else_what_the_shell_knows(
    offered: Offered, here: Path, kept: Path
) -> None:
    (here / "monday.jsonl.gz").write_text("")
    (here / "readme.md").write_text("")
    own = kept / "2026-11-24T10-31-21.jsonl"
    for before in (("filter",), ("replay",), ("filter", "a", "b"), ("listen", "--capture")):
        assert offered("vmon", *before, "") == plain("monday.jsonl.gz", str(own))
        assert offered("vmon", *before, "2026") == plain(str(own))
        assert offered("vmon", *before, "mon") == plain("monday.jsonl.gz")
        for word in ("read", "./", "~/", "/tmp/x"):
            assert offered("vmon", *before, word) == [f"file,{word}"]


def test_broken_settings_are_no_matter(offered: Offered, here: Path) -> None:
    (here / "vmon.toml").write_text("prot =")
    assert offered("vmon", "filter", "--event", "arch") == plain("archive")


@pytest.mark.parametrize("words", ["vmon\n", "vmon\nfilter\n--event\nstr", "vmon\nfilter\n"])
def test_completing_imports_nothing_heavy(
    words: str,
    imports_of: Callable[..., set[str]],
    here: Path,
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(here)
    assert kept.is_dir()
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count("\n"))}
    loaded = imports_of(**asked, _VMON_COMPLETE="bash_complete")
    assert "click.shell_completion" in loaded
    assert not loaded & {"aiohttp", "rich", "pyngrok", "asyncio", "uvloop", "msgspec", "tomllib"}


def test_a_folder_that_is_gone_offers_what_the_shell_knows(
    environment: dict[str, str], here: Path
) -> None:
    code = f"import os; os.chdir({str(here)!r}); os.rmdir({str(here)!r})"
    asked = {"COMP_WORDS": "vmon\nfilter\n", "COMP_CWORD": "2", "_VMON_COMPLETE": "bash_complete"}
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\nfrom vmon.cli import main; main()"],
        env=environment | asked,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == ("file,\n", "")


# The scripts.


@pytest.fixture
def script(vmon_run: Callable[..., tuple[int, str, str]]) -> Callable[[str], str]:
    """What `vmon completion` prints."""

    def printed(shell: str) -> str:
        code, out, err = vmon_run("completion", shell, PATH="/nowhere")
        assert (code, err) == (0, "")
        assert f"_VMON_COMPLETE={shell}_complete" in out
        return out

    return printed


def test_another_shell_is_wrong_use(vmon_run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = vmon_run("completion", "tcsh")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


@pytest.fixture
def in_shell(
    environment: dict[str, str], tmp_path: Path, here: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run lines in a shell that has `vmon` on its PATH; skips where there is no such shell."""

    def run(shell: str, lines: str) -> subprocess.CompletedProcess[str]:
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed here")
        programs = tmp_path / "bin"
        programs.mkdir(exist_ok=True)
        vmon = programs / "vmon"
        vmon.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vmon "$@"\n')
        vmon.chmod(0o755)
        env = environment | {"PATH": f"{programs}:{environment['PATH']}"}
        return subprocess.run(
            [shell, "-c", lines], env=env, cwd=here, capture_output=True, text=True, check=False
        )

    return run


IN_BASH = """
words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _vmon_completion vmon; }
words vmon fi; echo "${COMPREPLY[*]}"
words vmon filter --event 'archive,str'; echo "${COMPREPLY[*]}"
words vmon filter --event "'!str"; echo "${COMPREPLY[*]}"
words vmon filter --event = render; echo "${COMPREPLY[*]}"
complete -p vmon
"""


def test_a_real_bash_completes(
    script: Callable[[str], str],
    in_shell: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    ran = in_shell("bash", script("bash") + IN_BASH)
    assert ran.stdout.splitlines() == [
        "filter",
        "archive,streamCreated archive,streamDestroyed",
        "!streamCreated !streamDestroyed",
        "render",
        "complete -o nosort -F _vmon_completion vmon",
    ]
    assert ran.stderr == ""


def test_a_real_zsh_takes_the_script(
    script: Callable[[str], str],
    in_shell: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    text = script("zsh")
    assert text.startswith("#compdef vmon\n")
    assert text.count('local option="${words[CURRENT]%%=*}="') == 1
    ran = in_shell("zsh", f"autoload -U compinit; compinit -u\n{text}\necho $_comps[vmon]")
    assert (ran.stdout, ran.stderr) == ("_vmon_completion\n", "")


def test_a_real_fish_completes(
    script: Callable[[str], str],
    in_shell: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    text = script("fish")
    assert 'string split -m 1 "," $completion' in text
    assert 'string split ","' not in text
    ran = in_shell("fish", text + '\ncomplete -C "vmon filter --event archive,ren"')
    assert ran.stdout.split("\t")[0].strip() == "archive,render"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_the_same_by_their_own_protocol(
    shell: str, environment: dict[str, str], here: Path
) -> None:
    words = {
        "zsh": {"COMP_WORDS": "vmon filter --event archive,ren", "COMP_CWORD": "3"},
        "fish": {"COMP_WORDS": "vmon filter --event ", "COMP_CWORD": "archive,ren"},
    }
    ran = subprocess.run(
        [sys.executable, "-m", "vmon"],
        env=environment | words[shell] | {"_VMON_COMPLETE": f"{shell}_complete"},
        cwd=here,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "archive,render" in ran.stdout
    assert ALL["render"].meaning[:20] in ran.stdout
