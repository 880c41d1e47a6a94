"""A run as it is shown: the banner, the ready line, what happens, the summary."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.render.live.conftest import MakeFacts
from tests.support.factories import make_entry
from vmon import __version__
from vmon.bugs import Bugs
from vmon.events.entry import Entry
from vmon.events.ids import Ids
from vmon.forward.forwarder import ForwardOptions
from vmon.forward.targets import RouteArguments, routes_of
from vmon.receive.elements import Element, Notice, TunnelUp
from vmon.receive.feed import Feed
from vmon.receive.pipeline import Pipeline, PipelineOptions
from vmon.render.formats.entries import Form, LineFormatter
from vmon.render.formats.json_lines import JsonFormatter
from vmon.render.live import screen as screens
from vmon.render.live import terminal as module
from vmon.render.live.terminal import Terminal, TerminalOptions
from vmon.render.live.writer import ERR, OUT
from vmon.search.filter import Filter
from vmon.security.verifier import Verifier
from vmon.sessions.tracker import SessionTracker

LOCAL = "http://127.0.0.1:5000"
URL = "https://a.example/Zq3x"
CAPTURE = Path("/tmp/captures/a.jsonl")
BODY = b'{"event":"connectionCreated","sessionId":"2_A","connection":{"id":"c1","data":"Ann"}}'
BANNER = f"""\
vmon {__version__} is listening (Ctrl-C to stop)
  local    {LOCAL}  (any path)
  capture  {CAPTURE}
"""


class Paper:
    """A writer that keeps what it is given."""

    free = True

    def __init__(self, _on_gone: Callable[[], None]) -> None:
        self.written: dict[int, bytes] = {OUT: b"", ERR: b""}
        self.pinned: list[bytes] = []

    def pin(self, line: bytes) -> None:
        self.pinned.append(line)

    def put(self, fd: int, batch: bytes) -> None:
        self.written[fd] += batch

    def finish(self, _within_s: float) -> bool:
        return True

    def close(self) -> None:
        """Nothing is to be closed."""


class Shown:
    """A run with a terminal: its feed, and what was written of it."""

    def __init__(self, options: TerminalOptions) -> None:
        self.bugs = Bugs()
        self.tracker = SessionTracker()
        self.feed = Feed(self.tracker, self._note_bug)
        self.pipeline = Pipeline(PipelineOptions(Verifier(), 1 << 20), Ids(), self.feed, self.bugs)
        self.oddities = 0
        self.terminal = Terminal(
            options, self.tracker, lambda: self.oddities, lambda: None, self._note_bug
        )
        self.terminal.follow(self.feed)

    def _note_bug(self, error: Exception) -> None:
        self.bugs.note(error)

    def receive(self, entry: Entry) -> None:
        self.pipeline.totals.types[entry.type] += 1
        self.feed.deliver(entry, b"the line\n")

    async def publish(self, *elements: Element) -> None:
        for element in elements:
            self.feed.publish(element)
        self.feed.flush()
        await self.terminal.drain(10)

    @property
    def _paper(self) -> Paper:
        writer: Any = self.terminal._screen._writer
        assert isinstance(writer, Paper)
        return writer

    @property
    def out(self) -> str:
        return self._paper.written[OUT].decode()

    @property
    def err(self) -> str:
        return self._paper.written[ERR].decode()


Show = Callable[..., Shown]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, facts_of: MakeFacts) -> Show:
    """Make a run, on a terminal of so many columns or (None) in a pipe."""
    monkeypatch.setattr(screens, "Writer", Paper)

    def make(width: int | None = None, **options: Any) -> Shown:
        monkeypatch.setattr(module, "Facts", lambda: facts_of(width))
        for stream in (sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: width is not None)
        return Shown(TerminalOptions(**{"capture": CAPTURE} | options))

    return make


# The start.


async def test_in_a_pipe_a_run_begins_with_a_banner_and_a_line_for_scripts(show: Show) -> None:
    run = show()
    run.terminal.say_banner(LOCAL, LOCAL, None, survives=True)
    assert run.err == BANNER
    run.terminal.say_ready()
    assert run.err == BANNER + f"ready local={LOCAL} capture={CAPTURE}\n"
    assert run.out == ""


async def test_on_a_terminal_somebody_is_told_how_to_try_and_no_line_for_scripts(
    show: Show,
) -> None:
    run = show(80)
    run.terminal.say_banner(LOCAL, f"{LOCAL}/Zq3x", "ngrok", survives=True)
    run.terminal.say_ready()
    await run.publish(TunnelUp(URL))
    assert (
        run.err
        == f"""\
vmon {__version__} is listening (Ctrl-C to stop)
  local    {LOCAL}/Zq3x  (any path)
  public   opening a tunnel with ngrok …
  capture  {CAPTURE}
  try it   vmon trigger streamCreated --to {LOCAL}/Zq3x
  public   {URL}  paste it into Vonage's dashboard
"""
    )


@pytest.mark.parametrize("quiet", [False, True])
async def test_a_public_url_is_on_the_line_for_scripts(show: Show, *, quiet: bool) -> None:
    run = show(quiet=quiet)
    run.terminal.say_banner(LOCAL, LOCAL, None, survives=True)
    await run.publish(TunnelUp(URL))
    assert run.err == (
        f"{BANNER}  public   {URL}  paste it into Vonage's dashboard\n"
        f"ready public={URL} local={LOCAL} capture={CAPTURE}\n"
    )


@pytest.mark.parametrize("width", [None, 80])
@pytest.mark.parametrize("quiet", [False, True])
async def test_the_line_for_scripts_is_json_where_it_is_wanted_so(
    show: Show, width: int | None, *, quiet: bool
) -> None:
    run = show(width, quiet=quiet, ready_as_json=True, capture=None)
    run.terminal.say_banner(LOCAL, LOCAL, None, survives=True)
    run.terminal.say_ready()
    ready = {"ready": True, "local": LOCAL, "public": None, "capture": None}
    assert json.loads(run.err.splitlines()[-1]) == ready
    await run.publish(TunnelUp(URL))
    assert json.loads(run.err.splitlines()[-1]) == ready | {"public": URL}


async def test_the_banner_names_the_filter_and_what_is_forwarded(show: Show) -> None:
    forward = ForwardOptions(routes_of(RouteArguments(("http://127.0.0.1:3000",))))
    run = show(chosen=Filter(types=frozenset({"archive"})), forward=forward)
    run.terminal.say_banner(LOCAL, LOCAL, None, survives=False)
    assert (
        run.err
        == f"""\
vmon {__version__} is listening (Ctrl-C to stop)
  local     {LOCAL}  (any path)
  capture   {CAPTURE}
  filter    archive (everything is captured)
  forward   http://127.0.0.1:3000
  response  200 as soon as a delivery is captured;
            vmon retries while your app is down or responds 5xx
            without a capture, pending deliveries are lost on restart
"""
    )


@pytest.mark.parametrize(
    ("local", "warns"),
    [
        ("http://127.0.0.1:5000", False),
        ("http://[::1]:5000", False),
        ("http://0.0.0.0:5000", True),
        ("http://[::]:5000", True),
    ],
)
async def test_who_listens_to_other_machines_is_warned(
    show: Show, local: str, *, warns: bool
) -> None:
    run = show()
    run.terminal.say_banner(local, local, None, survives=True)
    assert (f"warning: other machines can reach {local} " in run.err) == warns


# What happens.


async def test_deliveries_go_to_standard_output_and_notices_to_standard_error(show: Show) -> None:
    run = show(form=Form("json"))
    run.receive(make_entry(BODY))
    await run.publish(Notice("a probe"))
    assert run.out == "the line\n"
    assert run.err.endswith(" · a probe\n")


async def test_quiet_shows_no_delivery_and_every_notice(show: Show) -> None:
    run = show(quiet=True)
    run.receive(make_entry(BODY))
    await run.publish(Notice("a probe"))
    assert run.out == ""
    assert run.err.endswith(" · a probe\n")
    run.pipeline.totals.started_s = 0.0
    run.terminal.say_summary(run.pipeline, run.bugs)
    assert "\n1 delivery in " in run.err
    assert "not shown" not in run.err


async def test_what_is_redacted_stands_under_a_pseudonym(show: Show) -> None:
    outs = []
    for redact in (None, ("connection.data",)):
        run = show(form=Form("json"), redact=redact)
        run.receive(make_entry(BODY))
        await run.publish()
        outs.append(run.out)
    assert outs[0] == "the line\n"
    assert json.loads(outs[1])["body"]["connection"]["data"] != "Ann"


async def test_a_status_stands_at_the_foot_of_a_terminal_alone(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screens, "_BEAT_S", 0.0)
    for width, has_one in ((80, True), (None, False)):
        run = show(width)
        run.receive(make_entry(BODY))
        run.feed.flush()
        run.oddities = 2
        run.terminal._screen._show_status()
        text = "1 session open · 1 connection · 0 streams"
        assert any(text.encode() in line for line in run._paper.pinned) == has_one
        assert any(b"2 oddities" in line for line in run._paper.pinned) == has_one
        await run.publish()


# The end.


async def test_the_summary_counts_names_and_tells_how_to_see_it_again(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmon.render.live.summary.time.monotonic", lambda: 101.5)
    run = show(chosen=Filter(types=frozenset({"archive"})))
    run.pipeline.totals.started_s, run.pipeline.totals.capture = 100.0, CAPTURE
    for _ in range(2):
        run.receive(make_entry(BODY))
    await run.publish()
    run.pipeline.block("GET /.env")
    run.oddities = 3
    run.terminal.say_summary(run.pipeline, run.bugs, [("forwarded", "2")])
    assert (
        run.err
        == f"""\
2 deliveries in 1.5 s
  connectionCreated            2  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
  hidden by filter  2
  blocked (404)     1
  sessions          1 (1 open), 1 connection, 0 streams
  2_A               1 connection, 0 streams, 1 event, 0 ms, open, 1 connected
  duplicates        1
  oddities          3 (see vmon oddities)
  forwarded         2
  capture           {CAPTURE}
  replay            vmon replay {CAPTURE}
"""
    )


async def test_a_run_that_never_began_has_no_summary_and_its_bugs_are_told(show: Show) -> None:
    run = show()
    run.terminal.say_summary(run.pipeline, run.bugs)
    assert run.err == ""
    run.bugs.note(ZeroDivisionError("x"))
    run.terminal.say_bugs(run.bugs)
    assert run.err.startswith("error: there is a bug in vmon\nhint: please report it")
    assert run.err.endswith("ZeroDivisionError: x\n")


async def test_a_bug_in_showing_is_noted_and_counted_as_not_shown(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> bytes:
        raise ZeroDivisionError

    for formatter in (LineFormatter, JsonFormatter):
        monkeypatch.setattr(formatter, "entry", failing)
    run = show()
    run.pipeline.totals.started_s = 0.0
    run.receive(make_entry(BODY))
    await run.publish()
    run.terminal.say_summary(run.pipeline, run.bugs)
    assert "\n  not shown     1\n" in run.err
    assert "\n  bugs in vmon  1\n" in run.err
