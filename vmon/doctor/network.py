"""Checks of the network: the clock, the public URL, the app."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from vmon.doctor.results import CONNECT_S, DoctorOptions, Finding, Verdict
from vmon.errors import WrongUse
from vmon.events.redelivery import SCHEDULE_TEXT
from vmon.humanize import duration
from vmon.urls import addresses, host_and_port, is_local, typed_url

SKEW_WARN_S = 5.0


SKEW_FAIL_S = 60.0
"""Signatures further in the future are invalid."""


def clock(options: DoctorOptions) -> Finding:
    """Check this machine's clock against a server's Date header, which has whole seconds."""
    servers = (options.public_url,) if options.public_url else options.clocks
    if options.offline:
        return Finding("skip", "skipped: --offline")
    reasons = []
    for server in servers:
        try:
            ahead_s = _ahead(server)
        except ssl.SSLCertVerificationError as error:
            text = f"{_name(server)}: {error.verify_message}"
            fix = "Sync this machine's clock, or check for a proxy that intercepts TLS."
            return Finding("warn", text, fix)
        except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
            reasons.append(f"{_name(server)}: {reason_of(error)}")
        else:
            return _clock_finding(ahead_s, _name(server))
    return Finding("skip", f"no server to compare it with ({'; '.join(reasons)})")


def _ahead(server: str) -> float:
    """The offset of this clock in seconds, positive if it is ahead; 0 within the precision."""
    before = time.time()
    date = _head(server).getheader("Date")
    after = time.time()
    if not date:
        raise ValueError("no Date header")
    at = parsedate_to_datetime(date).timestamp()
    # The server's time was within that second, and between our two times.
    if before > at + 1:
        return before - at - 1
    return min(0.0, after - at)


def _clock_finding(ahead_s: float, server: str) -> Finding:
    off = abs(ahead_s)
    if off < SKEW_WARN_S:
        return Finding("pass", f"in sync with {server}")
    where = "ahead of" if ahead_s > 0 else "behind"
    verdict: Verdict = "fail" if off > SKEW_FAIL_S else "warn"
    text = f"{duration(off)} {where} {server}"
    fix = "Sync it (timedatectl set-ntp true): signature checks depend on it."
    return Finding(verdict, text, fix)


def public_url(options: DoctorOptions) -> Finding:
    """Check that the public URL responds, and that it is vmon that does."""
    url = options.public_url
    if not url:
        text = "not given: --public-url URL (the dashboard calls yours when you save it)"
        return Finding("skip", text)
    if options.offline:
        return Finding("skip", "skipped: --offline")
    try:
        status = _head(url).status
    except (OSError, http.client.HTTPException, ValueError) as error:
        fix = (
            "Check the host name, the tunnel or proxy behind it, and the network. The dashboard "
            "refuses a URL that does not respond."
        )
        return Finding("fail", f"cannot reach {_name(url)}: {reason_of(error)}", fix)
    text = f"{_name(url)} responds with {status}"
    if status == http.HTTPStatus.OK:
        fix = (
            "Register it while vmon listen runs: the dashboard calls it when you save it (see vmon "
            "help register)."
        )
        return Finding("pass", text, fix)
    if status >= 500:  # noqa: PLR2004 - 5xx
        return Finding(
            "warn", text, "Start vmon listen: nothing is listening behind the tunnel or proxy."
        )
    fix = (
        "Another server responds, or the path is wrong. To Vonage anything but 200 is a failure: "
        f"it retries {SCHEDULE_TEXT} (vmon help register)."
    )
    return Finding("warn", text, fix)


def app(url: str | None, *, offline: bool) -> Finding:
    """Check that the app is listening; nothing is sent."""
    if url is None:
        return Finding("skip", "not given: --app URL")
    host, number = _address(url)
    where = host_and_port(host, number)
    if offline and not is_local(host):
        return Finding("skip", f"{where}: skipped: --offline")
    try:
        _connect(host, number)
    except ConnectionRefusedError:
        return Finding(
            "fail", f"connection refused: nothing is listening on {where}", "Start your app."
        )
    except (OSError, UnicodeError) as error:
        fix = "Check the host name and the port."
        return Finding("fail", f"cannot reach {where}: {reason_of(error)}", fix)
    return Finding("pass", f"listening on {where}")


def _connect(host: str, number: int) -> None:
    """Connect to a host, by any of its addresses, and leave; OSError where nobody listens."""
    *first, last = addresses(host)
    for address in first:
        with contextlib.suppress(OSError), socket.create_connection((address, number), CONNECT_S):
            return
    socket.create_connection((last, number), CONNECT_S).close()


def _head(url: str) -> http.client.HTTPResponse:
    host, number = _address(url)
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, number, timeout=CONNECT_S)
    try:
        connection.request("HEAD", parts.path or "/", headers={"User-Agent": "vmon"})
        return connection.getresponse()
    finally:
        connection.close()


def _address(url: str) -> tuple[str, int]:
    """Parse host and port of a URL, also `3000` and `localhost:3000`. WrongUse if it is invalid."""
    full = typed_url(url)
    try:
        parts = urlsplit(full)
        default = {"http": 80, "https": 443}[parts.scheme]
        host, number = parts.hostname, parts.port or default
    except (ValueError, KeyError):
        host, number = None, 0
    if not host:
        raise WrongUse(
            f"{_name(url)} is not a valid URL", hint="Write it like http://localhost:3000."
        )
    return host, number


def _name(url: str) -> str:
    """A URL without user, password and path, safe to show.

    The path of a public URL may be secret.
    """
    head, sign, rest = url.partition("://")
    host = (rest if sign else head).split("/", 1)[0].split("?", 1)[0].rpartition("@")[2]
    return f"{head}{sign}{host}" if sign else host


def reason_of(error: BaseException) -> str:
    """The system's message of an error."""
    if isinstance(error, TimeoutError):
        return f"no response within {duration(CONNECT_S)}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
