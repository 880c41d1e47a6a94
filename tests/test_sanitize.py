import json
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vmon.humanize import clock, count, duration, handle, iso, size
from vmon.sanitize import disarm, disarm_json

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)

# Unicode's Default_Ignorable_Code_Point: drawn as nothing at all.
_IGNORABLE = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
IGNORABLE = [chr(code) for first, last in _IGNORABLE for code in range(first, last + 1)]
BIDI = {"L", "R", "AL", "EN", "ES", "ET", "AN", "CS", "NSM", "WS", "ON", "B", "S", "BN", ""}
ANY_TEXT = st.text(st.characters(codec=None, categories=None))


@PATIENT
@given(ANY_TEXT)
@example("\x1b]0;title\x07\x1b[2J\x9b2J\r\n\u2028\u202e\u200d\ufeff\ud800\U000e0041")
def test_whatever_the_text_is_nothing_in_it_acts_on_a_terminal(text: str) -> None:
    safe = disarm(text)
    assert safe.isprintable()
    assert len(safe.splitlines()) <= 1
    assert not set(safe) & set(IGNORABLE)
    assert {unicodedata.bidirectional(char) for char in safe} <= BIDI - {"B", "S", "BN"}
    safe.encode()  # not a lone surrogate in it


@PATIENT
@given(ANY_TEXT)
def test_what_was_disarmed_stays_as_it_is(text: str) -> None:
    assert disarm(disarm(text)) == disarm(text)


@PATIENT
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_printable_ascii_is_left_alone(text: str) -> None:
    assert disarm(text) == text


def test_every_code_point_that_is_drawn_as_nothing_is_shown() -> None:
    assert [char for char in IGNORABLE if char in disarm(f"a{char}b")] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("a\nb\tc\0", "a␊b␉c␀"),
        ("\x7f\x85\x9b", "␡‹U+0085›‹U+009B›"),
        ("\u202eevil\u2066", "‹U+202E›evil‹U+2066›"),
        ("\u200bA\ufeff", "‹U+200B›A‹U+FEFF›"),
        ("\u2028\u2029", "‹U+2028›‹U+2029›"),
        ("a\u00a0b\u3000c", "a b c"),
        ("\ud800", "‹U+D800›"),
        ("日本 é e\u0301 👍", "日本 é e\u0301 👍"),
        ("e\u0301\u0301\u0301\u0301e", "e\u0301\u0301e"),
        ("❤\ufe0f", "❤‹U+FE0F›"),
    ],
)
def test_what_is_disarmed_is_shown_for_what_it_is(text: str, shown: str) -> None:
    assert disarm(text) == shown


def test_a_handle_of_a_session_is_its_random_part() -> None:
    assert handle("2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr", "session") == "kxOH45"
    assert handle("short", "session") == "short"
    assert handle("", "session") == ""


def test_a_handle_of_anything_else_is_how_it_begins() -> None:
    assert handle("c053fcc8-c681-41d5-8ec2-7a9e1434a21e") == "c053fcc8"
    assert handle("\x1b[2J") == "␛[2J"


@pytest.mark.parametrize(
    ("bytes_", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_499, "99.5 kB"),
        (99_500, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_848_000, "1.8 MB"),
        (4_200_000_000, "4.2 GB"),
        (999_999_999_999, "1.0 TB"),
        (5 * 10**15, "5000 TB"),
        (10**400, "over 1,000,000 TB"),
    ],
)
def test_a_size_has_three_digits(bytes_: int, said: str) -> None:
    assert size(bytes_) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"),
        (0.0851, "85 ms"),
        (0.9994, "999 ms"),
        (0.9995, "1.0 s"),
        (51.537, "51.5 s"),
        (59.94, "59.9 s"),
        (59.95, "1 min"),
        (1209.4, "20 min 9 s"),
        (3599.6, "1 h"),
        (11_100, "3 h 5 min"),
        (187_200, "2 d 4 h"),
        (-90, "-1 min 30 s"),
        (-0.25, "-250 ms"),
    ],
)
def test_a_duration_has_two_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_an_instant_is_written_in_utc_with_microseconds_whatever_its_zone() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert iso(datetime(2026, 11, 24, 9, 30, tzinfo=UTC)) == "2026-11-24T09:30:00.000000Z"
    assert iso(datetime(2026, 11, 24, 9, 30, 0, 7, tzinfo=east)) == "2026-11-24T04:00:00.000007Z"


def test_a_clock_shows_local_time_and_never_rounds_up(zone: Callable[[str], None]) -> None:
    zone("Asia/Kolkata")
    assert clock(datetime(2026, 11, 24, 9, 30, 59, 999_999, tzinfo=UTC)) == "15:00:59.999"


def test_a_number_has_its_noun() -> None:
    assert count(1, "delivery", "deliveries") == "1 delivery"
    assert count(1204, "delivery", "deliveries") == "1,204 deliveries"
    assert count(0, "stream") == "0 streams"


@PATIENT
@given(st.dictionaries(ANY_TEXT, ANY_TEXT))
@example({"\x1b]0;t\x07": "\x9b2J\x7f\u202e\ud800\U000e0041 é 日本"})
def test_json_on_a_terminal_is_the_same_json_and_acts_on_nothing(value: dict[str, str]) -> None:
    line = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    shown = disarm_json(line)
    assert json.loads(shown) == json.loads(line)
    safe = {char for char in shown.decode() if disarm(char) in {char, " ", ""}}
    assert set(shown.decode()) - safe <= {"\n"}


def test_json_keeps_its_tabs_and_the_ends_of_its_lines() -> None:
    assert disarm_json(b'{\t"a":1}\r\n') == b'{\t"a":1}\r\n'
    assert disarm_json('"日本 é\u200b"\n'.encode()) == '"日本 é\\u200b"\n'.encode()
    assert disarm_json(b'"harmless"\rX') == b'"harmless"\\u000dX'
