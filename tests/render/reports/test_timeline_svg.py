from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from vmon.render.reports.timeline_svg import html, svg
from vmon.sessions.snapshot import Span
from vmon.sessions.timeline import Chart, Mark, Row

NOON, MIN = 1_764_072_000_000, 60_000
NAME = '<script>"Ann"</script> & co'

pytestmark = pytest.mark.usefixtures("utc")


def chart(*marks: Mark, name: str = NAME, end_told: bool = True) -> Chart:
    top = Row("session", "2_A", "2_A", 0, (Span(NOON, NOON + 20 * MIN),), (), None)
    span = Span(NOON + MIN, NOON + 3 * MIN, end_told=end_told)
    row = Row("stream", name, "s-1", 1, (span,), marks, "mediaStopped")
    return Chart("2_A", NOON, NOON + 20 * MIN, NOON + 20 * MIN, (top, row))


FAILED = Mark(NOON + 2 * MIN, "failed", ("stream", "s-1"), "failed: <why>")


def test_the_rows_of_a_picture_are_these() -> None:
    text = svg(chart(FAILED, name="Ann & Bob"))
    assert (
        text[text.index("<g><title>") :]
        == """\
<g><title>2_A (2_A): 20 min</title>
<text x="16.0" y="91.0" class="text strong">2_A</text>
<rect x="220.0" y="82.0" width="555.0" height="10" rx="2" class="session"/>
<text x="787.0" y="91.0" class="dim small">20 min</text>
</g>
<g><title>Ann &amp; Bob (s-1): 2 min, mediaStopped</title>
<text x="30.0" y="113.0" class="text">Ann &amp; Bob</text>
<rect x="247.8" y="104.0" width="55.5" height="10" rx="2" class="stream"/>
<text x="787.0" y="113.0" class="dim small">2 min, mediaStopped</text>
</g>
<g transform="translate(275.5 109.0)"><title>12:02:00  failed: &lt;why&gt;</title>\
<path class="failed" d="M-4-4L4 4M-4 4L4-4"/></g>
<g transform="translate(22.0 142.0)"><path class="failed" d="M-4-4L4 4M-4 4L4-4"/></g>\
<text x="38.0" y="146.0" class="text small">\
12:02:00  failed: Ann &amp; Bob of 2_A, failed: &lt;why&gt;</text>
</svg>
"""
    )


def test_a_picture_is_whole_xml_without_script_whatever_a_name_is() -> None:
    root = ET.fromstring(svg(chart(FAILED)))
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {
        "svg", "style", "rect", "text", "path", "g", "title",
    }  # fmt: skip # all there are
    titles = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[1].startswith(NAME)


def test_what_would_act_on_a_reader_is_disarmed() -> None:
    text = svg(chart(name="\x1b[31m\u202e\x00"))
    assert "\x1b" not in text
    assert "\u202e" not in text
    ET.fromstring(text)


def test_an_inferred_end_is_shown_faintly() -> None:
    assert 'class="stream guessed"' in svg(chart(end_told=False))
    assert 'class="stream guessed"' not in svg(chart())


def test_a_page_is_the_picture_in_html_without_script() -> None:
    page = html(chart(FAILED))
    assert page.startswith('<!doctype html>\n<html lang="en">\n')
    assert "<title>Session 2_A</title>" in page
    picture = svg(chart(FAILED)).partition("\n")[2].strip()
    assert picture in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
