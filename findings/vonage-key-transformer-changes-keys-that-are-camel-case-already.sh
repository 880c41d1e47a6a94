#!/usr/bin/env bash
#
# Package: @vonage/server-client 1.23.1 (npm)
# Expected: camelCaseObjectKeys() leaves keys alone that are in camel case, and values too: it
#   renames keys.
# Seen: hasE2EE becomes hasE2ee and h264Profile becomes h264profile; with `deep`, a Date becomes
#   an empty object.
# Matters: the SDK exports this function for payloads; a callback passed through it loses fields
#   by their documented names, and the times that the receiver has parsed.
# Needs: bash, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @vonage/server-client@1.23.1

cat > probe.js <<'JS'
const { Client } = require("@vonage/server-client");
const { camelCaseObjectKeys } = Client.transformers;
const keys = Object.keys(camelCaseObjectKeys({ hasE2EE: true, h264Profile: "high" }));
const { createdAt } = camelCaseObjectKeys({ createdAt: new Date(0) }, true);
const date = createdAt instanceof Date ? createdAt.toISOString() : JSON.stringify(createdAt);
console.log(`${keys}; deep date: ${date}`);
JS

expected='hasE2EE,h264Profile; deep date: 1970-01-01T00:00:00.000Z'
still='hasE2ee,h264profile; deep date: {}'
seen=$(node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
