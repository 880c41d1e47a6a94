import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.factories import make_entry
from vmon.capture.codec import write_line
from vmon.events.entry import Entry
from vmon.security.signature import Secret, sign

Run = Callable[..., tuple[int, str, str]]

VALUE = "a-session-secret-of-more-than-32-bytes"
SECRET = Secret("x", VALUE)
BODY = b'{"event":"archive","status":"started","sessionId":"2_MX4x"}'


@pytest.fixture
def signed() -> Callable[..., Entry]:
    """Make an entry that was signed an hour before it was received."""

    def entry(body: bytes = BODY, secret: Secret = SECRET, **changed: Any) -> Entry:
        at = make_entry(BODY).delivery.received_at
        value = sign(body, secret, api_key="k", now=(at - timedelta(hours=1)).timestamp(), jti="j")
        return make_entry(body, headers=(("Authorization", value),), **changed)

    return entry


@pytest.fixture
def capture(tmp_path: Path) -> Callable[..., Path]:
    def made(*entries: Entry, more: bytes = b"") -> Path:
        path = tmp_path / "a.jsonl"
        path.write_bytes(b"".join(map(write_line, entries)) + more)
        return path

    return made


Signed = Callable[..., Entry]
Capture = Callable[..., Path]


def test_when_all_are_valid_only_their_number_is_shown(
    vmon_run: Run, signed: Signed, capture: Capture
) -> None:
    path = capture(signed(), signed(b"not json"), signed(b'{"a":\n1}'))
    told = vmon_run("verify", path, "--secret", "no", "--secret", VALUE)
    assert told == (0, "", "3 deliveries: 3 valid\n")


def test_each_invalid_delivery_is_shown_in_a_line(
    vmon_run: Run, signed: Signed, capture: Capture
) -> None:
    changed = write_line(signed()).replace(b'"started"', b'"stopped"')
    path = capture(signed(), make_entry(b"{}", id="id-2"), more=changed)
    code, out, err = vmon_run("verify", path, "--secret", VALUE)
    assert (code, err) == (1, "3 deliveries: 1 valid, 1 unsigned, 1 invalid\n")
    assert out == (
        "21:16:00.318 ? unknown             -      unsigned no Authorization header"
        " delivery id-2\n"
        "21:16:00.318 - archive             2_MX4x invalid payload_hash differs from the body's:"
        " did a proxy re-encode it? delivery 00053932d7f0ab-5a17c0de\n"
    )


def test_with_v_valid_deliveries_are_shown_too_and_with_json_as_json_lines(
    vmon_run: Run, signed: Signed, capture: Capture, tmp_path: Path
) -> None:
    path = capture(signed(), make_entry(b"{}"))
    (tmp_path / "secrets").write_text(f"mine={VALUE}\n")
    asked = ("verify", path, "--secret-file", tmp_path / "secrets", "--format", "json")
    code, out, _ = vmon_run(*asked, "-v")
    assert code == 1
    first, second = map(json.loads, out.splitlines())
    assert first["claims"] == {"iat": 1470255360, "jti": "j", "api_key": "k"}
    assert {key: first[key] for key in ("id", "type", "session", "kind", "why", "secret")} == {
        "id": "00053932d7f0ab-5a17c0de",
        "type": "archive",
        "session": "2_MX4x",
        "kind": "valid",
        "why": 'signed with the secret "mine"',
        "secret": "mine",
    }
    assert (second["kind"], second["secret"], second["claims"]) == ("unsigned", None, None)
    assert vmon_run(*asked)[1].splitlines() == out.splitlines()[1:]


def test_the_age_is_what_it_was_when_the_delivery_was_received(
    vmon_run: Run, signed: Signed, capture: Capture
) -> None:
    path = capture(signed())
    assert vmon_run("verify", path, "--secret", VALUE, "--max-age", "61m")[0] == 0
    code, out, err = vmon_run("verify", path, "--secret", VALUE, "--max-age", "59m")
    assert (code, err) == (1, "1 delivery: 1 stale\n")
    assert "stale iat is 60 min old" in out


def test_a_line_that_cannot_be_read_is_exit_2_whatever_else_is_valid(
    vmon_run: Run, signed: Signed, capture: Capture
) -> None:
    path = capture(signed(), more=b"rubbish\n")
    code, out, err = vmon_run("verify", path, "--secret", VALUE)
    assert (code, out) == (2, "")
    assert f"warning: {path}:2: skipped" in err


def test_nothing_to_check_is_not_all_valid(vmon_run: Run, capture: Capture) -> None:
    path = capture()
    code, out, err = vmon_run("verify", path, "--secret", VALUE)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: no deliveries found in {path}\n")


def test_without_a_secret_or_a_file_it_is_wrong_use(
    vmon_run: Run, capture: Capture, tmp_path: Path
) -> None:
    code, _, err = vmon_run("verify", capture())
    assert code == 2
    assert err.startswith("error: no signature secret\nhint: copy it")
    assert vmon_run("verify", tmp_path / "none", "--secret", VALUE)[0] == 2
    assert vmon_run("verify", capture(), "--secret", " ")[0] == 2


def test_the_secret_of_the_environment_is_used_and_never_shown(
    vmon_run: Run, signed: Signed, capture: Capture
) -> None:
    path = capture(signed())
    for args in (("verify", path), ("verify", path, "-v"), ("verify", "--help"), ("verify", "no")):
        code, out, err = vmon_run(*args, VMON_SIGNATURE_SECRET=f"other {VALUE}")
        assert code == (2 if args == ("verify", "no") else 0)
        assert VALUE not in out + err


def test_signing_needs_a_secret_and_something_to_be_sent(vmon_run: Run, tmp_path: Path) -> None:
    code, _, err = vmon_run("trigger", "archive", "--sign", "", "--dry-run")
    assert code == 2
    assert "is empty" in err
    code, _, err = vmon_run("replay", tmp_path / "a", "--sign", "x")
    assert (code, err.splitlines()[0]) == (2, "error: --sign needs --to")
