from pathlib import Path

import pytest

from tests.support.factories import make_line
from tests.support.journals import begun
from vmon.commands.backlog import confirmed
from vmon.forward.forwarder import ForwardOptions
from vmon.forward.journal import SUFFIX
from vmon.forward.targets import RouteArguments, routes_of

TO = ForwardOptions(routes_of(RouteArguments(("http://a.test",))))
QUESTION = "2 deliveries from an earlier run were not forwarded to http://a.test; send them now?"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which a run left two deliveries."""
    lines = [make_line(b'{"event":"streamCreated"}', id=f"{n:014x}-5a17c0de") for n in range(2)]
    journal = begun(tmp_path)
    journal.begin(lines[0], 0)
    journal.capture.write_bytes(b"".join(lines))
    journal.close(keep=True)
    return tmp_path


class Asked:
    """Somebody at a terminal, who gives this answer."""

    def __init__(self, *, answer: bool) -> None:
        self.answer = answer
        self.questions: list[tuple[str, bool]] = []

    def __call__(self, question: str, default: bool) -> bool:  # noqa: FBT001 - as click asks
        self.questions.append((question, default))
        return self.answer


@pytest.mark.parametrize(("answer", "backlog"), [(True, "send"), (False, "keep")])
def test_before_a_backlog_is_sent_somebody_at_the_terminal_is_asked(
    folder: Path, *, answer: bool, backlog: str
) -> None:
    ask = Asked(answer=answer)
    assert confirmed(TO, folder, ask, yes=False).backlog == backlog
    assert ask.questions == [(QUESTION, True)]
    assert list(folder.glob(f"*{SUFFIX}"))  # the question changes nothing


def test_nobody_is_asked_who_said_yes_or_discard_or_has_no_terminal(folder: Path) -> None:
    ask = Asked(answer=False)
    assert confirmed(TO, folder, ask, yes=True) == TO
    assert confirmed(TO, folder, None, yes=False) == TO
    dropped = ForwardOptions(TO.routes, backlog="discard")
    assert confirmed(dropped, folder, ask, yes=False) == dropped
    assert ask.questions == []


def test_nobody_is_asked_about_what_is_for_other_targets_or_not_there(
    folder: Path, tmp_path: Path
) -> None:
    ask = Asked(answer=False)
    other = ForwardOptions(routes_of(RouteArguments(("http://b.test",))))
    assert confirmed(other, folder, ask, yes=False) == other
    assert confirmed(TO, tmp_path / "missing", ask, yes=False) == TO
    assert ask.questions == []
