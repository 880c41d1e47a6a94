#!/usr/bin/env bash
#
# Package: vonage-jwt 1.1.5 (PyPI)
# Expected: JwtClient takes an RSA key as a path, as text or as bytes, in either PEM form, since
#   its own type hint says str or bytes.
# Seen: a path is a path only if its name ends in a dot and word characters: `private.key` works,
#   `private-key` is reported as a badly formatted key. A PKCS#1 key (BEGIN RSA PRIVATE KEY) works
#   from a file and is refused as text; bytes are always refused.
# Matters: keys mounted by an orchestrator have no suffix and keys from an environment variable
#   are text: the same key that signs on a laptop is "not formatted correctly with newlines" on
#   the server.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check vonage-jwt==1.1.5 PyJWT==2.15.1 cryptography==50.0.2

cat > probe.py <<'PY'
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from vonage_jwt import JwtClient, VonageJwtError

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
pkcs1 = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
for name, pem in (("private.key", pkcs8), ("private-key", pkcs8), ("pkcs1.key", pkcs1)):
    Path(name).write_bytes(pem)


def outcome(private_key: str | bytes) -> str:
    try:
        JwtClient("app", private_key).generate_application_jwt()
    except VonageJwtError as error:
        return type(error).__name__
    return "ok"


print(
    f"private.key {outcome('private.key')}, private-key {outcome('private-key')}, "
    f"PKCS#1 file {outcome('pkcs1.key')}, PKCS#1 text {outcome(pkcs1.decode())}, "
    f"bytes {outcome(pkcs8)}"
)
PY

expected='private.key ok, private-key ok, PKCS#1 file ok, PKCS#1 text ok, bytes ok'
still='private.key ok, private-key VonageJwtError, PKCS#1 file ok, PKCS#1 text VonageJwtError, bytes VonageJwtError'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
