#!/usr/bin/env bash
#
# Package: @vonage/jwt 1.17.1 (npm)
# Expected: tokenGenerate() with the same options object gives two tokens of the same lifetime,
#   one hour.
# Seen: the call deletes `ttl` from the object it was given, so the second token lives the default
#   900 s.
# Matters: a service that keeps its options in one constant works until the first token is
#   renewed; then its API calls and its signed test callbacks expire after 15 minutes.
# Needs: bash, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @vonage/jwt@1.17.1

cat > probe.js <<'JS'
const { generateKeyPairSync } = require("crypto");
const { tokenGenerate } = require("@vonage/jwt");

const { privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});
const options = { ttl: 3600 };
const lifetime = () => {
  const token = tokenGenerate("app", privateKey, options);
  const claims = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  return claims.exp - claims.iat;
};
console.log(lifetime(), lifetime());
JS

expected='3600 3600'
still='3600 900'
seen=$(node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
