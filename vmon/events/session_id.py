"""The parts of a session ID: project, media location, creation."""

from __future__ import annotations

import re
from base64 import b64decode
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from vmon.events.timestamps import instant

if TYPE_CHECKING:
    from datetime import datetime


class SessionParts(NamedTuple):
    """The decoded session ID: project or application, media location, creation (UTC)."""

    project: str
    location: str | None
    created_at: datetime


@lru_cache(maxsize=4096)
def session_parts(session_id: str) -> SessionParts | None:
    """Decode a session ID; None when it is not in the known format.

    `1_` or `2_`, then URL-safe base64 of `1~<project>~<location>~<created ms>~…`. IDs in the
    documentation often belong to another project or do not decode: that is no error.
    """
    coded = session_id[2:] if session_id[:2] in {"1_", "2_"} else session_id
    try:
        text = b64decode(coded + "=" * (-len(coded) % 4), b"-_", validate=True).decode("latin-1")
    except ValueError:
        return None
    head, *rest = text.split("~")
    if head != "1" or len(rest) < 3 or not _PROJECT.fullmatch(rest[0]):  # noqa: PLR2004 - its parts
        return None
    created_at = instant(int(rest[2])) if _DIGITS.fullmatch(rest[2]) else None
    return SessionParts(rest[0], rest[1] or None, created_at) if created_at else None


_PROJECT = re.compile(r"[0-9]{1,20}|[0-9a-fA-F-]{36}")


_DIGITS = re.compile(r"[0-9]{1,15}")
