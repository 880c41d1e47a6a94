from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from tests.support.exports import SECRETS, document
from tests.support.factories import make_entry
from vmon.render.formats.bodies import BodyFormatter
from vmon.render.formats.choose import Export, Format, entry_formatter, formatter_of
from vmon.render.formats.entries import Form, LineFormatter
from vmon.render.formats.har import HarFormatter
from vmon.render.formats.json_lines import JsonFormatter
from vmon.render.formats.pytest_module import PytestFormatter
from vmon.render.formats.shell import ShellFormatter
from vmon.render.formats.table import TableFormatter
from vmon.security.access import secret_path

if TYPE_CHECKING:
    from pathlib import Path


FORMATTERS: dict[Format, type] = {
    "line": LineFormatter,
    "detail": LineFormatter,
    "json": JsonFormatter,
    "body": BodyFormatter,
    "csv": TableFormatter,
    "tsv": TableFormatter,
    "columns": TableFormatter,
    "curl": ShellFormatter,
    "httpie": ShellFormatter,
    "har": HarFormatter,
    "pytest": PytestFormatter,
}


def test_each_of_the_eleven_formats_has_its_formatter() -> None:
    names = [name for part in get_args(Format) for name in get_args(part)]
    assert names == list(FORMATTERS)
    for name, kind in FORMATTERS.items():
        assert type(formatter_of(name)) is kind


def test_in_a_pipe_entries_are_json_unless_set_otherwise() -> None:
    assert type(entry_formatter(Form())) is JsonFormatter
    assert type(entry_formatter(Form("line"))) is LineFormatter


@pytest.mark.parametrize("name", FORMATTERS)
def test_no_entries_are_a_document_too(name: Format) -> None:
    formatter = formatter_of(name)
    assert formatter.each([]) == b""
    assert (formatter.begin() + formatter.end()).decode().endswith("\n") == (
        name in {"csv", "tsv", "har", "pytest"}
    )


@pytest.mark.parametrize("kind", ["curl", "httpie", "har", "pytest"])
def test_secrets_are_removed_unless_they_are_kept(kind: Export) -> None:
    body = (
        b'{"event":"broadcast",  "broadcastUrls":{"rtmp":[{"streamName":"s3cret"}]},'
        b'"password":"s3cret\\"s3cret","p\\u0061ssword":"s3cret","pass_word":["s3cret"]}'
    )
    entry = make_entry(body, headers=SECRETS, path="/x?token=s3cret&a=b")
    assert b"s3cret" not in document(kind, [entry], "http://x")
    assert document(kind, [entry], "http://x", secrets=True).count(b"s3cret") > 4


@pytest.mark.parametrize("kind", ["curl", "httpie", "pytest"])
def test_the_secret_path_is_not_sent_to_an_app(
    kind: Export,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    secret = secret_path()
    text = document(kind, [make_entry(b"{}", path=f"/{secret}/")], "http://localhost:3000/hooks")
    assert secret.encode() not in text
    if kind != "pytest":
        assert b"http://localhost:3000/hooks" in text.split()
