"""The capture format from outside: prefixes of lines, suffixes of files."""

from __future__ import annotations

FRESH = ".new"
"""The suffix of a new file until it replaces the closed segment."""


START = b'{"vmon":1,"type":"'
"""The prefix of every canonical line."""


ASIDE = START + b'tunnel","session":'
"""The prefix of lines that are no deliveries: tunnel outages."""


CAPTURE_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
"""The suffixes of captures; other files in the folder are none."""
