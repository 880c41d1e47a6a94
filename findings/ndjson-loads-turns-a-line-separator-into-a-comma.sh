#!/usr/bin/env bash
#
# Package: ndjson 0.3.1 (PyPI)
# Expected: ndjson.loads() gives back the string that a record holds. U+2028 needs no escape in
#   JSON and ends no line in NDJSON.
# Seen: the text is split at every line boundary that Python knows and joined with commas: the
#   U+2028 inside the string becomes a comma, with no error.
# Matters: connection data and names pasted from a word processor carry U+2028; the reader changes
#   what a person wrote, and ndjson.reader() on the same lines does not.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check ndjson==0.3.1

cat > probe.py <<'PY'
import io
import json

import ndjson

text = json.dumps({"name": "Ann\u2028Lee"}, ensure_ascii=False) + "\n" + '{"name": "Bob"}\n'
loaded = ndjson.loads(text)[0]["name"]
read = next(iter(ndjson.reader(io.StringIO(text))))["name"]
print(f"loads: {loaded!r}; reader: {read!r}")
PY

expected='loads: '\''Ann\u2028Lee'\''; reader: '\''Ann\u2028Lee'\'''
still='loads: '\''Ann,Lee'\''; reader: '\''Ann\u2028Lee'\'''
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
