"""The typed events: one struct for each shape of payload.

Field names on the wire are camelCase and become snake_case here. Every field is optional:
payloads gained and lost fields over the years without notice, and a missing field is no error.
"""

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from vmon.events.session_id import session_parts
from vmon.events.timestamps import LAST_MS, in_ms, instant

Sure = Literal["documented", "seen", "inferred"]
"""How sure a field is: in Vonage's documentation, in a published payload, or inferred."""


def _doc(
    description: str,
    unit: str | None = None,
    example: str | None = None,
    sure: Sure = "documented",
    only: str | None = None,
) -> Meta:
    """Document a field; `vmon events` is generated from it.

    `only` is the one type that has the field, where others of the same shape do not.
    """
    extra = {"unit": unit, "example": example, "sure": sure, "only": only}
    return Meta(
        description=description, extra={key: value for key, value in extra.items() if value}
    )


_MS = "ms since the epoch, UTC"


class Connection(Struct, frozen=True, rename="camel"):
    """A client connected to a session."""

    id: Annotated[str | None, _doc("The connection's ID.")] = None
    created_at: Annotated[int | None, _doc("When the client connected.", _MS)] = None
    data: Annotated[
        str | None,
        _doc(
            "The token data: free text of your own, given in connectionCreated and empty in "
            "every later event of the connection.",
            example='{"name":"Ann"}',
        ),
    ] = None


class Stream(Struct, frozen=True, rename="camel"):
    """A stream published into a session."""

    id: Annotated[str | None, _doc("The stream's ID.")] = None
    connection: Annotated[Connection | None, _doc("Whose stream it is.")] = None
    created_at: Annotated[int | None, _doc("When the stream was created.", _MS)] = None
    name: Annotated[str | None, _doc("The name given by the publisher; may be empty.")] = None
    video_type: Annotated[
        str | None,
        _doc("`camera`, `screen` or `custom`; absent for audio only.", example="camera"),
    ] = None
    layout_class_list: Annotated[
        list[str] | None, _doc("Its layout classes, as the REST API has them.", sure="inferred")
    ] = None


class Call(Struct, frozen=True, rename="camel"):
    """A SIP call from a session."""

    id: Annotated[str | None, _doc("The call's ID.")] = None
    connection_id: Annotated[
        str | None, _doc("The call's connection in the session; `connection.id` in other events.")
    ] = None
    created_at: Annotated[int | None, _doc("When the call was created.", _MS)] = None
    updated_at: Annotated[
        int | None, _doc("When it last changed, as the REST API has it.", _MS, sure="inferred")
    ] = None
    stream_id: Annotated[
        str | None, _doc("The call's stream, as the REST API has it.", sure="inferred")
    ] = None
    session_id: Annotated[
        str | None, _doc("The session's ID, as the REST API has it.", sure="inferred")
    ] = None
    project_id: Annotated[
        str | int | None, _doc("The project's ID, as the REST API has it.", sure="inferred")
    ] = None
    state: Annotated[
        str | None, _doc("The state, if given here.", sure="inferred", only="callUpdated")
    ] = None
    reason_code: Annotated[
        str | None, _doc("The code, if given here.", sure="inferred", only="callDestroyed")
    ] = field(default=None, name="reason_code")
    reason_message: Annotated[
        str | None,
        _doc("The message, if given here.", sure="inferred", only="callDestroyed"),
    ] = field(default=None, name="reason_message")


class ArchiveStream(Struct, frozen=True, rename="camel"):
    """A stream being recorded."""

    stream_id: Annotated[str | None, _doc("The stream's ID.")] = None
    has_audio: Annotated[bool | None, _doc("Whether its audio is recorded.")] = None
    has_video: Annotated[bool | None, _doc("Whether its video is recorded.")] = None


class BroadcastStream(Struct, frozen=True, rename="camel"):
    """A stream being broadcast."""

    stream_id: Annotated[str | None, _doc("The stream's ID.", sure="inferred")] = None
    has_audio: Annotated[bool | None, _doc("Whether its audio is sent.", sure="inferred")] = None
    has_video: Annotated[bool | None, _doc("Whether its video is sent.", sure="inferred")] = None


class TranscriptionProperties(Struct, frozen=True, rename="camel"):
    """How an archive is to be transcribed."""

    primary_language_code: Annotated[
        str | None, _doc("The main language spoken.", example="en-US", sure="seen")
    ] = None
    has_summary: Annotated[bool | None, _doc("Whether a summary is made.", sure="seen")] = None


class Transcription(Struct, frozen=True, rename="camel"):
    """The transcription of an archive."""

    status: Annotated[str | None, _doc("The status of the transcription.", example="available")] = (
        None
    )
    reason: Annotated[str | None, _doc("The reason for this status.")] = None
    url: Annotated[str | None, _doc("The download URL.")] = None
    primary_language_code: Annotated[
        str | None, _doc("The main language spoken.", example="en-US", sure="seen")
    ] = None
    has_summary: Annotated[bool | None, _doc("Whether it has a summary.", sure="seen")] = None


class Rtmp(Struct, frozen=True, rename="camel"):
    """One RTMP target of a broadcast."""

    id: Annotated[str | None, _doc("The target's ID, chosen by you.", sure="inferred")] = None
    status: Annotated[str | None, _doc("Its state.", example="live", sure="inferred")] = None
    server_url: Annotated[str | None, _doc("The RTMP server.", sure="inferred")] = None
    stream_name: Annotated[str | None, _doc("The stream key, a secret.", sure="inferred")] = None


class BroadcastUrls(Struct, frozen=True, rename="camel"):
    """Where a broadcast can be watched."""

    hls: Annotated[str | None, _doc("The HLS playlist.", sure="inferred")] = None
    hls_status: Annotated[
        str | None,
        _doc(
            "The state of HLS: `connecting`, `ready`, `live`, `ended` or `error`.", sure="inferred"
        ),
    ] = None
    rtmp: Annotated[
        list[Rtmp] | dict[str, Any] | None,
        _doc(
            "The RTMP targets: a list, an object keyed by target ID, or a single target.",
            sure="inferred",
        ),
    ] = None

    @property
    def targets(self) -> list[Rtmp]:
        """The RTMP targets, however they are given; of an object, what is well-formed."""
        match self.rtmp:
            case list():
                return self.rtmp
            case dict() as value if is_keyed(value, RTMP_KEYS):
                return [_target(one, key) for key, one in value.items()]
            case dict() as value if value:
                return [_target(value)]
            case _:
                return []


RTMP_KEYS = frozenset({"id", "status", "serverUrl", "streamName"})
"""What a target has: an object without any of these may hold several, keyed by their IDs."""


def is_keyed(value: dict[str, Any], names: AbstractSet[str]) -> bool:
    """Whether an object holds objects keyed by ID, and is none of those with these names itself."""
    inside = all(type(one) is dict for one in value.values())
    return bool(value) and inside and names.isdisjoint(value)


def _target(value: dict[str, Any], key: str | None = None) -> Rtmp:
    """An RTMP target; `key` is the ID that it stands under."""
    id_, status = (_text(value.get(name)) for name in ("id", "status"))
    server, stream = (_text(value.get(name)) for name in ("serverUrl", "streamName"))
    return Rtmp(id_ or key, status, server, stream)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


class Common(Struct, frozen=True, rename="camel", kw_only=True):
    """The properties of every event; None where its shape does not have one."""

    session_id: Annotated[
        str | None,
        _doc("The session's ID.", example="2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"),
    ] = None
    # Not on the wire: no payload has a field of this name, and the decoder overwrites it anyway.
    warnings: tuple[str, ...] = field(default=(), name="vmon:warnings")

    @property
    def type(self) -> str:
        """The name in the catalogue."""
        return "unknown"

    @property
    def _stated_project(self) -> str | int | None:
        return None

    @property
    def project_id(self) -> str | None:
        """The project or application: from the payload, else from the session ID."""
        stated = self._stated_project
        if stated is not None and stated != "":
            return str(stated)
        parts = session_parts(self.session_id) if self.session_id else None
        return parts.project if parts else None

    @property
    def occurred_ms(self) -> int | None:
        """When it happened as the payload states it: ms since the epoch, or wrongly seconds."""
        return None

    @property
    def earliest_ms(self) -> int | None:
        """When it can have happened at the earliest, ms since the epoch, if it has no own time."""
        return None

    @property
    def timestamp_at(self) -> datetime | None:
        """When it happened (UTC); None where the payload does not state it."""
        return instant(in_ms(self.occurred_ms))

    @property
    def created_ms(self) -> int | None:
        """When its connection, stream, call or output was created, ms since the epoch."""
        return None

    @property
    def connection_id(self) -> str | None:
        """The connection it is about."""
        return None

    @property
    def stream_id(self) -> str | None:
        """The stream it is about."""
        return None

    @property
    def archive_id(self) -> str | None:
        """The archive it is about."""
        return None

    @property
    def call_id(self) -> str | None:
        """The call it is about."""
        return None

    @property
    def reason(self) -> str | None:
        """Why it happened, as it stands on the wire."""
        return None

    @property
    def status(self) -> str | None:
        """The status, or a call's state."""
        return None

    @property
    def lasted_s(self) -> float | None:
        """How long it lasted, in seconds, when this event is the end of it."""
        return self._since_creation_s if self.type.endswith("Destroyed") else None

    @property
    def platform_lag_s(self) -> float | None:
        """Seconds from the creation to the event's timestamp: the platform's own lag."""
        return self._since_creation_s if self.type.endswith("Created") else None

    @property
    def _since_creation_s(self) -> float | None:
        ends, begins = self.occurred_ms, self.created_ms
        if ends is None or begins is None or not (0 < ends <= LAST_MS and 0 < begins <= LAST_MS):
            return None
        return (ends - begins) / 1000


class Monitored(Common, frozen=True, rename="camel", kw_only=True):
    """The common fields of the session monitoring and SIP callbacks."""

    project: Annotated[
        str | None,
        _doc("The project's ID, a string of digits.", example="13112571"),
    ] = field(default=None, name="projectId")
    application: Annotated[
        str | None,
        _doc("The application's ID, if sent under this name.", sure="inferred"),
    ] = field(default=None, name="applicationId")
    event: Annotated[str | None, _doc("The name of the event type.")] = None
    timestamp: Annotated[int | None, _doc("When it happened.", _MS)] = None

    @property
    def type(self) -> str:
        """The name in the catalogue."""
        return self.event or "unknown"

    @property
    def _stated_project(self) -> str | None:
        return self.project or self.application

    @property
    def occurred_ms(self) -> int | None:
        """When it happened, ms since the epoch."""
        return self.timestamp


class ConnectionEvent(Monitored, frozen=True, rename="camel", kw_only=True):
    """connectionCreated, connectionDestroyed."""

    reason: Annotated[
        str | None, _doc("Why the client disconnected.", only="connectionDestroyed")
    ] = None
    connection: Annotated[Connection | None, _doc("The connection.")] = None

    @property
    def created_ms(self) -> int | None:
        """When the client connected, ms since the epoch."""
        return self.connection.created_at if self.connection else None

    @property
    def connection_id(self) -> str | None:
        """The connection it is about."""
        return self.connection.id if self.connection else None


class StreamEvent(Monitored, frozen=True, rename="camel", kw_only=True):
    """streamCreated, streamDestroyed."""

    reason: Annotated[str | None, _doc("Why the stream ended.", only="streamDestroyed")] = None
    stream: Annotated[Stream | None, _doc("The stream.")] = None

    @property
    def created_ms(self) -> int | None:
        """When the stream was created, ms since the epoch."""
        return self.stream.created_at if self.stream else None

    @property
    def connection_id(self) -> str | None:
        """The publisher's connection."""
        published = self.stream.connection if self.stream else None
        return published.id if published else None

    @property
    def stream_id(self) -> str | None:
        """The stream it is about."""
        return self.stream.id if self.stream else None


class SessionEvent(Monitored, frozen=True, rename="camel", kw_only=True):
    """sessionCreated, sessionDestroyed, sessionNotification."""

    reason: Annotated[str | None, _doc("Why it ended, or what is announced.")] = None
    timestamp: Annotated[int | None, _doc("When it happened.", _MS, sure="inferred")] = None


class CallEvent(Monitored, frozen=True, rename="camel", kw_only=True):
    """callCreated, callUpdated, callDestroyed, muteForced."""

    call: Annotated[Call | None, _doc("The call.")] = None
    state: Annotated[
        str | None, _doc("The call's state.", example="ACTIVE", only="callUpdated")
    ] = None
    stated_reason: Annotated[
        str | None, _doc("Why it ended, if the platform failed.", only="callDestroyed")
    ] = field(default=None, name="reason")
    reason_code: Annotated[
        str | None,
        _doc(
            "Why it ended: a SIP code, or 700 and above; a string.",
            example="700",
            only="callDestroyed",
        ),
    ] = field(default=None, name="reason_code")
    reason_message: Annotated[
        str | None,
        _doc("Why it ended, in words.", example="Normal call clearing", only="callDestroyed"),
    ] = field(default=None, name="reason_message")

    @property
    def reason(self) -> str | None:
        """Why it ended: the reason, else the message, else the code."""
        call = self.call or Call()
        words = self.stated_reason or self.reason_message or call.reason_message
        return words or self.reason_code or call.reason_code

    @property
    def status(self) -> str | None:
        """The call's state."""
        return self.state or (self.call.state if self.call else None)

    @property
    def created_ms(self) -> int | None:
        """When the call was created, ms since the epoch."""
        return self.call.created_at if self.call else None

    @property
    def connection_id(self) -> str | None:
        """The call's connection in the session."""
        return self.call.connection_id if self.call else None

    @property
    def call_id(self) -> str | None:
        """The call it is about."""
        return self.call.id if self.call else None


_ENDED = {"stopped", "uploaded", "available", "expired", "failed", "deleted"}


def earliest_ms(created: float | None, duration_s: float | None) -> int | None:
    """`createdAt` plus `duration`, ms since the epoch: no event of an output is older."""
    created_ms = in_ms(created)
    if created_ms is None or not duration_s or not 0 < duration_s < LAST_MS / 1000:
        return created_ms
    return created_ms + int(duration_s * 1000)


def dated_ms(
    status: str | None, created: float | None, updated: float | None, duration_s: float | None
) -> float | None:
    """When a render or captions changed, ms since the epoch or wrongly seconds.

    That is `updatedAt`, else `createdAt` when it starts and `createdAt` plus `duration` at its end.
    """
    if updated is not None:
        return updated
    if status in _ENDED:
        return earliest_ms(created, duration_s) if duration_s else None
    return created if status in {"starting", "started"} and not duration_s else None


class ArchiveEvent(Common, frozen=True, rename="camel", kw_only=True):
    """The status of an archive."""

    id: Annotated[str | None, _doc("The archive's ID.")] = None
    event: Annotated[str | None, _doc("`archive`; absent in an old payload.")] = None
    status: Annotated[str | None, _doc("The status of the archive.", example="available")] = None
    reason: Annotated[str | None, _doc("The reason for this status; kept on later statuses.")] = (
        None
    )
    name: Annotated[str | None, _doc("The name you gave it.")] = None
    project: Annotated[
        str | int | None, _doc("The project's ID, as a number.", example="13112571")
    ] = field(default=None, name="projectId")
    partner: Annotated[
        str | int | None, _doc("The project's ID under its old name.", sure="seen")
    ] = field(default=None, name="partnerId")
    application: Annotated[
        str | int | None, _doc("The project's ID again, or a Unified application's UUID.")
    ] = field(default=None, name="applicationId")
    created_at: Annotated[int | None, _doc("When recording started, rounded to a second.", _MS)] = (
        None
    )
    updated_at: Annotated[int | None, _doc("When the status changed.", _MS)] = None
    duration: Annotated[
        int | float | None, _doc("How long it recorded; always 0 when encrypted.", "seconds")
    ] = None
    size: Annotated[int | None, _doc("The size of the file.", "bytes")] = None
    url: Annotated[
        str | None,
        _doc("The download URL: set only for `available`, valid for 10 minutes."),
    ] = None
    resolution: Annotated[str | None, _doc("Width x height.", "pixels", "1280x720")] = None
    output_mode: Annotated[str | None, _doc("`composed` or `individual`.")] = None
    stream_mode: Annotated[str | None, _doc("`auto` or `manual`.")] = None
    streams: Annotated[
        list[ArchiveStream] | None, _doc("The streams being recorded, while `started`.")
    ] = None
    has_audio: Annotated[bool | None, _doc("Whether audio is recorded.")] = None
    has_video: Annotated[bool | None, _doc("Whether video is recorded.")] = None
    has_transcription: Annotated[bool | None, _doc("Whether it is transcribed.")] = None
    transcription: Annotated[Transcription | None, _doc("The transcription.")] = None
    transcription_properties: Annotated[
        TranscriptionProperties | None,
        _doc("How it is to be transcribed, as one SDK has it.", sure="seen"),
    ] = None
    sha256sum: Annotated[str | None, _doc("The file's SHA-256.", "hexadecimal")] = None
    password: Annotated[str | None, _doc("The file's password, a secret.")] = None
    certificate: Annotated[
        str | None, _doc("The certificate it is encrypted for.", sure="seen")
    ] = None
    multi_archive_tag: Annotated[
        str | None, _doc("Distinguishes simultaneous archives of one session.")
    ] = None
    max_bitrate: Annotated[int | None, _doc("The maximum bit rate.", "bits per second")] = None
    quantization_parameter: Annotated[
        int | None,
        _doc("The quality of the video: 15 (best) to 40; composed archives only.", sure="seen"),
    ] = None
    width: Annotated[int | None, _doc("The width.", "pixels", sure="seen")] = None
    height: Annotated[int | None, _doc("The height.", "pixels", sure="seen")] = None

    @property
    def type(self) -> str:
        """The name in the catalogue."""
        return "archive"

    @property
    def _stated_project(self) -> str | int | None:
        return self.project or self.application or self.partner

    @property
    def occurred_ms(self) -> int | None:
        """When it happened, ms since the epoch; None without `updatedAt`, as documented."""
        return self.updated_at

    @property
    def earliest_ms(self) -> int | None:
        """When it can have happened at the earliest, ms since the epoch."""
        return earliest_ms(self.created_at, self.duration)

    @property
    def created_ms(self) -> int | None:
        """When recording began, ms since the epoch."""
        return self.created_at

    @property
    def archive_id(self) -> str | None:
        """The archive it is about."""
        return self.id

    @property
    def lasted_s(self) -> float | None:
        """How long it recorded, once ended; None for 0, which an encrypted archive always has."""
        if self.status not in _ENDED or not self.duration:
            return None
        return float(self.duration) if abs(self.duration) < LAST_MS else None


class BroadcastEvent(Common, frozen=True, rename="camel", kw_only=True):
    """The status of a broadcast."""

    id: Annotated[str | None, _doc("The broadcast's ID.", sure="inferred")] = None
    event: Annotated[str | None, _doc("`broadcast`.", sure="inferred")] = None
    status: Annotated[str | None, _doc("The status of the broadcast.", example="started")] = None
    reason: Annotated[str | None, _doc("Why it failed.")] = None
    project: Annotated[str | int | None, _doc("The project's ID.", sure="inferred")] = field(
        default=None, name="projectId"
    )
    partner: Annotated[
        str | int | None, _doc("The project's ID under its old name.", sure="inferred")
    ] = field(default=None, name="partnerId")
    application: Annotated[str | int | None, _doc("The application's ID.", sure="inferred")] = (
        field(default=None, name="applicationId")
    )
    created_at: Annotated[int | None, _doc("When it was created.", _MS, sure="inferred")] = None
    updated_at: Annotated[int | None, _doc("When it last changed.", _MS, sure="inferred")] = None
    max_duration: Annotated[
        int | None, _doc("The maximum duration.", "seconds", sure="inferred")
    ] = None
    resolution: Annotated[
        str | None, _doc("Width x height.", "pixels", "1280x720", sure="inferred")
    ] = None
    stream_mode: Annotated[str | None, _doc("`auto` or `manual`.", sure="inferred")] = None
    has_audio: Annotated[bool | None, _doc("Whether it has audio.", sure="inferred")] = None
    has_video: Annotated[bool | None, _doc("Whether it has video.", sure="inferred")] = None
    multi_broadcast_tag: Annotated[
        str | None, _doc("Distinguishes simultaneous broadcasts of one session.", sure="inferred")
    ] = None
    max_bitrate: Annotated[
        int | None, _doc("The maximum bit rate.", "bits per second", sure="inferred")
    ] = None
    streams: Annotated[
        list[BroadcastStream] | None,
        _doc("The streams being broadcast, in `manual` mode.", sure="inferred"),
    ] = None
    settings: Annotated[
        dict[str, Any] | None, _doc("The settings it was started with.", sure="inferred")
    ] = None
    broadcast_urls: Annotated[
        BroadcastUrls | None, _doc("Where to watch it; null when stopped.", sure="inferred")
    ] = None

    @property
    def type(self) -> str:
        """The name in the catalogue."""
        return "broadcast"

    @property
    def _stated_project(self) -> str | int | None:
        return self.project or self.application or self.partner

    @property
    def occurred_ms(self) -> int | None:
        """When it happened, ms since the epoch; None without `updatedAt`, as documented."""
        return self.updated_at

    @property
    def earliest_ms(self) -> int | None:
        """When it can have happened at the earliest, ms since the epoch."""
        return earliest_ms(self.created_at, None)

    @property
    def created_ms(self) -> int | None:
        """When it was created, ms since the epoch."""
        return self.created_at


class RenderEvent(Common, frozen=True, rename="camel", kw_only=True):
    """The status of an Experience Composer render."""

    id: Annotated[str | None, _doc("The render's ID.")] = None
    event: Annotated[str | None, _doc("`render`, if at all.", sure="inferred")] = None
    stream: Annotated[str | None, _doc("The stream it publishes; may be missing on `failed`.")] = (
        field(default=None, name="streamId")
    )
    status: Annotated[str | None, _doc("The status of the render.", example="started")] = None
    reason: Annotated[str | None, _doc("The reason for this status; spellings vary.")] = None
    created_at: Annotated[int | None, _doc("When it was created.", _MS, sure="seen")] = None
    updated_at: Annotated[int | None, _doc("When it last changed.", _MS, sure="seen")] = None
    project: Annotated[str | int | None, _doc("The project's ID.", sure="seen")] = field(
        default=None, name="projectId"
    )
    application: Annotated[str | int | None, _doc("The application's ID.", sure="seen")] = field(
        default=None, name="applicationId"
    )
    name: Annotated[str | None, _doc("The name you gave the stream it publishes.", sure="seen")] = (
        None
    )
    url: Annotated[str | None, _doc("The page that is rendered.", sure="seen")] = None
    resolution: Annotated[
        str | None, _doc("Width x height.", "pixels", "1280x720", sure="seen")
    ] = None
    callback_url: Annotated[str | None, _doc("Where its callbacks are sent.", sure="seen")] = None

    @property
    def type(self) -> str:
        """The name in the catalogue."""
        return "render"

    @property
    def _stated_project(self) -> str | int | None:
        return self.project or self.application

    @property
    def occurred_ms(self) -> int | None:
        """When it happened, ms since the epoch; None in the documented form."""
        told = dated_ms(self.status, self.created_at, self.updated_at, None)
        return None if told is None else int(told)

    @property
    def earliest_ms(self) -> int | None:
        """When it can have happened at the earliest, ms since the epoch."""
        return earliest_ms(self.created_at, None)

    @property
    def created_ms(self) -> int | None:
        """When it was created, ms since the epoch."""
        return self.created_at

    @property
    def stream_id(self) -> str | None:
        """The stream it publishes."""
        return self.stream


class CaptionsEvent(Common, frozen=True, rename="camel", kw_only=True):
    """The status of live captions."""

    captions_id: Annotated[str | None, _doc("The captions' ID.", sure="seen")] = None
    caption_id: Annotated[
        str | None, _doc("The captions' ID, as one SDK spells it.", sure="seen")
    ] = None
    event: Annotated[str | None, _doc("`captions`, if at all.", sure="inferred")] = None
    status: Annotated[
        str | None, _doc("The status of the captions.", example="started", sure="seen")
    ] = None
    reason: Annotated[str | None, _doc("The reason for this status.", sure="seen")] = None
    language_code: Annotated[
        str | None, _doc("The language transcribed.", example="en-US", sure="seen")
    ] = None
    project: Annotated[str | int | None, _doc("The project's ID.", sure="inferred")] = field(
        default=None, name="projectId"
    )
    application: Annotated[str | int | None, _doc("The application's ID.", sure="inferred")] = (
        field(default=None, name="applicationId")
    )
    created_at: Annotated[
        int | float | None,
        _doc("When they started; one fixture has seconds instead.", _MS, sure="seen"),
    ] = None
    updated_at: Annotated[int | float | None, _doc("When they last changed.", _MS, sure="seen")] = (
        None
    )
    duration: Annotated[int | float | None, _doc("How long they ran.", "seconds", sure="seen")] = (
        None
    )
    provider: Annotated[
        str | None, _doc("The transcription service.", example="aws-transcribe", sure="seen")
    ] = None
    group: Annotated[str | None, _doc("`captions`.", sure="inferred")] = None

    @property
    def type(self) -> str:
        """The name in the catalogue."""
        return "captions"

    @property
    def _stated_project(self) -> str | int | None:
        return self.project or self.application

    @property
    def created_ms(self) -> int | None:
        """When they started, ms since the epoch; a value too small for ms is in seconds."""
        return in_ms(self.created_at)

    @property
    def occurred_ms(self) -> int | None:
        """When it happened, ms since the epoch; None in the documented form."""
        return in_ms(dated_ms(self.status, self.created_at, self.updated_at, self.duration))

    @property
    def earliest_ms(self) -> int | None:
        """When it can have happened at the earliest, ms since the epoch."""
        return earliest_ms(self.created_at, self.duration)


class UnknownEvent(Common, frozen=True, rename="camel", kw_only=True):
    """JSON of an unknown type; fields that it shares with known types are decoded anyway."""

    event: Annotated[str | None, _doc("The event name in the payload.", sure="inferred")] = None
    project: str | int | None = field(default=None, name="projectId")
    application: str | int | None = field(default=None, name="applicationId")
    partner: str | int | None = field(default=None, name="partnerId")
    timestamp: int | None = None
    stated_reason: str | None = field(default=None, name="reason")
    stated_status: str | None = field(default=None, name="status")
    connection: Connection | None = None
    stream: Stream | None = None
    call: Call | None = None
    # Not on the wire either: the first keys of the payload, and the one that reads like a status.
    keys: tuple[str, ...] = field(default=(), name="vmon:keys")
    status_like: tuple[str, str] | None = field(default=None, name="vmon:status-like")

    @property
    def _stated_project(self) -> str | int | None:
        return self.project or self.application or self.partner

    @property
    def occurred_ms(self) -> int | None:
        """When it happened, ms since the epoch."""
        return self.timestamp

    @property
    def reason(self) -> str | None:
        """Why it happened, as it stands on the wire."""
        return self.stated_reason

    @property
    def status(self) -> str | None:
        """The status."""
        return self.stated_status

    @property
    def connection_id(self) -> str | None:
        """The connection it is about."""
        if self.connection:
            return self.connection.id
        return self.stream.connection.id if self.stream and self.stream.connection else None

    @property
    def stream_id(self) -> str | None:
        """The stream it is about."""
        return self.stream.id if self.stream else None

    @property
    def call_id(self) -> str | None:
        """The call it is about."""
        return self.call.id if self.call else None


class Undecodable(Common, frozen=True, rename="camel", kw_only=True):
    """A body that is not JSON; `problem` says why in one sentence."""

    problem: str = ""

    @property
    def type(self) -> str:
        """The name in the catalogue."""
        return "undecodable"


Known = (
    ConnectionEvent
    | StreamEvent
    | SessionEvent
    | CallEvent
    | ArchiveEvent
    | BroadcastEvent
    | RenderEvent
    | CaptionsEvent
)
Event = Known | UnknownEvent | Undecodable
