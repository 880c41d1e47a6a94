import click
import pytest
from click.testing import CliRunner, Result

from vmon.cli.forward_options import forward_options
from vmon.errors import WrongUse
from vmon.events.redelivery import LIKE_VONAGE
from vmon.forward.forwarder import ForwardOptions
from vmon.forward.retry import EAGER

TO = ("--forward-to", "localhost:3000/hook")


class Run:
    """A command with the options of forwarding, run with some words."""

    def __init__(self, *words: str) -> None:
        self.taken: list[ForwardOptions | None] = []

        @click.command()
        @forward_options
        def command(forward: ForwardOptions | None) -> None:
            self.taken.append(forward)

        self.result: Result = CliRunner().invoke(command, words)

    @property
    def options(self) -> ForwardOptions:
        """The one object that they travel as."""
        (options,) = self.taken
        assert options is not None
        return options


def test_without_an_app_there_is_nothing_to_forward() -> None:
    assert Run().taken == [None]


def test_the_defaults_are_those_that_the_help_says() -> None:
    options = Run(*TO).options
    assert (options.ack, options.policy, options.schedule) == ("always", "retry", EAGER)
    (route,) = options.routes
    assert route.target.url == "http://localhost:3000/hook"
    assert route.target.timeout_s == 10


def test_each_option_reaches_the_target() -> None:
    words = ("-H", "X-Key: 1", "--exact-path", "--insecure", "--forward-timeout", "250ms")
    target = Run(*TO, *words).options.routes[0].target
    assert (target.exact_path, target.insecure, target.timeout_s) == (True, True, 0.25)
    assert ("X-Key", "1") in target.headers


def test_the_retry_schedule_of_vonage_is_an_option() -> None:
    words = ("--retry", "vonage", "--ack", "app", "--failure-policy", "cutoff")
    options = Run(*TO, *words).options
    assert (options.ack, options.policy, options.schedule) == ("app", "cutoff", LIKE_VONAGE)


def test_retries_can_be_left_out_and_a_backlog_dropped() -> None:
    options = Run(*TO, "--retry", "none", "--discard-backlog").options
    assert (options.retries, options.backlog) == (False, "discard")
    options = Run(*TO).options
    assert (options.retries, options.backlog) == (True, "send")


def test_a_bare_port_is_a_target_on_localhost_also_in_a_route() -> None:
    routes = Run("--forward-to", "3000", "--route", "archive=:4000/archive").options.routes
    assert {route.target.url for route in routes} == {
        "http://localhost:3000", "http://localhost:4000/archive",
    }  # fmt: skip # one thing a line


def test_a_route_is_a_target_of_its_own_types() -> None:
    first, second = Run(*TO, "--route", "archive=localhost:4000").options.routes
    assert {first.target.url, second.target.url} == {
        "http://localhost:3000/hook", "http://localhost:4000",
    }  # fmt: skip # one thing a line
    (archive,) = (route for route in (first, second) if "4000" in route.target.url)
    assert archive.types == {"archive"}


@pytest.mark.parametrize(
    "words", [("--ack", "app"), ("--forward-event", "archive"), ("-H", "X: 1")], ids=" ".join
)
def test_what_makes_no_sense_without_an_app_is_wrong_use(words: tuple[str, ...]) -> None:
    run = Run(*words)
    assert isinstance(run.result.exception, WrongUse)
    assert run.result.exception.hint == "add --forward-to http://localhost:3000"
    assert run.taken == []


def test_a_failure_policy_that_nothing_would_follow_is_refused() -> None:
    for policy in ("retry", "cutoff"):
        error = Run(*TO, "--failure-policy", policy).result.exception
        assert isinstance(error, WrongUse)
        assert error.message == "--failure-policy needs --ack app"
    assert Run(*TO, "--ack", "app", "--failure-policy", "cutoff").options.policy == "cutoff"
