"""Rules for contradictory events: two cameras, republishing, stuck archives, failures."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from msgspec.structs import replace

from vmon.analysis.oddities.codes import PlatformFailure
from vmon.analysis.oddities.disruption import PLATFORM_REASONS
from vmon.analysis.oddities.scene import Scene, owner_of, shortened, what_is
from vmon.events.catalogue import FILED_STATUSES
from vmon.humanize import duration, handle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.analysis.oddities.codes import Oddity
    from vmon.sessions.model import OutputState, StreamState

_OVERLAP_MS = 2_000  # a camera is changed by publishing the new one first


_AT_ONCE_MS = 10_000


STUCK_MS = 3_600_000


def two_cameras(scene: Scene) -> Iterator[Oddity]:
    """Find connections that published two cameras at once."""
    session = scene.session
    published: dict[str, list[tuple[int, int, str]]] = {}
    for stream in session.streams.values():
        born = stream.created_ms
        if stream.video_type == "camera" and stream.connection and born:
            until = _published_until(scene, stream, born)
            published.setdefault(stream.connection, []).append((born, until, stream.id))
    for connection, spans in published.items():
        for group in _overlapping(sorted(spans)):
            ids = [identifier for _, _, identifier in group]
            streams = ", ".join(f"stream {handle(one)}" for one in ids)
            text = (
                f"{owner_of(session, connection)} published {len(ids)} cameras at once: {streams}"
            )
            yield scene.odd("two-cameras", group[1][0], (connection, *ids), text)


def _published_until(scene: Scene, stream: StreamState, born_ms: int) -> int:
    """Return the last instant at which a stream was certainly published."""
    owner = scene.session.people.get(stream.connection or "")
    if stream.ended_ms is None and owner and owner.ended_ms is not None:
        return born_ms + _OVERLAP_MS + 1  # no end event: its end is unknown
    return scene.now_ms if stream.ended_ms is None else stream.ended_ms


def _overlapping(spans: list[tuple[int, int, str]]) -> Iterator[list[tuple[int, int, str]]]:
    """Group sorted (from, to, id) that overlap, in groups of two or more."""
    group, until = spans[:1], spans[0][1]
    for span in spans[1:]:
        if until - span[0] <= _OVERLAP_MS:
            if len(group) > 1:
                yield group
            group, until = [span], span[1]
        elif span[1] - span[0] > _OVERLAP_MS:
            group.append(span)
            until = max(until, span[1])
    if len(group) > 1:
        yield group


def republished(scene: Scene) -> Iterator[Oddity]:
    """Find streams published right after another of the connection was force-unpublished."""
    streams = scene.session.streams.values()
    begins: dict[str | None, list[tuple[int, str]]] = {}
    for stream in streams:
        if stream.created_ms:
            begins.setdefault(stream.connection, []).append((stream.created_ms, stream.id))
    for own in begins.values():
        own.sort()
    for stopped in streams:
        ended = stopped.ended_ms
        if stopped.reason != "forceUnpublished" or not ended or not stopped.connection:
            continue
        own = begins.get(stopped.connection, [])
        at = bisect_left(own, (ended, ""))
        after = [begin for begin in own[at : at + 2] if begin[1] != stopped.id]
        if after and after[0][0] - ended <= _AT_ONCE_MS:
            born, identifier = after[0]
            text = (
                f"{owner_of(scene.session, stopped.connection)} published stream "
                f"{handle(identifier)} {duration((born - ended) / 1000)} after "
                f"{what_is('stream', stopped)} was force-unpublished"
            )
            ids = (stopped.connection, stopped.id, identifier)
            yield scene.odd("publish-after-unpublish", born, ids, text)


def stuck_archives(scene: Scene) -> Iterator[Oddity]:
    """Find archives that stopped long ago, but whose file never arrived."""
    for output in scene.session.outputs.values():
        if not is_stopped(output):
            continue
        if scene.now_ms - (stopped := output.statuses["stopped"]) >= STUCK_MS:
            for_s = duration((scene.now_ms - stopped) / 1000)
            text = f"{what_is('archive', output)} stopped {for_s} ago, but its file never arrived"
            yield scene.odd("archive-stuck", stopped + STUCK_MS, (output.id,), text)


def is_stopped(output: OutputState) -> bool:
    """Whether it is an archive without a later status than `stopped`."""
    is_archive = output.kind == "archive" and output.statuses.get("stopped", 0) > 0
    return is_archive and not FILED_STATUSES & output.statuses.keys()


def failed_parts(scene: Scene) -> Iterator[Oddity]:
    """Find failed outputs, calls and sessions."""
    session = scene.session
    for output in session.outputs.values():
        what, reason = what_is(output.kind, output), output.reason or ""
        if (at_ms := output.statuses.get("failed")) is not None:
            why = f": {shortened(reason)}" if reason else ""
            yield _failure(scene, output.kind, at_ms, output.id, f"{what} failed{why}", reason)
        elif output.ended_ms is not None and reason in PLATFORM_REASONS:
            text = f"{what} was ended by the platform: {reason}"
            yield _failure(scene, output.kind, output.ended_ms, output.id, text, reason)
    for call in session.calls.values():
        if call.ended_ms is not None and call.reason in PLATFORM_REASONS:
            text = f"{what_is('call', call)} was ended by the platform: {call.reason}"
            yield _failure(scene, "call", call.ended_ms, call.id, text, call.reason)
    for at_ms, end_reason in session.destroyed.items():
        if end_reason in PLATFORM_REASONS:
            text = f"the platform ended the session: {end_reason}"
            yield _failure(scene, "session", at_ms, None, text, end_reason)


def _failure(  # noqa: PLR0913, PLR0917 - an oddity has so many parts
    scene: Scene, kind: str, at_ms: int, identifier: str | None, text: str, reason: str
) -> Oddity:
    """Make the oddity of a failed part, and whether the platform ended it."""
    odd = scene.odd("failed", at_ms, (identifier,) if identifier else (), text)
    if reason not in PLATFORM_REASONS:
        return odd
    failure = PlatformFailure(kind, at_ms, scene.session.id, identifier, reason)
    return replace(odd, failures=(failure,))
