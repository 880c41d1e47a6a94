"""An element of the feed in words, on a terminal and in a pipe."""

import re
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from tests.render.live.conftest import MakeFacts
from tests.support.factories import make_entry
from vmon.bugs import Bugs
from vmon.capture.codec import Outage
from vmon.forward.client import ForwardResult, Outcome
from vmon.forward.listener import TargetBack, TargetDown
from vmon.receive.elements import (
    BugFound,
    CaptureRecovered,
    CaptureTrouble,
    Element,
    Forwarded,
    Missed,
    Notice,
    OddityFound,
    Received,
    TargetChanged,
    TunnelBack,
    TunnelDown,
    TunnelUp,
)
from vmon.render.live.notices import Extras, Notices, bugs_in_words
from vmon.render.style import Paint
from vmon.sessions.tracker import Annotation

pytestmark = pytest.mark.usefixtures("utc")

NOW = datetime(2026, 11, 24, 9, 30, 5, tzinfo=UTC)
NOW_S = NOW.timestamp()
SESSION = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY4ODMwOX5LeE9INDVJ-fg"
URL = "https://a.example/Zq3x"
OUTAGE = Outage(URL, NOW - timedelta(minutes=20, seconds=9), NOW, "network is unreachable")
Named = Callable[[str, Paint], str]

IN_WORDS: dict[str, tuple[Element, str]] = {
    "a request": (
        Notice("GET /hook not captured: responded 200 to a probe", at_s=NOW_S),
        "<dim>09:30:05 · GET /hook not captured: responded 200 to a probe</>",
    ),
    "forwarding": (
        Notice("app.example is down", "forwarding", at_s=NOW_S),
        "<warning>09:30:05 · app.example is down</>",
    ),
    "a target that is down": (
        TargetChanged(
            TargetDown("app.example", "no response within 10 s", retrying=True), at_s=NOW_S
        ),
        "<warning>09:30:05 · app.example: no response within 10 s; retrying</>",
    ),
    "a target that is back": (
        TargetChanged(TargetBack("app.example", 3.0, 40), at_s=NOW_S),
        "<warning>09:30:05 · app.example is back after 3.0 s: sending 40 deliveries</>",
    ),
    "an oddity": (
        OddityFound("ghost", "warning", SESSION, "Ann never left", at_s=NOW_S),
        "<warning>09:30:05 ⚠ ghost E9INDV: Ann never left</>",
    ),
    "an error": (
        OddityFound("failed", "error", None, "an archive failed", at_s=NOW_S),
        "<failed>09:30:05 ⚠ failed: an archive failed</>",
    ),
    "a hint": (
        OddityFound("two-cameras", "info", SESSION, "Ann has two", at_s=NOW_S),
        "<dim>09:30:05 ⚠ two-cameras E9INDV: Ann has two</>",
    ),
    "a gap": (Missed(1204), "… 1,204 more, not shown (all captured)"),
    "a gap of both": (Missed(1, 1), "… 1 more and 1 notice, not shown"),
    "a gap without deliveries": (Missed(0, 3), "… 3 notices, not shown"),
    "a public URL": (
        TunnelUp(URL),
        "  <dim>public</>   <name>https://a.example/Zq3x</>  paste it into Vonage's dashboard",
    ),
    "another public URL": (
        TunnelUp(URL, "https://b.example/Zq3x"),
        (
            "<failed>warning: the public URL has changed</>\n"
            "  <dim>public</>   <name>https://a.example/Zq3x</>  paste it into Vonage's dashboard\n"
            "  <dim>old</>      https://b.example/Zq3x  no longer works"
        ),
    ),
    "a drop": (
        TunnelDown("network is unreachable.", at_s=NOW_S),
        (
            "<dim>09:30:05 · tunnel down: network is unreachable</>\n"
            "<dim>09:30:05 · reconnecting; Vonage retries what it cannot deliver</>"
        ),
    ),
    "a drop with a code": (
        TunnelDown("session closed", "ERR_NGROK_727", at_s=NOW_S),
        (
            "<dim>09:30:05 · tunnel down: session closed (ERR_NGROK_727)</>\n"
            "<dim>09:30:05 · reconnecting; Vonage retries what it cannot deliver</>"
        ),
    ),
    "a drop with a code of our own": (
        TunnelDown("network is unreachable", "NETWORK", at_s=NOW_S),
        (
            "<dim>09:30:05 · tunnel down: network is unreachable</>\n"
            "<dim>09:30:05 · reconnecting; Vonage retries what it cannot deliver</>"
        ),
    ),
    "a drop that names its code": (
        TunnelDown("closed: ERR_NGROK_727", "ERR_NGROK_727", at_s=NOW_S),
        (
            "<dim>09:30:05 · tunnel down: closed: ERR_NGROK_727</>\n"
            "<dim>09:30:05 · reconnecting; Vonage retries what it cannot deliver</>"
        ),
    ),
    "the end of a drop": (
        TunnelBack(OUTAGE, at_s=NOW_S),
        (
            "<dim>09:30:05 · tunnel back up after 20 min 9 s;"
            " Vonage retries missed deliveries until Wed 09:30</>"
        ),
    ),
    "a capture in trouble": (
        CaptureTrouble("a.jsonl: No space left on device"),
        (
            "<failed>warning: cannot write the capture: a.jsonl: No space left on device\n"
            "         deliveries are acknowledged and kept in memory until it can be written</>"
        ),
    ),
    "a full memory": (
        CaptureTrouble(is_full=True),
        (
            "<failed>warning: the memory for unwritten deliveries is full\n"
            "         new deliveries get 503, so that Vonage retries them:\n"
            "         after 5.0 s, doubling up to 15 min, for 24 h</>"
        ),
    ),
    "a capture that recovered": (
        CaptureRecovered(),
        "<created>the capture can be written again; nothing was lost</>",
    ),
    "a bug": (
        BugFound("ValueError: x"),
        (
            "<failed>warning: a bug in vmon: ValueError: x\n"
            "         only what it was working on has failed, and vmon keeps running;\n"
            "         the traceback is printed when it ends</>"
        ),
    ),
}


def test_every_kind_of_element_is_looked_at() -> None:
    kinds = {type(element) for element, _ in IN_WORDS.values()}
    assert kinds | {Received, Forwarded} == set(get_args(Element))


@pytest.mark.parametrize("name", IN_WORDS)
def test_an_element_in_words_on_a_terminal(
    name: str, facts_of: MakeFacts, named_styles: Named
) -> None:
    element, expected = IN_WORDS[name]
    facts = facts_of(200, coloured=True)
    assert named_styles(Notices(facts=facts).text(element), facts.paint) == expected


@pytest.mark.parametrize("name", IN_WORDS)
def test_an_element_in_words_in_a_pipe(name: str, facts_of: MakeFacts) -> None:
    element, expected = IN_WORDS[name]
    assert Notices(facts=facts_of()).text(element) == re.sub(r"</?[a-z]*>", "", expected)


def test_what_has_its_own_place_is_not_put_in_words(facts_of: MakeFacts) -> None:
    entry, notices = make_entry(b"{}"), Notices(facts=facts_of())
    assert notices.text(Received(entry, None, Annotation())) == ""
    assert notices.text(Forwarded(ForwardResult(entry, "app", Outcome(200, 0.1)))) == ""


def test_without_a_capture_nobody_is_told_that_the_rest_is_in_it(facts_of: MakeFacts) -> None:
    notices = Notices(facts=facts_of(), is_captured=False)
    assert notices.text(Missed(2)) == "… 2 more, not shown"


# The public URL.


def test_a_script_is_told_the_public_url_on_a_line_of_its_own(facts_of: MakeFacts) -> None:
    notices = Notices(facts=facts_of(), ready=lambda url: f"ready public={url}")
    assert notices.text(TunnelUp(URL)).splitlines() == [
        f"  public   {URL}  paste it into Vonage's dashboard",
        f"ready public={URL}",
    ]


def test_a_public_url_is_copied_and_shown_as_a_code_on_a_terminal_alone(
    facts_of: MakeFacts,
) -> None:
    extras = Extras(copy=True, qr=True)
    text = Notices(extras, facts_of(80)).text(TunnelUp(URL))
    copied = re.match(r"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", text)
    assert copied is not None
    assert b64decode(copied[1]).decode() == URL
    first, *code = text.removeprefix(copied[0]).splitlines()
    assert first == f"  public   {URL}  paste it into Vonage's dashboard"
    assert len(code) > 10
    assert all(re.sub(r"\x1b\[[0-9;]*m", "", row).strip(" ▀▄█") == "" for row in code)
    piped = Notices(extras, facts_of()).text(TunnelUp(URL))
    assert piped == f"  public   {URL}  paste it into Vonage's dashboard"


# Bytes from outside.

HOSTILE = "a\x1b[31mb\x07c\x9bd\u202ee\nf\r"


def hostile(value: Any) -> Any:
    """The same element, with hostile text in each of its fields that is any text."""
    closed = {"severity", "about"}
    texts = {
        name: HOSTILE
        for name in value.__struct_fields__
        if name not in closed and isinstance(getattr(value, name), str)
    }
    nested = {"outage": hostile(value.outage)} if isinstance(value, TunnelBack) else {}
    return replace(value, **texts, **nested)


@pytest.mark.parametrize("name", IN_WORDS)
@pytest.mark.parametrize("coloured", [False, True])
def test_no_text_of_an_element_acts_on_a_terminal(
    name: str, facts_of: MakeFacts, named_styles: Named, *, coloured: bool
) -> None:
    element, expected = IN_WORDS[name]
    facts = facts_of(400, coloured=coloured)
    text = Notices(facts=facts).text(hostile(element))
    plain = named_styles(text, facts.paint) if coloured else text
    lines = plain.split("\n")
    assert len(lines) == len(expected.splitlines())
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("width", [80, 40])
@pytest.mark.parametrize("name", IN_WORDS)
def test_a_notice_folds_between_words(name: str, width: int, facts_of: MakeFacts) -> None:
    element, _ = IN_WORDS[name]
    wide = Notices(facts=facts_of(1000)).text(element)
    text = Notices(facts=facts_of(width)).text(element)
    assert text.split() == wide.split()
    longest = max(map(len, wide.split()), default=0)
    assert all(len(row) <= max(width, longest + 11) for row in text.split("\n"))


def test_hostile_text_is_there_to_be_disarmed() -> None:
    texts = [str(hostile(element)) for element, _ in IN_WORDS.values()]
    assert sum("x1b[31m" in text for text in texts) >= 13


def test_the_tracebacks_of_bugs_are_each_told_with_how_often_they_came_up() -> None:
    bugs = Bugs()
    for _ in range(3):
        bugs.note(_raised(ValueError(HOSTILE)))
    bugs.note(_raised(KeyError("k")))
    text = bugs_in_words(bugs.tracebacks())
    lines = text.splitlines()
    assert lines[:3] == [
        "error: there is a bug in vmon",
        "hint: please report it with what follows",
        "3 times:",
    ]
    assert "1 time:" in lines
    assert text.endswith("\nKeyError: 'k'")
    assert all(line.isprintable() for line in text.split("\n"))


def _raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value
