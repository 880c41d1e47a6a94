"""The subject of an event, in a few words."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from vmon.events.catalogue import ALL, meant
from vmon.events.models import (
    ArchiveEvent,
    BroadcastEvent,
    BroadcastUrls,
    CallEvent,
    CaptionsEvent,
    Connection,
    ConnectionEvent,
    Event,
    RenderEvent,
    SessionEvent,
    StreamEvent,
    Undecodable,
    UnknownEvent,
)
from vmon.events.names import name_in_data
from vmon.humanize import duration, handle, size
from vmon.render.style import Piece, colour_of
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def subject(event: Event, who: str | None = None) -> list[Piece]:
    """Describe who or what an event is about, its reason, duration and warnings.

    `who` is the name of the connection's person; without it, the name in the event is used.
    """
    pieces = list(_parts(event, who))
    if event.reason:
        pieces += _reason(event)
    if (lived := event.lasted_s) is not None:
        did = "recorded" if isinstance(event, ArchiveEvent) else "lasted"
        negative = f"ended {duration(-lived)} before it began "
        pieces.append(("dim", f"{did} {duration(lived)} " if lived >= 0 else negative))
    if event.warnings:
        more = f" (+{len(event.warnings) - 1} more)" if len(event.warnings) > 1 else ""
        pieces.append(("warning", f"! {disarm(event.warnings[0])}{more}"))
    return pieces


def _parts(event: Event, who: str | None) -> Iterable[Piece]:  # noqa: PLR0911 - one return per shape
    match event:
        case ConnectionEvent():
            return _connection(event.connection, who)
        case StreamEvent():
            return _stream(event, who)
        case CallEvent():
            return _call(event, who)
        case ArchiveEvent():
            return _archive(event)
        case BroadcastEvent():
            return _broadcast(event)
        case RenderEvent() | CaptionsEvent():
            return _output(event)
        case SessionEvent():
            return ()
        case UnknownEvent():
            return _unknown(event)
        case Undecodable():
            return (("failed", disarm(event.problem or "") + " "),)


@lru_cache(maxsize=8192)
def handle_of(identifier: str) -> Piece:
    """The short handle of an ID."""
    return colour_of(identifier), handle(identifier) + " "


def _connection(connection: Connection | None, who: str | None) -> list[Piece]:
    if connection is None:
        return []
    pieces = [handle_of(connection.id)] if connection.id else []
    if name := who or (name_in_data(connection.data) if connection.data else None):
        pieces.append(("name", short(name) + " "))
    return pieces


def _stream(event: StreamEvent, who: str | None) -> list[Piece]:
    stream = event.stream
    if stream is None:
        return []
    pieces = _connection(stream.connection, who)
    if stream.name:
        pieces.append(("", f'"{short(stream.name)}" '))
    pieces.append(("", short(stream.video_type or "audio only") + " "))
    if stream.id:
        pieces.append(handle_of(stream.id))
    return pieces


def _call(event: CallEvent, who: str | None) -> Iterator[Piece]:
    if event.call_id:
        yield handle_of(event.call_id)
    if event.connection_id:
        yield handle_of(event.connection_id)
        if who:
            yield "name", short(who) + " "
    if event.status:
        yield "name", short(event.status) + " "
    if event.reason_code:
        yield "", short(event.reason_code) + " "


def _archive(event: ArchiveEvent) -> Iterator[Piece]:
    yield from _output(event)
    if event.transcription and (status := event.transcription.status):
        yield _state("transcription", status)
    yield from _quoted(event.name)
    yield from _tag(event.multi_archive_tag)
    if event.size:
        yield "", size(event.size) + " "


def _broadcast(event: BroadcastEvent) -> Iterator[Piece]:
    yield from _output(event)
    urls = event.broadcast_urls or BroadcastUrls()
    if urls.hls_status:
        yield _state("HLS", urls.hls_status)
    targets = [one for one in urls.targets if one.status]
    targets.sort(key=lambda one: one.status not in _BROKEN)
    for one in targets[:_MOST_TARGETS]:
        yield _state(f"RTMP {short(one.id or '')}".rstrip(), one.status or "")
    if (more := len(targets) - _MOST_TARGETS) > 0:
        yield "dim", f"(+{more} more) "
    yield from _tag(event.multi_broadcast_tag)


_BROKEN = frozenset({"failed", "error"})
_MOST_TARGETS = 3


def _state(part: str, status: str) -> Piece:
    """The state of a part of an archive or a broadcast, which may change while its own does not."""
    return "failed" if status in _BROKEN else "name", f"{part} {short(status)} "


def _quoted(name: str | None) -> Iterator[Piece]:
    if name:
        yield "", f'"{short(name)}" '


def _tag(tag: str | None) -> Iterator[Piece]:
    """What tells simultaneous archives or broadcasts of a session apart."""
    if tag:
        yield "", f"tag {short(tag)} "


def _output(event: ArchiveEvent | BroadcastEvent | RenderEvent | CaptionsEvent) -> Iterator[Piece]:
    if isinstance(event, CaptionsEvent):
        identifier = event.captions_id or event.caption_id
    else:
        identifier = event.id
    if identifier:
        yield handle_of(identifier)
    if event.status:
        yield "failed" if event.status == "failed" else "name", short(event.status) + " "
    if isinstance(event, RenderEvent):
        yield from _quoted(event.name)


def _unknown(event: UnknownEvent) -> Iterator[Piece]:
    if event.event:
        yield "name", f'"{short(event.event)}" '
    if event.status_like:
        key, text = event.status_like
        yield "name", f"{key}={short(text)} "
    if event.event and (near := meant(event.event)):
        yield "warning", f"did you mean {near}? "
    else:
        yield "dim", "not a known event type" + (", " if event.keys else " ")
    if event.keys:
        yield "dim", f"keys: {_listed(event.keys)} "


_MOST_KEYS = 8


def _listed(keys: Sequence[str]) -> str:
    """The first keys of a payload, harmless and in its order: `id, status, …`."""
    more = ["…"] if len(keys) > _MOST_KEYS else []
    return ", ".join([short(key) or '""' for key in keys[:_MOST_KEYS]] + more)


def _reason(event: Event) -> Iterator[Piece]:
    reason, event_type = event.reason, ALL[event.type]
    if not reason or reason in event_type.ordinary_reasons:
        return
    meaning = event_type.reasons.get(reason)
    style = "failed" if event.status == "failed" else "warning"
    yield style, short(reason) + (": " if meaning else " ")
    if meaning:
        yield "dim", meaning.rstrip(".") + " "


_MAX_LENGTH = 60


def short(text: str) -> str:
    """Sanitize received text, and truncate it."""
    if len(text) <= _MAX_LENGTH:
        return disarm(text)
    return disarm(text[: _MAX_LENGTH + 1])[:_MAX_LENGTH] + "…"
