import pytest

from vmon.forward.listener import TargetBack, TargetDown


@pytest.mark.parametrize(
    "event", [TargetDown("app:80", "refused", retrying=True), TargetBack("app:80", 3.0, 40)]
)
def test_what_is_published_cannot_be_changed_by_who_gets_it(event: TargetDown | TargetBack) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        event.target = "elsewhere"  # type: ignore[misc] # the point of the test
    assert hash(event)
