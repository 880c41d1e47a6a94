"""What `vmon doctor` looks at: each check is a question with a deadline, and gives one result.

All are asked at once, each in a thread of its own that nobody waits for beyond its deadline: name
servers, file systems and programs may take any time, and cannot be told to stop.
"""

from __future__ import annotations

import asyncio
import errno
import http.client
import importlib.metadata
import os
import platform
import queue
import shutil
import socket
import ssl
import stat
import sys
import tempfile
import threading
import time
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from msgspec import Struct

from vmon import __version__
from vmon.errors import VmonError, WrongUse
from vmon.humanize import disarm, duration, size
from vmon.tunnel.ngrok import config
from vmon.tunnel.ngrok.locate import find_agent, own_place
from vmon.tunnel.ngrok.tunnel import OLDEST_AGENT, check_version
from vmon.tunnel.orphans import leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Verdict = Literal["pass", "warn", "fail", "skip"]

CLOCKS = ("https://video.api.vonage.com", "https://api.ngrok.com")
"""Asked for nothing but the time; the first that answers is believed."""
PATIENCE_S = 5.0
"""How long a check may take."""
CONNECT_S = 3.0
SKEW_WARN_S = 5.0
SKEW_FAIL_S = 60.0
"""Signatures that are so far in the future are refused."""
LITTLE_SPACE = 1_000_000_000
NO_SPACE = 10_000_000
OLDEST_PYTHON = (3, 11)
PACKAGES = ("aiohttp", "msgspec", "pyngrok")
INSTALL = "Run: vmon tunnel install."


class Result(Struct, frozen=True):
    """What a check found: a sentence, and what to do about it where something is to be done."""

    name: str
    verdict: Verdict
    said: str
    fix: str | None = None


class Asked(Struct, frozen=True):
    """What is to be looked at.

    `tunnel` is the provider that is used (ngrok, cloudflared, ssh), None when nobody said; `ngrok`
    is the agent to use in place of the one that is found.
    `token` is an authtoken from the settings and where it is from. `settings` tells which files
    are read; WrongUse when they cannot be. `offline`: nothing leaves this machine.
    """

    host: str = "127.0.0.1"
    port: int = 4680
    captures: Path | None = None
    state_dir: Path | None = None
    tunnel: str | None = None
    ngrok: Path | None = None
    token: tuple[str, str] | None = None
    public_url: str | None = None
    apps: tuple[str, ...] = ()
    settings: str | WrongUse = "no config file; defaults in use"
    clocks: tuple[str, ...] = CLOCKS
    offline: bool = False

    def __repr__(self) -> str:
        # The generated one would carry the token into tracebacks.
        return f"Asked({self.host}:{self.port})"


class Finding(NamedTuple):
    """What a check's function gives: all of a result but the name."""

    verdict: Verdict
    said: str
    fix: str | None = None


class Check(NamedTuple):
    """A question, and how bad it is when it cannot be answered in time."""

    name: str
    ask: Callable[[], Finding]
    late: Verdict = "warn"


def checks(asked: Asked) -> list[Check]:
    """What is looked at, in the order it is told."""
    found = [
        Check("python", python),
        Check("packages", packages),
        Check("settings", partial(settings, asked)),
        Check("port", partial(port, asked.host, asked.port)),
        Check("captures", partial(captures, asked.captures), "fail"),
        *tunnel_checks(asked),
        Check("clock", partial(clock, asked), "skip"),
        Check("public URL", partial(public_url, asked), "fail"),
    ]
    apps = asked.apps or (None,)
    return found + [Check("app", partial(app, url, offline=asked.offline), "fail") for url in apps]


def tunnel_checks(asked: Asked) -> list[Check]:
    """Those that are about the ways to a public URL."""
    return [
        Check("ngrok agent", partial(agent, asked)),
        Check("ngrok token", partial(token, asked)),
        Check("cloudflared", partial(program, asked, "cloudflared")),
        Check("ssh", partial(program, asked, "ssh")),
        Check("leftovers", partial(left_over, asked.state_dir)),
    ]


def examine(found: list[Check], patience_s: float = PATIENCE_S) -> Iterator[Result]:
    """Ask everything at once; the results in their order, each as soon as it and those before are.

    Ends within `patience_s`, and raises nothing that a check raises.
    """
    late_at = time.monotonic() + patience_s
    answers = [(check, _asking(check)) for check in found]
    for check, answer in answers:
        try:
            finding = answer.get(timeout=max(0.0, late_at - time.monotonic()))
        except queue.Empty:
            fix = (
                None
                if check.late == "skip"
                else "Try again; this machine or its network is very slow."
            )
            finding = Finding(check.late, f"no result within {duration(patience_s)}", fix)
        fix = disarm(finding.fix) if finding.fix else None
        yield Result(check.name, finding.verdict, disarm(finding.said), fix)


def _asking(check: Check) -> queue.SimpleQueue[Finding]:
    answer: queue.SimpleQueue[Finding] = queue.SimpleQueue()
    threading.Thread(target=lambda: answer.put(_answer(check)), daemon=True).start()
    return answer


def _answer(check: Check) -> Finding:
    try:
        return check.ask()
    except VmonError as error:
        return Finding("fail", error.message, error.hint)
    except Exception as error:  # noqa: BLE001 - a check that breaks must not hide the others
        said = f"the check itself failed: {type(error).__name__}: {error}"
        return Finding("fail", said, "This is a bug in vmon, please report it.")


# This machine.


def python() -> Finding:
    """Which Python runs this."""
    said = f"{platform.python_implementation()} {platform.python_version()} on {_system()}"
    if sys.version_info < OLDEST_PYTHON:
        return Finding("fail", said, "Install Python 3.11 or newer.")
    return Finding("pass", said)


def _system() -> str:
    return f"{platform.system()} {platform.release()} ({platform.machine()})"


def packages() -> Finding:
    """Which versions there are of what vmon is made of."""
    versions = {name: _version(name) for name in (*PACKAGES, "uvloop")}
    said = ", ".join(f"{name} {found or 'missing'}" for name, found in versions.items())
    said = f"vmon {__version__}, {said}"
    if any(versions[name] is None for name in PACKAGES):
        return Finding(
            "fail", said, "Install vmon again from its checkout: pip install --force-reinstall ."
        )
    if versions["uvloop"] is None and sys.platform != "win32":
        return Finding("warn", said, "vmon works without uvloop, but slower: pip install uvloop.")
    return Finding("pass", said)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def settings(asked: Asked) -> Finding:
    """Whether the settings can be read, and where they are."""
    if isinstance(asked.settings, WrongUse):
        raise asked.settings
    return Finding("pass", asked.settings)


def port(host: str, number: int) -> Finding:
    """Whether `vmon listen` could listen there."""
    where = f"{host}:{number}"
    if number == 0:
        return Finding("pass", f"any free port of {host}")
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as one:
            if os.name == "posix":  # elsewhere it would take a port from who has it
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(address)
    except (OSError, UnicodeError) as error:
        return _no_port(where, number, error)
    return Finding("pass", f"{where} is free")


def _no_port(where: str, number: int, error: Exception) -> Finding:
    if isinstance(error, PermissionError):
        return Finding("fail", f"permission denied for {where}", "Choose a port above 1023.")
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        who = f"ss -ltnp 'sport = :{number}'" if sys.platform == "linux" else f"lsof -i :{number}"
        fix = f"If that is not your vmon listen: find the program ({who}), or use another --port."
        return Finding("fail", f"{where} is already in use", fix)
    said = f"cannot listen on {where}: {_reason(error)}"
    return Finding("fail", said, "--host must be an address of this machine, such as 127.0.0.1.")


def captures(folder: Path | None) -> Finding:
    """Whether captures can be written: the folder's mode, and the space there is."""
    from vmon.capture.writer import default_folder

    place = folder or default_folder()
    there = next(one for one in (place, *place.absolute().parents) if one.exists())
    fix = "Make it writable, or choose another file with --capture."
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding("fail", f"cannot write to {there}: {_reason(error)}", fix)
    mode = stat.S_IMODE(there.stat().st_mode)
    free = shutil.disk_usage(there).free
    said = f"{place}, {size(free)} free"
    if there != place.absolute() and there != place:
        said += ", not created yet"
    elif os.name == "posix" and mode & 0o022:
        said += f", mode {mode:04o}"
        return Finding(
            "warn", said, f"Other users can change captures there; run: chmod go-w {place}"
        )
    if free < LITTLE_SPACE:
        verdict: Verdict = "fail" if free < NO_SPACE else "warn"
        return Finding(verdict, said, "Free some disk space: a capture grows with every delivery.")
    return Finding("pass", said)


# The ways to a public URL. What is missing is a failure only where it is used.


def agent(asked: Asked) -> Finding:
    """Whether there is an ngrok agent, and new enough."""
    try:
        found = find_agent(asked.ngrok)
        major, minor = asyncio.run(asyncio.wait_for(check_version(found), CONNECT_S))
    except TimeoutError:
        return _unless_used(asked, "ngrok", f"cannot get the version of {found}", INSTALL)
    except VmonError as error:
        return _unless_used(asked, "ngrok", error.message, error.hint)
    oldest = ".".join(map(str, OLDEST_AGENT))
    return Finding("pass", f"{major}.{minor} at {found} ({oldest} or newer needed)")


def token(asked: Asked) -> Finding:
    """Whether there is an ngrok authtoken, and where; never what it is."""
    if asked.token:
        return Finding("pass", f"found in {asked.token[1]}")
    if os.environ.get("NGROK_AUTHTOKEN", "").strip():
        return Finding("pass", "found in NGROK_AUTHTOKEN")
    file = own_place().parent / config.CONFIG
    try:
        found = config.user_config().get("authtoken")
    except VmonError as error:
        return _unless_used(asked, "ngrok", error.message, error.hint)
    if found:
        return Finding("pass", f"found in {file}")
    fix = (
        "Set NGROK_AUTHTOKEN, or run: ngrok config add-authtoken TOKEN. "
        "Your token: https://dashboard.ngrok.com/get-started/your-authtoken"
    )
    return _unless_used(asked, "ngrok", f"not found in NGROK_AUTHTOKEN or {file}", fix)


def program(asked: Asked, name: str) -> Finding:
    """Whether a program is there that another tunnel needs."""
    found = shutil.which(name)
    if found:
        return Finding("pass", found)
    said = f"not installed (needed only for --tunnel {name})"
    if asked.tunnel == name:
        return Finding("fail", f"{name} is not on PATH", f"Install {name}.")
    return Finding("skip", said)


def left_over(folder: Path | None) -> Finding:
    """Whether an agent outlived the vmon it served."""
    found = leftovers(folder) if folder else []
    if found:
        pids = ", ".join(f"{one.provider} (pid {one.pid})" for one in found)
        said = f"an earlier vmon left running: {pids}"
        return Finding("warn", said, "Run: vmon tunnel leftovers --stop.")
    return Finding("pass", "no agent of an earlier vmon is running")


def _unless_used(asked: Asked, name: str, said: str, fix: str | None) -> Finding:
    verdict: Verdict = "fail" if asked.tunnel == name else "warn"
    return Finding(verdict, said, fix)


# What is beyond this machine.


def clock(asked: Asked) -> Finding:
    """How far this machine's clock is from a server's (its Date header has whole seconds)."""
    servers = (asked.public_url,) if asked.public_url else asked.clocks
    if asked.offline:
        return Finding("skip", "skipped: --offline")
    reasons = []
    for server in servers:
        try:
            ahead_s = _ahead(server)
        except ssl.SSLCertVerificationError as error:
            said = f"{_name(server)}: {error.verify_message}"
            fix = "Sync this machine's clock, or check for a proxy that intercepts TLS."
            return Finding("warn", said, fix)
        except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
            reasons.append(f"{_name(server)}: {_reason(error)}")
        else:
            return _judged(ahead_s, _name(server))
    return Finding("skip", f"no server to compare it with ({'; '.join(reasons)})")


def _ahead(server: str) -> float:
    """By how many seconds our clock is ahead, 0 where whole seconds cannot tell."""
    before = time.time()
    told = _head(server).getheader("Date")
    after = time.time()
    if not told:
        raise ValueError("no Date header")
    at = parsedate_to_datetime(told).timestamp()
    # It was some instant of that second, and some instant between our two.
    if before > at + 1:
        return before - at - 1
    return min(0.0, after - at)


def _judged(ahead_s: float, server: str) -> Finding:
    off = abs(ahead_s)
    if off < SKEW_WARN_S:
        return Finding("pass", f"in sync with {server}")
    where = "ahead of" if ahead_s > 0 else "behind"
    verdict: Verdict = "fail" if off > SKEW_FAIL_S else "warn"
    said = f"{duration(off)} {where} {server}"
    fix = "Sync it (timedatectl set-ntp true): signature checks depend on it."
    return Finding(verdict, said, fix)


def public_url(asked: Asked) -> Finding:
    """Whether the public URL answers, and whether it is vmon that does."""
    url = asked.public_url
    if not url:
        return Finding("skip", "not given: --public-url URL")
    if asked.offline:
        return Finding("skip", "skipped: --offline")
    try:
        status = _head(url).status
    except (OSError, http.client.HTTPException, ValueError) as error:
        fix = "Check the host name, the tunnel or proxy behind it, and the network."
        return Finding("fail", f"cannot reach {_name(url)}: {_reason(error)}", fix)
    said = f"{_name(url)} responds with {status}"
    if status < 300:  # noqa: PLR2004 - 2xx
        return Finding("pass", said)
    if status >= 500:  # noqa: PLR2004 - 5xx
        return Finding(
            "warn", said, "Start vmon listen: nothing is listening behind the tunnel or proxy."
        )
    return Finding("warn", said, "Another server responds, or the path is wrong.")


def app(url: str | None, *, offline: bool) -> Finding:
    """Whether something listens where the app should be; nothing is sent."""
    if url is None:
        return Finding("skip", "not given: --app URL")
    host, number = _address(url)
    where = f"{host}:{number}"
    if offline and host not in {"localhost", "127.0.0.1", "::1"}:
        return Finding("skip", f"{where}: skipped: --offline")
    try:
        with socket.create_connection((host, number), CONNECT_S):
            return Finding("pass", f"listening on {where}")
    except ConnectionRefusedError:
        return Finding(
            "fail", f"connection refused: nothing is listening on {where}", "Start your app."
        )
    except (OSError, UnicodeError) as error:
        fix = "Check the host name and the port."
        return Finding("fail", f"cannot reach {where}: {_reason(error)}", fix)


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
    """Host and port of a URL; `localhost:3000` means http. WrongUse for what is none."""
    whole = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(whole)
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
    """A URL as it may be shown: without a user's name and password, and without a path.

    The path of a public URL may be the secret that keeps strangers out.
    """
    head, sign, rest = url.partition("://")
    place = (rest if sign else head).split("/", 1)[0].split("?", 1)[0].rpartition("@")[2]
    return f"{head}{sign}{place}" if sign else place


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no response within {duration(CONNECT_S)}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
