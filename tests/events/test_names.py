from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmon.errors import WrongUse
from vmon.events.names import (
    _ADJECTIVES,
    _NOUNS,
    display_name,
    is_two_words,
    name_from,
    name_in_data,
    two_words,
)

ID = "c053fcc8-c681-41d5-8ec2-7a9e1434a21e"


def test_a_person_is_called_by_name_or_else_by_two_words_that_stay_the_same() -> None:
    assert display_name(ID, "Ann") == "Ann"
    assert display_name(ID, None) == display_name(ID, "") == "airy-wolf"


def test_the_words_are_short_and_each_is_there_once() -> None:
    for words in (_ADJECTIVES, _NOUNS):
        assert len(set(words)) == len(words) == 128
        assert all(word.isalpha() and word.islower() and len(word) <= 8 for word in words)


def test_words_are_spread_over_ids() -> None:
    found = {two_words(str(UUID(int=number << 64))) for number in range(1000)}
    assert len(found) > 950


def test_two_words_are_known_from_other_text() -> None:
    assert all(is_two_words(two_words(str(number))) for number in range(300))
    assert not any(map(is_two_words, ("", "-", "airy", "airy-", "wolf-airy", "airy-wolf-2", ID)))


def test_an_id_that_is_no_text_has_words_too() -> None:
    assert "-" in two_words("\ud800")
    assert "-" in two_words("")


@pytest.mark.parametrize(
    ("path", "data", "name"),
    [
        ("data.userName", '{"userName":"Ann","name":"x"}', "Ann"),
        ("userName", '{"userName":" Ann\\n Lee "}', "Ann Lee"),
        ("data.user.first", '{"user":{"first":"Ann"}}', "Ann"),
        ("data.people.1", '{"people":["Ann","Bob"]}', "Bob"),
        ("data.id", '{"id":7}', "7"),
        ("data.userName", "userName=Ann%20Lee&role=x", "Ann Lee"),
        ("data", "Ann", "Ann"),
    ],
)
def test_a_path_leads_to_the_name(path: str, data: str, name: str) -> None:
    assert name_from(path)(data) == name


@pytest.mark.parametrize("path", ["data.userName", "data.people.9", "data.people.x", "data.x.y.z"])
@pytest.mark.parametrize(
    "data",
    [None, "", "null", "{", '{"userName":true}', '{"userName":{}}', '{"people":[]}', "[" * 9999],
)
def test_a_path_that_leads_nowhere_gives_no_name(path: str, data: str | None) -> None:
    assert name_from(path)(data) is None


@pytest.mark.parametrize("path", ["", ".", "data.", "data..x", ".x"])
def test_an_empty_path_is_an_error(path: str) -> None:
    with pytest.raises(WrongUse, match=r"invalid field .* of the connection data"):
        name_from(path)


PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ('{"name":"Ann"}', "Ann"),
        ('{"role":"host","userName":"Ann"}', "Ann"),
        ('{"user":{"displayName":"Ann"}}', "Ann"),
        ('{"profile":{"nickname":"Ann"}}', "Ann"),
        ('{"user_name":"  Ann \\n Lee "}', "Ann Lee"),
        ('{"userId":42}', "42"),
        ('{"email":"ann@example.com","name":"Ann"}', "Ann"),
        ('{"name":"","email":"ann@example.com"}', "ann@example.com"),
        ('{"role":"host"}', None),
        ('{"name":true}', None),
        ('"Ann"', "Ann"),
        ("name=Ann+Lee&role=host", "Ann Lee"),
        ("?username=Ann", "Ann"),
        ("role=host", None),
        ("Ann", "Ann"),
        ("TOKENDATA", "TOKENDATA"),
        ("x" * 41, None),
        ("two\nlines", None),
        ("[object Object]", None),
        ('{"name":"Ann"', None),
        ("[1,2]", None),
        ("null", None),
        ("", None),
        ("   ", None),
        (None, None),
        ("\ud800", None),
        ("[" * 8000, None),
        ("9" * 8000, None),
    ],
)
def test_a_name_is_found_in_token_data(data: str | None, name: str | None) -> None:
    assert name_in_data(data) == name


@PATIENT
@given(st.text(st.characters(exclude_categories=())))
def test_any_token_data_is_a_one_line_name_or_none(data: str) -> None:
    name = name_in_data(data)
    assert name is None or (name and "\n" not in name)
