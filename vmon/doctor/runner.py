"""What `vmon doctor` looks at: each check is a question with a deadline, and gives one result.

All are asked at once, each in a thread of its own that nobody waits for beyond its deadline: name
servers, file systems and programs may take any time, and cannot be told to stop.
"""

from __future__ import annotations

import queue
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from vmon.doctor.machine import captures, packages, port, python, settings
from vmon.doctor.network import app, clock, public_url
from vmon.doctor.results import CHECK_TIMEOUT_S, Check, DoctorOptions, Finding, Result
from vmon.doctor.tunnels import agent, program, stale_agents, token
from vmon.errors import VmonError
from vmon.humanize import duration
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterator


def checks(options: DoctorOptions) -> list[Check]:
    """What is looked at, in the order it is told."""
    found = [
        Check("python", python),
        Check("packages", packages),
        Check("settings", partial(settings, options)),
        Check("port", partial(port, options.host, options.port)),
        Check("captures", partial(captures, options.captures), "fail"),
        *tunnel_checks(options),
        Check("clock", partial(clock, options), "skip"),
        Check("public URL", partial(public_url, options), "fail"),
    ]
    apps = options.apps or (None,)
    return found + [
        Check("app", partial(app, url, offline=options.offline), "fail") for url in apps
    ]


def tunnel_checks(options: DoctorOptions) -> list[Check]:
    """Those that are about the ways to a public URL."""
    return [
        Check("ngrok agent", partial(agent, options)),
        Check("ngrok token", partial(token, options)),
        Check("cloudflared", partial(program, options, "cloudflared")),
        Check("ssh", partial(program, options, "ssh")),
        Check("leftovers", partial(stale_agents, options.state_dir)),
    ]


def examine(found: list[Check], timeout_s: float = CHECK_TIMEOUT_S) -> Iterator[Result]:
    """Ask everything at once; the results in their order, each as soon as it and those before are.

    Ends within `timeout_s`, and raises nothing that a check raises.
    """
    late_at = time.monotonic() + timeout_s
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
            finding = Finding(check.late, f"no result within {duration(timeout_s)}", fix)
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
        text = f"the check itself failed: {type(error).__name__}: {error}"
        return Finding("fail", text, "This is a bug in vmon, please report it.")


# This machine.


# The ways to a public URL. What is missing is a failure only where it is used.


# What is beyond this machine.
