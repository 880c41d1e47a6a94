import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from platformdirs import user_config_path

from vmon.config import (
    KnownKey,
    Setting,
    Settings,
    duration,
    files_read,
    is_configured,
    load,
    size,
)
from vmon.errors import WrongUse

if TYPE_CHECKING:
    from collections.abc import Mapping

CALM = settings(deadline=None)  # a busy machine is no failure
KNOWN = (
    KnownKey("port", "integer", default=4680),
    KnownKey("forward-to", multiple=True, default=()),
    KnownKey("secret", multiple=True, secret=True),
    KnownKey("token", secret=True),
    KnownKey("max-body", "size", default=262144),
    KnownKey("quiet", "boolean", default=False),
    KnownKey("format", choices=("auto", "text", "json"), default="auto"),
    KnownKey("status", "integer", multiple=True),
    KnownKey("speed", "number", "replay", default=1.0),
    KnownKey("max-gap", "duration", "replay", param="max_gap_s"),
    KnownKey("event", command="filter", multiple=True, param="types"),
)

ALL_AT_THE_TOP = (
    "known settings: filter, format, forward-to, max-body, port, quiet, "
    "replay, secret, status, token"
)


class Files:
    """A project's folder and a user's, and what `load` finds in them."""

    def __init__(self, root: Path) -> None:
        self.cwd, self.user_dir = root / "project", root / "user"
        self.cwd.mkdir()
        self.user_dir.mkdir()

    def project(self, text: str | bytes, name: str = "vmon.toml") -> None:
        (self.cwd / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def user(self, text: str) -> None:
        (self.user_dir / "config.toml").write_text(text, "utf-8")

    def load(self, profile: str | None = None, **environ: str) -> Settings:
        return load(KNOWN, profile=profile, cwd=self.cwd, environ=environ, user_dir=self.user_dir)

    def value(self, name: str, command: str = "listen", **environ: str) -> object:
        return self.load(**environ).get(name, command).value

    def fault(self, profile: str | None = None, **environ: str) -> tuple[str, str | None]:
        with pytest.raises(WrongUse) as caught:
            self.load(profile, **environ)
        return caught.value.message, caught.value.hint


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


class TestWhereAValueIsFrom:
    def test_without_any_file_every_setting_is_its_default(self, files: Files) -> None:
        settings = files.load()
        assert [setting.key for setting in settings.all] == list(KNOWN)
        assert {setting.source for setting in settings.all} == {"default"}
        assert settings.get("port").value == 4680
        assert settings.default_map() == {}

    def test_a_missing_folder_is_no_file(self, tmp_path: Path) -> None:
        gone = tmp_path / "gone"
        settings = load(KNOWN, cwd=gone, environ={}, user_dir=gone)
        assert settings.default_map() == {}

    def test_each_place_beats_those_below_it_and_is_named(self, files: Files) -> None:
        user = str(files.user_dir / "config.toml")
        found = []

        def look(profile: str | None = None, **environ: str) -> None:
            setting = files.load(profile, **environ).get("port")
            found.append((setting.value, setting.source))

        look()
        files.user("port = 1\n[profile.staging]\nport = 2")
        look()
        files.project("[tool.vmon]\nport = 3", "pyproject.toml")
        look()
        look("staging")
        files.project(
            "[tool.vmon]\nport = 3\n[tool.vmon.profile.staging]\nport = 4", "pyproject.toml"
        )
        look("staging")
        files.project("port = 5\n[profile.staging]\nport = 6")
        look()
        look("staging")
        look("staging", VMON_PORT="7")
        assert found == [
            (4680, "default"),
            (1, user),
            (3, "./pyproject.toml [tool.vmon]"),
            (2, f"{user} [profile.staging]"),
            (4, "./pyproject.toml [tool.vmon.profile.staging]"),
            (5, "./vmon.toml"),
            (6, "./vmon.toml [profile.staging]"),
            (7, "VMON_PORT"),
        ]

    def test_settings_of_different_files_come_together(self, files: Files) -> None:
        files.user('token = "t"\n[replay]\nspeed = 2')
        files.project('quiet = true\n[profile.a.replay]\nmax-gap = "5m"')
        assert files.load("a").default_map() == {
            "listen": {"token": "t", "quiet": True},
            "replay": {"speed": 2.0, "max_gap_s": 300.0},
        }

    def test_the_table_of_a_command_is_named_as_the_source(self, files: Files) -> None:
        files.project("[replay]\nspeed = 2\n[profile.a.replay]\nmax-gap = 1")
        settings = files.load("a")
        assert settings.get("speed", "replay").source == "./vmon.toml [replay]"
        assert settings.get("max-gap", "replay").source == "./vmon.toml [profile.a.replay]"

    def test_a_list_replaces_a_list_and_does_not_grow_it(self, files: Files) -> None:
        files.user('forward-to = ["http://a", "http://b"]')
        files.project('forward-to = ["http://c"]')
        assert files.value("forward-to") == ("http://c",)

    def test_vmon_toml_stands_alone_beside_a_pyproject(self, files: Files) -> None:
        files.project("quiet = true")
        files.project("[tool.vmon]\nport = 3", "pyproject.toml")
        assert files.load().default_map() == {"listen": {"quiet": True}}

    @pytest.mark.parametrize(
        "text", ["", "[tool.ruff]\nx = 1", 'tool = "vmon"', "<<<<<<< HEAD\n[tool.ruff]"]
    )
    def test_a_pyproject_that_does_not_speak_of_vmon_is_passed_by(
        self, files: Files, text: str
    ) -> None:
        files.project(text, "pyproject.toml")
        assert files.load().default_map() == {}

    @pytest.mark.parametrize("base", ["", "here", None])
    def test_the_users_own_folder_is_the_platforms(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str | None
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        if base is not None:
            monkeypatch.setenv("XDG_CONFIG_HOME", base and str(tmp_path / base))
        own = user_config_path("vmon", appauthor=False)
        own.mkdir(parents=True)
        (own / "config.toml").write_text("port = 9", "utf-8")
        assert load(KNOWN, cwd=tmp_path, environ={}).get("port").value == 9

    def test_where_nothing_is_set_nothing_is_configured(self, files: Files) -> None:
        def asked(**environ: str) -> bool:
            return is_configured(files.cwd, environ, files.user_dir)

        files.project("[tool.other]\n# vmon", "pyproject.toml")
        assert not asked(VMON_PORT="", PATH="/bin")
        assert asked(VMON_PORT="1")
        files.project("[tool.vmon]", "pyproject.toml")
        assert asked()
        assert files_read(files.cwd, files.user_dir) == ["./pyproject.toml [tool.vmon]"]
        files.user("")
        assert files_read(files.cwd, files.user_dir)[0] == str(files.user_dir / "config.toml")

    @pytest.mark.parametrize("text", ["agent = 'x'", "[profile.a]\nagent = 'x'"])
    def test_what_is_personal_stands_in_the_users_own_file_only(
        self, files: Files, text: str
    ) -> None:
        known = [KnownKey("agent", personal=True)]

        def loaded(**environ: str) -> object:
            profile = "a" if "profile" in text else None
            found = load(
                known, profile=profile, cwd=files.cwd, environ=environ, user_dir=files.user_dir
            )
            return found.get("agent").value

        files.user(text)
        assert loaded() == "x"
        assert loaded(VMON_AGENT="y") == "y"
        files.project(text)
        with pytest.raises(WrongUse, match="agent is not allowed in a project file") as caught:
            loaded()
        assert (caught.value.hint or "").endswith("or with VMON_AGENT")


class TestProfiles:
    def test_the_flag_beats_the_variable(self, files: Files) -> None:
        files.project("[profile.a]\nport = 1\n[profile.b]\nport = 2")
        assert files.value("port", VMON_PROFILE="a") == 1
        settings = files.load("b", VMON_PROFILE="a")
        assert (settings.profile, settings.get("port").value) == ("b", 2)

    @pytest.mark.parametrize("name", ["", None])
    def test_no_profile_and_an_empty_one_are_the_same(self, files: Files, name: str | None) -> None:
        files.project("port = 1\n[profile.a]\nport = 2")
        settings = files.load(name, VMON_PROFILE="")
        assert (settings.profile, settings.get("port").value) == (None, 1)

    def test_a_profile_chosen_by_name_beats_what_any_file_says_for_all(self, files: Files) -> None:
        files.user("[profile.a]\nport = 2")
        files.project("port = 1")
        assert files.value("port", VMON_PROFILE="a") == 2

    def test_a_profile_in_two_files_is_one_and_the_projects_part_wins(self, files: Files) -> None:
        files.user("[profile.a]\nport = 1\nquiet = true")
        files.project("[profile.a]\nport = 2")
        assert files.load("a").default_map() == {"listen": {"port": 2, "quiet": True}}

    def test_an_empty_profile_can_be_chosen(self, files: Files) -> None:
        files.project("[profile.a]")
        assert files.load("a").profile == "a"

    def test_an_unknown_profile_is_told_with_what_there_is(self, files: Files) -> None:
        assert files.fault("x") == ('unknown profile "x"', "no profiles are defined")
        files.user("[profile.local]")
        files.project("[profile.staging]")
        assert files.fault("x") == ('unknown profile "x"', "known profiles: local, staging")
        assert files.fault("stagin") == ('unknown profile "stagin"', "did you mean staging?")
        assert files.fault(VMON_PROFILE="\x1b[2J")[0] == 'unknown profile "\\x1b[2J"'

    def test_a_profile_with_a_hostile_name_acts_on_no_terminal(self, files: Files) -> None:
        files.project('[profile."\\u001b[2Ja"]\nport = 1')
        assert files.load("\x1b[2Ja").get("port").source == "./vmon.toml [profile.\\x1b[2Ja]"
        for asked in ("x", "[2Ja"):
            assert "\x1b" not in str(files.fault(asked))
        files.project('[profile."\\u001b[2Ja"]\nprot = 1')
        assert "\x1b" not in str(files.fault())
        files.project('profile."\\u001b[2Ja" = 1')
        assert "\x1b" not in str(files.fault())

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("profile = 'a'", "./vmon.toml: profile NAME must be a table"),
            ("profile.a = 1", "./vmon.toml: profile a must be a table"),
        ],
    )
    def test_a_profile_that_is_no_table_is_wrong_use(
        self, files: Files, text: str, message: str
    ) -> None:
        files.project(text)
        found, hint = files.fault()
        assert found == message
        assert hint is not None
        assert hint.startswith(
            "to choose a profile use --profile or VMON_PROFILE; to define one write [profile"
        )


class TestWhatIsWrongInAFile:
    @pytest.mark.parametrize(
        ("text", "message", "hint"),
        [
            ("prot = 1", './vmon.toml: unknown setting "prot"', "did you mean port?"),
            (
                "forward_to = 1",
                './vmon.toml: unknown setting "forward_to"',
                "did you mean forward-to?",
            ),
            (
                "[profile.a]\nprot = 1",
                './vmon.toml [profile.a]: unknown setting "prot"',
                "did you mean port?",
            ),
            (
                "speed = 1",
                './vmon.toml: unknown setting "speed"',
                "speed is a setting of replay; put it in [replay]",
            ),
            (
                "[replay]\nport = 1",
                './vmon.toml [replay]: unknown setting "port"',
                "port is a setting of listen; put it at the top level",
            ),
            (
                "[replay]\nzzz = 1",
                './vmon.toml [replay]: unknown setting "zzz"',
                "known settings: max-gap, speed",
            ),
            ("[replya]", './vmon.toml: unknown setting "replya"', "did you mean replay?"),
            (
                "replay = 1",
                './vmon.toml: unknown setting "replay"',
                "write it as a table: [replay]",
            ),
            (
                "[listen]\nport = 1",
                './vmon.toml: unknown setting "listen"',
                "settings of listen go at the top level, not in a table",
            ),
            (
                "[profile.a.profile.b]",
                './vmon.toml [profile.a]: unknown setting "profile"',
                "did you mean filter?",
            ),
            (
                "[profile.a]\nzzz = 1",
                './vmon.toml [profile.a]: unknown setting "zzz"',
                ALL_AT_THE_TOP,
            ),
            ('"\\u001b" = 1', './vmon.toml: unknown setting "\\x1b"', ...),
        ],
    )
    def test_an_unknown_key_is_told_with_its_place_and_the_way_out(
        self, files: Files, text: str, message: str, hint: object
    ) -> None:
        files.project(text)
        found = files.fault()
        assert found == (message, found[1] if hint is ... else hint)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ('port = "4680"', 'port must be an integer, not "4680"'),
            ("port = 1.5", "port must be an integer, not 1.5"),
            ("port = true", "port must be an integer, not true"),
            ("port = [1]", "port must be an integer, not a list"),
            ("port = {a = 1}", "port must be an integer, not a table"),
            ("port = 2020-01-01", "port must be an integer, not a date or time"),
            ("quiet = 1", "quiet must be true or false, not 1"),
            ('quiet = "yes"', 'quiet must be true or false, not "yes"'),
            ("forward-to = 3000", "forward-to must be a string, not 3000"),
            ('forward-to = ["a", 1]', "forward-to must be a string, not 1"),
            ('forward-to = [["a"]]', "forward-to must be a string, not a list"),
            ('format = "jsn"', 'format must be one of auto, text, json, not "jsn"'),
            (
                'max-body = "x\\u001b"',
                'max-body must be a size (bytes, or "256KiB", "1MB"), not "x\\x1b"',
            ),
            ("max-body = -1", 'max-body must be a size (bytes, or "256KiB", "1MB"), not -1'),
            (
                f"max-body = 1{'0' * 400}",
                'max-body must be a size (bytes, or "256KiB", "1MB"), not 1' + "0" * 59,
            ),
        ],
    )
    def test_a_wrong_type_is_told_with_what_it_should_be(
        self, files: Files, text: str, why: str
    ) -> None:
        files.project(text)
        assert files.fault()[0] == f"./vmon.toml: {why}"

    @pytest.mark.parametrize("text", ["nan", "inf", "-1", '"5 parsecs"', '"1m x"', '""', "1" * 400])
    def test_a_duration_that_is_none_is_told(self, files: Files, text: str) -> None:
        files.project(f"[replay]\nmax-gap = {text}")
        message, _ = files.fault()
        assert message.startswith("./vmon.toml [replay]: max-gap must be a duration (seconds, or ")

    @pytest.mark.parametrize("text", ["nan", "inf", '"1"', "1" * 400])
    def test_a_number_that_is_none_is_told(self, files: Files, text: str) -> None:
        files.project(f"[replay]\nspeed = {text}")
        assert files.fault()[0].startswith("./vmon.toml [replay]: speed must be a number, not ")

    def test_a_number_where_a_string_belongs_asks_for_quotes(self, files: Files) -> None:
        files.project("token = 12345")
        assert files.fault() == (
            "./vmon.toml: token must be a string, not a number",
            "quote the value",
        )

    def test_a_wrong_profile_is_told_even_when_another_is_chosen(self, files: Files) -> None:
        files.project("[profile.a]\n[profile.b.replay]\nspeed = 'x'")
        assert files.fault("a")[0] == (
            './vmon.toml [profile.b.replay]: speed must be a number, not "x"'
        )

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (
                b"a = 1\nport = \n",
                "invalid TOML in ./vmon.toml: Invalid value (at line 2, column 8)",
            ),
            (
                b"port = 1\nport = 2\n",
                "invalid TOML in ./vmon.toml: Cannot overwrite a value (at line 2, column 9)",
            ),
            (b'a = 1\n\nb = "\xff"', "./vmon.toml is not valid UTF-8 (line 3)"),
            (b"a = " + b"[" * 10_000, "cannot read ./vmon.toml: nested too deeply"),
        ],
    )
    def test_what_is_not_toml_is_told_with_its_line(
        self, files: Files, data: bytes, message: str
    ) -> None:
        files.project(data)
        assert files.fault()[0] == message

    def test_a_file_that_cannot_be_read_is_told(self, files: Files) -> None:
        (files.cwd / "vmon.toml").mkdir()
        assert files.fault() == (
            "cannot read ./vmon.toml: Is a directory",
            "fix its permissions, or move it away",
        )

    def test_a_broken_pyproject_that_speaks_of_vmon_is_told(self, files: Files) -> None:
        files.project("[tool.vmon]\nport =", "pyproject.toml")
        assert files.fault()[0].startswith("invalid TOML in ./pyproject.toml: Invalid value (at ")
        files.project("tool.vmon = 1", "pyproject.toml")
        assert files.fault()[0] == "./pyproject.toml: tool.vmon must be a table"

    def test_the_users_file_is_named_by_its_path(self, files: Files) -> None:
        files.user("prot = 1")
        assert files.fault()[0].startswith(
            str(files.user_dir / "config.toml") + ": unknown setting"
        )


class TestTypes:
    @pytest.mark.parametrize(
        ("text", "name", "command", "value"),
        [
            ("port = 0x1248", "port", "listen", 4680),
            ('forward-to = "http://a"', "forward-to", "listen", ("http://a",)),
            ("forward-to = []", "forward-to", "listen", ()),
            ("status = [200, 503]", "status", "listen", (200, 503)),
            ("quiet = false", "quiet", "listen", False),
            ('format = "JSON"', "format", "listen", "JSON"),
            ("max-body = 4096", "max-body", "listen", 4096),
            ('max-body = "256KiB"', "max-body", "listen", 262144),
            ("replay.speed = 2", "speed", "replay", 2.0),
            ("replay.max-gap = 2", "max-gap", "replay", 2.0),
            ('replay.max-gap = "1m30s"', "max-gap", "replay", 90.0),
            ('filter.event = ["a", "b"]', "event", "filter", ("a", "b")),
            ("\ufeffport = 1\r\n", "port", "listen", 1),
        ],
    )
    def test_a_file_gives_typed_values(
        self, files: Files, text: str, name: str, command: str, value: object
    ) -> None:
        files.project(text)
        found = files.value(name, command)
        assert (found, type(found)) == (value, type(value))

    @pytest.mark.parametrize(
        ("env", "text", "value"),
        [
            ("VMON_PORT", "80", 80),
            ("VMON_FORWARD_TO", "http://a,1  http://b", ("http://a,1", "http://b")),
            ("VMON_STATUS", "200 503", (200, 503)),
            ("VMON_QUIET", "On", True),
            ("VMON_QUIET", "0", False),
            ("VMON_MAX_BODY", "1MB", 1_000_000),
            ("VMON_TOKEN", "a b", "a b"),
            ("VMON_REPLAY_SPEED", "2.5", 2.5),
            ("VMON_REPLAY_MAX_GAP", "1h", 3600.0),
            ("VMON_FILTER_EVENT", "a", ("a",)),
        ],
    )
    def test_a_variable_gives_typed_values_and_is_their_source(
        self, files: Files, env: str, text: str, value: object
    ) -> None:
        set_by_it = [s for s in files.load(**{env: text}).all if s.source == env]
        assert [s.value for s in set_by_it] == [value]

    @pytest.mark.parametrize(
        ("env", "text", "message"),
        [
            ("VMON_PORT", "http", 'VMON_PORT must be an integer, not "http"'),
            ("VMON_PORT", "9" * 5000, f'VMON_PORT must be an integer, not "{"9" * 60}"'),
            ("VMON_STATUS", "200 x", 'VMON_STATUS must be an integer, not "x"'),
            ("VMON_QUIET", "maybe", 'VMON_QUIET must be true or false, not "maybe"'),
            ("VMON_REPLAY_SPEED", "nan", "VMON_REPLAY_SPEED must be a number, not nan"),
            ("VMON_FORMAT", "x", 'VMON_FORMAT must be one of auto, text, json, not "x"'),
        ],
    )
    def test_a_wrong_variable_is_told(
        self, files: Files, env: str, text: str, message: str
    ) -> None:
        assert files.fault(**{env: text})[0] == message

    def test_a_variable_set_to_nothing_is_not_set(self, files: Files) -> None:
        files.project("port = 1\nforward-to = 'a'")
        settings = files.load(VMON_PORT="", VMON_FORWARD_TO="", VMON_SOMETHING_ELSE="x")
        assert settings.default_map() == {"listen": {"port": 1, "forward_to": ("a",)}}

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("0", 0),
            ("90", 90),
            (" 90 s", 90),
            ("1.5H", 5400),
            ("1h 30m", 5400),
            ("5min", 300),
            ("500ms", 0.5),
            ("1d", 86400),
            (7, 7),
            (0.25, 0.25),
        ],
    )
    def test_durations_are_read_as_people_write_them(
        self, text: str | float, seconds: float
    ) -> None:
        assert duration(text) == seconds

    @pytest.mark.parametrize(
        ("text", "octets"),
        [
            ("0", 0),
            ("4096", 4096),
            ("1k", 1024),
            ("1.5 K", 1536),
            ("256KiB", 262144),
            ("1MB", 10**6),
            ("2GiB", 2**31),
            ("7b", 7),
            (7, 7),
        ],
    )
    def test_sizes_are_read_as_people_write_them(self, text: str | int, octets: int) -> None:
        assert size(text) == octets

    @CALM
    @given(text=st.text() | st.from_regex(r"[0-9.]+ ?[a-zA-Z]*") | st.floats() | st.integers())
    def test_whatever_is_written_reading_gives_a_sane_number_or_says_no(self, text: Any) -> None:
        for read in (duration, size):
            try:
                number = read(text)
            except ValueError as error:
                assert str(error).startswith("must be a ")  # noqa: PT017  # either end is right
            else:
                assert 0 <= number < 2**53

    def test_what_its_check_refuses_is_told_with_its_place(self, files: Files) -> None:
        def even(value: object) -> None:
            if not isinstance(value, int) or value % 2:
                raise ValueError("must be even")

        known = [KnownKey("port", "any", variable="PORT_OF_MINE", check=even)]

        def loaded(**environ: str) -> object:
            found = load(known, cwd=files.cwd, environ=environ, user_dir=files.user_dir)
            return found.get("port").value

        files.project("port = 4")
        assert loaded() == 4
        for text, place in (('"a"', "./vmon.toml: port"), ("3", "./vmon.toml: port")):
            files.project(f"port = {text}")
            with pytest.raises(WrongUse, match=f"^{place} must be even$"):
                loaded()
        files.project("")
        with pytest.raises(WrongUse, match=r"^PORT_OF_MINE must be even$"):
            loaded(PORT_OF_MINE="4")  # a variable is text


class TestSecrets:
    def test_a_secret_shows_neither_in_its_setting_nor_in_what_holds_it(self, files: Files) -> None:
        files.project('token = "hunter2"\nsecret = ["hunter3"]')
        settings = files.load()
        assert repr(settings.get("token")) == "Setting(listen token = …, from ./vmon.toml)"
        for text in (repr(settings), str(settings), f"{settings.all}", settings.get("token").shown):
            assert "hunter" not in text
        assert settings.default_map()["listen"] == {"token": "hunter2", "secret": ("hunter3",)}

    def test_what_is_no_secret_shows(self) -> None:
        setting = Setting(KnownKey("port", "integer"), 80, "VMON_PORT")
        assert repr(setting) == "Setting(listen port = 80, from VMON_PORT)"

    def test_a_secret_that_is_not_set_says_so(self, files: Files) -> None:
        assert files.load().get("token").shown == "None"

    @pytest.mark.parametrize("text", ["secret = [[1]]", "secret = [123456]", "token = 123456"])
    def test_a_wrong_secret_is_told_without_it(self, files: Files, text: str) -> None:
        files.project(text)
        message, _ = files.fault()
        assert "must be a string" in message
        assert "123456" not in message

    def test_a_secret_of_limited_choice_is_told_without_it(self, tmp_path: Path) -> None:
        known = [KnownKey("token", secret=True, choices=("a",))]
        with pytest.raises(WrongUse) as caught:
            load(known, cwd=tmp_path, environ={"VMON_TOKEN": "hunter2"}, user_dir=tmp_path)
        assert "hunter2" not in str(caught.value)


class TestTheSeamToClick:
    """What the command line is to do with it: its options are the one source."""

    @staticmethod
    def known(group: click.Group) -> list[KnownKey]:
        kinds: Mapping[str, Any] = {"integer": "integer", "boolean": "boolean"}
        return [
            KnownKey(
                max(option.opts, key=len).lstrip("-"),
                kinds.get(option.type.name, "text"),
                str(name),
                option.multiple,
                param=option.name,
            )
            for name, command in group.commands.items()
            for option in command.params
            if isinstance(option, click.Option)
        ]

    def test_files_feed_the_commands_and_a_flag_beats_them(self, files: Files) -> None:
        @click.group
        @click.pass_context
        def vmon(context: click.Context) -> None:
            known = self.known(vmon)
            settings = load(known, cwd=files.cwd, environ={}, user_dir=files.user_dir)
            context.default_map = settings.default_map()

        @vmon.command
        @click.option("--port", "-p", type=int, default=4680)
        @click.option("--forward-to", "targets", multiple=True)
        @click.option("--color/--no-color", default=True)
        def listen(**values: object) -> None:
            click.echo(values)

        @vmon.command("filter")
        @click.option("--event", "types", multiple=True)
        def filter_(**values: object) -> None:
            click.echo(values)

        files.project(
            'port = 1\nforward-to = ["a", "b"]\ncolor = false\n[filter]\nevent = "x"', "vmon.toml"
        )

        def run(*argv: str) -> str:
            return CliRunner().invoke(vmon, argv, catch_exceptions=False).output.strip()

        assert run("listen") == "{'port': 1, 'targets': ('a', 'b'), 'color': False}"
        assert run("listen", "-p2", "--forward-to=c", "--color") == (
            "{'port': 2, 'targets': ('c',), 'color': True}"
        )
        assert run("filter") == "{'types': ('x',)}"


def test_the_import_is_light() -> None:
    heavy = ("tomllib", "platformdirs", "msgspec", "click", "difflib", "asyncio")
    code = f"import sys, vmon.config; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_unknown_name_is_a_bug_of_the_caller(files: Files) -> None:
    with pytest.raises(KeyError):
        files.load().get("nothing")
