#!/usr/bin/env bash
#
# Package: standardwebhooks 1.1.0 (PyPI), standardwebhooks 1.1.1 (npm)
# Expected: verify() of a rightly signed body that is empty or plain text succeeds; what it cannot
#   verify raises WebhookVerificationError.
# Seen: after the signature has passed, the body is parsed as JSON: JSONDecodeError in Python for
#   an empty body, where JavaScript returns undefined. Both raise for a text.
# Matters: a handler that catches WebhookVerificationError answers 500 to a genuine ping with an
#   empty body, and the sender repeats it; the port in the other language answers 200.
# Needs: bash, python3, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check standardwebhooks==1.1.0
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts standardwebhooks@1.1.1

cat > probe.py <<'PY'
import base64
import datetime

from standardwebhooks.webhooks import Webhook

webhook = Webhook(base64.b64encode(b"k" * 24).decode())
now = datetime.datetime.now(datetime.timezone.utc)


def outcome(body: str) -> str:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign("msg_1", now, body),
    }
    try:
        webhook.verify(body, headers)
    except ValueError as error:
        return type(error).__name__
    return "ok"


print(f"python: empty {outcome('')}, text {outcome('pong')}; ", end="")
PY

cat > probe.js <<'JS'
const { Webhook } = require("standardwebhooks");
const webhook = new Webhook(Buffer.from("k".repeat(24)).toString("base64"));
const now = new Date();
const outcome = (body) => {
  const headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(Math.floor(now / 1000)),
    "webhook-signature": webhook.sign("msg_1", now, body),
  };
  try {
    webhook.verify(body, headers);
    return "ok";
  } catch (error) {
    return error.name;
  }
};
console.log(`js: empty ${outcome("")}, text ${outcome("pong")}`);
JS

expected='python: empty ok, text ok; js: empty ok, text ok'
still='python: empty JSONDecodeError, text JSONDecodeError; js: empty ok, text SyntaxError'
seen=$(venv/bin/python probe.py && node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
