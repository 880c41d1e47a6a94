import re

import pytest

from vmon.tunnel.ngrok.errors import MEANINGS, explain, first_line


@pytest.mark.parametrize("code", MEANINGS)
def test_every_known_code_is_fatal_with_a_sentence_and_a_way_out(code: str) -> None:
    error = explain([f"failed to start tunnel: something\\r\\n\\r\\n{code}\\r\\n"])
    assert (error.code, error.fatal) == (code, True)
    assert re.fullmatch(rf"[^.]+[^. ] \({code}\)", error.message)
    assert error.hint
    assert not error.hint.endswith(".")


def test_only_what_our_own_dead_agent_can_cause_lingers() -> None:
    lingering = {code for code, meaning in MEANINGS.items() if meaning.lingers}
    assert lingering == {"ERR_NGROK_108", "ERR_NGROK_334"}


def test_an_unknown_code_is_shown_with_its_page() -> None:
    error = explain(["The moon is full.\\r\\n\\r\\nERR_NGROK_7777\\r\\n"])
    assert (error.code, error.fatal) == ("ERR_NGROK_7777", False)
    assert error.message == "ngrok refused: The moon is full. (ERR_NGROK_7777)"
    assert error.hint == "see https://ngrok.com/docs/errors/err_ngrok_7777"


def test_a_network_failure_is_distinguished() -> None:
    error = explain(["failed to dial ngrok server: dial tcp: lookup x: no such host"])
    assert (error.code, error.fatal) == ("NETWORK", False)


def test_silence_is_explained_too() -> None:
    error = explain([])
    assert error.code == "ENDED"
    assert error.message == "the ngrok agent could not open a tunnel: no reason given"


def test_the_first_line_is_the_first_with_something_in_it() -> None:
    assert first_line("ERROR:  \\r\\n  one\\r\\ntwo") == "one"
