#!/usr/bin/env bash
#
# Package: opentok 3.15.0 (PyPI)
# Expected: ArchiveList.json() is the JSON of the list: the count and the archives, each with its
#   output mode.
# Seen: the items are written as null beside a count of 1, and Archive.json() writes null for the
#   output mode: what the JSON encoder does not know becomes null.
# Matters: a page or a script that is fed with this JSON shows no archives although the count says
#   there are some; an individual and a composed archive cannot be told apart.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check opentok==3.15.0

cat > probe.py <<'PY'
import json

from opentok.archives import Archive, ArchiveList

VALUES = {
    "id": "a1",
    "event": "archive",
    "status": "stopped",
    "reason": "maximum duration exceeded",
    "sessionId": "s",
    "partnerId": 100,
    "createdAt": 1700000000000,
    "duration": 7200,
    "size": 1,
    "outputMode": "composed",
    "streamMode": "auto",
    "hasAudio": True,
    "hasVideo": True,
    "url": None,
}

listed = json.loads(ArchiveList(None, {"count": 1, "items": [VALUES]}).json())
archive = json.loads(Archive(None, VALUES).json())
items = listed["items"] if listed["items"] is None else type(listed["items"]).__name__
print(f"count {listed['count']}, items {items}, output_mode {archive['output_mode']}")
PY

expected='count 1, items list, output_mode composed'
still='count 1, items None, output_mode None'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
