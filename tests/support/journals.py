"""Journals of forwarding as tests begin, compact and open them again."""

from pathlib import Path

from vmon.forward.journal import Journal, JournalTarget, Position, create_journal
from vmon.forward.leftovers import open_journal

RUN = "5a17c0de"
TARGETS = (
    JournalTarget("http://a.test", types=("streamCreated",)),
    JournalTarget("http://b.test", exact_path=True),
)
NOTHING_SENT = {0: Position(0, []), 1: Position(0, [])}


def begun(folder: Path, end: int = 0) -> Journal:
    """A journal of a run whose first delivery will stand at `end`."""
    return create_journal(folder / "a.jsonl", RUN, TARGETS, end)


def reopened(path: Path) -> tuple[Journal, bool]:
    """A journal that another run finds, and whether its own goes on."""
    left = open_journal(path)
    assert left
    return left.journal, left.is_alive


def compact(journal: Journal, positions: dict[int, Position]) -> None:
    """Write a journal anew, as its run does in a thread."""
    journal.switch_to(journal.write_compacted(positions, journal.begin_compaction()))
