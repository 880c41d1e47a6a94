"""The README and the reference (vmon/docs) say what the code says: their tables come from it.

Run as a program, `python tests/test_docs.py` rewrites every table and sample output behind a mark:
`<!-- options NAME -->`, `<!-- output COMMAND -->` and the like.
"""

from __future__ import annotations

import ast
import os
import pty
import re
import subprocess
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import vmon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., tuple[int, str, str]]

ROOT = next(path for path in Path(__file__).parents if (path / "README.md").exists())
README = ROOT / "README.md"
DOCS = Path(str(vmon.__file__)).parent / "docs"
GOLDEN = ROOT / "tests" / "data" / "golden"
MARK = re.compile(
    r"^<!-- (?P<name>[^\n]+) -->\n+(?P<block>(?:\|[^\n]*\n)+|```.*?\n```\n)?\n*",
    re.MULTILINE | re.DOTALL,
)
PLAIN = ("start", "test")
"""Marks whose blocks are written by hand, and read by `.ci/run`."""
WIDTH = 80


def _documents() -> dict[str, Path]:
    return {path.name: path for path in (README, *sorted(DOCS.glob("*.md")))}


def _marks() -> list[tuple[str, str, str]]:
    """Each generated block: its document, its mark, its text."""
    return [
        (name, found["name"], found["block"] or "")
        for name, path in _documents().items()
        for found in MARK.finditer(path.read_text("utf-8"))
        if found["name"] not in PLAIN
    ]


# What the code says.


def made(mark: str) -> str:
    """The block that belongs behind a mark."""
    kind, _, rest = mark.partition(" ")
    match kind:
        case "options":
            return _options(rest)
        case "output":
            return f"```console\n$ {rest}\n{_output(rest)}```\n"
        case "golden":
            return f"```\n{(GOLDEN / rest).read_text('utf-8')}```\n"
    return {
        "commands": _commands,
        "filter options": lambda: _option_table(_shared()),
        "types": _types,
        "oddities": _oddities,
        "exit codes": _exit_codes,
        "topics": _topics,
    }[mark]()


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = (f"| {' | '.join(row)} |\n" for row in (head, *rows))
    return f"{next(lines)}|{'---|' * len(head)}\n{''.join(lines)}"


def _command(path: str) -> click.Command:
    first, *below = path.split()
    command: click.Command = import_module(f"vmon.cli.{first}").command
    for name in below:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return command


def _shared() -> list[click.Option]:
    from vmon.cli.options import filter_options

    @filter_options
    def nothing() -> None: ...

    params: list[click.Option] = vars(nothing)["__click_params__"]
    return params[::-1]


def _options(path: str) -> str:
    """The options of a command, but for those of the filter that it shares with others."""
    shared = {(option.name, option.help) for option in _shared()}
    own = [each for each in _command(path).params if isinstance(each, click.Option)]
    return _option_table([each for each in own if (each.name, each.help) not in shared])


def _option_table(options: list[click.Option]) -> str:
    return _table(("option", "what it does"), (_option(each) for each in options))


def _option(option: click.Option) -> tuple[str, str]:
    names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len, reverse=True))
    metavar = "" if option.is_flag or option.count else f" {_metavar(option)}"
    default = f" Default: {option.default}." if option.show_default else ""
    return _cell(names + metavar), _cell(f"{option.help}{default}")


def _metavar(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(option.type.choices)
    return option.type.name.replace(" range", "").upper()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _commands() -> str:
    from vmon.cli import COMMANDS

    return _table(
        ("command", "what it does"),
        ((f"`vmon {name}`", _cell(text)) for name, text in COMMANDS.items()),
    )


def _topics() -> str:
    from vmon.commands.help import topics

    return _table(
        ("topic", "what it covers"),
        ((f"[{name}](vmon/docs/{name}.md)", _cell(about)) for name, about in topics().items()),
    )


def _types() -> str:
    from vmon.events.catalogue import TYPES

    rows = ((f"`{entry.name}`", entry.group, entry.meaning) for entry in TYPES.values())
    return _table(("type", "about", "what happened"), rows)


def _oddities() -> str:
    from vmon.analysis.oddities.codes import CODES

    rows = ((f"`{code.name}`", code.severity, code.meaning) for code in CODES.values())
    return _table(("code", "severity", "what it means"), rows)


def _exit_codes() -> str:
    from vmon import errors

    kinds: tuple[type[errors.VmonError], ...] = (
        errors.Refused,
        errors.WrongUse,
        errors.CannotListen,
        errors.TunnelFailed,
        errors.TimedOut,
    )
    meanings = [
        (0, "Success"),
        *((kind.exit_code, str(kind.__doc__).splitlines()[0].rstrip(".")) for kind in kinds),
        (errors.BUG, "A bug in vmon: its traceback is printed"),
        (errors.INTERRUPTED, "Interrupted by Ctrl-C (`listen`: by a second one)"),
    ]
    return _table(("code", "what it means"), ((str(code), text) for code, text in meanings))


def _output(command: str) -> str:
    """What a command prints on a terminal of 80 columns without colours, then its errors."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "HOME": home,
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "PATH": os.environ["PATH"],
            "PYTHONUTF8": "1",
            "TERM": "xterm",
            "TZ": "UTC",
        }
        shell = f'vmon() {{ COLUMNS={WIDTH} "{sys.executable}" -m vmon "$@"; }}; {command}'
        out, err = _on_a_terminal(["sh", "-c", shell], environment)
    return out.replace("\r\n", "\n") + err


def _on_a_terminal(argv: list[str], environment: dict[str, str]) -> tuple[str, str]:
    ours, theirs = pty.openpty()
    shown = bytearray()

    def read() -> None:
        try:
            while piece := os.read(ours, 1 << 16):
                shown.extend(piece)
        except OSError:  # on Linux the end of a terminal
            return

    reader = threading.Thread(target=read)
    reader.start()
    ran = subprocess.run(
        argv,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    os.close(theirs)
    reader.join(10)
    os.close(ours)
    return shown.decode(), ran.stderr.decode()


# The documents.


@pytest.mark.parametrize(("document", "mark", "block"), _marks(), ids=lambda text: str(text)[:40])
def test_a_marked_block_is_what_the_code_makes_of_it(document: str, mark: str, block: str) -> None:
    assert block == made(mark), f"{document}: run python tests/test_docs.py"


def test_every_option_of_every_command_is_in_the_reference() -> None:
    from vmon.cli import COMMANDS

    marks = [mark for _, mark, _ in _marks()]
    for name in COMMANDS:
        command = _command(name)
        below = [f"{name} {each}" for each in getattr(command, "commands", ())]
        for path in below or [name]:
            if any(isinstance(each, click.Option) for each in _command(path).params):
                assert marks.count(f"options {path}") == 1, path
    assert {"filter options", "types", "oddities", "exit codes", "topics", "commands"} <= {*marks}


def test_every_option_that_a_document_names_exists() -> None:
    from vmon.cli import COMMANDS, cli

    commands: list[click.Command] = [cli, *map(_command, COMMANDS)]
    commands += [below for each in commands[1:] for below in getattr(each, "commands", {}).values()]
    options = {name for each in commands for param in each.params for name in param.opts}
    for name, path in _documents().items():
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", path.read_text("utf-8")))
        of_pip = {"--only-binary"}
        assert named - options - of_pip - {"--help", "--version"} == set(), name


def test_a_blank_line_follows_every_table_and_every_sample() -> None:
    for name, path in _documents().items():
        text = path.read_text("utf-8")
        blocks = [found for found in MARK.finditer(text) if found["block"]]
        tight = [each["name"] for each in blocks if text[each.end("block") :][:1] not in ("", "\n")]
        assert tight == [], name


def test_the_readme_is_short_and_never_installs_the_package_of_others() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 300
    for path in _documents().values():
        assert not re.search(r"pip install\s+(-\S+\s+)*['\"]?vmon", path.read_text("utf-8"))


@pytest.mark.parametrize("name", _documents())
def test_links_lead_to_files_that_exist(name: str) -> None:
    path = _documents()[name]
    for target in re.findall(r"\]\(([^)#]+)", path.read_text("utf-8")):
        if not target.startswith("https://"):
            here = DOCS.parent.parent if target.startswith("vmon/") else path.parent
            assert (here / target).exists(), target


@pytest.mark.parametrize("name", _documents())
def test_commands_fit_a_terminal_of_80_columns(name: str) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", _documents()[name].read_text("utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert [line for line in lines if len(line) > WIDTH and ".venv" not in line] == []


def test_the_page_for_registering_names_every_type() -> None:
    from vmon.events.catalogue import TYPES

    page = (DOCS / "register.md").read_text("utf-8")
    assert [name for name in TYPES if f"`{name}`" not in page] == []


def test_the_tour_names_every_folder_and_no_other() -> None:
    tour = (DOCS / "architecture.md").read_text("utf-8")
    folders = {path.name for path in DOCS.parent.iterdir() if (path / "__init__.py").exists()}
    inner = {
        path.parent.name
        for folder in folders
        for path in (DOCS.parent / folder).glob("*/__init__.py")
    }
    named = {*re.findall(r"`(\w+)/`", tour)}
    assert folders - named == set(), "the tour leaves them out"
    assert named - {"vmon"} - folders - inner == set(), "there is no such folder"


def test_every_file_that_the_tour_names_exists() -> None:
    tour = (DOCS / "architecture.md").read_text("utf-8")
    table = tour.partition("## Where is …?")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    files = [re.fullmatch(r"\| .+\? \| `([\w/]+\.py)` \|", row) for row in rows]
    assert len(rows) >= 22
    assert [row for row, found in zip(rows, files, strict=True) if not found] == []
    assert [found[1] for found in files if found and not (DOCS.parent / found[1]).is_file()] == []


def test_every_module_that_a_docstring_refers_to_exists() -> None:
    named = [
        (path, name)
        for path in sorted(DOCS.parent.rglob("*.py"))
        for name in re.findall(
            r"[\w/]+\.py\b", ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        )
    ]
    assert named
    missing = [
        f"{path.relative_to(ROOT)} names {name}"
        for path, name in named
        if not any((folder / name).is_file() for folder in (path.parent, DOCS.parent))
    ]
    assert missing == []


def test_the_wording_is_that_of_the_field() -> None:
    private = re.compile(
        r"\b(draws?|drawn|told|said|strangers?|mended|anew|copies)\b", re.IGNORECASE
    )
    for name, path in _documents().items():
        prose = re.sub(
            r"```.*?```|`[^`]*`|^\|.*$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
        )
        assert private.findall(prose) == [], name


def _write() -> None:
    def block(found: re.Match[str]) -> str:
        name = found["name"]
        return found[0] if name in PLAIN else f"<!-- {name} -->\n\n{made(name)}\n"

    for path in _documents().values():
        path.write_text(MARK.sub(block, path.read_text("utf-8")).rstrip("\n") + "\n", "utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    _write()
