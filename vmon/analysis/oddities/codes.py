"""The codes of oddities: one table, from which messages and documentation are generated.

A code is part of the command line's contract: its name and meaning do not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

if TYPE_CHECKING:
    from vmon.analysis.oddities.severity import Severity


class Code(NamedTuple):
    """A kind of oddity: its meaning, the usual cause, and the remedy.

    `severity` is the highest it can have: of what began before the capture it is info at most.
    """

    name: str
    severity: Severity
    meaning: str
    cause: str
    remedy: str


class PlatformFailure(Struct, frozen=True):
    """Something that the platform ended: its kind, when (ms since the epoch), and its reason.

    `id` is None for a session itself.
    """

    kind: str
    at_ms: int
    session: str
    id: str | None
    reason: str


class Oddity(Struct, frozen=True):
    """An anomaly in the deliveries received.

    `ids` are those of the parts concerned, `at_ms` is when it arose (ms since the epoch, by
    Vonage's clock where there is a timestamp); `text` is a sentence, disarmed; `missing` the event
    type that is missing, if any; `failures` what the platform ended, if it did.
    """

    code: str
    severity: Severity
    at_ms: int
    session: str | None
    ids: tuple[str, ...]
    text: str
    missing: str | None = None
    failures: tuple[PlatformFailure, ...] = ()


def order(one: Oddity) -> tuple[int, str, str, tuple[str, ...], str]:
    """Return the sort key of oddities: by time, then in a stable order."""
    return one.at_ms, one.session or "", one.code, one.ids, one.text


CODES: dict[str, Code] = {
    one.name: one
    for one in (
        Code(
            "destroyed-without-created",
            "warning",
            "A destroyed event arrived, but its created event never did.",
            "The created event could not be delivered within 24 hours, or went to another URL; or "
            "that callback is off.",
            "Check whether your receiver was down at that time, and in the dashboard that both "
            "callbacks are on and point here.",
        ),
        Code(
            "unknown-connection",
            "warning",
            "A stream belongs to a connection for which no event was received.",
            "The connectionCreated event could not be delivered, or the connection callbacks are "
            "off or go to another URL.",
            "Turn on the connection callbacks and point them here. Until then, the publisher of "
            "the stream has no name.",
        ),
        Code(
            "stream-outlives-connection",
            "warning",
            "A connection has ended, but one of its streams is still published.",
            "The streamDestroyed event could not be delivered or is late: Vonage retries for 24 "
            "hours.",
            "Treat a stream as ended when its connection ends, and stop counting it as published.",
        ),
        Code(
            "session-ended-with-people",
            "warning",
            "A session was destroyed while participants were still connected.",
            "The connectionDestroyed event could not be delivered or is late; or a platform "
            "server failed (see the reason).",
            "Treat all participants as gone when the session ends. Clients have to reconnect.",
        ),
        Code(
            "ghost",
            "warning",
            "A connection, stream, call or session has been open for too long, without a "
            "destroyed event.",
            "The destroyed event could not be delivered within 24 hours, or its callback is off; "
            "sometimes a participant really stays that long.",
            "Check with Vonage's REST API whether it still exists; if not, end it in your own "
            "records. --ghost-after sets how long is too long.",
        ),
        Code(
            "two-cameras",
            "warning",
            "One connection published two cameras at once.",
            "The app publishes again without ending the first publisher, for example when a "
            "component is mounted twice; or streamDestroyed is missing.",
            "Destroy the old publisher before you create a new one. Ignore this if two cameras "
            "are intended.",
        ),
        Code(
            "publish-after-unpublish",
            "warning",
            "A connection published again within 10 s after a moderator unpublished it.",
            "The app publishes again automatically when its stream is destroyed, or the "
            "participant did so right away.",
            "Check the reason of streamDestroyed in the client before publishing again; to "
            "silence someone, mute or disconnect them.",
        ),
        Code(
            "archive-stuck",
            "warning",
            "An archive stopped an hour or more ago, but its file never arrived.",
            "The upload to your own storage fails or is slow, or `uploaded` or `available` could "
            "not be delivered.",
            "Look up the archive with Vonage's REST API; check the credentials and the quota of "
            "your storage.",
        ),
        Code(
            "failed",
            "error",
            "An archive, broadcast, render, captions, call or session failed.",
            "See the reason, if there is one; otherwise a platform failure, a page that cannot be "
            "loaded, or a target that rejects the stream.",
            "Start it again, and look into the reason. Vonage support can find it by its ID.",
        ),
        Code(
            "service-disruption",
            "error",
            "Things of different kinds (archives, broadcasts, captions, calls, sessions) were "
            "ended by the platform within seconds.",
            "A failure on Vonage's side: it ends everything on a server with the reason "
            "forceDisconnected (Unified applications) or Internal server failure (OpenTok).",
            "Connect and start again what was ended; Vonage's status page tells more. Nothing in "
            "your app caused it.",
        ),
        Code(
            "call-without-connection",
            "info",
            "A SIP call ended, but no event was received for its connection.",
            "The call was never connected (see the reason of callDestroyed), or session "
            "monitoring is off or goes to another URL.",
            "Check the reason of the call, and point the connection callbacks here.",
        ),
        Code(
            "unknown-event",
            "warning",
            "An event type that vmon does not know.",
            "Vonage added a type, or something else posts to this URL.",
            "Inspect it with vmon filter --event unknown -vv, and make sure your app ignores "
            "unknown types.",
        ),
        Code(
            "unknown-reason",
            "warning",
            "An undocumented reason.",
            "Vonage added one: the list grows without notice.",
            "Make sure your app does not fail on unknown reasons.",
        ),
        Code(
            "unknown-status",
            "warning",
            "An undocumented status, or state of a call.",
            "Vonage added one.",
            "Make sure your app does not fail on it, or wait for another one.",
        ),
        Code(
            "unknown-field",
            "info",
            "A field that vmon does not know.",
            "Vonage added one: fields come and go without notice.",
            "Nothing, unless your app rejects unknown fields.",
        ),
        Code(
            "wrong-type",
            "warning",
            "A field has another JSON type than documented.",
            "Vonage changed it, or the body was made by hand.",
            "Parse it leniently in your app: a number may arrive as a string, and null anywhere.",
        ),
        Code(
            "undecodable",
            "warning",
            "A body that is not JSON.",
            "Something else posts to this URL, or a proxy changed the body.",
            "Inspect it with vmon filter --event undecodable -vv.",
        ),
        Code(
            "malformed-body",
            "info",
            "The body as a whole is unusual: a duplicate key, a byte order mark, deep nesting.",
            "A proxy, an old Vonage payload, or a body made by hand.",
            "Make sure your app parses it as you expect: with duplicate keys, most parsers keep "
            "the last.",
        ),
        Code(
            "seconds-for-ms",
            "warning",
            "A timestamp is in seconds instead of milliseconds.",
            "Some Vonage callbacks do this; or the body was made by hand.",
            "Treat values below 100,000,000,000 as seconds.",
        ),
        Code(
            "impossible-time",
            "warning",
            "A timestamp is not in milliseconds since the epoch: zero, negative, or after the "
            "year 9999.",
            "The body was made by hand, or the timestamp is in microseconds.",
            "Use the time of receipt instead, as vmon does.",
        ),
        Code(
            "created-after-event",
            "warning",
            "Something was created over a minute later than the event that tells of it.",
            "The clocks of two of Vonage's servers disagree, or the body was made by hand.",
            "Go by the time of the event. vmon ignores a creation that is over a day later.",
        ),
        Code(
            "another-project",
            "warning",
            "IDs of a different project or application than the rest.",
            "Two projects, perhaps staging and production, send to the same URL; or a session is "
            "used with the API key of another project.",
            "Give each project its own URL, or separate them with --project.",
        ),
        Code(
            "type-never-came",
            "warning",
            "Events of one type are missing in many places, and none was received at all.",
            "That callback is off, or points to another URL: each type can have its own.",
            "Turn it on in the dashboard, and point it here.",
        ),
    )
}
"""All codes, those about the state of sessions first."""
