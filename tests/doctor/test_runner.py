"""How checks run, and what they make of whatever is wrong."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from tests.support.checks import NAMES
from vmon.doctor.results import Check, DoctorOptions, Finding, Result
from vmon.doctor.runner import checks, examine
from vmon.errors import WrongUse


def test_results_are_in_the_order_of_the_checks() -> None:
    assert [one.name for one in checks(DoctorOptions())] == NAMES
    assert [one.name for one in checks(DoctorOptions(apps=("a", "b")))][-2:] == ["app", "app"]


def test_a_check_that_hangs_is_given_up_and_hides_no_other() -> None:
    never = threading.Event()

    def hang() -> Finding:
        never.wait()
        return Finding("pass", "")

    begun = time.monotonic()
    results = list(
        examine(
            [
                Check("a", hang, "skip"),
                Check("b", hang, "fail"),
                Check("c", lambda: Finding("pass", "ok")),
            ],
            0.2,
        )
    )
    assert time.monotonic() - begun < 2
    assert [(one.name, one.verdict) for one in results] == [
        ("a", "skip"),
        ("b", "fail"),
        ("c", "pass"),
    ]
    assert results[0].message == "no result within 200 ms"
    never.set()


def test_a_broken_check_is_reported_and_hides_no_other() -> None:
    def broken() -> Finding:
        raise ZeroDivisionError("by \x1b[2J zero")

    def wrong() -> Finding:
        raise WrongUse("it is wrong", hint="mend it")

    results = list(
        examine([Check("a", broken), Check("b", wrong), Check("c", lambda: Finding("pass", "ok"))])
    )
    assert results[0].message == "the check itself failed: ZeroDivisionError: by ␛[2J zero"
    assert results[1] == Result("b", "fail", "it is wrong", "mend it")
    assert results[2].verdict == "pass"


def test_no_option_breaks_a_check_and_every_failure_has_a_fix() -> None:
    strange = DoctorOptions(
        host="\x00",
        port=70000,
        public_url="http://[",
        apps=("", "ftp://x", "http://[", "http://h:99999", "localhost:x", "\x00:1", "." * 300),
        clocks=("http://[", "nonsense"),
        tunnel="ngrok",
    )
    for result in examine(checks(strange)):
        assert not result.message.startswith("the check itself failed"), result
        assert bool(result.fix) == (result.verdict in {"warn", "fail"}), result


def test_the_doctor_fetches_no_server_and_no_client() -> None:
    heavy = ("aiohttp", "rich", "click", "pyngrok")
    code = f"import sys, vmon.doctor.runner; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
