import pytest

from vmon.errors import WrongUse
from vmon.search import expression_engine, expression_names
from vmon.search.expression import Expression
from vmon.search.expression_names import _tokens, _uses


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ('stream.videoTyp == "x"', "character 8: unknown field of stream videoTyp", "videoT"),
        ('streem.id == "x"', "character 1: unknown name streem", "did you mean stream?"),
        ("reason == 'é' && Reason == ''", "character 18: unknown name Reason", "reason?"),
        ("zzzzzzz == 1", "character 1: unknown name zzzzzzz", "known: applicationId"),
        ("zzzzzzz == 1", "character 1: unknown name", "any other field use body.zzzzzzz"),
        ("reason.lower() == ''", "character 8: unknown function lower", "mean lowerAscii?"),
        ("reason.zzzz() == ''", "character 8: unknown function zzzz", "known: abs, all"),
        ("reason.startswith('x')", "character 8: unknown function", "did you mean startsWith?"),
        ("streams.exists(s, s.hasVidio)", "character 21: unknown field of streams", "hasVideo?"),
        ("streams.all(type, true)", "character 13: type is the name of a field", "another name"),
        ("transcription.state == ''", "character 15: unknown field of transcription", "status?"),
        ("math.flor(1.5) == 1.0", "character 6: unknown function flor", "did you mean floor?"),
        ("[1].map(x, x).size() == 1", "character 5: map() is", "use a single exists"),
        ("[1].filter(x, true).size() == 1", "character 5: filter() is", "use a single exists"),
        ("[1].all(x, [2].all(y, true))", "character 16: nested loops are", "use a single exists"),
    ],
)
def test_an_unknown_name_or_function_is_rejected_with_its_position(
    source: str, message: str, hint: str
) -> None:
    with pytest.raises(WrongUse) as caught:
        Expression(source)
    assert message in caught.value.message
    assert hint in str(caught.value.hint)


def uses(source: str, *bound: str) -> list[tuple[str, ...]]:
    return [use.parts for use in _uses(list(_tokens(source)), set(bound))]


def test_names_are_read_with_their_fields_and_methods_are_none() -> None:
    assert uses('stream.name == "a.b" && lag > 1e3') == [("stream", "name"), ("lag",)]
    assert uses("reason.startsWith(body.x.y)") == [("reason",), ("body", "x", "y")]
    assert uses("size(streams) > 0 // reason") == [("streams",)]


def test_constants_kinds_and_the_names_of_loops_are_no_uses() -> None:
    assert uses("type(body.x) == int || true in [null]") == [("body", "x")]
    assert uses("streams.exists(s, s.id == session)", "s") == [("streams",), ("session",)]


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("r'\\\\' + b\"x\"", ["string", "sign", "string"]),
        ("0x1fu + 1.5e-3", ["number", "sign", "number"]),
        ("a != b // c", ["name", "sign", "name"]),
        ("'''a\nb'''", ["string"]),
    ],
)
def test_an_expression_is_cut_as_the_language_cuts_it(source: str, kinds: list[str]) -> None:
    assert [token.kind for token in _tokens(source)] == kinds


def test_a_token_knows_where_it_stands_counted_from_one() -> None:
    assert [(token.text, token.at) for token in _tokens(" a  &&b")] == [
        ("a", 2),
        ("&&", 5),
        ("b", 7),
    ]


def test_a_name_in_backquotes_is_a_field() -> None:
    assert uses("body.`a-b` == 1") == [("body", "a-b")]


def test_functions_with_a_namespace_are_no_uses() -> None:
    assert uses("math.abs(lag) > 1") == [("lag",)]


def test_each_variable_of_a_delivery_has_a_type() -> None:
    kinds = pytest.importorskip("cel_expr_python").cel.Type
    assert expression_engine._own_types(kinds).keys() == expression_names._OWN.keys()
