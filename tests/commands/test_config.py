from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vmon.commands.config import run
from vmon.config import KnownKey, Setting, Settings

if TYPE_CHECKING:
    import pytest

SETTINGS = Settings(
    None,
    (
        Setting(KnownKey("port", "integer"), 4000, "./vmon.toml"),
        Setting(KnownKey("host"), "127.0.0.1", "default"),
    ),
)


def test_all_settings_are_printed_or_those_that_are_no_defaults(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(SETTINGS, only_set=False, as_json=False) == 0
    assert capsys.readouterr() == (
        '# listen\nport = 4000         # ./vmon.toml\nhost = "127.0.0.1"  # default\n',
        "",
    )
    assert run(SETTINGS, only_set=True, as_json=False) == 0
    assert capsys.readouterr() == ("# listen\nport = 4000  # ./vmon.toml\n", "")


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(SETTINGS, only_set=True, as_json=True) == 0
    (row,) = json.loads(capsys.readouterr().out)["settings"]
    assert (row["key"], row["value"]) == ("port", 4000)
