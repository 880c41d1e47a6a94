#!/usr/bin/env bash
#
# Package: opentok-jwt 0.1.5 (npm), PyJWT 2.15.1 (PyPI)
# Expected: a token of projectToken(100, secret), the key a number as documented (`@param {Int}
#   apiKey`), passes PyJWT with issuer="100" or issuer=100.
# Seen: the claim `iss` is the number 100; PyJWT refuses it for either issuer ("must be a
#   string"), and accepts the token only when no issuer is asked for.
# Matters: a gateway in Python that checks for which project a token was made refuses every token
#   of the Node package, and no value of the option helps.
# Needs: bash, python3, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check PyJWT==2.15.1
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts opentok-jwt@0.1.5

cat > probe.py <<'PY'
import sys

import jwt

token = sys.stdin.read()


def outcome(**options: object) -> str:
    try:
        jwt.decode(
            token, "a-project-secret-of-enough-length-for-HS256", algorithms=["HS256"], **options
        )
    except jwt.PyJWTError as error:
        return type(error).__name__
    return "ok"


issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
print(
    f'iss {issuer!r}, issuer="100": {outcome(issuer="100")}, '
    f"issuer=100: {outcome(issuer=100)}, no issuer: {outcome()}"
)
PY

cat > probe.js <<'JS'
const { projectToken } = require("opentok-jwt");
process.stdout.write(projectToken(100, "a-project-secret-of-enough-length-for-HS256"));
JS

expected='iss 100, issuer="100": ok, issuer=100: ok'
still='iss 100, issuer="100": InvalidIssuerError, issuer=100: InvalidIssuerError, no issuer: ok'
seen=$(node probe.js | venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
