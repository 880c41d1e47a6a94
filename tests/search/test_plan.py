import pytest

from vmon.capture.format import START
from vmon.search.expression import Expression
from vmon.search.filter import Filter
from vmon.search.plan import explain, plan_of

HIDDEN = (b"\\u00", b'"body_base64"')


@pytest.mark.parametrize(
    ("event_filter", "exact", "needles"),
    [
        (Filter(), True, ()),
        (Filter(types=frozenset({"archive"})), True, ()),
        (Filter(session=("2_MX",)), False, (b"2_MX",)),
        (Filter(session=("2_MX", "1_MX")), False, (b"2_MX", b"1_MX")),
        (
            Filter(stream=("c053fcc8",), types=frozenset({"archive"})),
            False,
            (b"c053fcc8", *HIDDEN),
        ),
        (Filter(stream=("63245362",)), False, (b"63245362", *HIDDEN)),
        (Filter(stream=("6324.5",)), False, ()),
        (Filter(stream=("6324",), invert=True), False, ()),
        (Filter(session=("‹U+200B›",)), False, ()),
        (Filter(where=Expression('type == "archive"')), False, ()),
        (Filter(where=Expression('lag > 1 && reason == "x-y"')), False, (b"x-y", *HIDDEN)),
        (Filter(path=("/hooks",)), False, (b"/hooks",)),
        (Filter(path=("/hooks", "")), False, ()),
        (Filter(reason=("Forced",)), False, (b"forced", *HIDDEN, "\u212a".encode(), b"\\u212a")),
    ],
)
def test_the_plan_is_the_cheapest_that_is_exact(
    event_filter: Filter, *, exact: bool, needles: tuple[bytes, ...]
) -> None:
    plan = plan_of(event_filter)
    assert (plan.exact, plan.needles) == (exact, needles)
    by_type = event_filter.types or (event_filter.where and event_filter.where.types)
    assert plan.begins == ((START + b'archive","session":',) if by_type else (START,))


@pytest.mark.parametrize(
    ("event_filter", "captures", "bodies"),
    [
        (Filter(), "every line as it is", "by decoding every line"),
        (
            Filter(types=frozenset({"streamCreated"})),
            "by line prefix, nothing is decoded",
            'by needle "streamCreated", then decoding possible matches',
        ),
        (
            Filter(types=frozenset({"render"}), status=("started",)),
            "by line prefix and by needle started in any case, then decoding the rest",
            "by needle started in any case, then decoding possible matches",
        ),
        (
            Filter(types=frozenset({"unknown"}), stream=("a1",)),
            "by line prefix and by needle a1, then decoding the rest",
            "by needle a1, then decoding possible matches",
        ),
        (
            Filter(session=("2_MX", "1_MX")),
            "by needle 2_MX or 1_MX, then decoding the rest",
            "by needle 2_MX or 1_MX, then decoding possible matches",
        ),
        (Filter(session=("2_MX", "‹U+200B›")), "by decoding every line", "by decoding every line"),
        (
            Filter(reason=("x",)),
            "by needle x in any case, then decoding the rest",
            "by needle x in any case, then decoding possible matches",
        ),
        (Filter(project=("13112571",)), "by decoding every line", "by decoding every line"),
        (
            Filter(types=frozenset({"archive"}), invert=True),
            "by decoding every line",
            "by decoding every line",
        ),
    ],
)
def test_a_filter_explains_how_it_finds(event_filter: Filter, captures: str, bodies: str) -> None:
    said = f"filter      {event_filter}\ncaptures    {captures}\nbare bodies {bodies}\n"
    assert explain(event_filter) == said
