"""Rules for contradictory events: two cameras, republishing, stuck archives, failures."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

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


_FAILURES = frozenset({"Internal server failure", "forceDisconnected"})


def two_cameras(scene: Scene) -> Iterator[Oddity]:
    """Find connections that published two cameras at once."""
    session = scene.session
    published: dict[str, list[tuple[int, int, str]]] = {}
    for stream in session.streams.values():
        born = stream.created_ms
        if stream.video_type == "camera" and stream.connection and born is not None:
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
        if stream.created_ms is not None:
            begins.setdefault(stream.connection, []).append((stream.created_ms, stream.id))
    for own in begins.values():
        own.sort()
    for stopped in streams:
        ended = stopped.ended_ms
        if stopped.reason != "forceUnpublished" or ended is None or not stopped.connection:
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
    is_archive = output.kind == "archive" and "stopped" in output.statuses
    return is_archive and not FILED_STATUSES & output.statuses.keys()


def failed_parts(scene: Scene) -> Iterator[Oddity]:
    """Find failed outputs, calls and sessions."""
    session = scene.session
    for output in session.outputs.values():
        if (at_ms := output.statuses.get("failed")) is not None:
            why = f": {shortened(output.reason)}" if output.reason else ""
            yield scene.odd(
                "failed", at_ms, (output.id,), f"{what_is(output.kind, output)} failed{why}"
            )
    for call in session.calls.values():
        if call.ended_ms is not None and call.reason in _FAILURES:
            text = f"{what_is('call', call)} was ended by the platform: {call.reason}"
            yield scene.odd("failed", call.ended_ms, (call.id,), text)
    for at_ms, reason in session.destroyed.items():
        if reason in _FAILURES:
            text = f"the platform ended the session: {reason}"
            yield scene.odd("failed", at_ms, (), text)
