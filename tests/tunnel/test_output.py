import pytest

from vmon.tunnel.output import plain


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  abc\tdef\r\n", "abc def"),
        ("\x1b[32mgreen\x1b[0m", "green"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bctext\x00\x9b", "text"),
        ("…Zürich", "…Zürich"),
    ],
)
def test_nothing_that_moves_a_terminal_is_left(line: str, shown: str) -> None:
    assert plain(line) == shown
