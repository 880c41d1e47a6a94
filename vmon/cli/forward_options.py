"""The forwarding options of `vmon listen`, passed on as one frozen object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from vmon.cli import completers
from vmon.cli.options import forward_option
from vmon.cli.quantities import Duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.forward.forwarder import ForwardOptions

_Command = TypeVar("_Command", bound="Callable[..., Any]")

_OPTIONS = (
    forward_option(
        "--forward-to", multiple=True, metavar="URL",
        help="Forward each delivery to your app; repeatable.",
    ),
    forward_option(
        "--route", "routes", multiple=True, metavar="TYPE=URL",
        help="Forward these types to another URL: 'archive=URL', 'stream*=URL'; repeatable.",
    ),
    forward_option(
        "--forward-event", "forward_events", multiple=True, metavar="TYPE",
        shell_complete=completers.event_types,
        help="Forward only these event types (same syntax as --event).",
    ),
    forward_option(
        "-H", "--forward-header", "forward_headers", multiple=True, metavar="HEADER",
        help="Add or replace a header of forwarded requests: 'Name: value'; repeatable.",
    ),
    forward_option(
        "--exact-path", is_flag=True, help="Use the URL as it is; don't append the request path."
    ),
    forward_option("--insecure", is_flag=True, help="Skip TLS certificate verification."),
    forward_option(
        "--forward-timeout", type=Duration(), default="10s", show_default=True,
        help="Time to wait for your app's response.",
    ),
    forward_option(
        "--ack", type=click.Choice(["always", "app"]), default="always", show_default=True,
        help="Response to Vonage: always 200, or your app's response.",
    ),
    forward_option(
        "--failure-policy", type=click.Choice(["retry", "cutoff"]), default="retry",
        show_default=True, help="With --ack app: how Vonage treats failures, shown for each.",
    ),
    forward_option(
        "--retry", type=click.Choice(["none", "standard", "vonage"]), default="standard",
        show_default=True,
        help="Retry after 0.5s to 1min; as Vonage does, after 5s to 15min, for 24h; or not at all.",
    ),
    forward_option(
        "--discard-backlog", is_flag=True,
        help="Don't send what an earlier run could not forward; it stays in the capture.",
    ),
)  # fmt: skip # one thing a line


_NAMES = (
    "forward_to", "routes", "forward_headers", "insecure", "forward_timeout",
    "exact_path", "forward_events", "ack", "failure_policy", "retry",
    "discard_backlog",
)  # fmt: skip # they belong together


def forward_options(command: _Command) -> _Command:
    """Add the options of forwarding; the command receives them as one `forward`, or None."""
    from functools import wraps

    @wraps(command)
    def with_forward_options(**values: Any) -> Any:
        options = {name: values.pop(name) for name in _NAMES}
        return command(forward=_forward_options_of(options), **values)

    wrapped: Any = with_forward_options
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return] # click's decorators return what they are given


def insecure_option(command: _Command) -> _Command:
    """`--insecure`."""
    return forward_option("--insecure", is_flag=True, help="Skip TLS certificate verification.")(
        command
    )


def _flag_of(options: dict[str, Any]) -> str:
    """The given option that makes no sense without an app."""
    if options["ack"] == "app":
        return "--ack app"
    return "--forward-event" if options["forward_events"] else "--forward-header"


def _check_policy(options: dict[str, Any]) -> None:
    """WrongUse for a policy on the command line that nothing would follow."""
    from click.core import ParameterSource

    from vmon.errors import WrongUse

    source = click.get_current_context().get_parameter_source("failure_policy")
    if source is ParameterSource.COMMANDLINE and options["ack"] != "app":
        raise WrongUse(
            "--failure-policy needs --ack app",
            hint="with --ack always Vonage gets 200 whatever your app responds; add --ack app",
        )


def _forward_options_of(options: dict[str, Any]) -> ForwardOptions | None:
    from vmon.errors import WrongUse

    _check_policy(options)
    if not (options["forward_to"] or options["routes"]):
        if options["ack"] == "app" or options["forward_events"] or options["forward_headers"]:
            raise WrongUse(
                f"{_flag_of(options)} needs --forward-to or --route",
                hint="add --forward-to http://localhost:3000",
            )
        return None
    from vmon.forward.forwarder import ForwardOptions
    from vmon.forward.retry import SCHEDULES
    from vmon.forward.targets import RouteArguments, headers_of, routes_of

    routes = routes_of(
        RouteArguments(options["forward_to"], options["routes"], options["forward_events"]),
        exact_path=options["exact_path"],
        timeout_s=options["forward_timeout"],
        headers=headers_of(options["forward_headers"]),
        insecure=options["insecure"],
    )
    return ForwardOptions(
        routes,
        options["ack"],
        options["failure_policy"],
        SCHEDULES[options["retry"]],
        "discard" if options["discard_backlog"] else "send",
    )
