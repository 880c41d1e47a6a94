from tests.support.factories import make_entry
from vmon.errors import Refused
from vmon.events.names import two_words
from vmon.search.expression import Expression
from vmon.search.filter import Filter
from vmon.search.not_found import nothing_found


def test_the_message_names_the_source_and_the_filter() -> None:
    asked = Filter(types=frozenset({"archive"}), session=("YzYxM2",))
    found = nothing_found("deliveries", ("a.jsonl",), asked)
    assert isinstance(found, Refused)
    said = "no deliveries found in a.jsonl (filter: archive, session YzYxM2)"
    assert (found.message, found.exit_code) == (said, 1)
    assert found.hint == "run vmon stats for an overview, vmon sessions for IDs"


def test_an_empty_capture_has_a_way_out_of_its_own() -> None:
    found = nothing_found("minutes", (None,))
    assert found.message == "no minutes found in standard input"
    assert found.hint == "capture events with vmon listen, or send samples with vmon trigger"


def test_several_files_are_counted_and_a_name_of_one_is_disarmed() -> None:
    assert nothing_found("sessions", ("a", "b"), Filter()).message.endswith(
        "no sessions found in 2 files"
    )
    assert nothing_found("sessions", ("a\x1b[2J",)).message.endswith("no sessions found in a␛[2J")


def test_two_words_get_a_hint_with_any_option() -> None:
    name = two_words("c053fcc8-c681-41d5-8ec2-7a9e1434a21e")
    wanted = f"{name} is vmon's label for a connection without a name; use the ID"
    for asked in (Filter(session=("2_A", name)), Filter(connection=(name,))):
        assert (nothing_found("deliveries", ("a",), asked).hint or "").startswith(wanted)


def test_a_where_that_could_be_evaluated_for_nothing_says_so() -> None:
    where = Expression("body.nope == 1")
    asked = Filter(where=where)
    assert asked(make_entry(b"{}")) is False
    assert nothing_found("deliveries", ("a",), asked).hint == where.failed


def test_a_reason_or_a_status_with_a_slip_gets_the_word_that_was_meant() -> None:
    found = nothing_found("deliveries", ("a",), Filter(reason=("networkDisconected",)))
    assert found.hint == "did you mean --reason networkDisconnected?"
    found = nothing_found("deliveries", ("a",), Filter(status=("activ",)))
    assert found.hint == "did you mean --status ACTIVE?"
    found = nothing_found("deliveries", ("a",), Filter(reason=("networkDisconnected",)))
    assert found.hint == "run vmon stats for an overview, vmon sessions for IDs"
