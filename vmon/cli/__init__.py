"""The command line: lazily imported commands, and the one place that reports errors."""

from __future__ import annotations

import errno
import os
import re
import sys
from importlib import import_module
from io import RawIOBase
from typing import TYPE_CHECKING, TextIO

import click

from vmon import __version__
from vmon.errors import BUG, INTERRUPTED, VmonError, WrongUse, traceback_of
from vmon.stderr import say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "listen": "Receive callbacks, capture and show them live.",
    "filter": "Search captures by type, ID, reason or time.",
    "sessions": "Show sessions: connections, streams, archives, calls.",
    "timeline": "Show a session as a timeline: terminal, SVG, HTML.",
    "replay": "Replay a capture on screen or to your app.",
    "export": "Export deliveries to curl, HTTPie, HAR or pytest.",
    "stats": "Count types, reasons, lags, duplicates.",
    "usage": "Count connected and published minutes.",
    "captures": "List captures; remove old ones.",
    "oddities": "Report oddities in captures: missing events, failures.",
    "verify": "Verify the signatures in captures.",
    "trigger": "Send sample events, as Vonage does.",
    "events": "Explain event types: fields, reasons, samples.",
    "doctor": "Diagnose problems and suggest fixes.",
    "tunnel": "Install the ngrok agent; stop stale agents.",
    "config": "Print all settings and where they come from.",
    "help": "Show help on a topic or a command.",
    "completion": "Print a shell completion script.",
}
"""Each command and its summary; its module is `vmon.cli.<name>`."""


class LazyGroup(click.Group):
    """A group that lists its commands by name and imports only the one that runs."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """The commands, in the order of `vmon --help`."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import the command of that name."""
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"vmon.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Click's own, with a suggestion for an unknown command."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else "see vmon --help"
            raise WrongUse(f"unknown command {name!r}", hint=hint)
        if not ctx.resilient_parsing:  # completion needs no settings
            from vmon.cli.defaults import install

            install(ctx, name, args[1:], COMMANDS)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Click's own, but a closed standard output (`| head`) is a success."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would exit with 1
            _forget_stdout()
            return 0

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete command names without importing the commands."""
        from click.shell_completion import CompletionItem

        matches = [
            CompletionItem(name, help=text)
            for name, text in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return matches + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands in the help text without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="vmon %(version)s")
@click.option("--profile", metavar="NAME", help="Use the settings of [profile.NAME] in vmon.toml.")
def cli(profile: str | None) -> None:
    """Receive, inspect and replay Vonage Video callbacks on your own machine.

    \b
    vmon listen                              receive callbacks and show them live
    vmon trigger streamCreated               send a sample event
    vmon filter --event 'stream*'            search captured events
    vmon replay FILE --to localhost:3000     replay them to your app
    vmon doctor                              diagnose problems

    Exit codes: 0 success; 1 nothing matched, your app rejected a delivery or a check failed; 2
    usage error or unreadable input; 3 cannot listen; 4 tunnel failed; 5 timeout; 70 a bug in vmon;
    130 interrupted.
    """  # noqa: D301 - \b tells click not to rewrap


def main() -> None:
    """Run the command line and exit with its exit code."""
    _open_closed_streams()
    _buffer_stdout()
    sys.exit(run(sys.argv[1:]))


def _open_closed_streams() -> None:
    """Open the descriptor of a closed standard stream: libuv aborts if another file takes it.

    What is written there is discarded; `sys.stdin` stays None.
    """
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None and (fd := os.open(os.devnull, os.O_RDWR)) != number:
            os.close(fd)
    sys.stdout = sys.stdout or _null_stream()
    sys.stderr = sys.stderr or _null_stream()


def _null_stream() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def _buffer_stdout() -> None:
    """Make standard output buffered, so that each write is complete.

    Under PYTHONUNBUFFERED Python drops the rest of a write that a signal or a full disk cut short.
    """
    out = sys.stdout
    if isinstance(getattr(out, "buffer", None), RawIOBase):
        sys.stdout = open(  # noqa: SIM115 - stays open until exit
            out.fileno(), "w", encoding=out.encoding, errors=out.errors, closefd=False
        )


def run(args: list[str]) -> int:  # noqa: PLR0911 - one return per way to end
    """Run a command line and return its exit code; errors are reported here and nowhere else."""
    if os.environ.get("_VMON_COMPLETE") == "bash_complete":
        from vmon.cli.completers import join_words

        join_words(os.environ)
    try:
        code = cli.main(args, prog_name="vmon", standalone_mode=False)
        sys.stdout.flush()
    except VmonError as error:
        _say(error.message, error.hint)
        return error.exit_code
    except click.ClickException as error:
        return _misused(error)
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return 0
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EIO, errno.EDQUOT} or error.filename:
            return _bug(error)
        _forget_stdout()
        _say(f"cannot write to standard output: {error.strerror}", None)
        return WrongUse.exit_code
    except Exception as error:  # noqa: BLE001 - anything else is a bug
        return _bug(error)
    return code if isinstance(code, int) else 0


def _misused(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()  # a group without a command: its help, on standard error
    else:
        _say(_message(error), _hint(error))
    return error.exit_code


def _say(message: str, hint: str | None) -> None:
    say(f"error: {message}" + (f"\nhint: {hint}" if hint else ""))


def _bug(error: Exception) -> int:
    click.echo(traceback_of(error), err=True, nl=False)
    return BUG


def _message(error: click.ClickException) -> str:
    """Click's message in our style: lower case, no period, no name of a type."""
    text = error.message if isinstance(error, click.NoSuchOption) else error.format_message()
    text = text.partition(". Choose from:")[0].removesuffix(".")  # the metavar lists them already
    text = text.replace("valid integer range", "valid integer")
    return text[:1].lower() + text[1:]


def _hint(error: click.ClickException) -> str | None:
    """The option that was probably meant, or the help that lists them all."""
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        from difflib import get_close_matches

        return f"did you mean {get_close_matches(error.option_name, error.possibilities, 1, 0)[0]}?"
    ctx = getattr(error, "ctx", None)
    if ctx and (meant := _meant_argument(ctx, error.message)):
        return meant
    return f"see {ctx.command_path} --help" if ctx else None


def _meant_argument(ctx: click.Context, message: str) -> str | None:
    """What an argument of `listen` probably means, which takes none: a port, or an app's URL."""
    found = re.fullmatch(r"Got unexpected extra arguments? \((\S+)\)", message)
    if not found or ctx.info_name != "listen":
        return None
    word = found[1]
    if word.isdecimal():
        return f"use --forward-to localhost:{word} for your app, --port {word} to listen there"
    is_url = word.startswith(("http://", "https://", "localhost:", "127.0.0.1:"))
    return f"did you mean --forward-to {word}?" if is_url else None


def _forget_stdout() -> None:
    """Point standard output at the null device, so that Python can flush it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
