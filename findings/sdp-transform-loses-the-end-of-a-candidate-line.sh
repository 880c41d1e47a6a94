#!/usr/bin/env bash
#
# Package: sdp-transform 3.0.0 (npm), sdp-transform 1.1.0 (PyPI)
# Expected: a candidate line as browsers write it is the same after parse() and write().
# Seen: everything after `generation 0` is dropped when `ufrag` stands there, the network id and
#   cost with it; nothing is reported as invalid. The Python port does the same.
# Matters: a recorded offer that is played back through a filter no longer says which generation
#   of ICE credentials a candidate belongs to, nor which network is the expensive one.
# Needs: bash, python3, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check sdp-transform==1.1.0
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts sdp-transform@3.0.0

cat > offer.sdp <<'SDP'
v=0
o=- 20518 2 IN IP4 127.0.0.1
s=-
t=0 0
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=rtpmap:111 opus/48000/2
a=candidate:1 1 udp 2122260223 10.0.0.1 5 typ host generation 0 ufrag Ab3d network-id 1 network-cost 10
SDP

cat > probe.py <<'PY'
from pathlib import Path

import sdp_transform


def line(text: str) -> str:
    return next(each for each in text.splitlines() if each.startswith("a=candidate"))


offer = Path("offer.sdp").read_text().replace("\n", "\r\n")
before = line(offer)
after = line(sdp_transform.write(sdp_transform.parse(offer)))
lost = before[len(after) :].strip()
print("python: same" if before == after else f'python: lost "{lost}"')
PY

cat > probe.js <<'JS'
const { parse, write } = require("sdp-transform");
const offer = require("fs").readFileSync("offer.sdp", "utf8").replaceAll("\n", "\r\n");
const line = (text) => text.split("\r\n").find((each) => each.startsWith("a=candidate"));
const before = line(offer);
const after = line(write(parse(offer)));
const lost = before === after ? "same" : `lost "${before.slice(after.length).trim()}"`;
process.stdout.write(`js: ${lost}; `);
JS

expected='js: same; python: same'
still='js: lost "ufrag Ab3d network-id 1 network-cost 10"; python: lost "ufrag Ab3d network-id 1 network-cost 10"'
seen=$(node probe.js && venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
