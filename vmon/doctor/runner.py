"""Run the checks of `vmon doctor`, each with a timeout.

They run in parallel, each in a thread of its own that is abandoned at its timeout: name
servers, file systems and programs may take any time, and cannot be interrupted.
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
    """The checks, in the order of their results."""
    common = [
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
    return common + [
        Check("app", partial(app, url, offline=options.offline), "fail") for url in apps
    ]


def tunnel_checks(options: DoctorOptions) -> list[Check]:
    """The checks of tunnels."""
    return [
        Check("ngrok agent", partial(agent, options)),
        Check("ngrok token", partial(token, options)),
        Check("cloudflared", partial(program, options, "cloudflared")),
        Check("ssh", partial(program, options, "ssh")),
        Check("leftovers", partial(stale_agents, options.state_dir)),
    ]


def examine(checks_: list[Check], timeout_s: float = CHECK_TIMEOUT_S) -> Iterator[Result]:
    """Run checks in parallel; yields the results in order, each as soon as possible.

    Takes at most `timeout_s`; an error in a check becomes its result.
    """
    deadline = time.monotonic() + timeout_s
    started = [(check, _start(check)) for check in checks_]
    for check, result in started:
        try:
            finding = result.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            fix = (
                None
                if check.on_timeout == "skip"
                else "Try again; this machine or its network is very slow."
            )
            finding = Finding(check.on_timeout, f"no result within {duration(timeout_s)}", fix)
        fix = disarm(finding.fix) if finding.fix else None
        yield Result(check.name, finding.verdict, disarm(finding.message), fix)


def _start(check: Check) -> queue.SimpleQueue[Finding]:
    result: queue.SimpleQueue[Finding] = queue.SimpleQueue()
    threading.Thread(target=lambda: result.put(_run(check)), daemon=True).start()
    return result


def _run(check: Check) -> Finding:
    try:
        return check.run()
    except VmonError as error:
        return Finding("fail", error.message, error.hint)
    except Exception as error:  # noqa: BLE001 - a broken check must not hide the others
        text = f"the check itself failed: {type(error).__name__}: {error}"
        return Finding("fail", text, "This is a bug in vmon, please report it.")
