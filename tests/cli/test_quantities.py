import click
import pytest

from vmon.cli.quantities import Duration, Size


def test_durations_and_sizes_are_read_as_people_write_them() -> None:
    assert [Duration().convert(value, None, None) for value in ("250ms", "1h30m", 5)] == [
        0.25,
        5400.0,
        5.0,
    ]
    assert [Size().convert(value, None, None) for value in ("256k", 4096)] == [262_144, 4096]


@pytest.mark.parametrize("type_", [Duration(), Size()])
def test_what_is_neither_is_a_usage_error_with_a_hint(type_: Duration | Size) -> None:
    with pytest.raises(click.BadParameter, match=": "):
        type_.convert("soon", None, None)
