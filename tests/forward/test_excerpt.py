import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmon.forward.excerpt import excerpt, unpacked

FLASK = b"""<!doctype html>
<html lang=en>
<title>500 Internal Server Error</title>
<h1>Internal Server Error</h1>
<p>The server encountered an internal error and was unable to complete your request.</p>
"""
WERKZEUG = b"""<!doctype html>
<html lang=en>
  <head>
    <title>KeyError: &#39;stream&#39; // Werkzeug Debugger</title>
    <link rel="stylesheet" href="?__debugger__=yes&amp;cmd=resource&amp;f=style.css">
"""
EXPRESS = b"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error</title>
</head>
<body>
<pre>TypeError: Cannot read properties of undefined (reading &#39;id&#39;)<br> &nbsp; &nbsp;at
"""
DJANGO = b"""<!DOCTYPE html>
<html lang="en"><head><title>DoesNotExist
          at /hooks</title>"""
SPRING = (
    b"<html><body><h1>Whitelabel Error Page</h1><p>This application has no explicit mapping</p>"
)
NGINX = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502"


@pytest.mark.parametrize(
    ("page", "line"),
    [
        (FLASK, "500 Internal Server Error"),
        (WERKZEUG, "KeyError: 'stream' // Werkzeug Debugger"),
        (EXPRESS, "TypeError: Cannot read properties of undefined (reading 'id')"),
        (DJANGO, "DoesNotExist"),
        (SPRING, "Whitelabel Error Page"),
        (NGINX, "502 Bad Gateway"),
        (b"<!DOCTYPE html>", ""),
        (b"<html><pre>cut of", "cut of"),
    ],
    ids=["flask", "werkzeug", "express", "django", "spring", "nginx", "empty", "cut"],
)
def test_an_error_page_is_what_it_says_and_not_its_doctype(page: bytes, line: str) -> None:
    assert excerpt(page) == line


def test_json_that_is_laid_out_is_one_line_and_text_its_first() -> None:
    assert excerpt(b'{\n  "detail": "no such room"\n}\n') == '{ "detail": "no such room" }'
    assert excerpt(b"\n no such room\nTraceback\n") == "no such room"
    assert excerpt(b"<no page> at all") == "<no page> at all"


@given(st.binary(max_size=300) | st.from_regex(rb"<html>(<(pre|h1|!\[|/)[^a]{0,9}>?.){0,20}"))
def test_any_page_is_one_line(body: bytes) -> None:
    assert "\n" not in excerpt(body)


@pytest.mark.parametrize("encoding", ["gzip", "X-GZIP", "deflate"])
def test_a_compressed_answer_is_unpacked_as_far_as_it_is_kept(encoding: str) -> None:
    pack = zlib.compress if encoding == "deflate" else gzip.compress
    assert unpacked(pack(b"no such room"), encoding, 100) == b"no such room"
    assert unpacked(pack(b"a" * 100_000), encoding, 100) == b"a" * 100
    assert unpacked(pack(b"no such room" * 50)[:40], encoding, 100)[:12] == b"no such room"


def test_what_cannot_be_unpacked_says_nothing() -> None:
    assert unpacked(b"no gzip", "gzip", 100) == b""
    assert unpacked(b"\x8b\x05", "br", 100) == b""
    assert unpacked(b"plain", "", 100) == b"plain"
