"""`vmon timeline` from end to end: whole drawings at fixed widths, and what is written to share.

Run as a program, `python tests/test_timeline.py` draws the goldens anew.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support import sample_room
from tests.support.factories import make_line

Run = Callable[..., tuple[int, str, str]]
DATA = Path(__file__).parents[1] / "data"
GOLDEN = DATA / "golden"
SEED = [str(path) for path in sorted((DATA / "seed").glob("*.json"))]
DRAWINGS: dict[str, tuple[int, tuple[str, ...]]] = {
    "seed-timeline-80.txt": (0, ("timeline", "--width", "80")),
    "seed-sessions.txt": (0, ("sessions",)),
    "three-timeline-80.txt": (3, ("timeline", "--width", "80")),
    "three-timeline-40.txt": (3, ("timeline", "--width", "40")),
    "three-sessions.txt": (3, ("sessions",)),
    "sixty-timeline-200.txt": (60, ("timeline", "--width", "200")),
    "three-timeline.svg": (3, ("timeline", "--svg", "-")),
    "three-timeline.html": (3, ("timeline", "--html", "-")),
}
"""Each golden: how many people are in the room (0: the documentation's story), and the command."""


def _files(people: int, folder: Path) -> list[str]:
    if not people:
        return SEED
    path = folder / "room.jsonl"
    path.write_bytes(sample_room.capture(people))
    return [str(path)]


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_whole_chart_is_this(name: str, vmon_run: Run, tmp_path: Path) -> None:
    people, args = DRAWINGS[name]
    code, out, _ = vmon_run(*args, *_files(people, tmp_path))
    assert code == 0
    assert out == (GOLDEN / name).read_text("utf-8")


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("people", [1, 3, 60])
def test_no_line_is_wider_than_the_option(
    width: int, people: int, vmon_run: Run, tmp_path: Path
) -> None:
    from rich.cells import cell_len

    code, out, err = vmon_run("timeline", "--width", str(width), *_files(people, tmp_path))
    assert (code, err) == (0, "")
    assert max(cell_len(line) for line in out.splitlines()) <= width


# Which session.


@pytest.fixture
def two_sessions(tmp_path: Path) -> Path:
    bodies = [b'{"event":"sessionCreated","sessionId":"2_%b"}' % name for name in (b"AAA", b"BBB")]
    path = tmp_path / "two.jsonl"
    path.write_bytes(b"".join(make_line(body) for body in bodies))
    return path


def test_of_several_sessions_one_is_to_be_chosen(vmon_run: Run, two_sessions: Path) -> None:
    code, out, err = vmon_run("timeline", two_sessions)
    assert (code, out) == (2, "")
    assert err == (
        "error: more than one session (2)\n"
        "hint: choose one with --session: 2_AAA, 2_BBB (see vmon sessions)\n"
    )
    code, out, err = vmon_run("timeline", "--session", "2_AAA", two_sessions)
    assert (code, err) == (0, "")
    assert "session 2_AAA" in out


def test_without_a_session_it_is_exit_1(vmon_run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "garbage").write_bytes(b"\x00\xff\nno\n")
    assert vmon_run("timeline", tmp_path / "empty")[:2] == (1, "")
    code, out, err = vmon_run("timeline", tmp_path / "garbage")
    assert (code, out) == (1, "")
    assert f"error: no sessions found in {tmp_path}/garbage\n" in err
    assert "Traceback" not in err


# To share.


def test_svg_and_html_are_written_and_reported(vmon_run: Run, tmp_path: Path) -> None:
    svg, html = tmp_path / "a.svg", tmp_path / "a.html"
    code, out, err = vmon_run("timeline", "--svg", svg, "--html", html, *_files(3, tmp_path))
    assert (code, out, err) == (0, "", f"wrote {svg}\nwrote {html}\n")
    assert svg.read_text("utf-8") == (GOLDEN / "three-timeline.svg").read_text("utf-8")
    assert html.read_text("utf-8") == (GOLDEN / "three-timeline.html").read_text("utf-8")


def test_a_picture_that_cannot_be_written_is_wrong_use(vmon_run: Run) -> None:
    code, out, err = vmon_run("timeline", "--svg", "/no/where.svg", *SEED)
    assert (code, out) == (2, "")
    assert err == "error: cannot write /no/where.svg: No such file or directory\n"
    code, out, err = vmon_run("timeline", "--svg", "-", "--html", "-", *SEED)
    assert (code, out) == (2, "")


def test_several_files_are_read_in_the_order_of_their_receipt(
    vmon_run: Run, tmp_path: Path
) -> None:
    lines = sample_room.capture(3).splitlines(keepends=True)
    (tmp_path / "b.jsonl").write_bytes(b"".join(lines[::2]))
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines[1::2]))
    files = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    code, out, _ = vmon_run("timeline", "--width", "80", *files)
    assert code == 0
    assert out == (GOLDEN / "three-timeline-80.txt").read_text("utf-8")


HOSTILE = (
    "<script>alert(1)</script>", "]]></style>", '" onload="alert(1)', "&amp;\x00\x1b\u202e\ud800",
)  # fmt: skip # names that would like to be markup


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", ["--svg", "--html"])
def test_no_name_becomes_markup(name: str, form: str, vmon_run: Run, tmp_path: Path) -> None:
    import json

    connection = {"id": name, "createdAt": sample_room.BEGIN_MS, "data": json.dumps({"name": name})}
    stream = {"id": f"s{name}", "name": name, "videoType": name, "connection": connection}
    told = [
        sample_room.said("connectionCreated", sample_room.BEGIN_MS, connection=connection),
        sample_room.said("streamDestroyed", sample_room.BEGIN_MS + 9, reason=name, stream=stream),
        {
            "event": "archive",
            "id": name,
            "sessionId": sample_room.SESSION,
            "status": "failed",
            "name": name,
        },
    ]
    path = tmp_path / "hostile.jsonl"
    path.write_bytes(b"".join(make_line(json.dumps(one).encode()) for one in told))
    code, out, err = vmon_run("timeline", form, "-", path)
    assert (code, err) == (0, "")
    seen = _elements(out, is_html=form == "--html")
    assert seen <= {
        *("svg", "style", "rect", "text", "path", "g", "title", "circle"),
        *("html", "head", "body", "meta"),
    }
    assert "onload=" not in re.sub(r">[^<]*<|&quot;", "", out)


def test_however_long_a_name_is_what_a_mark_means_stays_in_the_picture(
    vmon_run: Run, tmp_path: Path
) -> None:
    import json

    connection = {
        "id": "c",
        "createdAt": sample_room.BEGIN_MS,
        "data": json.dumps({"name": "x" * 3000}),
    }
    told = [
        sample_room.said("connectionCreated", sample_room.BEGIN_MS, connection=connection),
        sample_room.said("connectionDestroyed", sample_room.BEGIN_MS + 9, connection=connection)
        | {"reason": "networkDisconnected"},
    ]
    path = tmp_path / "long.jsonl"
    path.write_bytes(b"".join(make_line(json.dumps(one).encode()) for one in told))
    _, out, _ = vmon_run("timeline", "--svg", "-", path)
    (below,) = re.findall(r">([^<]*failed: x[^<]*)<", out)
    assert below.endswith("x…, networkDisconnected")
    assert len(below) < 130


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [key for key, _ in attrs if key.startswith("on")]
        self.seen.add(tag)


def _elements(text: str, *, is_html: bool) -> set[str]:
    if is_html:
        tags = _Tags()
        tags.feed(text)
        return tags.seen
    return {one.tag.rpartition("}")[2] for one in ET.fromstring(text).iter()}


@pytest.mark.parametrize("name", ["three-timeline.svg", "three-timeline.html"])
def test_a_picture_needs_nothing_from_elsewhere_and_knows_light_and_dark(name: str) -> None:
    text = (GOLDEN / name).read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert "prefers-color-scheme: dark" in text
    for word in ("http", "url(", "@import", "<script", "href", "src="):
        assert word not in text


def test_the_timeline_imports_no_server(imports_of: Callable[..., set[str]]) -> None:
    assert not imports_of("timeline", *SEED) & {"aiohttp", "pyngrok", "asyncio"}


def _draw_goldens() -> None:
    import os
    import tempfile

    GOLDEN.mkdir(exist_ok=True)
    for name, (people, args) in DRAWINGS.items():
        with tempfile.TemporaryDirectory() as folder:
            argv = [sys.executable, "-m", "vmon", *args, *_files(people, Path(folder))]
            ran = subprocess.run(
                argv, env=os.environ | {"TZ": "UTC"}, check=True, capture_output=True
            )
            (GOLDEN / name).write_bytes(ran.stdout)


if __name__ == "__main__":
    _draw_goldens()
