from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.exports import SECRETS
from tests.support.factories import make_line

if TYPE_CHECKING:
    from pathlib import Path


Run = Callable[..., tuple[int, str, str]]


def test_export_says_what_it_left_out(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(make_line(b'{"event":"archive"}', headers=SECRETS))
    code, out, err = vmon_run("export", path, "--as", "curl", "--to", "localhost:3000/x")
    assert (code, err) == (0, "1 secret omitted (Authorization); --with-secrets includes them\n")
    assert out.endswith(' --data-raw \'{"event":"archive"}\' http://localhost:3000/x\n')
    code, out, err = vmon_run("export", path, "--as", "httpie", "--with-secrets")
    assert (code, err) == (0, "")
    assert "'Authorization:Bearer s3cret'" in out
    assert vmon_run("export", path, "--as", "har", "--event", "callCreated")[0] == 1
    assert vmon_run("filter", path, "--format", "curl")[1].startswith("# archive, 2016-")


def test_without_a_format_the_error_lists_them_with_an_example(vmon_run: Run) -> None:
    code, out, err = vmon_run("export", "no-such-file")
    assert (code, out) == (2, "")
    said, hint = err.splitlines()
    assert said == "error: missing option --as"
    assert hint.startswith("hint: add --as curl, httpie, har or pytest, for example: vmon export")
