"""The README says what the code says: its tables are made from the code.

Run as a program, `python tests/test_readme.py` writes the tables into the README.
"""

import re
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

README = Path(__file__).parent.parent / "README.md"


def _options(name: str) -> str:
    command: click.Command = import_module(f"vmon.cli.{name}").command
    rows = []
    for option in command.params:
        if isinstance(option, click.Option):
            names = ", ".join(f"`{opt}`" for opt in sorted(option.opts, key=len, reverse=True))
            metavar = "" if option.is_flag or option.count else f" {_metavar(option)}"
            default = f" Default: {option.default}." if option.show_default else ""
            rows.append(f"| {names}{metavar} | {option.help}{default} |")
    return "\n".join(("| option | what it does |", "|---|---|", *rows))


def _metavar(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "\\|".join(option.type.choices)
    return option.type.name.replace(" range", "").upper()


def _types() -> str:
    from vmon.catalogue import TYPES

    rows = [f"| `{entry.name}` | {entry.group} | {entry.meaning} |" for entry in TYPES.values()]
    return "\n".join(("| type | about | what it says |", "|---|---|---|", *rows))


def _exit_codes() -> str:
    from vmon import errors

    kinds: tuple[type[errors.VmonError], ...] = (
        errors.Refused,
        errors.WrongUse,
        errors.CannotListen,
        errors.TunnelFailed,
        errors.TimedOut,
    )
    said = [
        (0, "all went well"),
        *((kind.exit_code, str(kind.__doc__).splitlines()[0].rstrip(".")) for kind in kinds),
        (errors.BUG, "A bug in vmon: its traceback is printed"),
        (errors.INTERRUPTED, "Interrupted by Ctrl-C (`listen`: by a second one)"),
    ]
    rows = [f"| {code} | {text[0].lower()}{text[1:]} |" for code, text in said]
    return "\n".join(("| code | what it means |", "|---|---|", *rows))


def _oddities() -> str:
    from vmon.codes import CODES

    rows = [f"| `{one.name}` | {one.severity} | {one.meaning} |" for one in CODES.values()]
    return "\n".join(("| code | severity | what it says |", "|---|---|---|", *rows))


def _tables() -> dict[str, str]:
    commands = (
        *("listen", "filter", "sessions", "timeline", "oddities", "usage", "stats"),
        *("export", "captures", "replay", "verify", "trigger", "doctor"),
    )
    tables = {f"options {name}": _options(name) for name in commands}
    return tables | {"types": _types(), "oddities": _oddities(), "exit codes": _exit_codes()}


@pytest.mark.parametrize("name", _tables())
def test_the_readme_has_the_table_that_the_code_makes(name: str) -> None:
    assert f"<!-- {name} -->\n\n{_tables()[name]}\n" in README.read_text()


def test_every_module_of_the_tour_exists_and_every_module_is_in_the_tour() -> None:
    tour = README.read_text().split("## A tour of the house")[1]
    here = Path(str(import_module("vmon").__file__)).parent
    named = set(re.findall(r"([a-z_]+)(?:\.py)?`", tour))
    modules = {path.stem for path in here.glob("*.py")} - {"__init__", "__main__"}
    assert modules - named == set()


@pytest.mark.usefixtures("utc")
def test_the_oddities_that_the_readme_shows_are_those_of_its_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vmon.survey import Options, run

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    assert run(Options((str(README.parent / "tests" / "data" / "odd.jsonl"),))) == 0
    shown = capsys.readouterr()
    assert shown.out + shown.err in README.read_text()


def _write() -> None:
    text = README.read_text()
    for name, table in _tables().items():
        mark = f"<!-- {name} -->\n"
        before, after = text.split(mark, 1)
        rest = re.sub(r"\A\n*(\|[^\n]*\n)*", "", after).lstrip("\n")
        text = f"{before}{mark}\n{table}\n\n{rest}"
    README.write_text(text)


if __name__ == "__main__":
    sys.path.insert(0, str(README.parent))
    _write()
