#!/usr/bin/env bash
#
# Package: polars 2.1.0 (PyPI)
# Expected: read_ndjson() has a column for every field in the file, or reports a field that its
#   schema lacks.
# Seen: the schema is made of the first 100 lines; a field that appears first in line 101 is left
#   out without an error or a warning. infer_schema_length=None is the way out.
# Matters: `reason` stands only in destroyed events: a capture that begins with a hundred people
#   joining has no column `reason` at all, and a count of network drops is a missing column or 0.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check polars==2.1.0

cat > probe.py <<'PY'
import json

import polars

with open("capture.jsonl", "w") as file:
    for number in range(100):
        file.write(json.dumps({"event": "connectionCreated", "n": number}) + "\n")
    last = {"event": "connectionDestroyed", "n": 100, "reason": "networkDisconnected"}
    file.write(json.dumps(last) + "\n")

frame = polars.read_ndjson("capture.jsonl")
assert frame.height == 101
whole = polars.read_ndjson("capture.jsonl", infer_schema_length=None)
print(" ".join(frame.columns) + "; with infer_schema_length=None: " + " ".join(whole.columns))
PY

expected='event n reason; with infer_schema_length=None: event n reason'
still='event n; with infer_schema_length=None: event n reason'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
