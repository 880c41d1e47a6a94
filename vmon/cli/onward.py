"""The options of `listen` about forwarding: handed on as one frozen object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from vmon.cli import complete
from vmon.cli.options import Duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.forwarding import Onward

_Command = TypeVar("_Command", bound="Callable[..., Any]")

_OPTIONS = (
    click.option(
        "--forward-to", multiple=True, metavar="URL",
        help="Send each delivery on to your app there; repeat it for several.",
    ),
    click.option(
        "--route", "routes", multiple=True, metavar="TYPE=URL",
        help="Send these types there instead: 'archive=URL', 'stream*=URL'.",
    ),
    click.option(
        "-H", "--forward-header", "forward_headers", multiple=True, metavar="'NAME: VALUE'",
        help="Add a header to what is sent on, or replace it.",
    ),
    click.option("--insecure", is_flag=True, help="Take any certificate of an https app."),
    click.option(
        "--forward-timeout", type=Duration(), default="10s", show_default=True,
        help="For your app's answer.",
    ),
    click.option(
        "--exact-path", is_flag=True, help="Use URL's path, not that of the delivery after it."
    ),
    click.option(
        "--forward-event", "forward_events", multiple=True, metavar="TYPE",
        shell_complete=complete.event_types, help="Send on these types only; written like --event.",
    ),
    click.option(
        "--ack", type=click.Choice(["always", "app"]), default="always", show_default=True,
        help="Vonage gets 200 once a delivery is captured, or what your app answers.",
    ),
    click.option(
        "--policy", type=click.Choice(["retry", "cutoff"]), default="retry", show_default=True,
        help="With --ack app: what Vonage does about failures, told at each.",
    ),
    click.option(
        "--retry-like-vonage", is_flag=True,
        help="Retry after 5 s, doubling to 15 min, for 24 h; not after 0.5 s up to 1 min.",
    ),
)  # fmt: skip # one thing a line


_NAMES = (
    "forward_to", "routes", "forward_headers", "insecure", "forward_timeout",
    "exact_path", "forward_events", "ack", "policy", "retry_like_vonage",
)  # fmt: skip # they belong together


def onward_options(command: _Command) -> _Command:
    """The options of forwarding; the command's function receives them as one `onward`, or None."""
    from functools import wraps

    @wraps(command)
    def with_onward(**values: Any) -> Any:
        asked = {name: values.pop(name) for name in _NAMES}
        return command(onward=_onward_of(asked), **values)

    wrapped: Any = with_onward
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return] # click's decorators give back what they were given


def _onward_of(asked: dict[str, Any]) -> Onward | None:
    from vmon.errors import WrongUse

    if not (asked["forward_to"] or asked["routes"]):
        if asked["ack"] == "app" or asked["forward_events"] or asked["forward_headers"]:
            raise WrongUse(
                "that is about an app to forward to, and none is named",
                hint="name it with --forward-to http://localhost:3000",
            )
        return None
    from vmon.forwarding import Onward
    from vmon.retry import EAGER, LIKE_VONAGE
    from vmon.routes import Asked, aims_of, headers_of

    aims = aims_of(
        Asked(asked["forward_to"], asked["routes"], asked["forward_events"]),
        exact_path=asked["exact_path"],
        timeout_s=asked["forward_timeout"],
        headers=headers_of(asked["forward_headers"]),
        insecure=asked["insecure"],
    )
    schedule = LIKE_VONAGE if asked["retry_like_vonage"] else EAGER
    return Onward(aims, asked["ack"], asked["policy"], schedule)
