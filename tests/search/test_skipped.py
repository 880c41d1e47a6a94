from collections.abc import Callable
from pathlib import Path

import pytest

from vmon.search.matching import BadLine
from vmon.search.skipped import FEW, Skipped

Run = Callable[..., tuple[int, str, str]]
GOOD = '{"event":"archive"}\n'


def warned(skipped: Skipped, lines: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    for number in range(1, lines + 1):
        skipped(BadLine("a", number, "not JSON"))
    skipped.end()
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("lines", range(FEW + 1))
def test_a_few_lines_are_told_one_by_one(lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert warned(Skipped("a"), lines, capsys) == [
        f"warning: a:{number}: skipped: not JSON" for number in range(1, lines + 1)
    ]


def test_many_lines_are_told_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert warned(Skipped("a"), 1234, capsys) == [
        "warning: a: 1,234 lines skipped; line 1: not JSON"
    ]
    assert warned(Skipped("a", has_numbers=False), 4, capsys) == [
        "warning: a: 4 lines skipped; first: not JSON"
    ]


def test_where_there_is_no_end_the_first_are_told_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    skipped = Skipped("a", at_once=True)
    skipped(BadLine("a", 1, "not JSON"))
    assert capsys.readouterr().err == "warning: a:1: skipped: not JSON\n"
    assert warned(skipped, 9, capsys)[FEW - 1 :] == [
        "warning: a: further skipped lines are not reported"
    ]


def test_a_wrong_file_gives_one_warning_with_a_count(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ls"
    path.write_bytes(b"\x7fELF\x02\x01\n\xff\xfe{\n\x1b[31m\n" * 500)
    for args in (("filter",), ("filter", "--tail", "9"), ("sessions",), ("stats",), ("verify",)):
        secret = ("--secret", "s") if args == ("verify",) else ()
        code, out, err = vmon_run(*args, *secret, path)
        warnings = [line for line in err.splitlines() if line.startswith("warning: ")]
        assert (code in {1, 2}, out, len(warnings)) == (True, "", 1), err
        assert warnings[0].startswith(f"warning: {path}: 1,500 lines skipped; ")
        assert "\x1b" not in err


def test_a_torn_line_among_good_ones_is_told_with_its_number(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(GOOD * 9 + '{"event":"arch\n' + GOOD)
    code, out, err = vmon_run("filter", path)
    assert (code, out) == (0, GOOD * 10)
    assert err.startswith(f"warning: {path}:10: skipped: not JSON: ")
    assert err.count("\n") == 1
