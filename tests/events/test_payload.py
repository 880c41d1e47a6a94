import gzip
import json
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmon.events.catalogue import NAMES, TYPES
from vmon.events.parse import event_of
from vmon.events.payload import Payload, TooLarge, read_body

DATA = Path(__file__).parents[1] / "data"


SAMPLE = json.dumps(TYPES["streamCreated"].sample, separators=(",", ":")).encode()


def nasty(name: str) -> Payload:
    return read_body((DATA / "nasty" / f"{name}.body").read_bytes())


def test_the_body_is_its_own_json_line() -> None:
    payload = read_body(SAMPLE)
    assert payload.json is SAMPLE


def test_line_breaks_become_spaces_and_nothing_else_changes() -> None:
    body = (DATA / "nasty" / "crlf.body").read_bytes()
    assert read_body(body).json == body.replace(b"\r\n", b"  ")


def test_what_not_every_reader_can_read_is_no_json_line() -> None:
    for name, note in [
        ("deep-201", "nested deeper than 200"),
        ("huge-number", "a number has more than 4300 digits"),
    ]:
        payload = nasty(name)
        assert (payload.json, payload.notes) == (None, (note,))
        assert payload.type in TYPES


def test_two_hundred_levels_are_still_a_json_line() -> None:
    body = b"[" * 200 + b"1" + b"]" * 200
    assert read_body(body).json == body
    assert read_body(b"[" + body + b"]").json is None
    assert read_body(b"[" + b"[]," * 300 + b"[]]").json is not None


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(SAMPLE)),
        ("X-GZIP", gzip.compress(SAMPLE)),
        ("gzip", gzip.compress(SAMPLE[:50]) + gzip.compress(SAMPLE[50:]) + b"\0\0"),
        ("deflate", zlib.compress(SAMPLE)),
        ("deflate", zlib.compress(SAMPLE, wbits=-15)),
        ("deflate, gzip", gzip.compress(zlib.compress(SAMPLE))),
        ("identity", SAMPLE),
        (" identity , ", SAMPLE),
    ],
)
def test_a_compressed_body_is_read_as_the_plain_one(encoding: str, body: bytes) -> None:
    assert read_body(body, encoding) == read_body(SAMPLE)


@pytest.mark.parametrize(
    ("encoding", "body", "problem"),
    [
        ("br", SAMPLE, "unsupported Content-Encoding 'br'"),
        ("gzip", gzip.compress(SAMPLE)[:-9], "gzip: the body is truncated"),
        ("gzip", gzip.compress(b"{}") * 101, "gzip: more than 100 members"),
        ("gzip", gzip.compress(b""), "empty body"),
    ],
)
def test_what_cannot_be_unpacked_says_why(encoding: str, body: bytes, problem: str) -> None:
    payload = read_body(body, encoding)
    assert (payload.type, payload.problem) == ("undecodable", problem)


def test_a_damaged_gzip_body_names_the_encoding() -> None:
    body = bytearray(gzip.compress(SAMPLE))
    body[-5] ^= 255
    payload = read_body(bytes(body), "gzip")
    assert payload.type == "undecodable"
    assert (payload.problem or "").startswith("gzip: ")


def test_a_plain_body_under_a_compressed_header_is_read_and_noted() -> None:
    payload = read_body(SAMPLE, "gzip")
    assert payload.type == "streamCreated"
    assert payload.notes == ("Content-Encoding says gzip, but the body is not compressed",)


def test_only_a_decompression_bomb_raises() -> None:
    bomb = gzip.compress(b" " * 1_000_000)
    with pytest.raises(TooLarge, match="more than 1000 bytes"):
        read_body(bomb, "gzip", limit=1000)
    members = gzip.compress(b" " * 600) * 2
    with pytest.raises(TooLarge):
        read_body(members, "gzip", limit=1000)
    assert read_body(members, "gzip", limit=1200).problem == "empty body"


@given(st.binary(max_size=40), st.sampled_from(["gzip", "deflate", "br", "", "x, ,gzip"]))
def test_any_bytes_in_any_encoding_are_a_payload(body: bytes, encoding: str) -> None:
    assert event_of(read_body(body, encoding)).type in NAMES


def test_a_deep_body_is_read_however_deep_the_caller_is() -> None:
    def deeper(levels: int) -> str:
        return deeper(levels - 1) if levels else nasty("deep-201").type

    room = sys.getrecursionlimit() - 400
    assert deeper(room - 100) in {"sessionCreated", "undecodable"}
