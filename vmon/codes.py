"""What can be odd about what was received: one table, and what is told of it is made from it.

A code is part of the command line's contract: its name and meaning do not change.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

Severity = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")
"""From what may well be meant to what went wrong."""


class Code(NamedTuple):
    """One kind of oddity: a sentence, what usually causes it, and what to do about it.

    `severity` is the highest it has: what began before the capture is an info at most.
    """

    name: str
    severity: Severity
    meaning: str
    cause: str
    remedy: str


class Oddity(Struct, frozen=True):
    """Something that does not add up.

    `ids` are those of the things concerned, `at_ms` is when it came about (ms since the epoch, by
    Vonage's clock where that tells); `said` is a sentence, safe to show; `missing` the event type
    whose absence it is.
    """

    code: str
    severity: Severity
    at_ms: int
    session: str | None
    ids: tuple[str, ...]
    said: str
    missing: str | None = None


def order(one: Oddity) -> tuple[int, str, str, tuple[str, ...], str]:
    """Sort oddities by time, and what is of one time always in the same way."""
    return one.at_ms, one.session or "", one.code, one.ids, one.said


CODES: dict[str, Code] = {
    one.name: one
    for one in (
        Code(
            "destroyed-without-created",
            "warning",
            "Something was destroyed whose creation never came.",
            "The delivery of its creation failed and was given up after 24 hours, or went to "
            "another URL; some callbacks may be off.",
            "Look whether your receiver was down at that time, and in the dashboard whether both "
            "callbacks are on and point here.",
        ),
        Code(
            "unknown-connection",
            "warning",
            "A stream belongs to a connection of which nothing was told.",
            "The delivery of connectionCreated failed, or connection callbacks are off or go to "
            "another URL.",
            "Switch the connection callbacks on, and point them here. Until then the stream's "
            "publisher has no name.",
        ),
        Code(
            "stream-outlives-connection",
            "warning",
            "A connection is gone, and a stream of it is still published.",
            "The delivery of streamDestroyed failed or is late: Vonage sends again for 24 hours.",
            "Take a stream for ended when its connection is. Do not count it as published.",
        ),
        Code(
            "session-ended-with-people",
            "warning",
            "A session was destroyed while people were in it.",
            "Deliveries of connectionDestroyed failed or are late; or a server of the platform "
            "failed, which the reason tells.",
            "Take everybody for gone when the session is. Clients must connect again by "
            "themselves.",
        ),
        Code(
            "ghost",
            "warning",
            "Somebody or something has been there for long, and nothing destroyed it.",
            "The delivery of the end failed and was given up after 24 hours, or the callback is "
            "off; now and then somebody does stay so long.",
            "Ask Vonage's REST API whether it is still there, and end it in your own records if "
            "not. --ghost-after says how long is long.",
        ),
        Code(
            "two-cameras",
            "warning",
            "One connection published two cameras at once.",
            "The app publishes again without ending the first publisher, as when a component is "
            "mounted twice; or the delivery of streamDestroyed is missing.",
            "Destroy the old publisher before you make a new one. Ignore it if two cameras are "
            "meant.",
        ),
        Code(
            "publish-after-unpublish",
            "warning",
            "A connection published again within 10 s after a moderator made it stop.",
            "The app publishes again by itself when its stream is destroyed, or the person did "
            "at once.",
            "Look at the reason of streamDestroyed in the client before publishing again; mute or "
            "disconnect whom you want silent.",
        ),
        Code(
            "archive-stuck",
            "warning",
            "An archive stopped an hour ago or more, and its file never came.",
            "The upload to your own storage fails or is slow, or the delivery of `uploaded` or "
            "`available` failed.",
            "Ask Vonage's REST API for the archive; check the credentials and the quota of your "
            "storage.",
        ),
        Code(
            "failed",
            "error",
            "An archive, broadcast, render, captions, call or session failed.",
            "The reason tells, where there is one; else the platform, a page that cannot be "
            "loaded, or a target that does not take the stream.",
            "Start it again, and look at what the reason names. With the ID, Vonage's support can "
            "find it.",
        ),
        Code(
            "call-without-connection",
            "info",
            "A SIP call ended, and nothing was told of its connection in the session.",
            "The call never came about (the reason of callDestroyed tells), or session monitoring "
            "is off or goes to another URL.",
            "Look at the call's reason; point the connection callbacks here.",
        ),
        Code(
            "unknown-event",
            "warning",
            "An event that vmon does not know.",
            "Vonage added a type, or something else posts to this URL.",
            "Look at it with vmon filter --event unknown -vv; see that your app passes over what "
            "it does not know.",
        ),
        Code(
            "unknown-reason",
            "warning",
            "A reason that is not documented.",
            "Vonage added one: the list grows without notice.",
            "See that your app does not fail on reasons it does not know.",
        ),
        Code(
            "unknown-status",
            "warning",
            "A status, or a state of a call, that is not documented.",
            "Vonage added one.",
            "See that your app does not fail on it, and does not wait for another one.",
        ),
        Code(
            "unknown-field",
            "info",
            "A field that vmon does not know.",
            "Vonage added one: fields come and go without notice.",
            "Nothing, unless your app refuses fields it does not know.",
        ),
        Code(
            "wrong-type",
            "warning",
            "A field is of another JSON type than documented.",
            "Vonage changed it, or the body was made by hand.",
            "Read it leniently in your app: a number may come as a string, and null anywhere.",
        ),
        Code(
            "undecodable",
            "warning",
            "A body that is not JSON.",
            "Something else posts to this URL, or a proxy on the way changed the body.",
            "Look at it with vmon filter --event undecodable -vv.",
        ),
        Code(
            "malformed-body",
            "info",
            "The body as a whole is unusual: a key twice, a byte order mark, deep nesting.",
            "A proxy on the way, an old payload of Vonage's, or a body made by hand.",
            "See that your app reads it as you expect: of a key that is there twice, most take "
            "the last.",
        ),
        Code(
            "seconds-for-ms",
            "warning",
            "A time is in seconds, where it should be in milliseconds.",
            "Some callbacks of Vonage's do so; or the body was made by hand.",
            "Take what is less than 100,000,000,000 for seconds.",
        ),
        Code(
            "impossible-time",
            "warning",
            "A time is no milliseconds since the epoch: zero, negative, or beyond the year 9999.",
            "The body was made by hand, or the time is in microseconds.",
            "Use the time of receipt instead, as vmon does.",
        ),
        Code(
            "another-project",
            "warning",
            "IDs of another project or application than the rest.",
            "Two projects, perhaps staging and production, send to one URL; or a session is used "
            "with the key of another project.",
            "Give each project a URL of its own, or tell them apart with --project.",
        ),
        Code(
            "type-never-came",
            "warning",
            "Many things miss events of one type, and none of that type came at all.",
            "That callback is off, or points to another URL: each type can have its own.",
            "Switch it on in the dashboard, and point it here.",
        ),
    )
}
"""All codes, those of a session's course first."""
