import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from tests.support.factories import make_entry, make_line
from vmon.capture.codec import read_line
from vmon.events.catalogue import NAMES, TYPES
from vmon.events.verdict import Verdict
from vmon.humanize import compact
from vmon.render.detail import fields
from vmon.render.line import line
from vmon.render.style import LineStyle, Paint
from vmon.sanitize import disarm
from vmon.sessions.tracker import Annotation

DATA = Path(__file__).parents[1] / "data"
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
PLAIN = Paint()

# Each body (`@`) without a width, then in 80 and in 40 columns.
DRAWN = """
@ seed/connectionCreated
21:16:00.318 + connectionCreated   kxOH45  21min  c053fcc8 TOKENDATA
21:16:00.318 + connectionCreated   kxOH45  21min  c053fcc8 TOKENDATA
21:16:00 + connectionCreated TOKENDATA
@ seed/streamCreated
21:16:00.318 + streamCreated       kxOH45   2min  c053fcc8 camera 63245362
21:16:00.318 + streamCreated       kxOH45   2min  c053fcc8 camera 63245362
21:16:00 + streamCreated c053fcc8 camer…
@ seed/streamDestroyed
21:16:00.318 - streamDestroyed     kxOH45    63s  c053fcc8 camera 63245362 lasted 51.5 s
21:16:00.318 - streamDestroyed     kxOH45    63s  c053fcc8 camera 63245362 last…
21:16:00 - streamDestroyed c053fcc8 cam…
@ seed/connectionDestroyed
21:16:00.318 - connectionDestroyed kxOH45    63s  c053fcc8 lasted 20 min 9 s
21:16:00.318 - connectionDestroyed kxOH45    63s  c053fcc8 lasted 20 min 9 s
21:16:00 - connectionDestroyed c053fcc8…
@ opentok/sessionCreated
21:16:00.318 + sessionCreated      kxOH45  21min
21:16:00.318 + sessionCreated      kxOH45  21min
21:16:00 + sessionCreated
@ opentok/sessionDestroyed
21:16:00.318 - sessionDestroyed    kxOH45   3.3s
21:16:00.318 - sessionDestroyed    kxOH45   3.3s
21:16:00 - sessionDestroyed
@ opentok/sessionNotification
21:16:00.318 ~ sessionNotification kxOH45  17min  serverRotation: The media server of the session will be replaced
21:16:00.318 ~ sessionNotification kxOH45  17min  serverRotation: The media ser…
21:16:00 ~ sessionNotification serverRo…
@ opentok/connectionCreated
21:16:00.318 + connectionCreated   kxOH45  21min  c053fcc8 Ann
21:16:00.318 + connectionCreated   kxOH45  21min  c053fcc8 Ann
21:16:00 + connectionCreated Ann
@ opentok/connectionDestroyed
21:16:00.318 - connectionDestroyed kxOH45    63s  c053fcc8 lasted 20 min 9 s
21:16:00.318 - connectionDestroyed kxOH45    63s  c053fcc8 lasted 20 min 9 s
21:16:00 - connectionDestroyed c053fcc8…
@ opentok/streamCreated
21:16:00.318 + streamCreated       kxOH45   2min  c053fcc8 "Ann's camera" camera 63245362
21:16:00.318 + streamCreated       kxOH45   2min  c053fcc8 "Ann's camera" camer…
21:16:00 + streamCreated c053fcc8 "Ann'…
@ opentok/streamDestroyed
21:16:00.318 - streamDestroyed     kxOH45    63s  c053fcc8 "Ann's camera" camera 63245362 lasted 51.5 s
21:16:00.318 - streamDestroyed     kxOH45    63s  c053fcc8 "Ann's camera" camer…
21:16:00 - streamDestroyed c053fcc8 "An…
@ opentok/archive
21:16:00.318 ~ archive             kxOH45    58s  832641bf available "Ann's lesson" 1.8 MB recorded 45.0 s
21:16:00.318 ~ archive             kxOH45    58s  832641bf available "Ann's les…
21:16:00 ~ archive 832641bf available "…
@ opentok/broadcast
21:16:00.318 + broadcast           kxOH45   2min  1748b707 started HLS live RTMP main live
21:16:00.318 + broadcast           kxOH45   2min  1748b707 started HLS live RTM…
21:16:00 + broadcast 1748b707 started H…
@ opentok/render
21:16:00.318 + render              kxOH45      -  80abaf0d started
21:16:00.318 + render              kxOH45      -  80abaf0d started
21:16:00 + render 80abaf0d started
@ opentok/captions
21:16:00.318 + captions            kxOH45      -  7c0680fc started
21:16:00.318 + captions            kxOH45      -  7c0680fc started
21:16:00 + captions 7c0680fc started
@ opentok/callCreated
21:16:00.318 + callCreated         kxOH45   2min  b0a5a8c7 e9f8c166
21:16:00.318 + callCreated         kxOH45   2min  b0a5a8c7 e9f8c166
21:16:00 + callCreated b0a5a8c7 e9f8c166
@ opentok/callUpdated
21:16:00.318 ~ callUpdated         kxOH45   2min  b0a5a8c7 e9f8c166 ACTIVE
21:16:00.318 ~ callUpdated         kxOH45   2min  b0a5a8c7 e9f8c166 ACTIVE
21:16:00 ~ callUpdated b0a5a8c7 ACTIVE
@ opentok/callDestroyed
21:16:00.318 - callDestroyed       kxOH45    69s  b0a5a8c7 e9f8c166 700 lasted 41.4 s
21:16:00.318 - callDestroyed       kxOH45    69s  b0a5a8c7 e9f8c166 700 lasted …
21:16:00 - callDestroyed b0a5a8c7 700 l…
@ opentok/muteForced
21:16:00.318 ~ muteForced          kxOH45    89s  b0a5a8c7 e9f8c166
21:16:00.318 ~ muteForced          kxOH45    89s  b0a5a8c7 e9f8c166
21:16:00 ~ muteForced b0a5a8c7 e9f8c166
@ opentok/sessionDestroyed-failure
21:16:00.318 - sessionDestroyed    kxOH45   3.3s  Internal server failure: The platform failed
21:16:00.318 - sessionDestroyed    kxOH45   3.3s  Internal server failure: The …
21:16:00 - sessionDestroyed Internal se…
@ opentok/archive-failed
21:16:00.318 ! archive             kxOH45    58s  832641bf failed "Ann's lesson" Internal server failure: Ended by a platform failure (OpenTok projects) recorded 45.0 s
21:16:00.318 ! archive kxOH45 58s failed Internal server failure: Ended by a pl…
21:16:00 ! archive failed Internal serv…
@ opentok/callDestroyed-busy
21:16:00.318 - callDestroyed       kxOH45    69s  b0a5a8c7 e9f8c166 486 Busy Here lasted 41.4 s
21:16:00.318 - callDestroyed       kxOH45    69s  b0a5a8c7 486 Busy Here lasted…
21:16:00 - callDestroyed 486 Busy Here …
@ nasty/torn
21:16:00.318 ! undecodable         -           -  not JSON: unterminated string starting at byte 131
21:16:00.318 ! undecodable         -           -  not JSON: unterminated string…
21:16:00 ! undecodable not JSON: unterm…
@ nasty/array
21:16:00.318 ? unknown             -           -  not a known event type ! a list, not an object
21:16:00.318 ? unknown             -           -  not a known event type ! a li…
21:16:00 ? unknown not a known event ty…
@ nasty/escape-codes
21:16:00.318 + streamCreated       kxOH45   2min  c053fcc8 "␛[2J‹U+202E›" camera 63245362
21:16:00.318 + streamCreated       kxOH45   2min  c053fcc8 "␛[2J‹U+202E›" camer…
21:16:00 + streamCreated c053fcc8 "␛[2J…
@ nasty/empty
21:16:00.318 ! undecodable         -           -  empty body
21:16:00.318 ! undecodable         -           -  empty body
21:16:00 ! undecodable empty body
"""  # noqa: E501 - lines as they are drawn


def drawings() -> list[tuple[str, list[str]]]:
    parts = [part.splitlines() for part in DRAWN.split("@ ")[1:]]
    return [(name, lines) for name, *lines in parts]


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("name", "lines"), drawings(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_body_is_shown_in_this_way(name: str, lines: list[str]) -> None:
    (path,) = DATA.glob(f"{name}.*")
    entry = make_entry(path.read_bytes())
    assert [line(entry, LineStyle(PLAIN, width)) for width in (None, 80, 40)] == lines


def test_the_seeds_samples_and_every_type_are_shown() -> None:
    names = {name for name, _ in drawings()}
    assert names >= {f"seed/{path.stem}" for path in (DATA / "seed").iterdir()}
    assert names >= {f"opentok/{name}" for name in TYPES}


# Any event: documented fields with anything in them, at any width.

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=80)
WIDE_TEXT = st.sampled_from(
    [
        "日本語" * 20,
        "e\u0301" * 50,
        "\u0301\u0301",
        "👩\u200d👩\u200d👧" * 9,
        "\x1b[2J\n\x9b",
        "\u202ea",
        "한",
    ]
)
VALUE: st.SearchStrategy[Any] = (
    ANY_TEXT | WIDE_TEXT | st.integers() | st.floats() | st.none() | st.just([])
)
KEYS = sorted(
    {
        "id",
        "name",
        "videoType",
        "connection",
        "data",
        "state",
        "reasonCode",
        "size",
        "sessionId",
        "duration",
        "createdAt",
        "status",
        "reason",
        "timestamp",
        "reason_message",
        "captionsId",
        "projectId",
    }
)
OBJECT = st.dictionaries(
    st.sampled_from(KEYS), VALUE | st.dictionaries(st.sampled_from(KEYS), VALUE)
)
EVENTS = st.fixed_dictionaries(
    {"event": st.sampled_from([*NAMES, "else"]) | VALUE},
    optional=dict.fromkeys(["stream", "connection", "call"], OBJECT) | dict.fromkeys(KEYS, VALUE),
)
BODIES = EVENTS.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)


@PATIENT
@given(body=BODIES, width=st.integers(20, 250), late=st.floats(-1e9, 1e9))
@example(json.dumps({"event": "archive", "size": 10**400, "duration": 10**300}).encode(), 250, 0)
@example(json.dumps({"event": "streamCreated", "stream": {"name": "日" * 99}}).encode(), 79, 0)
@example(json.dumps({"event": "streamCreated", "stream": {"name": "日" * 40}}).encode(), 110, 0)
@example(b'{"event":"callCreated","call":{"id":"\\u001b[2J\\n\\ud800"}}', 20, 1e9)
def test_whatever_happened_is_one_harmless_line_that_fits(
    body: bytes, width: int, late: float
) -> None:
    entry = make_entry(body)
    entry = make_entry(body, received_at=entry.delivery.received_at + timedelta(seconds=late))
    drawn = line(entry, LineStyle(PLAIN, width))
    assert cell_len(drawn) <= width
    assert drawn.isprintable()
    whole = line(entry, LineStyle(PLAIN))
    assert whole.isprintable()
    assert drawn == whole if cell_len(whole) <= width and width >= 72 else True


@PATIENT
@given(body=BODIES, width=st.none() | st.integers(20, 250))
def test_colours_add_escapes_and_nothing_else(body: bytes, width: int | None) -> None:
    entry = make_entry(body)
    coloured = line(
        entry, LineStyle(Paint(Console(force_terminal=True, color_system="256")), width)
    )
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).rstrip() == line(entry, LineStyle(PLAIN, width))
    assert coloured.endswith("\x1b[0m")


ALIGNED = [
    "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr",
    "日本語日本語日本語日本語",
    "e\u0301" * 12,
    "\x1b" * 30,
    "a",
    None,
]


@pytest.mark.parametrize("width", [None, 80, 250])
@pytest.mark.parametrize("session", ALIGNED)
@pytest.mark.parametrize("late", [0.0, -3.2, 61, 7e6, 1e9])
def test_columns_stay_where_they_are(width: int | None, session: str | None, late: float) -> None:
    body = TYPES["callUpdated"].sample | {"sessionId": session}
    entry = make_entry(json.dumps(body).encode())
    said = entry.event.timestamp_at
    assert said is not None
    entry = make_entry(entry.delivery.body, received_at=said + timedelta(seconds=late))
    before, found, _ = line(entry, LineStyle(PLAIN, width)).partition(" b0a5a8c7")
    assert found
    assert cell_len(before) == len("21:16:00.318 ~ callUpdated         kxOH45   2min ")


def test_an_unknown_type_in_a_file_is_disarmed_and_keeps_the_columns() -> None:
    known = make_line(b'{"event":"sessionCreated"}')
    for made_up in ("\x1b[2J", "x" * 50, "日" * 30):
        made = known.replace(
            b'"sessionCreated","session"', json.dumps(made_up).encode() + b',"session"'
        )
        drawn = line(read_line(made), LineStyle(PLAIN))
        assert drawn.isprintable()
        assert cell_len(drawn.partition(" -  ")[0]) == len("21:16:00.318 ~ sessionNotification")


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("micros", "millis"), [(0, "000"), (999_999, "999"), (999_500, "999"), (1_999, "001")]
)
def test_the_time_has_the_millisecond_rounded_down(micros: int, millis: str) -> None:
    at = make_entry(b"").delivery.received_at.replace(microsecond=micros)
    assert line(make_entry(b"", received_at=at), LineStyle(PLAIN)).startswith(
        f"21:16:00.{millis} ! "
    )


def test_the_clock_is_local(zone: Callable[[str], None]) -> None:
    zone("Asia/Kolkata")
    assert line(make_entry(b""), LineStyle(PLAIN)).startswith("02:46:00.318 ! ")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.085, "85ms"),
        (0.9996, "1.0s"),
        (1.52, "1.5s"),
        (9.96, "10s"),
        (99.4, "99s"),
        (99.6, "2min"),
        (1209, "20min"),
        (6000, "2h"),
        (172_800, "2d"),
        (-3.2, "-3.2s"),
        (-0.2, "-200ms"),
        (1e12, "9999d"),
    ],
)
def test_a_lag_takes_six_columns(seconds: float, said: str) -> None:
    assert compact(seconds) == said


@PATIENT
@given(st.floats(-8e11, 8e11))
def test_no_lag_is_wider_than_its_column(seconds: float) -> None:
    assert len(compact(seconds)) <= 6


@pytest.mark.parametrize("remote", [None, "127.0.0.1:1"])
def test_a_bare_body_was_never_received_and_has_no_lag(remote: str | None) -> None:
    entry = make_entry(json.dumps(TYPES["streamCreated"].sample).encode(), remote=remote)
    assert (entry.lag_s is None) == (remote is None)
    assert (" -  c053fcc8" in line(entry, LineStyle(PLAIN))) == (remote is None)


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        (Verdict("valid", "signed"), "✓ started"),
        (Verdict("invalid", "the hash differs: how so?"), "invalid: the hash differs started"),
        (Verdict("invalid", "no match (of \x1b)"), "invalid: no match started"),
        (Verdict("invalid", "\x1b[2J\u202e"), "invalid: ␛[2J‹U+202E› started"),
        (Verdict("stale", "iat is 3 h old, and"), "stale: iat is 3 h old started"),
        (Verdict("unsigned", "there is none"), "unsigned started"),
        (Verdict("unchecked", "no secret"), "unchecked started"),
        (Verdict("l\nater", "why"), "l␊ater: why started"),
        (Verdict("unsigned", "none", refused=True), "unsigned 401, retry in 5.0 s started"),
    ],
)
def test_a_verdict_is_before_the_subject(verdict: Verdict, shown: str) -> None:
    entry = make_entry(b'{"event":"archive","status":"started"}')
    plain = line(entry, LineStyle(PLAIN))
    entry.verdict = verdict
    assert line(entry, LineStyle(PLAIN)) == plain.replace("started", shown)
    for width in (80, 40, 10):
        assert cell_len(line(entry, LineStyle(PLAIN, width))) <= width
    told = [one for one in fields(entry, LineStyle(PLAIN)) if "signature" in one]
    assert told == [f"    signature {disarm(verdict.kind)}: {disarm(verdict.why)}"]


def test_a_rejected_duplicate_shows_when_the_next_retry_is_due() -> None:
    entry = make_entry(b'{"event":"archive","status":"started"}')
    entry.verdict = Verdict("unsigned", "there is none", refused=True)
    for copies, due in ((0, "5.0 s"), (2, "10.0 s"), (99, "15 min")):
        assert f"401, retry in {due} " in line(entry, LineStyle(PLAIN), Annotation(copies=copies))


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("width", "said"),
    [
        (
            100,
            (
                "21:16:00.318 + connectionCreated   kxOH45  21min  "
                "duplicate #2 +0.2 s c053fcc8 TOKENDATA"
            ),
        ),
        (
            80,
            "21:16:00.318 + connectionCreated   kxOH45  21min  c053fcc8 TOKENDATA duplicate …",
        ),
        (71, "21:16:00 + connectionCreated   kxOH45 c053fcc8 TOKENDATA duplicate #2 …"),
        (49, "21:16:00 + connectionCreated TOKENDATA duplicate…"),
        (40, "21:16:00 + connectionCreated TOKENDATA …"),
    ],
)
def test_where_there_is_little_room_a_name_goes_before_a_badge_and_an_id(
    width: int, said: str
) -> None:
    body = (DATA / "seed" / "connectionCreated.json").read_bytes()
    note = Annotation("TOKENDATA", 2, "duplicate #2 +0.2 s")
    assert line(make_entry(body), LineStyle(PLAIN, width), note) == said


def test_an_event_without_a_person_has_its_badge_in_their_place() -> None:
    body = (DATA / "opentok" / "sessionCreated.json").read_bytes()
    drawn = line(make_entry(body), LineStyle(PLAIN, 40), Annotation(badge="↩ 2.0 s late"))
    assert drawn.endswith(" + sessionCreated ↩ 2.0 s late")


def test_what_ends_before_it_began_has_no_negative_duration() -> None:
    body = TYPES["streamDestroyed"].sample
    body = body | {"timestamp": body["stream"]["createdAt"] - 3600}
    drawn = line(make_entry(json.dumps(body).encode()), LineStyle(PLAIN, None))
    assert "ended 3.6 s before it began" in drawn
    assert "lasted" not in drawn
