#!/usr/bin/env bash
#
# Package: sdp 3.2.2 (npm)
# Expected: parseFmtp() gives the value of a parameter to its end, and parameters without an
#   equals sign are kept.
# Seen: each parameter is split at every equals sign and only the second piece is kept: `aM48gA==`
#   becomes `aM48gA`; a value that is no pair (`0-16` of telephone-event, `111/111` of RED) is
#   lost.
# Matters: the H.264 parameter sets of a recorded offer do not decode in a strict base64 reader
#   any more, and what is written back has lost the DTMF range.
# Needs: bash, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts sdp@3.2.2

cat > probe.js <<'JS'
const { parseFmtp } = require("sdp");
const video = parseFmtp("a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IA,aM48gA==");
const dtmf = parseFmtp("a=fmtp:101 0-16");
console.log(
  `sprop-parameter-sets ${video["sprop-parameter-sets"]}; telephone-event ${JSON.stringify(dtmf)}`,
);
JS

expected='sprop-parameter-sets Z0IA,aM48gA==; telephone-event {"0-16":...}'
still='sprop-parameter-sets Z0IA,aM48gA; telephone-event {}'
seen=$(node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
