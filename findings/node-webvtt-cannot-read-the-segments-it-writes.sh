#!/usr/bin/env bash
#
# Package: node-webvtt 1.9.4 (npm)
# Expected: parse() reads what hlsSegment() of the same package has written.
# Seen: each segment begins with the X-TIMESTAMP-MAP header that HLS requires, and parse() refuses
#   it: "Missing blank line after signature". With {meta: true} it reads, but splits the header at
#   its first colon.
# Matters: the captions of an HLS broadcast cannot be checked with the package that cut them, and
#   neither can those of any other HLS packager.
# Needs: bash, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts node-webvtt@1.9.4

cat > probe.js <<'JS'
const webvtt = require("node-webvtt");
const [segment] = webvtt.hls.hlsSegment("WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n", 10);
const outcome = () => {
  try {
    return `${webvtt.parse(segment.content).cues.length} cue`;
  } catch (error) {
    return error.message;
  }
};
const [header] = Object.keys(webvtt.parse(segment.content, { meta: true }).meta);
console.log(`parse: ${outcome()}; meta: ${header}`);
JS

expected='parse: 1 cue; meta: X-TIMESTAMP-MAP'
still='parse: Missing blank line after signature; meta: X-TIMESTAMP-MAP=MPEGTS'
seen=$(node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
