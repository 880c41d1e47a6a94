import pytest

from vmon.render.live.redraw import LiveArea


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rich take standard output for a terminal of 60 columns and 10 lines."""
    for name in ("FORCE_COLOR", "TTY_INTERACTIVE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "10")


@pytest.mark.usefixtures("terminal")
def test_lines_take_the_place_of_those_before_and_the_last_ones_stay(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with LiveArea() as area:
        area.show(["one", "two"])
        area.show(["three"])
    _, _, last = capsys.readouterr().out.rpartition("\x1b[2K")
    assert "three" in last
    assert "one" not in last


@pytest.mark.usefixtures("terminal")
def test_there_is_room_for_all_lines_but_the_one_of_the_prompt() -> None:
    with LiveArea() as area:
        assert area.height == 9
        assert area.look.width == 60


@pytest.mark.usefixtures("terminal")
def test_markup_of_others_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveArea() as area:
        area.show(["[bold]no markup[/bold] :smile:"])
    assert "[bold]no markup[/bold] :smile:" in capsys.readouterr().out
