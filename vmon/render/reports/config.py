"""Every setting and where it comes from: as a vmon.toml with remarks, or for machines."""

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
_WIDEST = 40
"""Remarks of longer lines stand where they can, and do not push the others away."""
_PASSWORD = re.compile(r"(://[^/@\s]*?:)[^/@\s]*@")


def as_json(settings: Settings) -> str:
    """`{"profile":…,"settings":[{"command":…,"key":…,"value":…,"source":…,"env":…}]}`.

    A secret's value is the word (hidden), or null where there is none.
    """
    rows = [
        {
            "command": one.key.command,
            "key": one.key.name,
            "value": _shown(one),
            "source": one.source,
            "env": one.key.env,
        }
        for one in settings.all
    ]
    return json.dumps({"profile": settings.profile, "settings": rows}, indent=2) + "\n"


def as_toml(settings: Settings) -> str:
    """A vmon.toml that says the same; what has no value, and what is secret, is a remark."""
    paint = Paint(console(sys.stdout))
    lines = [f"# profile: {disarm(settings.profile)}"] if settings.profile else []
    for command, group in groupby(settings.all, lambda one: one.key.command):
        lines += ["", f"# {MAIN}"] if command == MAIN else ["", paint("name", f"[{command}]")]
        lines += _rows(list(group), paint)
    return "".join(f"{line}\n" for line in lines).lstrip("\n")


def _rows(group: list[Setting], paint: Paint) -> Iterator[str]:
    said = [_said(one) for one in group]
    wide = max((len(text) for text in said if len(text) <= _WIDEST), default=0)
    for one, text in zip(group, said, strict=True):
        said_style, remark_style = ("dim", "dim") if one.source == "default" else ("", "string")
        remark = paint(remark_style, f"# {disarm(one.source)}")
        yield f"{paint(said_style, text.ljust(wide))}  {remark}"


def _said(one: Setting) -> str:
    value = _shown(one)
    if value is None:
        return f"# {one.key.name}"
    if value == HIDDEN:
        return f"# {one.key.name} = {HIDDEN}"
    # What a project's file may not say is a remark, so that the whole can be one.
    return f"{'# ' if one.key.personal else ''}{one.key.name} = {_toml(value)}"


def _shown(one: Setting) -> Any:
    if one.key.secret and one.value:
        return HIDDEN
    return _without_passwords(one.value)


def _without_passwords(value: Value) -> Any:
    """The value, but for the password that a URL may hold."""
    if isinstance(value, str):
        return _PASSWORD.sub(r"\1…@", value)
    return [_without_passwords(each) for each in value] if isinstance(value, tuple) else value


def _toml(value: Any) -> str:
    # JSON's strings, numbers, lists and booleans are TOML's, but for what a terminal would act on.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return disarm(json.dumps(value, ensure_ascii=False))
