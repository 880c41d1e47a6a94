"""The kinds of verdict on a signature; without an import of msgspec."""

from typing import Literal, get_args

VerdictKind = Literal["valid", "invalid", "unsigned", "stale", "unchecked"]
VERDICT_KINDS: tuple[VerdictKind, ...] = get_args(VerdictKind)
