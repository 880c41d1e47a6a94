#!/usr/bin/env bash
#
# Package: pycaption 2.3.14 (PyPI)
# Expected: a WebVTT cue at 100 hours is at 100 hours when it is read and written again: the
#   format sets no limit on hours.
# Seen: the day is dropped: 100:00:00.000 becomes 04:00:00.000, before cues that precede it.
# Matters: captions of a stream that runs for days jump back to its beginning, and each file by
#   itself is valid, so nothing complains.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pycaption==2.3.14

cat > probe.py <<'PY'
from pycaption import WebVTTReader, WebVTTWriter

TEXT = "WEBVTT\n\n99:00:00.000 --> 99:00:01.000\nA\n\n100:00:00.000 --> 100:00:01.000\nB\n"
written = WebVTTWriter().write(WebVTTReader().read(TEXT))
print([line for line in written.splitlines() if "-->" in line][-1])
PY

expected='100:00:00.000 --> 100:00:01.000'
still='04:00:00.000 --> 04:00:01.000'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
