from io import StringIO

import pytest

from vmon.events.catalogue import ALL, TYPES
from vmon.render.reports.events import explanations, fields_of, overview, show


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def on_a_terminal(columns: int, monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    entries = [ALL[name] for name in names] or list(ALL.values())
    show(explanations(entries) if names else overview(entries), out)
    return plain(out.getvalue()).splitlines()


def plain(text: str) -> str:
    """Take the escape sequences of styles off."""
    head, *rest = text.split("\x1b[")
    return head + "".join(part.partition("m")[2] for part in rest)


def test_every_key_of_every_sample_is_among_the_fields() -> None:
    for name, entry in TYPES.items():
        paths = {field.path for field in fields_of(name)}
        for key, inner in entry.sample.items():
            assert key in paths
            if isinstance(inner, dict) and key != "settings":
                assert {f"{key}.{deeper}" for deeper in inner} <= paths


def test_what_is_only_inferred_is_never_called_documented() -> None:
    for name in ("broadcast", "captions", "sessionCreated"):
        sure = {field.path: field.sure for field in fields_of(name)}
        inferred = {
            "broadcast": "broadcastUrls",
            "captions": "event",
            "sessionCreated": "timestamp",
        }
        assert sure[inferred[name]] == "inferred"


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("name", [None, "archive", "callDestroyed"])
def test_a_terminal_is_never_overrun_and_no_word_is_lost(
    columns: int, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = on_a_terminal(columns, monkeypatch, *([name] if name else []))
    assert max(map(len, lines)) <= columns
    drawn = "".join("".join(lines).split())
    assert "\N{HORIZONTAL ELLIPSIS}" not in drawn
    names = [field.path for field in fields_of(name)] if name else list(ALL)
    assert all(text in drawn for text in names)
