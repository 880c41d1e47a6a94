#!/usr/bin/env bash
#
# Package: sdp-transform 3.0.0 (npm)
# Expected: a field of a parsed description has one type: `payloads`, `mid` and `iceUfrag` are
#   strings, `sessionId` is of one kind too.
# Seen: whatever looks like a small whole number becomes one: one payload type is a number and two
#   are a string, a mid is 0 (falsy) or "audio", an ICE ufrag of digits is a number, a session id
#   is a number unless it is too long.
# Matters: payloads.split(" ") works until a call negotiates a single codec, as SIP gateways do,
#   and `if (media.mid)` fails for the first section only.
# Needs: bash, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts sdp-transform@3.0.0

cat > probe.js <<'JS'
const { parse } = require("sdp-transform");

const read = (session, payloads, mid, ufrag) => {
  const lines = [
    "v=0",
    `o=- ${session} 2 IN IP4 127.0.0.1`,
    "s=-",
    "t=0 0",
    `m=audio 9 UDP/TLS/RTP/SAVPF ${payloads}`,
    "c=IN IP4 0.0.0.0",
    `a=mid:${mid}`,
    `a=ice-ufrag:${ufrag}`,
    "a=rtpmap:111 opus/48000/2",
    "",
  ];
  const { origin, media } = parse(lines.join("\r\n"));
  return [media[0].payloads, media[0].mid, media[0].iceUfrag, origin.sessionId];
};
const one = read("4611731400430051336", "111 103", "0", "Ab3d");
const two = read("20518", "111", "audio", "1234");
const names = ["payloads", "mid", "ufrag", "session"];
console.log(names.map((n, i) => `${n} ${typeof one[i]}/${typeof two[i]}`).join(", "));
JS

expected='payloads string/string, mid string/string, ufrag string/string, session string/string'
still='payloads string/number, mid number/string, ufrag string/number, session string/number'
seen=$(node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
