#!/usr/bin/env bash
#
# Package: httpsnippet 3.0.10 (npm)
# Expected: the snippets that are made of one HAR request send the same body, byte for byte, in
#   every language.
# Seen: curl gets postData.text as it is; fetch gets it parsed and written anew: spaces go, 1.0
#   becomes 1 and 9007199254740993 becomes 9007199254740992.
# Matters: a callback turned into "code to reproduce it" no longer has the body whose hash was
#   signed, and a large id is silently another id, in one of the two snippets only.
# Needs: bash, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts httpsnippet@3.0.10

cat > probe.js <<'JS'
const { HTTPSnippet } = require("httpsnippet");

const text = '{"id": 9007199254740993, "duration": 1.0}';
const snippet = new HTTPSnippet({
  method: "POST",
  url: "http://127.0.0.1:4680/hook",
  httpVersion: "HTTP/1.1",
  cookies: [],
  headers: [{ name: "Content-Type", value: "application/json" }],
  queryString: [],
  postData: { mimeType: "application/json", text },
  headersSize: -1,
  bodySize: -1,
});
const body = (code) => (code.includes(text) ? "same body" : code.match(/\{"id.*\}/)[0]);
const curl = body(snippet.convert("shell", "curl"));
const fetched = body(snippet.convert("javascript", "fetch"));
console.log(`curl: ${curl}; fetch: ${fetched}`);
JS

expected='curl: same body; fetch: same body'
still='curl: same body; fetch: {"id":9007199254740992,"duration":1}'
seen=$(node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
