"""The exceptions of vmon that are not bugs, and their exit codes.

VmonError            the base: a message, a hint, an exit code
├── Refused          1    nothing matched, an app refused what it was sent, a check failed
├── WrongUse         2    wrong use, or input that cannot be read
├── CannotListen     3    the receiver cannot be opened
├── TunnelFailed     4    no public URL, and trying again would not help
└── TimedOut         5    a timeout

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
    """Nothing matched, an app refused what it was sent, or a check failed."""

    exit_code = 1


class WrongUse(VmonError):
    """Wrong use of the command line, or input that cannot be read."""


def unreadable(name: str, error: OSError) -> WrongUse:
    """Make the error that a file or folder cannot be read, with a hint where there is one."""
    hint = None
    if isinstance(error, FileNotFoundError):
        hint = "vmon captures lists the captures that are kept"
    elif isinstance(error, PermissionError):
        hint = "change its permissions, or run vmon as a user who may read it"
    elif isinstance(error, IsADirectoryError):
        hint = "name a file in it"
    return WrongUse(f"cannot read {name}: {error.strerror or error}", hint=hint)


class CannotListen(VmonError):
    """The receiver cannot be opened: the port is taken, the address is not ours."""

    exit_code = 3


class TunnelFailed(VmonError):
    """There is no public URL, and trying again would not help."""

    exit_code = 4


class TimedOut(VmonError):
    """Something did not happen in the time it was given."""

    exit_code = 5


def traceback_of(error: BaseException) -> str:
    """Format the traceback of a bug, disarmed for a terminal."""
    from traceback import format_exception  # only a failed run needs it

    from vmon.sanitize import disarm

    lines = "".join(format_exception(error)).splitlines()
    return "".join(f"{disarm(line)}\n" for line in lines)
