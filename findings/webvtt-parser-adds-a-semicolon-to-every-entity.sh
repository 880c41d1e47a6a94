#!/usr/bin/env bash
#
# Package: webvtt-parser 2.2.0 (npm)
# Expected: the parser reads `Ann &amp; Bob` as "Ann & Bob", and its serializer writes it as it
#   was.
# Seen: the semicolon that ends an entity stays in the text ("Ann &; Bob"), the serializer writes
#   `&amp;;`, and each further round adds another. No error is reported.
# Matters: captions with an ampersand or a less-than sign gain semicolons on the screen each time
#   that a tool in the chain rewrites them.
# Needs: bash, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts webvtt-parser@2.2.0

cat > probe.js <<'JS'
const { WebVTTParser, WebVTTSerializer } = require("webvtt-parser");
const parse = (text) => new WebVTTParser().parse(text, "captions");
const entity = (text) => text.match(/&amp;+/)[0];

const first = parse("WEBVTT\n\n00:01.000 --> 00:02.000\nAnn &amp; Bob\n");
if (first.errors.length) throw new Error("not a valid file");
const once = new WebVTTSerializer().serialize(first.cues);
const twice = new WebVTTSerializer().serialize(parse(once).cues);
const text = first.cues[0].tree.children[0].value;
console.log(`text "${text}"; written once: ${entity(once)}; written twice: ${entity(twice)}`);
JS

expected='text "Ann & Bob"; written once: &amp;; written twice: &amp;'
still='text "Ann &; Bob"; written once: &amp;;; written twice: &amp;;;'
seen=$(node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
