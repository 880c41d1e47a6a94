import pytest

from vmon.errors import WrongUse
from vmon.events.catalogue import NAMES
from vmon.forward.targets import RouteArguments, headers_of, is_at, routes_of, target_of

A, B, C = "http://a.test", "http://b.test/x", "http://c.test"


def types(arguments: RouteArguments) -> dict[str, set[str]]:
    return {route.target.url: set(route.types) for route in routes_of(arguments)}


def test_without_routes_every_target_gets_everything() -> None:
    assert types(RouteArguments((A, B))) == {A: set(NAMES), B: set(NAMES)}


def test_a_type_goes_to_every_route_that_names_it_and_else_to_the_rest() -> None:
    found = types(RouteArguments((C,), (f"archive={A}", f"archive,stream*={B}")))
    streams = {"streamCreated", "streamDestroyed"}
    assert found == {A: {"archive"}, B: {"archive", *streams}, C: {*NAMES} - {"archive", *streams}}


def test_routes_to_one_url_are_one_target() -> None:
    assert types(RouteArguments((), (f"archive={A}", f"call*={A}"))) == {
        A: {"archive", "callCreated", "callUpdated", "callDestroyed"}
    }


def test_an_equals_sign_in_a_url_is_part_of_it() -> None:
    assert list(types(RouteArguments((), (f"archive={A}/?key=1",)))) == [f"{A}/?key=1"]


def test_the_filter_of_forwards_holds_for_all_of_them() -> None:
    found = types(RouteArguments((C,), (f"archive={A}",), ("!stream*,!connection*",)))
    assert found[A] == {"archive"}
    assert "streamCreated" not in found[C]
    assert "sessionCreated" in found[C]


def test_a_route_says_which_types_it_is_about() -> None:
    routes = routes_of(RouteArguments((C, A), ("archive,captions=" + B,)))
    assert [route.types_in_words for route in routes] == [
        "archive, captions",
        "all except archive, captions",
        "all except archive, captions",
    ]
    assert routes_of(RouteArguments((C,)))[0].types_in_words == ""


@pytest.mark.parametrize("route", ["archive", "=http://a.test", "archive=", "  ="])
def test_what_is_no_route_is_refused_with_an_example(route: str) -> None:
    with pytest.raises(WrongUse, match="invalid route") as told:
        routes_of(RouteArguments((), (route,)))
    assert "--route" in str(told.value.hint)


def test_a_route_of_a_type_that_is_none_gets_a_suggestion() -> None:
    with pytest.raises(WrongUse) as told:
        routes_of(RouteArguments((), (f"archives={A}",)))
    assert "did you mean archive?" in str(told.value.hint)


@pytest.mark.parametrize(
    "asked",
    [RouteArguments((C,), ("*=" + A,)), RouteArguments((), (f"archive={A}",), ("stream*",))],
    ids=["the rest of nothing", "filtered away"],
)
def test_a_target_that_would_get_nothing_is_refused(asked: RouteArguments) -> None:
    with pytest.raises(WrongUse, match="no event type is forwarded to http"):
        routes_of(asked)


def test_settings_are_those_of_every_target() -> None:
    routes = routes_of(RouteArguments((A, B)), timeout_s=3.0, insecure=True, headers=(("X", "1"),))
    assert {(a.target.timeout_s, a.target.insecure, a.target.headers) for a in routes} == {
        (3.0, True, (("X", "1"),))
    }
    assert all(route.target.forwarded for route in routes)


def test_headers_are_names_and_values() -> None:
    assert headers_of(["X-Key: a: b", "Empty:", "T:\ttab "]) == (
        ("X-Key", "a: b"),
        ("Empty", ""),
        ("T", "tab"),
    )


@pytest.mark.parametrize("text", ["no colon secret", ": v", "a b: v", "X: a\r\nY: b", "X: \0", ""])
def test_what_is_no_header_is_refused_without_its_value(text: str) -> None:
    with pytest.raises(WrongUse, match="invalid header") as told:
        headers_of([text])
    assert "\n" not in told.value.message


def test_one_app_under_two_spellings_is_one_target() -> None:
    assert list(types(RouteArguments(("3000", "localhost:3000"), ("archive=:3000",)))) == [
        "http://localhost:3000"
    ]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "app.localhost"])
def test_a_receiver_on_loopback_is_known_by_any_of_its_names(host: str) -> None:
    target = target_of(f"{host}:4680")
    assert (target.is_local, is_at(target, "http://127.0.0.1:4680")) == (True, True)
    assert not is_at(target, "http://127.0.0.1:4681")
    assert not target_of("app.test:4680").is_local


@pytest.mark.parametrize(
    ("url", "under"),
    [
        ("http://a.test", "http://a.test/secret"),
        ("http://a.test/", "http://a.test/secret"),
        ("http://a.test/hooks/?a=1", "http://a.test/secret/hooks/?a=1"),
    ],
)
def test_a_segment_goes_before_the_path_of_a_target(url: str, under: str) -> None:
    assert target_of(url).under("secret") == target_of(under)
