from __future__ import annotations

from tests.support.factories import make_entry
from vmon.render.formats.bodies import BodyFormatter


def test_bodies_are_printed_one_per_line() -> None:
    entries = [make_entry(b'{"a":\n1}'), make_entry(b"not \x1b JSON")]
    assert BodyFormatter(for_people=False).each(entries) == b'{"a": 1}\nnot \x1b JSON\n'
    assert BodyFormatter(for_people=True).each(entries) == '{"a": 1}\nnot ␛ JSON\n'.encode()
