"""The exceptions of vmon that are not bugs, and their exit codes.

VmonError            the base: a message, a hint, an exit code
├── Refused          1    nothing matched, an app rejected a delivery, a check failed
├── WrongUse         2    usage error, or unreadable input
├── CannotListen     3    the port is in use, or the address is not one of this machine
├── TunnelFailed     4    the tunnel failed, and retrying would not help
└── TimedOut         5    timeout

Any other exception is a bug of vmon: it exits with BUG, 70, and its traceback.
"""

BUG = 70
"""The exit code of a run in which vmon's own code failed: EX_SOFTWARE of sysexits.h."""

INTERRUPTED = 130
"""The exit code of a run ended by a second Ctrl-C: 128 + SIGINT, as shells count it."""


class VmonError(Exception):
    """An error of the user or of the environment: shown as a message, never as a traceback."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Refused(VmonError):
    """Nothing matched, an app rejected a delivery, or a check failed."""

    exit_code = 1


class WrongUse(VmonError):
    """Usage error, or unreadable input."""


def unreadable(name: str, error: OSError) -> WrongUse:
    """Make the error that a file or folder cannot be read, with a hint where there is one."""
    hint = None
    if isinstance(error, FileNotFoundError):
        hint = "run vmon captures to list your captures"
    elif isinstance(error, PermissionError):
        hint = "change its permissions, or run vmon as a user who may read it"
    elif isinstance(error, IsADirectoryError):
        hint = "name a file in it"
    return WrongUse(f"cannot read {name}: {error.strerror or error}", hint=hint)


class CannotListen(VmonError):
    """Cannot listen: the port is in use, or the address is not one of this machine."""

    exit_code = 3


class TunnelFailed(VmonError):
    """The tunnel failed, and retrying would not help."""

    exit_code = 4


class TimedOut(VmonError):
    """Timeout: what was waited for did not happen in time."""

    exit_code = 5


def traceback_of(error: BaseException) -> str:
    """Format the traceback of a bug, disarmed for a terminal."""
    from traceback import format_exception  # only a failed run needs it

    from vmon.sanitize import disarm

    lines = "".join(format_exception(error)).splitlines()
    return "".join(f"{disarm(line)}\n" for line in lines)
