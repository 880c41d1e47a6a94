"""Display names of connections: the name in their token data, else two words for their ID."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import MsgspecError
from msgspec.json import decode as json_decode

from vmon.errors import WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES = (
    "name",
    "fullname",
    "displayname",
    "username",
    "nickname",
    "nick",
    "firstname",
    "user",
    "participant",
    "email",
    "userid",
)


_LONGEST_DATA = 8192  # token data has at most 1,000 characters


_LONGEST_TEXT = 40


@lru_cache(maxsize=1024)
def name_in_data(data: str | None) -> str | None:
    """Find the name of the participant in token data; None when there is none.

    JSON (one level of nesting), a query string, or short free text.
    """
    if not data or len(data) > _LONGEST_DATA or not (text := data.strip()):
        return None
    try:
        return _name_in(json_decode(text))
    except (MsgspecError, ValueError, RecursionError):
        pass  # no JSON
    if "=" in text:
        return _name_in(dict(parse_qsl(text.lstrip("?"))))
    if len(text) > _LONGEST_TEXT or text[0] in "{[" or not text.isprintable():
        return None
    return text


def _name_in(data: object, depth: int = 0) -> str | None:
    match data:
        case str():
            return " ".join(data.split()) or None
        case dict():
            by_key = {_normalized(key): value for key, value in data.items()}
            names = (_scalar_name(by_key[key], depth) for key in _NAMES if key in by_key)
            nested = (_name_in(value, 1) for value in data.values() if isinstance(value, dict))
            return next(filter(None, (*names, *(nested if not depth else ()))), None)
        case _:
            return None


def _normalized(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()


def _scalar_name(value: object, depth: int) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _name_in(value, depth + 1) if isinstance(value, str) or not depth else None


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ADJECTIVES = _words(
    """
    able agile airy amber ample ardent azure bold brave breezy bright brisk calm candid cheery
    chipper civil clean clear clever cosmic cosy crisp curious dapper daring deft dewy eager
    early earnest easy fair fancy fleet fluffy fond frank fresh gentle giddy glad golden good
    grand green handy happy hardy hasty hearty honest humble icy jaunty jolly jovial keen kind
    lush light lively lofty loyal lucid lucky lunar mellow merry mild misty modest neat nifty
    nimble noble odd open patient perky placid plain plucky polite proud prompt pure quick quiet
    rapid ready regal robust rosy royal rustic sandy serene sharp shiny silent silver sleek
    smart snug snowy solar solid spry steady still stout sunny supple swift tall tame tender
    tidy tranquil trusty upbeat urban vivid warm wild wise witty
    """
)


_NOUNS = _words(
    """
    acorn alder alpaca ant aspen badger bat bear beaver bee birch bison boar brook buffalo bunny
    camel canary cat cedar cheetah cicada clover comet condor coral coyote crab crane cricket
    deer dingo dolphin dove dragon duck eagle eel egret elk elm falcon fern ferret finch fir fox
    frog gazelle gecko gibbon goat goose gopher grouse gull hare harp hawk heron hippo horse
    husky ibex ibis iguana jaguar jay kestrel kiwi koala lark lemur leopard lily lion lizard
    llama lotus lynx magpie maple marmot marten mink moose moth mouse newt oak ocelot orca
    oriole osprey otter owl panda parrot pelican penguin pigeon pine plover pony puffin puma
    quail rabbit raven robin salmon seal sparrow spruce stork tapir tern thrush tiger trout
    tulip turtle walrus willow wolf wren yak zebra
    """
)


def display_name(identifier: str, name: str | None) -> str:
    """Return the name from the token data (disarm it), else the two words for the connection ID."""
    return name or two_words(identifier)


@lru_cache(maxsize=4096)
def two_words(identifier: str) -> str:
    """Derive two words from an ID: `calm-heron`, the same in every run and on every machine.

    There are 16,384 pairs: of ten connections, two have the same one in one session of 360.
    """
    digest = blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=2).digest()
    number = int.from_bytes(digest)
    return f"{_ADJECTIVES[number % 128]}-{_NOUNS[number // 128 % 128]}"


def is_two_words(text: str) -> bool:
    """Whether a text is one that `two_words` returns for some ID."""
    adjective, _, noun = text.partition("-")
    return adjective in _ADJECTIVES and noun in _NOUNS


def name_from(path: str) -> Callable[[str | None], str | None]:
    """Make a lookup of names by a path in the token data: `data.userName`, `data.user.first`.

    The data is JSON or a query string; `data.` may be left out, `data` alone is the whole text,
    a number is an index of a list. The lookup returns None where the path does not exist.
    Raises WrongUse for an invalid path.
    """
    steps = path.split(".")
    if steps[0] == "data":
        del steps[0]
    if not path or not all(steps):
        raise WrongUse(
            f"invalid field {path!r} of the connection data",
            hint="use the path of the name: data.userName",
        )

    @lru_cache(maxsize=1024)
    def find(data: str | None) -> str | None:
        return _as_text(_at(_parsed(data), steps) if steps else data) if data else None

    return find


def _parsed(data: str) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return dict(parse_qsl(data.strip().lstrip("?")))


def _at(value: Any, steps: list[str]) -> Any:
    for step in steps:
        match value:
            case dict():
                value = value.get(step)
            case list() if step.isascii() and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            case _:
                return None
    return value


def _as_text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return " ".join(str(value).split()) or None
