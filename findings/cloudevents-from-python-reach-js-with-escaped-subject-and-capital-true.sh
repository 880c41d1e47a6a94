#!/usr/bin/env bash
#
# Package: cloudevents 2.2.0 (PyPI), cloudevents 10.0.0 (npm)
# Expected: an event that the official Python SDK writes in binary HTTP form reads the same in the
#   official JavaScript SDK.
# Seen: Python percent-encodes the header value, as the HTTP binding asks; JavaScript does not
#   decode it. A boolean extension arrives as the text "True", which the type system of
#   CloudEvents spells `true`.
# Matters: callbacks relayed between services of two languages match no rule on the subject as
#   soon as it has a space, and a flag compared with "true" is never set.
# Needs: bash, python3, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check cloudevents==2.2.0
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts cloudevents@10.0.0

cat > probe.py <<'PY'
import json

from cloudevents.core.bindings.http import from_http_event, to_binary_event
from cloudevents.core.v1.event import CloudEvent

attributes = {
    "type": "video.connection",
    "source": "/session",
    "id": "1",
    "specversion": "1.0",
    "subject": "Ann Lee",
    "datacontenttype": "application/json",
    "flag": True,
}
message = to_binary_event(CloudEvent(attributes, {"n": 1}))
assert from_http_event(message).get_attributes()["subject"] == "Ann Lee"
with open("message.json", "w") as file:
    json.dump({"headers": dict(message.headers), "body": message.body.decode()}, file)
PY

cat > probe.js <<'JS'
const { HTTP } = require("cloudevents");
const event = HTTP.toEvent(require("./message.json"));
console.log(`subject ${JSON.stringify(event.subject)}, flag ${JSON.stringify(event.flag)}`);
JS

expected='subject "Ann Lee", flag true'
still='subject "Ann%20Lee", flag "True"'
seen=$(venv/bin/python probe.py && node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
