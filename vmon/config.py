"""Load settings from environment variables and files, typed, with the source of each.

Precedence, highest first, below a flag itself:

VMON_…               VMON_PORT for listen, VMON_REPLAY_SPEED for any other command
the chosen profile   [profile.NAME] of the project's file, then of the user's
the project's file   ./vmon.toml, or without one [tool.vmon] in ./pyproject.toml
the user's file      config.toml in the user's configuration folder for vmon

Keys are the long names of options. Those of listen are at the top level of a file or a profile,
those of another command in a table of its name. The caller passes the known keys (`KnownKey`),
which are derived from the options of the commands. Every command imports this module, so it imports
nothing expensive before it is needed.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from vmon.errors import WrongUse
from vmon.humanize import parse_duration, parse_size

HOST = "127.0.0.1"
PORT = 4680
LISTENER = f"http://{HOST}:{PORT}"
"""Where `vmon listen` listens unless set otherwise."""

MAIN = "listen"
"""The command whose settings are at the top level, and whose variables do not name it."""

Scalar = str | int | float | bool
Value = Scalar | tuple[Scalar, ...] | None
Kind = Literal["text", "integer", "number", "boolean", "duration", "size", "any"]

_WANTED: Mapping[Kind, str] = {
    "text": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "duration": 'a duration (seconds, or "90s", "5m", "1h30m")',
    "size": 'a size (bytes, or "256KiB", "1MB")',
    "any": "a string or a number",
}
_WORDS = {str: "this string", int: "a number", float: "a number", list: "a list", dict: "a table"}
_LIMIT = 2.0**53  # beyond it, floats skip integers
_YES_NO = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(
    ("0", "false", "no", "off"), False
)


class KnownKey(NamedTuple):
    """A known setting, derived from an option of a command.

    `name` is the long option without its dashes, `param` the command's parameter where its name
    differs, `variable` the environment variable where it is not VMON_….
    Values are of `kind`: durations are seconds (float), sizes bytes (int), any is left to `check`;
    with `multiple` they are tuples of it. `choices` ignore case. `check` may reject a value of the
    right kind, with a ValueError. `personal` ones are not allowed in a project's file: an untrusted
    folder must not decide which programs vmon runs.
    """

    name: str
    kind: Kind = "text"
    command: str = MAIN
    multiple: bool = False
    secret: bool = False
    choices: tuple[str, ...] = ()
    default: Value = None
    help: str = ""
    param: str | None = None
    variable: str | None = None
    check: Callable[[Scalar], object] | None = None
    personal: bool = False

    @property
    def env(self) -> str:
        """The environment variable that sets it."""
        if self.variable:
            return self.variable
        path = (self.name,) if self.command == MAIN else (self.command, self.name)
        return "VMON_" + "_".join(path).replace("-", "_").upper()


class Setting(NamedTuple):
    """A value and its source: `./vmon.toml [profile.staging]`, `VMON_PORT`, `default`."""

    key: KnownKey
    value: Value
    source: str

    @property
    def shown(self) -> str:
        """The value for display: secrets are masked."""
        return "…" if self.key.secret and self.value else repr(self.value)

    def __repr__(self) -> str:
        return f"Setting({self.key.command} {self.key.name} = {self.shown}, from {self.source})"


class Settings(NamedTuple):
    """Every known setting, in the order of the known keys; `profile` is the selected one."""

    profile: str | None
    all: tuple[Setting, ...]

    def get(self, name: str, command: str = MAIN) -> Setting:
        """Find a setting by the name of its option and command; KeyError for an unknown one."""
        for setting in self.all:
            if (setting.key.name, setting.key.command) == (name, command):
                return setting
        raise KeyError(name, command)

    def those_set(self) -> "Settings":
        """Return only the settings that are not defaults."""
        return Settings(self.profile, tuple(one for one in self.all if one.source != "default"))

    def default_map(self) -> dict[str, dict[str, Value]]:
        """Convert them to click's `default_map`: command → parameter → value."""
        by_command: dict[str, dict[str, Value]] = {}
        for key, value, source in self.all:
            if source != "default":
                param = key.param or key.name.replace("-", "_")
                by_command.setdefault(key.command, {})[param] = value
        return by_command


class _File(NamedTuple):
    shown: str
    root: str
    table: dict[str, Any]
    is_users: bool = False

    def place(self, path: Sequence[str]) -> str:
        """Name a table of this file: `./vmon.toml [profile.staging]`."""
        dotted = ".".join(filter(None, (self.root, *path)))
        return f"{self.shown} [{_plain(dotted)}]" if dotted else self.shown


_Layer = dict[KnownKey, Setting]
StrPath = str | os.PathLike[str]


def load(
    known: Sequence[KnownKey],
    *,
    profile: str | None = None,
    cwd: StrPath,
    environ: Mapping[str, str],
    user_dir: StrPath | None = None,
) -> Settings:
    """Load the value of every known key; `profile` is that of the flag, else `VMON_PROFILE`.

    `user_dir` is the folder of the user's file, by default the platform's own. WrongUse for an
    error in any file, also in profiles that are not selected.
    """
    chosen = profile or environ.get("VMON_PROFILE") or None
    profiles: dict[str, _Layer] = {}
    found = {key: Setting(key, key.default, "default") for key in known}
    # From the lowest precedence to the highest: each overrides those before it.
    for file in _files(cwd, user_dir):
        found |= _layer(file, file.table, (), known)
        for name, table in _profiles(file):
            profiles[name] = profiles.get(name, {}) | _layer(file, table, ("profile", name), known)
    if chosen is not None:
        found |= _chosen(chosen, profiles)
    return Settings(chosen, tuple((found | _from_environ(known, environ)).values()))


def is_configured(
    cwd: StrPath, environ: Mapping[str, str], user_dir: StrPath | None = None
) -> bool:
    """Whether anything is set outside the command line; WrongUse for a file that is not TOML."""
    has_variable = any(text and name.startswith("VMON_") for name, text in environ.items())
    return has_variable or any(True for _ in _files(cwd, user_dir))


def files_read(cwd: StrPath, user_dir: StrPath | None = None) -> list[str]:
    """List the files that settings are read from, lowest precedence first."""
    return [file.place(()) for file in _files(cwd, user_dir)]


def duration(value: str | float) -> float:
    """Parse a duration to seconds: 90, "90s", "1.5h", "1h30m"; else a ValueError."""
    return _read(parse_duration, value, "duration")


def size(value: str | int) -> int:
    """Parse a size to bytes: 4096, "256k" (1024), "1MB" (10**6); else a ValueError."""
    return int(_read(parse_size, value, "size"))


def _read(parse: Callable[[str], float], value: str | float, kind: Kind) -> float:
    try:
        return _bounded(parse(value) if isinstance(value, str) else value, kind)
    except WrongUse:
        raise ValueError(f"must be {_WANTED[kind]}") from None


def _bounded(number: float, kind: Kind) -> float:
    if not 0 <= number < _LIMIT:
        raise ValueError(f"must be {_WANTED[kind]}")
    return float(number)


def _files(cwd: StrPath, user_dir: StrPath | None) -> Iterator[_File]:
    """Read the existing files, lowest precedence first."""
    path = f"{_user_dir() if user_dir is None else user_dir}{os.sep}config.toml"
    if (data := _bytes(path, path)) is not None:
        yield _File(path, "", _table(data, path), is_users=True)
    if (data := _bytes(f"{cwd}{os.sep}vmon.toml", "./vmon.toml")) is not None:
        yield _File("./vmon.toml", "", _table(data, "./vmon.toml"))
        return
    data = _bytes(f"{cwd}{os.sep}pyproject.toml", "./pyproject.toml")
    # A pyproject.toml that does not mention vmon is ignored, even if it is invalid.
    if data is not None and b"vmon" in data:
        tool = _table(data, "./pyproject.toml").get("tool")
        ours = tool.get("vmon") if isinstance(tool, dict) else None
        if ours is not None and not isinstance(ours, dict):
            raise WrongUse("./pyproject.toml: tool.vmon must be a table")
        if ours is not None:
            yield _File("./pyproject.toml", "tool.vmon", ours)


def _user_dir() -> str:
    if sys.platform == "linux":  # the same as platformdirs, without the cost of its import
        base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - pathlib raises where there is no home
        if os.path.isabs(base):  # noqa: PTH117 - it is a str
            return f"{base}{os.sep}vmon"
    from platformdirs import user_config_dir

    return user_config_dir("vmon", appauthor=False)


def _bytes(path: str, shown: str) -> bytes | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 5 ms
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise WrongUse(
            f"cannot read {shown}: {error.strerror or error}",
            hint="fix its permissions, or move it away",
        ) from error


def _table(data: bytes, shown: str) -> dict[str, Any]:
    import tomllib

    try:
        # Editors on Windows may start a file with a BOM, which TOML does not allow.
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise WrongUse(f"{shown} is not valid UTF-8 (line {line})") from error
    except ValueError as error:
        raise WrongUse(f"invalid TOML in {shown}: {error}") from error
    except RecursionError:
        raise WrongUse(f"cannot read {shown}: nested too deeply") from None


def _profiles(file: _File) -> Iterator[tuple[str, dict[str, Any]]]:
    profiles = file.table.get("profile", {})
    tables = profiles.items() if isinstance(profiles, dict) else [("NAME", None)]
    for name, table in tables:
        if not isinstance(table, dict):
            raise WrongUse(
                f"{file.place(())}: profile {_plain(name)} must be a table",
                hint="to choose a profile use --profile or VMON_PROFILE; to define one write "
                f"[{_plain('.'.join(filter(None, (file.root, 'profile', name))))}]",
            )
        yield name, table


def _chosen(name: str, profiles: Mapping[str, _Layer]) -> _Layer:
    if name in profiles:
        return profiles[name]
    names = ", ".join(map(_plain, sorted(profiles)))
    there = f"known profiles: {names}" if profiles else "no profiles are defined"
    raise WrongUse(f"unknown profile {_named(name)}", hint=_nearest(name, profiles) or there)


def _layer(
    file: _File, table: Mapping[str, Any], path: tuple[str, ...], known: Sequence[KnownKey]
) -> _Layer:
    """Read the settings of a table: those of listen, and the tables of the other commands."""
    layer: _Layer = {}
    commands = {key.command for key in known} - {MAIN}
    for name, raw in table.items():
        if name in commands and isinstance(raw, dict):
            layer |= _settings(file.place((*path, name)), raw, known, name)
        elif not (name == "profile" and path == ()):
            layer |= _settings(file.place(path), {name: raw}, known, MAIN)
    for key, setting in layer.items():
        if key.personal and not file.is_users:
            raise WrongUse(
                f"{setting.source}: {key.name} is not allowed in a project file",
                hint=f"set it in {_user_dir()}{os.sep}config.toml or with {key.env}",
            )
    return layer


def _settings(
    place: str, table: Mapping[str, Any], known: Sequence[KnownKey], command: str
) -> _Layer:
    keys = {key.name: key for key in known if key.command == command}
    layer: _Layer = {}
    for name, raw in table.items():
        if name not in keys:
            raise WrongUse(
                f"{place}: unknown setting {_named(name)}", hint=_way_out(name, command, known)
            )
        key = keys[name]
        layer[key] = Setting(key, _value(key, raw, f"{place}: {name}"), place)
    return layer


def _way_out(name: str, command: str, known: Sequence[KnownKey]) -> str:
    names = {key.name for key in known if key.command == command}
    tables = {key.command for key in known} - {MAIN} if command == MAIN else set()
    if name == MAIN:
        return f"settings of {MAIN} go at the top level, not in a table"
    if name in tables:
        return f"write it as a table: [{name}]"
    if near := _nearest(name.replace("_", "-"), names | tables):
        return near
    for key in known:
        if key.name == name:
            where = "at the top level" if key.command == MAIN else f"in [{key.command}]"
            return f"{name} is a setting of {key.command}; put it {where}"
    return f"known settings: {', '.join(sorted(names | tables))}"


def _nearest(name: str, names: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(name, list(names), 1)
    return f"did you mean {_plain(near[0])}?" if near else None


def _from_environ(known: Sequence[KnownKey], environ: Mapping[str, str]) -> _Layer:
    # Set to nothing is not set, as shells and CI write it.
    texts = [(key, text) for key in known if (text := environ.get(key.env))]
    return {key: Setting(key, _from_text(key, text), key.env) for key, text in texts}


def _from_text(key: KnownKey, text: str) -> Value:
    # As click splits variables: an address may have commas in it, hardly white space.
    parts = text.split() if key.multiple else [text]
    raw = [_native(key.kind, part) for part in parts]
    return _value(key, raw if key.multiple else raw[0], key.env)


def _native(kind: Kind, text: str) -> Scalar:
    """Convert a variable's text to the type a file would have; unchanged where impossible."""
    try:
        match kind:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                return _YES_NO.get(text.strip().lower(), text)
            case "text" | "duration" | "size" | "any":
                return text
    except ValueError:
        return text


def _value(key: KnownKey, raw: object, what: str) -> Value:
    """Check and convert one value; `what` names it in an error."""
    try:
        if key.multiple:
            return tuple(_scalar(key, each) for each in (raw if isinstance(raw, list) else [raw]))
        return _scalar(key, raw)
    except ValueError as error:
        quotable = key.kind == "text" and isinstance(raw, int | float)
        hint = "quote the value" if quotable else None
        raise WrongUse(f"{what} {error}", hint=hint) from None


def _scalar(key: KnownKey, raw: object) -> Scalar:
    try:
        value = _typed(key.kind, raw)
    except ValueError as error:
        raise ValueError(f"{error}, not {_named(raw, secret=key.secret)}") from None
    if key.choices and str(value).lower() not in (choice.lower() for choice in key.choices):
        raise ValueError(
            f"must be one of {', '.join(key.choices)}, not {_named(raw, secret=key.secret)}"
        )
    if key.check:
        key.check(value)
    return value


def _typed(kind: Kind, raw: object) -> Scalar:
    match kind, raw:
        case ("boolean", bool() as value) | ("text", str() as value):
            return value
        case _, bool():  # which Python takes for a number
            pass
        case "integer", int() as value:
            return value
        case "number", int() | float() as value if abs(value) < _LIMIT:
            return float(value)
        case "duration", int() | float() | str() as value:
            return duration(value)
        case "size", int() | str() as value:
            return size(value)
        case "any", int() | float() | str() as value:
            return value
    raise ValueError(f"must be {_WANTED[kind]}")


def _named(raw: object, *, secret: bool = False) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, str | int | float) and not secret:
        shown = _plain(str(raw)[:60])
        return f'"{shown}"' if isinstance(raw, str) else shown
    return _WORDS.get(type(raw), "a date or time")


def _plain(text: str) -> str:
    """Escape an untrusted word for a terminal."""
    return text if text.isprintable() else ascii(text)[1:-1]
