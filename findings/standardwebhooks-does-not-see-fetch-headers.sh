#!/usr/bin/env bash
#
# Package: standardwebhooks 1.1.1 (npm)
# Expected: verify() takes the Headers object of a fetch-style request (Request.headers of Node,
#   Hono, Next, Deno, Workers) as it takes a plain object.
# Seen: it reads the object's own keys; a Headers object has none, so a genuine request is refused
#   with "Missing required headers".
# Matters: the error says that the sender left the headers out, so people look for a proxy that
#   strips them. Object.fromEntries(request.headers) is the way out.
# Needs: bash, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts standardwebhooks@1.1.1

cat > probe.js <<'JS'
const { Webhook } = require("standardwebhooks");

const webhook = new Webhook(Buffer.from("k".repeat(24)).toString("base64"));
const now = new Date();
const body = '{"event":"streamCreated"}';
const plain = {
  "webhook-id": "msg_1",
  "webhook-timestamp": String(Math.floor(now / 1000)),
  "webhook-signature": webhook.sign("msg_1", now, body),
};
const outcome = (headers) => {
  try {
    webhook.verify(body, headers);
    return "verified";
  } catch (error) {
    return error.message;
  }
};
const request = new Request("http://127.0.0.1/", { method: "POST", headers: plain, body });
console.log(`plain object: ${outcome(plain)}; Headers: ${outcome(request.headers)}`);
JS

expected='plain object: verified; Headers: verified'
still='plain object: verified; Headers: Missing required headers'
seen=$(node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
