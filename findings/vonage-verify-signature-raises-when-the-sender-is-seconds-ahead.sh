#!/usr/bin/env bash
#
# Package: vonage-jwt 1.1.5 with PyJWT 2.15.1 (PyPI), @vonage/jwt 1.17.1 (npm)
# Expected: the two official helpers answer True for a callback that is signed with the right
#   secret by a host whose clock is 30 seconds ahead (or both answer False).
# Seen: Python raises VonageVerifyJwtError about `iat`, no leeway at all; Node ignores `iat` and
#   answers true.
# Matters: a receiver on a machine whose clock runs late answers genuine callbacks with an error
#   in Python and not in Node, and a check of the returned bool does not catch it.
# Needs: bash, python3, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check vonage-jwt==1.1.5 PyJWT==2.15.1
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @vonage/jwt@1.17.1

cat > probe.py <<'PY'
import time

import jwt
from vonage_jwt import VonageVerifyJwtError, verify_signature

SECRET = "a-signature-secret-of-enough-length-for-HS256"
claims = {"iss": "Vonage", "iat": int(time.time()) + 30, "jti": "1"}
token = jwt.encode(claims, SECRET, algorithm="HS256")
with open("token", "w") as file:
    file.write(token)
try:
    print(f"python: {verify_signature(token, SECRET)}; ", end="")
except VonageVerifyJwtError as error:
    print(f"python: {type(error).__name__}; ", end="")
PY

cat > probe.js <<'JS'
const { verifySignature } = require("@vonage/jwt");
const token = require("fs").readFileSync("token", "utf8");
console.log(`node: ${verifySignature(token, "a-signature-secret-of-enough-length-for-HS256")}`);
JS

expected='python: True; node: true'
still='python: VonageVerifyJwtError; node: true'
seen=$(venv/bin/python probe.py && node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
