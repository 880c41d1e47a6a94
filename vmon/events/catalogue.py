"""The catalogue of Vonage Video's event types: meaning, how each is recognised, sample payload.

Every command imports this module, so it holds plain data and imports nothing heavy.
Source: Vonage's documentation, server SDKs and published payloads. What none of them states is
marked as not documented in the text itself.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from vmon.errors import WrongUse

Group = Literal[
    "connection",
    "stream",
    "session",
    "archive",
    "broadcast",
    "render",
    "captions",
    "call",
    "other",
]
Verb = Literal["created", "destroyed", "changed", "failed"]
Payload = dict[str, Any]


class EventType(NamedTuple):
    """An event type of the catalogue.

    `reasons`, `statuses` (a call's states too) and `codes` map what is on the wire to its meaning.
    `ordinary_reasons` are not worth showing. `closed_reasons`: the list of reasons is Vonage's own,
    not examples of free text. `sample_unified` is the sample as a Unified application receives it,
    where that differs.
    """

    name: str
    group: Group
    meaning: str
    recognised: str
    reasons: dict[str, str]
    statuses: dict[str, str]
    codes: dict[str, str]
    ordinary_reasons: frozenset[str]
    closed_reasons: bool
    sample: Payload
    sample_unified: Payload | None


# The session ID decodes to project 13112571. All samples belong to one session: one connection,
# one stream, and the archive, broadcast, render and captions of it.
_SESSION = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"
_PROJECT = "13112571"
_CONNECTION = "c053fcc8-c681-41d5-8ec2-7a9e1434a21e"
_STREAM = "63245362-e00e-4834-8371-9397deb3e452"
_ARCHIVE = "832641bf-5dbf-41a1-ad94-fea213e59a92"
_BROADCAST = "1748b707-0a81-464c-9759-c46ad10d3734"
_RENDER = "80abaf0d-25a3-4efc-968f-6268d620668d"
_CAPTIONS = "7c0680fc-6274-4de5-a66f-d0648e8d3ac2"
_CALL = "b0a5a8c7-dc38-459f-a48d-a7f2008da853"
_CALL_CONNECTION = "e9f8c166-6c67-440d-994a-04fb6dfed007"
_APPLICATION = "78d335fa-323d-0114-9c3d-d6f0d48968cf"
_SESSION_UNIFIED = (
    "2_MX43OGQzMzVmYS0zMjNkLTAxMTQtOWMzZC1kNmYwZDQ4OTY4Y2Z-fjE0NzAyNTc2Nzk5MTh-OUF0ckhKfn4"
)

_OPENED = 1470257679918
_CONNECTED = 1470257688143
_PUBLISHED = 1470258845416
_CALLED = 1470258850112
_RECORDED = 1470258851000
_LEFT = 1470258896953

_BY_EVENT = "by `event`"
_BY_RENDER = (
    "by `id`, `sessionId` and `status` together, if no other type matches; the documented "
    "payload has no `event`"
)
_BY_CAPTIONS = (
    "by `captionsId` (or `captionId`, as one SDK spells it); no `event` is documented for it"
)

_LEAVING = {
    "clientDisconnected": "The client disconnected, or closed the browser or the app.",
    "forceDisconnected": (
        "A moderator or the server disconnected the client; also sent for a platform failure."
    ),
    "networkDisconnected": "The network connection was lost.",
}
_UNPUBLISHING = _LEAVING | {
    "forceUnpublished": "A moderator made the publisher stop publishing.",
    "mediaStopped": "The user stopped sharing the screen (screen-sharing streams only).",
}
_ROTATION = "The media server of the session will be replaced."
_SESSION_ENDS = {
    "forceDisconnected": "The server holding the session failed and everyone was disconnected.",
    "Internal server failure": "The platform failed.",
    "serverRotation": "The media server of the session was replaced.",
}
# From Vonage's page on service disruptions: the same for archive, broadcast, captions and SIP.
_DISRUPTED = {
    "forceDisconnected": "Ended by a platform failure (Unified applications).",
    "Internal server failure": "Ended by a platform failure (OpenTok projects).",
}
_ARCHIVE_REASONS = {
    "user initiated": "Your application stopped it.",
    "session ended": "Everyone left the session.",
    "maximum duration exceeded": "It reached the maximum duration of an archive.",
    "maximum idle time exceeded": "No streams were published for too long.",
    "failure": "Recording failed.",
    **_DISRUPTED,
}
_ARCHIVE_STATUSES = {
    "started": "Recording, or recording again after a pause.",
    "paused": "No streams are published; recording resumes with the next stream.",
    "stopped": "Recording ended; the file is being processed.",
    "uploaded": "The file is in your own storage. May arrive before `stopped`.",
    "available": "The file can be downloaded from `url`, which is valid for ten minutes.",
    "expired": "The file, kept by Vonage for 72 hours, has expired.",
    "failed": "Recording failed; the archive is missing or incomplete.",
    "deleted": "The archive was deleted (known from SDKs only).",
}
_BROADCAST_STATUSES = {
    "started": "It is live.",
    "stopped": "It ended.",
    "failed": "It could not start, or was interrupted.",
}
_RENDER_STATUSES = {
    "starting": "Starting; nothing is published yet.",
    "started": "The page is loaded and published into the session.",
    "stopped": "It ended.",
    "failed": "The page could not be loaded or published, or was interrupted.",
}
_CAPTIONS_STATUSES = {
    "started": "Speech is being transcribed.",
    "paused": "Paused: nobody is speaking.",
    "stopped": "It ended.",
    "failed": "It could not start, or was interrupted.",
}
_CALL_STATES = {
    "DIALING": "The number is being dialled.",
    "RINGING": "The phone is ringing.",
    "ON_HOLD": "The call is on hold.",
    "ACTIVE": "The call is connected.",
    "HANGUP": "The call was hung up.",
}
_CALL_CODES = {
    "404": "Not found (SIP).",
    "408": "Request timed out (SIP).",
    "480": "Temporarily unavailable (SIP).",
    "486": "Busy here (SIP).",
    "487": "Request terminated (SIP).",
    "503": "Service unavailable (SIP).",
    "603": "Declined (SIP).",
    "700": "Normal call clearing.",
    "703": "Unexpected call clearing.",
    "704": "No media for too long.",
    "705": "Maximum call duration reached.",
    "706": "Maximum inactive time reached.",
}


def _connection(data: str) -> Payload:
    return {"id": _CONNECTION, "createdAt": _CONNECTED, "data": data}


def _stream() -> Payload:
    return {
        "id": _STREAM,
        "connection": _connection(""),
        "createdAt": _PUBLISHED,
        "name": "Ann's camera",
        "videoType": "camera",
    }


def _call() -> Payload:
    return {"id": _CALL, "connectionId": _CALL_CONNECTION, "createdAt": _CALLED}


def _monitoring_payload(event: str, at: int, **more: Any) -> Payload:
    """Make the payload of a session monitoring callback; `at` is its timestamp in ms."""
    head = {"sessionId": _SESSION, "projectId": _PROJECT, "event": event, "timestamp": at}
    return head | more


def _archive() -> Payload:
    return {
        "id": _ARCHIVE,
        "event": "archive",
        "status": "available",
        "name": "Ann's lesson",
        "reason": "user initiated",
        "sessionId": _SESSION,
        "projectId": int(_PROJECT),
        "partnerId": int(_PROJECT),
        "applicationId": _PROJECT,
        "createdAt": _RECORDED,
        "updatedAt": 1470258902417,
        "duration": 45,
        "size": 1804219,
        "url": f"https://example.com/{_ARCHIVE}/archive.mp4",
        "resolution": "1280x720",
        "outputMode": "composed",
        "streamMode": "auto",
        "streams": [],
        "hasAudio": True,
        "hasVideo": True,
        "hasTranscription": False,
        "multiArchiveTag": "",
        "sha256sum": "52ea1e3ba9ddbb82f83fcca4ed2fac4e19ce8cad5f1f4b1b47f1b9a0fc7e5ff1",
        "password": "",
    }


def _broadcast() -> Payload:
    return {
        "id": _BROADCAST,
        "event": "broadcast",
        "status": "started",
        "sessionId": _SESSION,
        "projectId": int(_PROJECT),
        "createdAt": 1470258853000,
        "updatedAt": 1470258855102,
        "maxDuration": 5400,
        "resolution": "1280x720",
        "streamMode": "auto",
        "hasAudio": True,
        "hasVideo": True,
        "multiBroadcastTag": "",
        "settings": {"hls": {"lowLatency": False, "dvr": False}},
        "broadcastUrls": {
            "hls": f"https://example.com/{_BROADCAST}/playlist.m3u8",
            "hlsStatus": "live",
            "rtmp": [
                {
                    "id": "main",
                    "status": "live",
                    "serverUrl": "rtmps://live.example.com/app",
                    "streamName": "a-secret-stream-key",
                }
            ],
        },
    }


def _render() -> Payload:
    return {
        "id": _RENDER,
        "sessionId": _SESSION,
        "streamId": _STREAM,
        "status": "started",
    }


def _captions() -> Payload:
    return {"captionsId": _CAPTIONS, "sessionId": _SESSION, "status": "started"}


def _unified(sample: Payload) -> Payload:
    """Convert a sample to a Unified application's: a UUID where an OpenTok project has a number.

    Which callbacks name it `applicationId` and which `projectId` is not documented.
    """
    ours = {key: _APPLICATION for key in ("projectId", "applicationId") if key in sample}
    kept = {key: value for key, value in sample.items() if key != "partnerId"}
    if "outputMode" in sample or "broadcastUrls" in sample:
        kept.pop("projectId")
        ours = {"applicationId": _APPLICATION}
    return kept | ours | {"sessionId": _SESSION_UNIFIED}


def _type(  # noqa: PLR0913 - one parameter per column of the catalogue
    name: str,
    group: Group,
    meaning: str,
    sample: Payload,
    *,
    recognised: str = _BY_EVENT,
    reasons: dict[str, str] | None = None,
    statuses: dict[str, str] | None = None,
    codes: dict[str, str] | None = None,
    ordinary: tuple[str, ...] = (),
    closed: bool = False,
) -> EventType:
    return EventType(
        name=name,
        group=group,
        meaning=meaning,
        recognised=recognised,
        reasons=reasons or {},
        statuses=statuses or {},
        codes=codes or {},
        ordinary_reasons=frozenset(ordinary),
        closed_reasons=closed,
        sample=sample,
        sample_unified=_unified(sample) if sample and group != "other" else None,
    )


TYPES: dict[str, EventType] = {
    type_.name: type_
    for type_ in (
        _type(
            "sessionCreated",
            "session",
            "The first client connected: the session is in use.",
            _monitoring_payload("sessionCreated", _OPENED),
        ),
        _type(
            "sessionDestroyed",
            "session",
            "Everyone has left the session; it may be created again under the same ID.",
            _monitoring_payload("sessionDestroyed", _LEFT + 60_104),
            reasons=_SESSION_ENDS,
            closed=True,
        ),
        _type(
            "sessionNotification",
            "session",
            "A warning about the session, 4 hours and again 1 hour before its server is replaced.",
            _monitoring_payload(
                "sessionNotification", _CONNECTED + 240_000, reason="serverRotation"
            ),
            reasons={"serverRotation": _ROTATION},
            closed=True,
        ),
        _type(
            "connectionCreated",
            "connection",
            "A client connected to the session.",
            _monitoring_payload(
                "connectionCreated",
                1470257688309,
                connection=_connection('{"name":"Ann","role":"teacher"}'),
            ),
        ),
        _type(
            "connectionDestroyed",
            "connection",
            "A client is no longer connected to the session.",
            _monitoring_payload(
                "connectionDestroyed",
                _LEFT + 12,
                reason="clientDisconnected",
                connection=_connection(""),
            ),
            reasons=_LEAVING,
            ordinary=("clientDisconnected",),
            closed=True,
        ),
        _type(
            "streamCreated",
            "stream",
            "A client started publishing a stream: camera, screen, or audio only.",
            _monitoring_payload("streamCreated", 1470258860571, stream=_stream()),
        ),
        _type(
            "streamDestroyed",
            "stream",
            "A stream is no longer published.",
            _monitoring_payload(
                "streamDestroyed", _LEFT, reason="clientDisconnected", stream=_stream()
            ),
            reasons=_UNPUBLISHING,
            ordinary=("clientDisconnected",),
            closed=True,
        ),
        _type(
            "archive",
            "archive",
            "The status of an archive (a recording) changed.",
            _archive(),
            recognised=(
                "by `event`; without it, as in an old published payload, by `status` with "
                "`outputMode`, `partnerId`, or `duration` and `size`"
            ),
            reasons=_ARCHIVE_REASONS,
            statuses=_ARCHIVE_STATUSES,
            ordinary=("user initiated", "session ended"),
        ),
        _type(
            "broadcast",
            "broadcast",
            "The status of a live streaming broadcast changed.",
            _broadcast(),
            recognised=(
                "by `event`, or by `broadcastUrls`; that the callback has the form of the REST "
                "API's broadcast object is inferred, not documented"
            ),
            reasons=_DISRUPTED,
            statuses=_BROADCAST_STATUSES,
        ),
        _type(
            "render",
            "render",
            "The status of an Experience Composer render changed.",
            _render(),
            recognised=_BY_RENDER,
            statuses=_RENDER_STATUSES,
        ),
        _type(
            "captions",
            "captions",
            "The status of live captions changed.",
            _captions(),
            recognised=_BY_CAPTIONS,
            reasons=_DISRUPTED,
            statuses=_CAPTIONS_STATUSES,
        ),
        _type(
            "callCreated",
            "call",
            "A SIP call from the session was started.",
            _monitoring_payload("callCreated", 1470258850120, call=_call()),
        ),
        _type(
            "callUpdated",
            "call",
            "The state of a SIP call changed.",
            _monitoring_payload("callUpdated", 1470258857002, call=_call(), state="ACTIVE"),
            statuses=_CALL_STATES,
        ),
        _type(
            "callDestroyed",
            "call",
            "A SIP call ended, or was never connected.",
            _monitoring_payload(
                "callDestroyed",
                1470258891540,
                call=_call(),
                reason_code="700",
                reason_message="Normal call clearing",
            ),
            reasons=_DISRUPTED,
            codes=_CALL_CODES,
            ordinary=("Normal call clearing",),
        ),
        _type(
            "muteForced",
            "call",
            "The SIP client was muted by a moderator.",
            _monitoring_payload("muteForced", 1470258871006, call=_call()),
        ),
    )
}
"""The fifteen types, in the order a session goes through them."""

PSEUDO: dict[str, EventType] = {
    type_.name: type_
    for type_ in (
        _type(
            "unknown",
            "other",
            "JSON of a type that vmon does not know; shown and captured all the same.",
            {"sessionId": _SESSION, "event": "somethingNew", "timestamp": _CONNECTED},
            recognised="as valid JSON that matches no known type",
        ),
        _type(
            "undecodable",
            "other",
            "A body that is not JSON: empty, truncated, or something else.",
            {},
            recognised="by not being UTF-8 JSON; the parse error is shown",
        ),
    )
}
"""vmon's own types, for deliveries that match none of Vonage's."""

NAMES: tuple[str, ...] = (*TYPES, *PSEUDO)
"""The names that a filter by type accepts."""

ALL: dict[str, EventType] = TYPES | PSEUDO


def suggest(name: str) -> str | None:
    """Return the event type closest to `name`, ignoring case; None when none is close."""
    import difflib

    by_lower = {known.lower(): known for known in NAMES}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


@lru_cache(maxsize=256)
def meant(event: str) -> str | None:
    """The type whose name an unknown `event` nearly is: ConnectionCreated, stream.created."""
    import difflib

    by_plain = {name.lower(): name for name in TYPES}
    plain = "".join(filter(str.isalnum, event[:_LONGEST_NAME])).lower()
    near = difflib.get_close_matches(plain, by_plain, n=1, cutoff=0.85)
    return by_plain[near[0]] if near else None


_LONGEST_NAME = 60


def suggest_pattern(name: str) -> str | None:
    """Return the type or the glob that was probably meant: `stream` and `strm` mean 'stream*'."""
    import difflib

    begun = [known for known in NAMES if known.lower().startswith(name.lower())] if name else []
    if len(begun) > 1:
        return f"'{name}*'"
    near = begun[0] if begun else suggest(name)
    if near or {"*", "?"} & set(name):
        return near
    stems = {entry.group for entry in TYPES.values()}
    close = difflib.get_close_matches(name.lower(), sorted(stems), n=1, cutoff=0.7)
    return f"'{close[0]}*'" if close else None


def reasons() -> dict[str, str]:
    """Return the known reasons of all types, with their meanings."""
    return {word: text for entry in ALL.values() for word, text in entry.reasons.items()}


def statuses() -> dict[str, str]:
    """Return the known statuses of all types (a call's states too), with their meanings."""
    return {word: text for entry in ALL.values() for word, text in entry.statuses.items()}


# The verb of each status. `started` is the creation everywhere: `starting` only announces it.
# `stopped` is the end: nothing is recorded or sent any more. What happens to the file afterwards
# (uploaded, available) is a change, and its removal an end of its own.
_VERBS: dict[str | None, Verb] = {
    "started": "created",
    "stopped": "destroyed",
    "expired": "destroyed",
    "deleted": "destroyed",
    "failed": "failed",
}


FILED_STATUSES = frozenset({"uploaded", "available", "expired", "failed", "deleted"})
"""Statuses that may follow `stopped`: the fate of an archive's file, or that there is none."""

ENDED_STATUSES = FILED_STATUSES | {"stopped"}
"""Statuses at which an archive, broadcast, render or captions has ended."""


def verb(type_: str, status: str | None) -> Verb:
    """Classify an event of `type_` with this `status`: created, destroyed, changed or failed."""
    if type_.endswith("Created"):
        return "created"
    if type_.endswith("Destroyed"):
        return "destroyed"
    if type_ == "undecodable":
        return "failed"
    if type_ in {"archive", "broadcast", "render", "captions"}:
        return _VERBS.get(status, "changed")
    return "changed"


def types_of(patterns: Iterable[str]) -> frozenset[str]:
    """Parse `--event` values to event types: names, comma lists, globs, `!` to exclude.

    Only exclusions select all other types. WrongUse, with a suggestion, for an unknown type.
    """
    wanted: set[str] = set()
    excluded: set[str] = set()
    for pattern in (part.strip() for value in patterns for part in value.split(",")):
        if pattern:
            (excluded if pattern[0] == "!" else wanted).update(_matching(pattern.removeprefix("!")))
    return frozenset((wanted or set(NAMES)) - excluded)


def _matching(pattern: str) -> list[str]:
    names = [name for name in NAMES if fnmatchcase(name.lower(), pattern.lower())]
    if not names:
        near = suggest_pattern(pattern)
        raise WrongUse(
            f"unknown event type {pattern!r}",
            hint=(f"did you mean {near}? " if near else "") + "known types: " + ", ".join(NAMES),
        )
    return names
