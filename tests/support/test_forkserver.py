"""What is forked from a warm interpreter is what a start from nothing is."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.forkserver import Forked, Warm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.processes import Flow, Listen

Module = Callable[[str], tuple[list[str], dict[str, str]]]
PROBE = """
import gc, json, locale, os, resource, signal, sys, threading, time
streams = (sys.stdin, sys.stdout, sys.stderr)
print(json.dumps({
    "argv": sys.argv, "path": sys.path, "environment": dict(os.environ), "folder": os.getcwd(),
    "descriptors": sorted(map(int, os.listdir("/proc/self/fd")))[:-1],
    "signals": {s.name: str(signal.getsignal(s)).split(" at ")[0] for s in signal.Signals},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
    "umask": os.umask(0o22), "limits": [resource.getrlimit(n) for n in range(10)],
    "threads": threading.active_count(), "gc": [gc.isenabled(), gc.get_threshold()],
    "zone": time.tzname, "locale": locale.getlocale(), "flags": list(sys.flags),
    "warnings": [sys.warnoptions], "main": __name__, "same": sys.__stdout__ is sys.stdout,
    "streams": [
        (s.name, s.mode, s.encoding, s.errors, s.newlines, s.line_buffering, s.write_through,
         s.isatty(), s.closed, s.fileno(), type(s.buffer).__name__)
        for s in streams
    ],
    "ours": [name for name in sys.modules if name.partition(".")[0] in ("vmon", "pyngrok")],
}), flush=True)
"""


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks well")


@pytest.fixture(scope="module")
def interpreter(bare_environment: dict[str, str]) -> Iterator[Warm]:
    """Make one of these tests' own, which is there where all starts are to be cold, too."""
    one = Warm(bare_environment)
    yield one
    one.close()


@pytest.fixture
def forking(interpreter: Warm) -> Iterator[Callable[..., Forked]]:
    """Fork a module, and see to its end."""
    forked: list[Forked] = []

    def fork(*args: Any, **asked: Any) -> Forked:
        forked.append(interpreter.start(*args, **asked))
        return forked[-1]

    yield fork
    for one in forked:
        one.kill()
        one.wait(20)
        for pipe in (one.stdout, one.stderr):
            if pipe:
                pipe.close()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Module:
    """Write a module where the test is; its arguments and its environment."""
    monkeypatch.chdir(tmp_path)

    def write(program: str) -> tuple[list[str], dict[str, str]]:
        (tmp_path / "probe.py").write_text(program)
        return ["a b", "--c"], environment | {"TZ": "Asia/Tokyo", "COLUMNS": "40"}

    return write


def cold(args: list[str], env: dict[str, str], out: int = subprocess.PIPE) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "probe", *args],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.PIPE,
        start_new_session=True,
        check=False,
    )


def read(one: Forked) -> tuple[int, bytes, bytes]:
    assert one.stdout
    assert one.stderr
    return one.wait(20), one.stdout.read(), one.stderr.read()


def test_a_fork_finds_what_a_start_from_nothing_finds(
    forking: Callable[..., Forked], module: Module
) -> None:
    args, env = module(PROBE)
    code, out, err = read(forking(args, env, module="probe"))
    told = cold(args, env)
    assert (code, err) == (told.returncode, told.stderr) == (0, b"")
    assert json.loads(out) == json.loads(told.stdout)


def test_so_it_does_on_a_terminal(
    forking: Callable[..., Forked], module: Module, flow_of: Callable[[int], Flow]
) -> None:
    args, env = module(PROBE)
    found = []
    for start in (cold, forking):
        ours, theirs = pty.openpty()
        flow = flow_of(ours)
        one = start(args, env, out=theirs, **({"module": "probe"} if start is forking else {}))
        assert one.returncode == 0 or one.wait(20) == 0
        os.close(theirs)
        found.append(json.loads(flow.all()))
        os.close(ours)
    assert found[0] == found[1]
    assert found[0]["streams"][1][7] is True


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(3)",
        "import sys; sys.exit('no')",
        "import sys; print('lost', end=''); sys.stdout.buffer.raw.write(b'raw')",
        "import atexit; atexit.register(print, 'last'); print('first')",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import os; os._exit(7)",
        "import os, sys; os.close(1); print('nobody hears')",
        "import os, sys; sys.stdout.close()",
    ],
)
def test_it_ends_as_a_start_from_nothing_ends(
    forking: Callable[..., Forked], module: Module, program: str
) -> None:
    args, env = module(program)
    told = cold(args, env)
    assert read(forking(args, env, module="probe")) == (told.returncode, told.stdout, told.stderr)


def test_an_exception_is_told_with_its_traceback(
    forking: Callable[..., Forked], module: Module
) -> None:
    code, out, err = read(forking(*module("def f():\n  1 / 0\nf()"), module="probe"))
    assert (code, out) == (1, b"")
    assert err.startswith(b"Traceback (most recent call last):\n")
    assert b"\nZeroDivisionError" in err


def test_an_end_that_was_seen_is_not_signalled_to_another(
    forking: Callable[..., Forked], module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = forking(*module("import time; time.sleep(60)"), module="probe")  # killed before
    assert one.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0.01)
    one.send_signal(signal.SIGKILL)
    assert one.wait(20) == one.poll() == -signal.SIGKILL
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("it is somebody else's number now"))
    one.send_signal(signal.SIGTERM)


def test_what_an_interpreter_takes_in_at_its_start_makes_a_cold_one(
    interpreter: Warm, environment: dict[str, str]
) -> None:
    assert interpreter.suits(environment | {"TZ": "UTC", "VMON_PORT": "1", "COLUMNS": "3"})
    for name in ("PYTHONIOENCODING", "LC_ALL", "LANG", "SSL_CERT_FILE", "AIOHTTP_NO_EXTENSIONS"):
        assert not interpreter.suits(environment | {name: "other"})


def test_runs_of_the_program_are_forked_where_they_can_be(
    listen: Listen, warm: Warm | None
) -> None:
    forked = type(listen().process).__name__ == "Forked"
    assert forked is (warm is not None)
    assert type(listen(code="pass").process).__name__ == "Popen"
    assert type(listen(file_size=1 << 20).process).__name__ == "Popen"
    assert type(listen(PYTHONUTF8="1").process).__name__ == "Popen"
