#!/usr/bin/env bash
#
# Package: opentok 3.15.0 (PyPI)
# Expected: Archive.reason, which the class documents ("this string describes the reason the
#   archive stopped"), is the reason of the object it was made of.
# Seen: the attribute is never set: AttributeError for every archive, and the reason is missing
#   from attrs() and json() too.
# Matters: why a recording stopped (maximum duration, idle, failure) is the field most looked for
#   in archive callbacks, and the SDK object drops it.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check opentok==3.15.0

cat > probe.py <<'PY'
from opentok.archives import Archive

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

archive = Archive(None, VALUES)
assert ":ivar reason:" in Archive.__doc__
try:
    print(archive.reason)
except AttributeError as error:
    print(f"{type(error).__name__}, in attrs(): {'reason' in archive.attrs()}")
PY

expected='maximum duration exceeded'
still='AttributeError, in attrs(): False'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
