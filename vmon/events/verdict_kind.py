"""The kinds of verdict on a signature; imports no msgspec, so that the command line may use it."""

from typing import Literal, get_args

VerdictKind = Literal["valid", "invalid", "unsigned", "stale", "unchecked"]
VERDICT_KINDS: tuple[VerdictKind, ...] = get_args(VerdictKind)
