#!/usr/bin/env bash
#
# Package: fflate 0.8.3 (npm)
# Expected: gunzipSync() of a gzip file with two members gives the text of both, as
#   zlib.gunzipSync() does, or an error.
# Seen: the size field of the last member is taken for the size of everything: the result is the
#   first four bytes of the first member, without an error. The streaming Gunzip of the same
#   package gives all.
# Matters: a log that is compressed piece by piece, and any two .gz files put together with cat,
#   have several members; a viewer in the browser shows a few bytes of the capture as if that were
#   all.
# Needs: bash, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts fflate@0.8.3

cat > probe.js <<'JS'
const { gzipSync, gunzipSync: reference } = require("zlib");
const { Gunzip, gunzipSync } = require("fflate");

const file = Buffer.concat([gzipSync("first line\n"), gzipSync("two\n")]);
if (reference(file).toString() !== "first line\ntwo\n") throw new Error("not a valid file");
let streamed = "";
new Gunzip((chunk) => (streamed += Buffer.from(chunk))).push(file, true);
const whole = Buffer.from(gunzipSync(file)).toString();
console.log(`gunzipSync: ${JSON.stringify(whole)}; Gunzip: ${JSON.stringify(streamed)}`);
JS

expected='gunzipSync: "first line\ntwo\n"; Gunzip: "first line\ntwo\n"'
still='gunzipSync: "firs"; Gunzip: "first line\ntwo\n"'
seen=$(node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
