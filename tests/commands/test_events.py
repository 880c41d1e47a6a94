import json

import pytest
from click.testing import CliRunner, Result

from vmon.cli.events import command
from vmon.errors import WrongUse
from vmon.events.catalogue import ALL, TYPES
from vmon.render.reports.events import fields_of


def vmon_events(*args: str) -> Result:
    return CliRunner().invoke(command, args, catch_exceptions=False)


def test_without_a_type_the_catalogue_is_listed_one_line_per_type() -> None:
    lines = vmon_events().output.splitlines()
    assert [line.split()[0] for line in lines] == list(ALL)
    assert lines[3] == "connectionCreated    connection  A client connected to the session."


def test_an_explanation_in_a_pipe_is_plain_whole_lines() -> None:
    assert vmon_events("sessionNotification").output == SESSION_NOTIFICATION


SESSION_NOTIFICATION = """\
sessionNotification  session
A warning about the session, 4 hours and again 1 hour before its server is replaced.
Recognised by `event`.

Fields
  sessionId      string                           The session's ID. \
Example: 2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr
  projectId      string                           The project's ID, a string of digits. \
Example: 13112571
  applicationId  string                           The application's ID, if sent under this \
name. (inferred, not documented)
  event          string                           The name of the event type.
  timestamp      number  ms since the epoch, UTC  When it happened. (inferred, not documented)
  reason         string                           Why it ended, or what is announced.

Reasons
  serverRotation  The media server of the session will be replaced.

Sample
{
  "sessionId": "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr",
  "projectId": "13112571",
  "event": "sessionNotification",
  "timestamp": 1470257928143,
  "reason": "serverRotation"
}
"""


@pytest.mark.parametrize("name", TYPES)
def test_an_explanation_names_every_field_reason_status_and_code(name: str) -> None:
    output, entry = vmon_events(name).output, TYPES[name]
    told = [*entry.reasons, *entry.statuses, *entry.codes, *entry.reasons.values()]
    assert all(text in output for text in told)
    assert all(f"  {field.path} " in output for field in fields_of(name))
    assert json.loads(output.partition("\nSample\n")[2]) == entry.sample


def test_a_type_is_found_in_any_case_and_several_are_explained_in_turn() -> None:
    output = vmon_events("MUTEFORCED", "undecodable").output
    assert output.startswith("muteForced  call\n")
    assert "\n\nundecodable  other\n" in output


def test_an_unknown_type_gets_a_suggestion_and_the_list() -> None:
    with pytest.raises(WrongUse, match="unknown event type 'streamCraeted'") as caught:
        vmon_events("archive", "streamCraeted")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("did you mean streamCreated? known types: sessionCreated,")


def test_json_is_one_document_of_the_whole_catalogue() -> None:
    document = json.loads(vmon_events("--format", "json").output)
    assert [entry["name"] for entry in document] == list(ALL)
    stream = next(entry for entry in document if entry["name"] == "streamDestroyed")
    assert stream["sample"] == TYPES["streamDestroyed"].sample
    assert stream["ordinary_reasons"] == ["clientDisconnected"]
    assert {field["path"] for field in stream["fields"]} >= {"stream.connection.createdAt"}


def test_json_of_one_type_is_a_list_of_one() -> None:
    document = json.loads(vmon_events("archive", "--format", "json").output)
    assert [entry["name"] for entry in document] == ["archive"]
