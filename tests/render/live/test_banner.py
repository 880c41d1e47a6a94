"""What a run says at its start."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.render.live.conftest import MakeFacts
from vmon import __version__
from vmon.forward.forwarder import ForwardOptions
from vmon.forward.targets import RouteArguments, routes_of
from vmon.render.live.banner import Banner, banner_rows
from vmon.render.style import Paint

LOCAL = "http://127.0.0.1:4680"
CAPTURE = Path("/tmp/captures/a b.jsonl")
HEAD = f"vmon {__version__} is listening (Ctrl-C to stop)"


def test_a_banner_on_a_terminal(facts_of: MakeFacts) -> None:
    more = banner_rows(
        ForwardOptions(routes_of(RouteArguments(("http://127.0.0.1:3000/hooks",)))), survives=True
    )
    text = Banner(facts_of(80)).text(LOCAL, CAPTURE, "stream*", "ngrok", more)
    assert (
        text
        == f"""\
{HEAD}
  local     http://127.0.0.1:4680  (any path)
  public    opening a tunnel with ngrok …
  capture   '/tmp/captures/a b.jsonl'
  filter    stream* (everything is captured)
  forward   http://127.0.0.1:3000/hooks
  response  200 as soon as a delivery is captured;
            vmon retries while your app is down or responds 5xx
  try it    vmon trigger streamCreated"""
    )


def test_a_banner_in_a_pipe_invites_nobody_to_try(facts_of: MakeFacts) -> None:
    assert (
        Banner(facts_of()).text(LOCAL, None, None, None)
        == f"""\
{HEAD}
  local    http://127.0.0.1:4680  (any path)
  capture  off (deliveries are not saved)"""
    )


def test_a_public_url_of_the_users_own_is_checked_and_not_opened(facts_of: MakeFacts) -> None:
    text = Banner(facts_of(80)).text(LOCAL, None, None, "https://hooks.example.com")
    assert "  public   checking https://hooks.example.com …\n" in text


def test_another_port_is_named_to_who_tries(facts_of: MakeFacts) -> None:
    text = Banner(facts_of(80)).text("http://127.0.0.1:5000", None, None, None)
    assert text.endswith("\n  try it   vmon trigger streamCreated --to http://127.0.0.1:5000")


def test_a_filter_cannot_act_on_a_terminal(facts_of: MakeFacts) -> None:
    text = Banner(facts_of(80)).text(LOCAL, None, "x\x1b[31my", None)
    assert "filter   x␛[31my (everything is captured)" in text


# What an app's response means.


@pytest.mark.parametrize(
    ("ack", "policy", "survives", "rows"),
    [
        (
            "always",
            "retry",
            True,
            [
                ("response", "200 as soon as a delivery is captured;"),
                (" ", "vmon retries while your app is down or responds 5xx"),
            ],
        ),
        (
            "always",
            "retry",
            False,
            [
                ("response", "200 as soon as a delivery is captured;"),
                (" ", "vmon retries while your app is down or responds 5xx"),
                (" ", "without a capture, pending deliveries are lost on restart"),
            ],
        ),
        (
            "app",
            "retry",
            False,
            [
                ("response", "your app's response (502 if unreachable, 504 on timeout);"),
                (" ", "anything but 200 is a failure, which Vonage retries for up to 24 h"),
            ],
        ),
        (
            "app",
            "cutoff",
            False,
            [
                ("response", "your app's response (502 if unreachable, 504 on timeout);"),
                (" ", "anything but 200 is a failure; Vonage stops after 50 in 30 min"),
            ],
        ),
    ],
)
def test_what_vonage_is_answered_and_what_comes_of_it(
    ack: str, policy: str, rows: list[tuple[str, str]], *, survives: bool
) -> None:
    options = ForwardOptions((), ack, policy)  # type: ignore[arg-type] # words of the table above
    assert list(banner_rows(options, survives=survives)) == rows


def test_each_target_is_a_row_with_the_types_it_gets() -> None:
    wanted = RouteArguments(("http://127.0.0.1:2/b",), ("archive=http://127.0.0.1:1/a",))
    first, second, *_ = banner_rows(ForwardOptions(routes_of(wanted)), survives=True)
    assert first == ("forward", "http://127.0.0.1:1/a  archive")
    assert second == ("forward", "http://127.0.0.1:2/b  all except archive")


# The line for scripts.


@pytest.mark.parametrize(
    ("public", "capture", "line"),
    [
        (None, CAPTURE, f"ready local={LOCAL} capture='/tmp/captures/a b.jsonl'"),
        (None, None, f"ready local={LOCAL} capture=-"),
        (
            "https://a.example/Zq",
            None,
            f"ready public=https://a.example/Zq local={LOCAL} capture=-",
        ),
    ],
)
def test_a_script_reads_a_line_when_it_may_begin(
    public: str | None, capture: Path | None, line: str, facts_of: MakeFacts
) -> None:
    assert Banner(facts_of()).ready(LOCAL, public, capture, as_json=False) == line
    assert Banner(facts_of(80)).ready(LOCAL, public, capture, as_json=False) is None


def test_a_public_url_cannot_act_on_a_terminal(facts_of: MakeFacts) -> None:
    line = Banner(facts_of()).ready(LOCAL, "https://a.example\x1b[31m", None, as_json=False)
    assert line == f"ready public=https://a.example␛[31m local={LOCAL} capture=-"


def test_the_line_as_json_is_said_on_a_terminal_too(facts_of: MakeFacts) -> None:
    for facts in (facts_of(80), facts_of()):
        line = Banner(facts).ready(LOCAL, "https://a.example\x1b[31m", CAPTURE, as_json=True)
        assert line is not None
        assert line.isprintable()
        assert json.loads(line) == {
            "ready": True,
            "local": LOCAL,
            "public": "https://a.example\x1b[31m",
            "capture": str(CAPTURE),
        }


def test_who_listens_to_others_is_warned(
    facts_of: MakeFacts, named_styles: Callable[[str, Paint], str]
) -> None:
    facts = facts_of(80, coloured=True)
    assert named_styles(Banner(facts).exposed("http://0.0.0.0:4680"), facts.paint) == (
        "<warning>warning: other machines can reach http://0.0.0.0:4680"
        " and send anything to it\n"
        "         use --secret and --require-signature to accept only Vonage's requests</>"
    )
