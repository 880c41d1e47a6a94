"""The report of `vmon config`: all settings as a vmon.toml with comments, or as JSON."""

from __future__ import annotations

import json
import re
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

from vmon.config import MAIN
from vmon.render.style import Paint, console
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.config import Setting, Settings, Value

HIDDEN = "(hidden)"
_MAX_WIDTH = 40
"""Comments of longer lines are not aligned."""
_PASSWORD = re.compile(r"(://[^/@\s]*?:)[^/@\s]*@")


def as_json(settings: Settings) -> str:
    """`{"profile":…,"settings":[{"command":…,"key":…,"value":…,"source":…,"env":…}]}`.

    A secret's value is "(hidden)", or null if it is not set.
    """
    rows = [
        {
            "command": setting.key.command,
            "key": setting.key.name,
            "value": _display_value(setting),
            "source": setting.source,
            "env": setting.key.env,
        }
        for setting in settings.all
    ]
    return json.dumps({"profile": settings.profile, "settings": rows}, indent=2) + "\n"


def as_toml(settings: Settings) -> str:
    """Format settings as a vmon.toml; settings without a value and secrets are comments."""
    paint = Paint(console(sys.stdout))
    lines = [f"# profile: {disarm(settings.profile)}"] if settings.profile else []
    for command, group in groupby(settings.all, lambda setting: setting.key.command):
        lines += ["", f"# {MAIN}"] if command == MAIN else ["", paint("name", f"[{command}]")]
        lines += _rows(list(group), paint)
    return "".join(f"{line}\n" for line in lines).lstrip("\n")


def _rows(group: list[Setting], paint: Paint) -> Iterator[str]:
    texts = [_assignment(setting) for setting in group]
    width = max((len(text) for text in texts if len(text) <= _MAX_WIDTH), default=0)
    for setting, text in zip(group, texts, strict=True):
        style, comment_style = ("dim", "dim") if setting.source == "default" else ("", "string")
        comment = paint(comment_style, f"# {disarm(setting.source)}")
        yield f"{paint(style, text.ljust(width))}  {comment}"


def _assignment(setting: Setting) -> str:
    value = _display_value(setting)
    if value is None:
        return f"# {setting.key.name}"
    if value == HIDDEN:
        return f"# {setting.key.name} = {HIDDEN}"
    # Not allowed in a project file: a comment, so that the output is valid as one.
    return f"{'# ' if setting.key.personal else ''}{setting.key.name} = {_toml(value)}"


def _display_value(setting: Setting) -> Any:
    if setting.key.secret and setting.value:
        return HIDDEN
    return _without_passwords(setting.value)


def _without_passwords(value: Value) -> Any:
    """The value, with the passwords of URLs hidden."""
    if isinstance(value, str):
        return _PASSWORD.sub(r"\1…@", value)
    return [_without_passwords(each) for each in value] if isinstance(value, tuple) else value


def _toml(value: Any) -> str:
    # JSON's strings, numbers, lists and booleans are valid TOML.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return disarm(json.dumps(value, ensure_ascii=False))
