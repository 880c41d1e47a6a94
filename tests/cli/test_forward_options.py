from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from vmon.cli.forward_options import onward_options
from vmon.errors import WrongUse
from vmon.events.redelivery import LIKE_VONAGE
from vmon.forward.retry import EAGER

if TYPE_CHECKING:
    from vmon.forward.forwarder import ForwardOptions

APP = "http://localhost:3000"


def parsed(*args: str) -> ForwardOptions | None:
    """What a command with these options receives."""
    received: list[ForwardOptions | None] = []

    @click.command()
    @onward_options
    def command(onward: ForwardOptions | None, **others: Any) -> None:
        assert others == {}
        received.append(onward)

    result = CliRunner().invoke(command, args, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return received[0]


def test_without_an_app_nothing_is_forwarded() -> None:
    assert parsed() is None


def test_the_defaults_answer_at_once_and_retry_eagerly() -> None:
    options = parsed("--forward-to", "localhost:3000")
    assert options is not None
    assert (options.ack, options.schedule) == ("always", EAGER)
    vonage = parsed("--forward-to", APP, "--ack", "app", "--retry-like-vonage")
    assert vonage is not None
    assert (vonage.ack, vonage.schedule) == ("app", LIKE_VONAGE)


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("--ack", "app"), "--ack app"),
        (("--forward-event", "archive"), "--forward-event"),
        (("-H", "X-A: b"), "--forward-header"),
    ],
)
def test_what_needs_an_app_is_wrong_use_without_one(args: tuple[str, ...], named: str) -> None:
    with pytest.raises(WrongUse, match=f"{named} needs --forward-to or --route") as caught:
        parsed(*args)
    assert caught.value.hint == f"add --forward-to {APP}"
