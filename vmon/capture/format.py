"""What a capture looks like from outside: its first bytes, its suffixes."""

from __future__ import annotations

FRESH = ".new"
"""What a file is called, behind its name, before it takes the place of a full one."""


START = b'{"vmon":1,"type":"'
"""What every canonical line begins with."""


ASIDE = START + b'tunnel","session":'
"""What lines begin with that are no delivery: the times in which a tunnel was down."""


CAPTURE_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
"""How the names of captures end; what else is beside them is no capture."""
