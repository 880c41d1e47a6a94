from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.render.formats.bodies import BodyFormatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.events.entry import Entry


def test_bodies_go_out_one_a_line(delivered: Callable[..., Entry]) -> None:
    entries = [delivered(b'{"a":\n1}'), delivered(b"not \x1b JSON")]
    assert BodyFormatter(for_people=False).each(entries) == b'{"a": 1}\nnot \x1b JSON\n'
    assert BodyFormatter(for_people=True).each(entries) == '{"a": 1}\nnot ␛ JSON\n'.encode()
