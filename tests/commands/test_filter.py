import contextlib
import gzip
import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.factories import make_line
from vmon.capture import folder
from vmon.commands import filter as command
from vmon.commands.filter import Options
from vmon.errors import WrongUse
from vmon.events.catalogue import TYPES
from vmon.search.filter import Filter

if TYPE_CHECKING:
    from tests.support.processes import Start

STREAMS = Filter(types=frozenset({"streamCreated", "streamDestroyed"}))


@pytest.fixture
def lines() -> list[bytes]:
    return [make_line(json.dumps(one.sample).encode()) for one in TYPES.values()]


@pytest.fixture
def path(lines: list[bytes], tmp_path: Path) -> Path:
    made = tmp_path / "a.jsonl"
    made.write_bytes(b"".join(lines))
    return made


@pytest.fixture
def found(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Callable[..., tuple[int, bytes, bytes]]:
    """Run a filter over files: its exit code, what it put out and what it said."""

    def run(*files: Path, event_filter: Filter = STREAMS, **more: Any) -> tuple[int, bytes, bytes]:
        code = command.run(
            Options(sources=tuple(map(str, files)), event_filter=event_filter, **more)
        )
        sys.stdout.flush()
        return code, *capsysbinary.readouterr()

    return run


Found = Callable[..., tuple[int, bytes, bytes]]


def test_lines_are_printed_unchanged(found: Found, path: Path, lines: list[bytes]) -> None:
    wanted = b"".join(line for line in lines if b'"type":"stream' in line)
    assert wanted.count(b"\n") == 2
    assert found(path) == (0, wanted, b"")
    assert found(path, output_format="json") == (0, wanted, b"")
    assert found(path, event_filter=Filter()) == (0, path.read_bytes(), b"")


def test_what_is_written_when_ctrl_c_is_pressed_is_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def put(_batch: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(command, "_batch_writer", lambda *_: put)
    with pytest.raises(KeyboardInterrupt):
        command.run(Options(sources=(str(path),), event_filter=STREAMS, output_format="json"))
    assert capsys.readouterr().err.startswith("interrupted: 2 deliveries found so far, ")


def test_what_was_found_is_a_capture_again(found: Found, path: Path, tmp_path: Path) -> None:
    once = tmp_path / "b.jsonl"
    once.write_bytes(found(path)[1])
    assert found(once, event_filter=Filter())[1] == once.read_bytes()


def test_files_are_read_in_their_order(found: Found, path: Path, tmp_path: Path) -> None:
    packed = tmp_path / "b.gz"
    packed.write_bytes(gzip.compress(b'{"event":"streamCreated"}\n'))
    code, out, said = found(packed, path)
    assert (code, said) == (0, b"")
    assert out == b'{"event":"streamCreated"}\n' + found(path)[1]


def test_no_match_exits_with_1(found: Found, path: Path) -> None:
    assert found(path, event_filter=Filter(session=("nobody",))) == (1, b"", b"")
    assert found(path, event_filter=Filter(session=("nobody",)), only_count=True) == (
        1,
        b"0\n",
        b"",
    )


def test_a_count_is_all_that_is_put_out(found: Found, path: Path) -> None:
    assert found(path, path, only_count=True) == (0, b"4\n", b"")


def test_a_bad_line_is_reported_beside_the_matches(found: Found, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b'{"event":"streamCreated"}\nnonsense\n{"event":"streamDestroyed"}\n')
    code, out, said = found(path)
    assert (code, out) == (0, b'{"event":"streamCreated"}\n{"event":"streamDestroyed"}\n')
    assert said.startswith(f"warning: {path}:2: skipped: ".encode())
    assert said.count(b"\n") == 1


def days_of(out: bytes) -> list[bytes]:
    """The first eleven characters of each line: of a date alone, no more than that."""
    return [line[:11] for line in out.splitlines()]


def test_lines_of_other_days_have_a_date(
    found: Found,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    zone: Callable[[str], None],
) -> None:
    zone("Asia/Kathmandu")  # whose days begin at 18:15 UTC
    path, body = tmp_path / "a.jsonl", b'{"event":"streamCreated"}'
    early = datetime(2016, 8, 3, 18, 14, 59, tzinfo=UTC)
    times = (early, early + timedelta(seconds=1), early + timedelta(seconds=2), datetime.now(UTC))
    path.write_bytes(b"".join(make_line(body, received_at=at) for at in times))
    today = f"{datetime.now():%Y-%m-%d}".encode()  # noqa: DTZ005 - the local day
    first, second = b"2016-08-03", b"2016-08-04"
    piped = days_of(found(path, output_format="line")[1])
    assert piped == [first + b" ", second + b" ", second + b" ", today + b" "]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")  # which has no colours
    shown = days_of(found(path, output_format="line")[1])
    assert [line for line in shown if b":" not in line] == [first, second, today]
    assert [shown.index(day) for day in (first, second, today)] == [0, 2, 5]


def test_lines_can_be_formatted(found: Found, path: Path, utc: None) -> None:
    del utc
    code, out, said = found(path, output_format="line")
    assert (code, said) == (0, b"")
    assert [line.split()[3] for line in out.splitlines()] == [b"streamCreated", b"streamDestroyed"]
    drawn = found(path, output_format="line", verbosity=1)[1].decode()
    assert "    sessionId " in drawn
    assert found(path, output_format="detail")[1].decode() == drawn


def test_an_unreadable_file_is_wrong_use(found: Found, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="cannot read"):
        found(tmp_path / "none")


def test_following_puts_each_line_out_as_it_comes(
    path: Path, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flushed(Exception):
        pass

    flushed: list[bytes] = []

    class Out(io.BytesIO):
        def flush(self) -> None:
            flushed.append(self.getvalue())
            if len(flushed) > 1 and flushed[-1] != flushed[0]:
                raise Flushed

    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(Out()))
    more = next(line for line in lines if b'"type":"streamCreated"' in line)

    def append() -> None:
        with path.open("ab") as file:
            file.write(more)

    later = threading.Timer(0.05, append)
    later.start()
    with pytest.raises(Flushed):
        command.run(Options(sources=(str(path),), event_filter=STREAMS, follow=True))
    later.join()
    assert flushed[-1] == flushed[0] + more


def test_following_ends_with_the_one_who_read_it(start: "Start", path: Path) -> None:
    reader, writer = os.pipe()
    one = start("filter", "--follow", path, out=writer)
    os.close(writer)
    assert os.read(reader, 1)
    os.close(reader)
    assert one.process.wait(20) == 0
    assert one.err.all() == b""


def test_named_files_are_read_and_a_dash_is_standard_input() -> None:
    assert folder.sources_of(("a", "-", "b/c")) == ("a", None, "b/c")


def test_without_a_file_a_pipe_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with io.FileIO(reading) as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        assert folder.sources_of(()) == (None,)


def test_without_a_file_at_a_terminal_the_newest_capture_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mine, theirs = pty.openpty()
    with io.FileIO(mine), io.FileIO(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        monkeypatch.setattr(folder, "newest", lambda: tmp_path / "new.jsonl")
        assert folder.sources_of(()) == (str(tmp_path / "new.jsonl"),)
        monkeypatch.setattr(folder, "newest", lambda: None)
        with pytest.raises(WrongUse, match="no captures in") as caught:
            folder.sources_of(())
    assert caught.value.hint == "pass a file, or capture events with vmon listen"


def test_what_is_followed_cannot_be_sorted_by_what_is_still_to_come(
    vmon_run: Callable[..., tuple[int, str, str]],
) -> None:
    code, _, err = vmon_run("filter", "--follow", "--sort", "event", "any.jsonl")
    assert code == 2
    assert err.startswith("error: --follow cannot be used with --sort event")


def test_a_where_that_could_be_evaluated_for_nothing_says_why(
    start: "Start", path: Path, lines: list[bytes]
) -> None:
    where = ("--where", 'body.stream.nme == "x"')
    why = f"{len(lines)} could not be evaluated (no such key: body.stream.nme)"
    code, out, err = start("filter", *where, str(path)).result()
    assert (code, out) == (1, "")
    assert err.splitlines()[1] == f"hint: --where matched nothing: {why}"
    code, out, err = start("filter", "--count", *where, str(path)).result()
    assert (code, out) == (1, "0\n")
    assert err == f"warning: --where matched nothing: {why}\n"
    _, _, err = start("sessions", *where, str(path)).result()
    assert err.splitlines()[1] == f"hint: --where matched nothing: {why}"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ('stream.nme == "x"', "--where at character 8: unknown field of stream nme"),
        (
            'received_at > "2026-11-24"',
            "--where at character 13: cannot apply > to timestamp and string",
        ),
    ],
)
def test_a_where_that_can_never_match_is_an_error_with_its_position(
    where: str, message: str, start: "Start", path: Path
) -> None:
    code, out, err = start("filter", "--where", where, str(path)).result()
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == f"error: {message}"


def test_without_the_cel_engine_all_but_where_works(
    start: "Start", path: Path, lines: list[bytes]
) -> None:
    code = "import sys\nsys.modules['cel_expr_python'] = None"
    found = start("filter", "--count", str(path), code=code).result()
    assert found == (0, f"{len(lines)}\n", "")
    status, out, err = start("filter", "--where", "lag > 2", str(path), code=code).result()
    assert (status, out) == (2, "")
    error, hint = err.splitlines()
    assert error == "error: --where needs the CEL engine"
    assert "-m pip install '.[cel]' in vmon's checkout" in hint


def test_a_where_over_input_without_an_end_stops_at_ctrl_c(lines: list[bytes]) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "vmon", "filter", "--where", "lag > 1e12"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip # one thing a line
    assert run.stdin
    block = b"".join(lines) * 100
    for _ in range(1 + 20_000_000 // len(block)):
        run.stdin.write(block)
    run.send_signal(signal.SIGINT)
    started_s = time.monotonic()
    with contextlib.suppress(BrokenPipeError):
        while time.monotonic() - started_s < 20:
            run.stdin.write(block)
    with contextlib.suppress(BrokenPipeError):
        run.stdin.close()
    run.stdin = None
    out, err = run.communicate(timeout=20)
    assert (run.returncode, out) == (130, b"")
    assert err.startswith(b"interrupted: 0 deliveries found so far")
    assert time.monotonic() - started_s < 10


def test_v_shows_details_in_a_pipe_too(start: "Start", path: Path) -> None:
    code, out, _ = start("filter", "-v", "--event", "streamCreated", path).result()
    assert code == 0
    assert "+ streamCreated" in out
    assert "\n    stream.name " in out
    code, out, _ = start("filter", "-v", "--format", "json", "--count", path).result()
    assert (code, out) == (0, "15\n")


def test_the_id_of_a_delivery_is_one_word_everywhere(start: "Start", path: Path) -> None:
    identifier = json.loads(path.read_bytes().splitlines()[0])["id"]
    for words in (["--where", f"delivery == '{identifier}'"], ["--delivery", identifier[:12]]):
        code, out, _ = start("filter", *words, "--fields", "delivery", path).result()
        assert code == 0
        assert set(out.splitlines()) == {"delivery", identifier}
    code, out, _ = start("filter", "-v", "--event", "archive", path).result()
    assert f", delivery {identifier}\n" in out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["filter", "streamCreated"], "did you mean --event streamCreated?"),
        (["filter", "stream*"], "did you mean --event 'stream*'?"),
        (["filter", "--event", "stream"], "did you mean 'stream*'? "),
        (["events", "strm"], "did you mean 'stream*'? "),
        (["listen", "3000"], "use --forward-to localhost:3000 for your app"),
        (["listen", "http://localhost:3000"], "did you mean --forward-to http://localhost:3000?"),
        (["replay", "http://localhost:3000"], "with --to http://localhost:3000"),
    ],
)
def test_what_was_probably_meant_is_in_the_hint(
    start: "Start", words: list[str], hint: str
) -> None:
    code, out, err = start(*words).result()
    assert (code, out) == (2, "")
    assert hint in err.splitlines()[1]
