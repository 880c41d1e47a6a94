"""Deliveries that are hard to export, and the documents made of them."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

from vmon.render.formats.choose import Export, FormatOptions, formatter_of
from vmon.security.scrub import ScrubPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.events.entry import Entry

NASTY = [
    b"",
    b'{"event":"streamCreated"}',
    b'it\'s $HOME `id` "$(id)" \\ ! %s \\n',
    b"@/etc/hostname",
    b"-d @x",
    b"\xff\xfe\x00\x1b[31m\r\n",
    b"ends in lines\n\n",
    '{"name":"Zoë \u202e\u2603"}'.encode(),
    b"a" * 200_000,
    bytes(range(256)),
]
HEADERS = (
    ("Host", "example.com"),
    ("Content-Type", "application/json; charset=utf-8"),
    ("X-Quotes", 'it\'s "$HOME" `id`'),
    ("X-Empty", ""),
    ("X-Equals", "=@:x"),
    ("X-Latin", "Zo\xeb \xff"),
    ("Content-Length", "7"),
    ("Connection", "close"),
)
SECRETS = (("Authorization", "Bearer s3cret"), ("Content-Type", "application/json"))
ROOTS = {
    ("/hooks", "/"): "/hooks",
    ("/hooks", "/?a=1"): "/hooks?a=1",
    ("/index.php?option=a", "/"): "/index.php?option=a",
    ("", "/"): "/",
    ("?key=1", "/"): "/?key=1",
    ("/hooks?key=1", "/inner?a=2"): "/hooks/inner?a=2&key=1",
}
"""Paths of a target and of a delivery → what is requested."""


def document(kind: Export, entries: list[Entry], to: str = "", *, secrets: bool = False) -> bytes:
    """The whole export of entries."""
    form = formatter_of(kind, FormatOptions(ScrubPolicy(Counter(), keep=secrets), to))
    return form.begin() + form.each(entries) + form.end()


async def run_script(text: bytes, path: Path, **env: str) -> None:
    """Run a shell script, which must succeed and print nothing on standard error."""
    path.write_bytes(text)  # noqa: ASYNC240 - a small file
    process = await asyncio.create_subprocess_exec(
        "sh", path, env=os.environ | env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip # one thing a line
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, err) == (0, b"")
