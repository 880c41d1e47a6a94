import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.support.factories import make_entry, make_line
from vmon.capture.codec import read_line, write_line
from vmon.errors import WrongUse
from vmon.events.catalogue import TYPES
from vmon.events.entry import Entry
from vmon.events.verdict import Verdict
from vmon.render.detail import fields, whole
from vmon.render.line import line
from vmon.render.style import LineStyle, Paint
from vmon.security.pseudonyms import Redactor, paths_of
from vmon.security.pseudonyms import redactor_of as made

Run = Callable[..., tuple[int, str, str]]

KEY = b"a key of this user"
BOTH = ("connection.data", "stream.name")
PLAIN = LineStyle(Paint())
PATIENT = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    max_examples=150,
)


def redact(entry: Entry, *paths: str, secret_paths: tuple[str, ...] = ()) -> Entry:
    return Redactor(paths or BOTH, KEY, secret_paths)(entry)


def value_of(entry: Entry) -> Any:
    return json.loads(entry.delivery.body)


def stream(name: object, data: object = "", **more: object) -> bytes:
    said = {"id": "s-1", "name": name, "connection": {"id": "c-1", "data": data}}
    return json.dumps({"event": "streamCreated", "stream": said, **more}).encode()


# Pseudonyms.


def test_a_value_always_has_the_same_pseudonym() -> None:
    shown = value_of(redact(make_entry(stream("Ann Example", "Ann Example"))))
    said = shown["stream"]
    assert re.fullmatch(r"person-[a-z2-7]{8}", said["name"])
    assert said["connection"]["data"] == said["name"]
    connection = {"event": "connectionCreated", "connection": {"data": "Ann Example"}}
    again = value_of(redact(make_entry(json.dumps(connection).encode())))
    assert again["connection"]["data"] == said["name"]
    other = value_of(redact(make_entry(stream("Bob Example"))))
    assert other["stream"]["name"] != said["name"]


def test_with_another_key_it_is_another_pseudonym() -> None:
    entry = make_entry(stream("Ann Example"))
    other = value_of(Redactor(BOTH, b"another")(entry))["stream"]["name"]
    assert other != value_of(redact(entry))["stream"]["name"]


def test_ids_go_by_what_they_are_of_so_that_joins_hold() -> None:
    call = {"event": "callCreated", "call": {"id": "9", "connectionId": "c-12345"}}
    made = {"event": "connectionCreated", "connection": {"id": "c-12345"}}
    paths = ("connection.id", "connectionId")
    first = value_of(redact(make_entry(json.dumps(call).encode()), *paths))
    second = value_of(redact(make_entry(json.dumps(made).encode()), *paths))
    assert first["call"]["connectionId"] == second["connection"]["id"]
    assert first["call"]["connectionId"].startswith("connection-")


def test_the_session_of_the_line_is_redacted_with_that_of_the_body() -> None:
    entry = make_entry(b'{"event":"sessionCreated","sessionId":"2_MX4x-secret-session"}')
    shown = redact(entry, "sessionId")
    assert shown.session == value_of(shown)["sessionId"]
    assert shown.session is not None
    assert shown.session.startswith("session-")
    assert b"2_MX4x" not in write_line(shown)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a.b", {"a": {"b": "X", "c": [{"b": "keep"}]}, "b": "keep"}),
        ("b", {"a": {"b": "X", "c": [{"b": "X"}]}, "b": "X"}),
        ("c.b", {"a": {"b": "keep", "c": [{"b": "X"}]}, "b": "keep"}),
        ("a.*", {"a": {"b": "X", "c": "X"}, "b": "keep"}),
        ("x.b", {"a": {"b": "keep", "c": [{"b": "keep"}]}, "b": "keep"}),
    ],
)
def test_a_path_means_every_place_that_ends_so(path: str, shown: dict[str, Any]) -> None:
    names = iter(["v-one", "v-two", "v-three"])
    body = {"a": {"b": next(names), "c": [{"b": next(names)}]}, "b": next(names)}
    plain = json.dumps(value_of(redact(make_entry(json.dumps(body).encode()), path)))
    plain = re.sub(r'"[a-z]+-[a-z2-7]{8}"', '"X"', plain)
    assert re.sub(r'"v-[a-z]+"', '"keep"', plain) == json.dumps(shown)


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_what_is_empty_stays_so(empty: object) -> None:
    assert value_of(redact(make_entry(stream(empty))))["stream"]["name"] == empty


def test_a_number_becomes_a_number_and_a_yes_or_no_nothing() -> None:
    shown = value_of(redact(make_entry(b'{"a":1234567,"b":true,"c":1.5e10}'), "a", "b", "c"))
    assert {key: type(value) for key, value in shown.items()} == {
        "a": int,
        "b": type(None),
        "c": int,
    }
    assert shown["a"] != 1234567


def test_an_object_goes_whole() -> None:
    body = stream("x", {"user": "Ann Example", "Bob Example": ["Cid Example"]}, q="Cid Example!")
    out = write_line(redact(make_entry(body)))
    assert b"Example" not in out


def test_paths_that_matched_are_distinguished_from_those_that_did_not() -> None:
    redactor = Redactor(("stream.name", "stream.nmae"), KEY)
    redactor(make_entry(stream("Ann Example")))
    assert redactor.unmet == ["stream.nmae"]


def test_paths_are_comma_lists_and_invalid_ones_are_errors() -> None:
    assert paths_of(["a.b, c,", "d"]) == ("a.b", "c", "d")
    for broken in (".", "a.", "a..b"):
        with pytest.raises(WrongUse, match="invalid field"):
            paths_of([broken])


# Nothing survives.

NAMES = st.text(st.characters(codec="utf-8"), min_size=6, max_size=20).filter(
    lambda text: len(set(text)) > 3 and not set(text) <= set("personale-0123456789abcdef")
)


def spellings(text: str) -> set[str]:
    as_bytes = text.encode()
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(text))[3:-3],
        quote(text, safe=""),
        quote_plus(text),
        as_bytes.decode("latin-1"),
    }


THERE_ANYWAY = (
    '{"vmon":1,"type":"streamCreated","session","verdict":{"kind":"invalid","why":"it names ",'
    '"secret":null},"id":"00053932d7f0ab-5a17c0de","received_at":"2016-08-03T21:16:00.318542Z",'
    '"method":"POST","path":"/","headers":[["X-Name","X-Both","Content-Length"]],"remote":'
    '"127.0.0.1:50412","body":{"event":"streamCreated","sessionId":"stream":{"id":"s-1","name":'
    '"connection":{"data":"other":"deep":["by "of "again":"url":"https://example.com/redacted?q='
)


def everywhere(out: bytes) -> str:
    """A line, its JSON and what is base64 or percent-encoded in it, unpacked."""
    said = json.loads(out)
    bodies = base64.b64decode(said.get("body_base64", "")).decode("utf-8", "replace")
    strings = json.dumps(said, ensure_ascii=False) + repr(said) + bodies
    return "\n".join((out.decode(), strings, unquote(strings), unquote(out.decode())))


@PATIENT
@given(name=NAMES, data=NAMES, encode=st.sampled_from(["plain", "ascii", "gzip", "bom", "loose"]))
def test_no_value_of_a_redacted_path_is_left_in_the_line(name: str, data: str, encode: str) -> None:
    assume(not any(one in THERE_ANYWAY for one in (name, data)))
    body = {
        "event": "streamCreated",
        "sessionId": f"1_{name}",
        "stream": {"id": "s-1", "name": name, "connection": {"data": data}},
        "other": {"deep": [f"by {name}!", {f"of {data}": data}], "again": json.dumps({"n": name})},
        "url": f"https://example.com/{quote(name, safe='')}?q={quote_plus(data)}",
    }
    raw = json.dumps(body, ensure_ascii=encode == "ascii").encode()
    packed = {
        "gzip": gzip.compress(raw),
        "bom": b"\xef\xbb\xbf" + raw,
        "loose": json.dumps(body, indent=2).encode(),
    }.get(encode, raw)
    headers = [
        ("X-Name", name.encode().decode("latin-1")),
        ("X-Both", f"{quote(name)} {quote(data, safe='').lower()}"),
        ("Content-Encoding", "gzip" if encode == "gzip" else "identity"),
        ("Content-MD5", base64.b64encode(raw).decode()),
        ("Content-Length", str(len(packed))),
    ]
    entry = make_entry(
        packed, headers=tuple(headers), path=f"/{quote(name)}?d={quote(data, safe='').lower()}"
    )
    entry.verdict = Verdict("invalid", f"it names {name}", None)
    out = write_line(redact(entry))
    shown = everywhere(out)
    assert [way for one in (name, data) for way in spellings(one) if way in shown] == []
    again = read_line(out)
    assert (again.type, again.payload.type) == ("streamCreated", "streamCreated")
    assert write_line(again) == out
    assert out.startswith(b'{"vmon":1,"type":"streamCreated","session":')
    assert ("Content-Length", str(len(again.delivery.body))) in again.delivery.headers


@PATIENT
@given(st.binary(), st.sampled_from(["", "gzip", "br"]))
def test_whatever_the_body_a_redacted_line_can_be_read(body: bytes, encoding: str) -> None:
    entry = make_entry(body, headers=(("Content-Encoding", encoding),))
    out = write_line(redact(entry, "a"))
    again = read_line(out)
    assert (again.type, again.session) == (entry.type, entry.session)
    assert write_line(again) == out
    assert [*fields(again, PLAIN), *whole(again, PLAIN)]


@pytest.mark.parametrize(
    "body",
    [b'{"stream":{"name":"Ann Example"', b"Ann Example", b'["Ann Example' + b"[" * 3000, b""],
)
def test_a_body_that_cannot_be_read_is_left_out_whole(body: bytes) -> None:
    out = write_line(redact(make_entry(body)))
    shown = everywhere(out)
    assert "Ann Example" not in shown
    assert "not JSON)" in shown
    assert read_line(out).type == "undecodable"


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":"archive","name":"\\ud800 Ann Example","x":"\\ud800"}',
        b'{"event":"archive","name":"Ann Example","n":1e400}',
        b'{"event":"archive","name":"Ann Example","n":123456789012345678901234567890}',
        b'{"event":"archive","name":"Ann Example","name":"second"}',
        b'{"event":"archive","name":"Ann Example","a":' + b"[" * 250 + b"]" * 250 + b"}",
        b'{"event":"archive","name":"Ann Example","a":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"event":"archive","n":' + b"9" * 5000 + b',"name":"Ann Example"}',
    ],
)
def test_json_of_an_odd_kind_is_redacted_too(body: bytes) -> None:
    out = write_line(redact(make_entry(body), "name"))
    assert "Ann Example" not in everywhere(out)
    assert read_line(out).type == "archive"


def test_a_person_with_the_name_of_a_field_does_not_break_events() -> None:
    for name in ("stream", "streamCreated", "connection", "name", "id"):
        shown = redact(make_entry(stream(name, "x")))
        assert shown.event.type == "streamCreated"
        assert shown.event.stream_id is not None
        assert f'"{name}"' not in json.dumps(value_of(shown)["stream"]["name"])


def test_the_secret_segment_of_a_path_is_removed() -> None:
    entry = make_entry(b"{}", path="/my-own-token/hook?a", headers=(("Referer", "/my-own-token"),))
    shown = redact(entry, secret_paths=("my-own-token",)).delivery
    assert (shown.path, shown.headers) == ("/hook?a", (("Referer", "/secret-path"),))
    made = make_entry(b"{}", path="/Zq3x_-0aBcDeFgHiJkLmNo?a=/Zq3x_-0aBcDeFgHiJkLmNo")
    assert redact(made).delivery.path.startswith("/?a=")
    plain = make_entry(b"{}", path="/a-path-of-one-s-own-22")
    assert redact(plain).delivery.path == "/a-path-of-one-s-own-22"


# Secrets.

HIDDEN = "s3cret-value-9"
SECRETS = {
    "password": HIDDEN,
    "broadcastUrls": {"rtmp": [{"streamName": HIDDEN}, {"streamName": None}]},
    "more": {"password": {"deep": [HIDDEN]}, "streamName": [HIDDEN, HIDDEN]},
    "none": {"password": "", "streamName": None},
}


@pytest.mark.parametrize("name", ["archive", "broadcast"])
def test_no_output_shows_a_secret(name: str) -> None:
    spelt = json.dumps(SECRETS).encode()
    sample = msgspec.json.encode(TYPES[name].sample)
    body = sample[:-1] + b"," + spelt[1:]
    for raw in (
        body,
        body.replace(b'"password"', b'"pass\\u0077ord"').replace(
            b"streamName", b"\\u0073treamName"
        ),
        b'{"password":"%b",%b' % (HIDDEN.encode(), body[1:]),
        json.dumps(json.loads(body), indent=2).encode(),
        body.replace(b'"event"', b'"x":"\\ud800","event"', 1),
        b"[" + body,
        body.replace(b": ", b" :\n")[:-30],
    ):
        entry = make_entry(raw, headers=(("authorization", f"Bearer {HIDDEN}"), ("Cookie", HIDDEN)))
        drawn = [line(entry, PLAIN), *fields(entry, PLAIN), *whole(entry, PLAIN)]
        assert HIDDEN not in "\n".join(drawn), raw
        assert HIDDEN.encode() in entry.delivery.body
        assert HIDDEN not in everywhere(write_line(redact(entry, "x")))


# The commands.


def test_a_capture_to_share_is_a_capture_that_every_command_reads(
    vmon_run: Run, tmp_path: Path
) -> None:
    token = ("Authorization", "Bearer aaa.bbb.ccc")
    entries = [
        make_entry(msgspec.json.encode(one.sample), headers=(token,)) for one in TYPES.values()
    ]
    private, shared = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    private.write_bytes(b"".join(write_line(one) for one in entries))
    asked = ("filter", "--redact", "connection.data,stream.name", "--redact", "sessionId")
    code, out, err = vmon_run(*asked, private)
    assert (code, err) == (0, "")
    assert "aaa.bbb" not in out
    assert "Bearer ****" in out
    shared.write_text(out)
    assert vmon_run("filter", shared)[1] == out
    assert vmon_run("filter", "--event", "streamCreated", "--count", shared)[1] == "1\n"
    assert vmon_run("replay", shared, "--speed", "max", "--format", "json")[1] == out
    assert vmon_run("filter", "-vv", "--format", "line", shared)[0] == 0
    assert vmon_run("verify", "--secret", "x", shared)[0] == 1
    assert vmon_run(*asked, private)[1] == out, "pseudonyms stay the same from run to run"
    shown = vmon_run(*asked, private, "-vv", "--format", "line")[1]
    assert "person-" in shown
    assert "session-" in shown


def test_a_path_that_matches_nothing_is_reported(vmon_run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(make_line(stream("Ann Example")))
    code, _, err = vmon_run("filter", "--redact", "stream.nmae", tmp_path / "a.jsonl")
    assert (code, err) == (0, "warning: nothing to redact: no match has a field stream.nmae\n")
    assert vmon_run("filter", "--redact", "a..b", tmp_path / "a.jsonl")[0] == 2


def test_a_key_is_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first, second = made(("a",)), made(("a",))
    assert first._key == second._key
    assert len(first._key) == 64
    assert (tmp_path / "vmon" / "redact.key").read_text().strip().encode() == first._key


@pytest.mark.parametrize(
    "args",
    [("filter", "--redact", ""), ("filter", "--redact", " , "), ("listen", "--redact", "")],
    ids=str,
)
def test_an_empty_list_of_fields_is_an_error_and_shows_nothing(
    args: tuple[str, ...], vmon_run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"event":"archive"}\n')
    more = (path,) if args[0] == "filter" else ("--port", "0")
    code, out, err = vmon_run(*args, *more)
    assert (code, out) == (2, "")
    assert err == "error: --redact is empty\nhint: use --redact connection.data,stream.name\n"
