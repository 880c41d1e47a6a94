from __future__ import annotations

import json
import tomllib

from vmon.config import KnownKey, Setting, Settings
from vmon.render.reports.config import as_json, as_toml

SETTINGS = Settings(
    "staging",
    (
        Setting(KnownKey("port", "integer"), 4000, "./vmon.toml"),
        Setting(KnownKey("max-body", "size"), None, "default"),
        Setting(KnownKey("secret", secret=True, multiple=True), ("s3cret",), "VMON_SECRET"),
        Setting(KnownKey("forward-to", multiple=True), ("http://me:s3cret@x",), "./vmon.toml"),
        Setting(KnownKey("yes", "boolean", personal=True), value=True, source="user"),
        Setting(KnownKey("speed", "any", command="replay"), 2.0, "default"),
        Setting(KnownKey("to", command="replay"), "\x1b[31m", "./vmon.toml"),
    ),
)


def test_settings_are_a_toml_that_says_where_each_is_from() -> None:
    assert (
        as_toml(SETTINGS)
        == """\
# profile: staging

# listen
port = 4000                     # ./vmon.toml
# max-body                      # default
# secret = (hidden)             # VMON_SECRET
forward-to = ["http://me:…@x"]  # ./vmon.toml
# yes = true                    # user

[replay]
speed = 2          # default
to = "\\u001b[31m"  # ./vmon.toml
"""
    )


def test_the_toml_can_be_read_again() -> None:
    assert tomllib.loads(as_toml(SETTINGS)) == {
        "port": 4000,
        "forward-to": ["http://me:…@x"],
        "replay": {"speed": 2, "to": "\x1b[31m"},
    }


def test_no_secret_is_shown() -> None:
    assert "s3cret" not in as_toml(SETTINGS) + as_json(SETTINGS)


def test_json_has_each_setting_with_its_source_and_variable() -> None:
    document = json.loads(as_json(SETTINGS))
    assert document["profile"] == "staging"
    assert document["settings"][0] == {
        "command": "listen",
        "key": "port",
        "value": 4000,
        "source": "./vmon.toml",
        "env": "VMON_PORT",
    }
    assert document["settings"][5]["env"] == "VMON_REPLAY_SPEED"
