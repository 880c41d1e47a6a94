import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmon.errors import WrongUse
from vmon.security.access import (
    BlockedRequests,
    Guard,
    host_name,
    known_paths,
    secret_path,
    stored_path,
)

TOKEN = "Zq3x_-0aBcDeFgHiJkLmNo"
PUBLIC = "abc.ngrok.app"
GUARD = Guard(TOKEN, frozenset({PUBLIC}))
OPEN = Guard(None, frozenset({PUBLIC}))
RAW = Guard(TOKEN, frozenset({PUBLIC}), everyone=True)


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "vmon"


def host(name: str, *more: str) -> list[tuple[bytes, bytes]]:
    return [(b"HOST", name.encode()), *((one.encode(), b"203.0.113.9") for one in more)]


@pytest.mark.parametrize(
    "path", [f"/{TOKEN}", f"/{TOKEN}/", f"/{TOKEN}/hook?a=1", f"/{TOKEN}?a=1", f"/{TOKEN}//x"]
)
@pytest.mark.parametrize("name", [PUBLIC, "ABC.ngrok.app", f"{PUBLIC}:443", f"{PUBLIC}."])
def test_a_request_with_the_prefix_to_the_public_host_is_allowed(path: str, name: str) -> None:
    assert GUARD.admits(host(name), path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "*",
        TOKEN,
        f"/{TOKEN[:-1]}",
        f"/{TOKEN}x",
        f"/{TOKEN.lower()}",
        f"//{TOKEN}",
        f"/x/{TOKEN}",
        f"/?{TOKEN}",
        f"/./{TOKEN}",
        f"/%5A{TOKEN[1:]}",
        f"http://{PUBLIC}/{TOKEN}",
        f"/{TOKEN}\udcff",
        "/\u00e9",
    ],
)
def test_any_other_request_from_outside_is_blocked(path: str) -> None:
    assert not GUARD.admits(host(PUBLIC), path)


@pytest.mark.parametrize(
    "name",
    ["localhost", "LOCALHOST:4680", "127.0.0.1:4680", "127.0.0.1", "[::1]:4680", "[::1]"],
)
def test_a_local_request_needs_no_prefix(name: str) -> None:
    assert GUARD.admits(host(name), "/any")
    assert OPEN.admits(host(name), "/any")


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        f"{PUBLIC}.evil.example",
        f"evil.{PUBLIC}",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "localhost@evil.example",
        "localhost:80@evil.example",
        "localhost evil",
        "::1",
        "[::1",
        "192.168.1.5",
        "127.1",
        "",
    ],
)
def test_a_request_to_another_host_is_blocked_even_with_the_prefix(name: str) -> None:
    assert not GUARD.admits(host(name), f"/{TOKEN}")
    assert not OPEN.admits(host(name), "/")


def test_a_request_with_no_host_or_two_of_them_is_blocked() -> None:
    assert not GUARD.admits([], f"/{TOKEN}")
    assert not GUARD.admits([*host("localhost"), *host(PUBLIC)], f"/{TOKEN}")


@pytest.mark.parametrize("mark", ["X-Forwarded-For", "cf-connecting-ip", "Forwarded"])
def test_what_a_tunnel_has_marked_is_from_outside_whatever_its_host_says(mark: str) -> None:
    assert not GUARD.admits(host("localhost", mark), "/any")
    assert GUARD.admits(host("localhost", mark), f"/{TOKEN}/any")


def test_where_hosts_can_be_claimed_every_request_needs_the_prefix() -> None:
    assert not RAW.admits(host("localhost"), "/any")
    assert RAW.admits(host("localhost"), f"/{TOKEN}/any")
    assert RAW.admits(host(PUBLIC), f"/{TOKEN}/any")


def test_without_a_prefix_the_host_alone_decides() -> None:
    assert OPEN.admits(host(PUBLIC), "/any")


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        (f"/{TOKEN}", "/"),
        (f"/{TOKEN}/", "/"),
        (f"/{TOKEN}/hook?a=1", "/hook?a=1"),
        (f"/{TOKEN}?a=1", "/?a=1"),
        (f"/{TOKEN}/{TOKEN}", f"/{TOKEN}"),
        ("/hook", "/hook"),
        (f"/{TOKEN}x/hook", f"/{TOKEN}x/hook"),
        ("*", "*"),
        ("", ""),
    ],
)
def test_the_inner_path_is_the_path_without_the_prefix(path: str, inner: str) -> None:
    assert GUARD.inner_path(path) == inner
    assert OPEN.inner_path(path) == path


@given(st.lists(st.tuples(st.binary(), st.binary())), st.text(st.characters()))
def test_nothing_that_is_received_raises(headers: list[tuple[bytes, bytes]], path: str) -> None:
    for guard in (GUARD, OPEN, RAW):
        assert not guard.admits([one for one in headers if one[0].lower() != b"host"], path)
        assert guard.admits([(b"host", b"localhost"), *headers], path) in {True, False}
        assert guard.inner_path(path) == path


@given(st.text())
def test_a_host_is_a_name_or_none(text: str) -> None:
    assert (host_name(text) or text.lower().strip()) in text.lower()


def test_a_scanner_does_not_flood_the_screen() -> None:
    strangers = BlockedRequests()
    assert strangers.note("GET /a", 100.0) == "blocked: GET /a (404)"
    assert [strangers.note(f"GET /{n}", 100.0 + n / 100) for n in range(500)] == [None] * 500
    assert strangers.note("GET /b", 110.0) == (
        "blocked: GET /b (404) (500 more since the last report)"
    )
    assert strangers.note("GET /c", 119.9) is None
    assert strangers.note("GET /d", 130.0) == (
        "blocked: GET /d (404) (1 more since the last report)"
    )
    assert strangers.total == 504


def test_a_secret_path_is_made_once_and_for_this_user_alone(own_state: Path) -> None:
    made = secret_path()
    assert len(made) == 22
    assert secret_path() == made
    assert stat.S_IMODE((own_state / "path").stat().st_mode) == 0o600
    assert stat.S_IMODE(own_state.stat().st_mode) == 0o700


def test_a_given_secret_path_is_remembered_and_so_are_those_before() -> None:
    first = secret_path()
    assert secret_path("mine-and-yours") == "mine-and-yours"
    assert secret_path() == "mine-and-yours"
    inner = stored_path()
    assert inner("/mine-and-yours/a") == "/a"
    assert inner(f"/{first}/a?b") == "/a?b"
    assert inner("/other/a") == "/other/a"
    assert secret_path(first) == first
    assert known_paths() == (first, "mine-and-yours")


@pytest.mark.parametrize(
    "token", ["short", "a/b-long-enough", "with space", "\u00e9" * 9, "x" * 200, ""]
)
def test_an_invalid_secret_path_is_an_error(token: str, own_state: Path) -> None:
    with pytest.raises(WrongUse, match="invalid secret path"):
        secret_path(token)
    assert not own_state.exists()


def test_a_state_that_cannot_be_written_is_an_error_but_not_where_it_is_only_read(
    own_state: Path,
) -> None:
    own_state.write_text("a file where the folder should be")
    with pytest.raises(WrongUse, match="cannot read") as caught:
        secret_path()
    assert caught.value.hint is not None
    assert known_paths() == ()
    assert stored_path()("/a/b") == "/a/b"
