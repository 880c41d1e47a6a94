import re
from pathlib import Path

import pytest

from vmon.render.live.bar import Bar, counted, plan_of, shown
from vmon.tunnel.ngrok.install import InstallPlan

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rich take standard error for a terminal."""
    for name in ("FORCE_COLOR", "TTY_INTERACTIVE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.mark.usefixtures("terminal")
def test_a_bar_says_how_far_it_is_and_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar(5_000_000)
    bar.draw(2_500_000, 1)
    bar.close()
    text = ESCAPES.sub("", capsys.readouterr().err)
    assert "2.5/5.0 MB" in text
    assert "1 delivery found" in text


@pytest.mark.usefixtures("terminal")
def test_a_bar_that_is_counted_moves_on_by_one_and_goes_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with counted("replaying", 2) as step:
        step()
        step()
    written = capsys.readouterr().err
    frames = ESCAPES.sub("", written)
    assert "replaying" in frames
    assert "100%" in frames
    assert written.endswith("\x1b[2K"), "its line is empty again"


def test_where_nobody_looks_no_download_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(100) as progress:
        progress(50, None)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("size", "replaces", "rows"),
    [
        (12_000_000, False, ["  to    /opt/ngrok", "  size  12.0 MB"]),
        (None, True, ["  to    /opt/ngrok  (replaces the existing one)", "  size  unknown"]),
    ],
)
def test_what_is_to_be_installed_is_said_with_what_it_costs(
    size: int | None, rows: list[str], *, replaces: bool
) -> None:
    plan = InstallPlan("https://a.example/n\x1b[31m.zip", Path("/opt/ngrok"), size, replaces)
    head, whence, *rest = plan_of(plan).splitlines()
    assert head == "ngrok agent, for vmon listen --tunnel"
    assert whence.startswith("  from  https://a.example/n")
    assert "\x1b" not in whence
    assert rest == rows
