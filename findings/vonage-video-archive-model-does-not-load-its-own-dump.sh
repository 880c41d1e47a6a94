#!/usr/bin/env bash
#
# Package: vonage-video 1.6.1 with pydantic 2.14.4 (PyPI)
# Expected: an Archive that is stored as JSON, with or without by_alias=True, and loaded into
#   Archive again is the same archive.
# Seen: both dumps write session_id and created_at, but the model reads only sessionId and
#   createdAt: every field of more than one word comes back as None, without an error.
# Matters: a receiver that caches archive callbacks through the SDK's own model loses the session,
#   the times and the modes, and keeps id and status, so that nothing looks broken.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check vonage-video==1.6.1 pydantic==2.14.4

cat > probe.py <<'PY'
from vonage_video.models import Archive

callback = {
    "id": "a1",
    "event": "archive",
    "status": "stopped",
    "sessionId": "s",
    "createdAt": 1700000000000,
    "outputMode": "composed",
}
archive = Archive(**callback)
assert archive.session_id == "s"
by_name = Archive.model_validate_json(archive.model_dump_json())
by_alias = Archive.model_validate_json(archive.model_dump_json(by_alias=True))
assert by_name.id == by_alias.id == "a1"
print(
    f"by name: {by_name.session_id}, {by_name.created_at}; "
    f"by alias: {by_alias.session_id}, {by_alias.created_at}"
)
PY

expected='by name: s, 1700000000000; by alias: s, 1700000000000'
still='by name: None, None; by alias: None, None'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
