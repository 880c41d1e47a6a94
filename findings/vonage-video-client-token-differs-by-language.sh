#!/usr/bin/env bash
#
# Package: vonage-video 1.6.1 with vonage 4.9.1 (PyPI), @vonage/video 1.31.1 with @vonage/auth
#   1.18.1 (npm)
# Expected: the official SDKs write the same client token for the same call: same type of
#   `initial_layout_class_list`, same default lifetime, the subject in `sub`.
# Seen: Python writes the classes as an array, lives 15 minutes and has a claim named `subject`;
#   Node writes a space-separated string, lives 24 hours and has `sub`.
# Matters: a backend moved from one SDK to the other changes what the platform is sent and when
#   clients stop being able to connect, though no argument changed: a page that is reconnecting
#   after 20 minutes works with one and not with the other.
# Needs: bash, python3, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check vonage==4.9.1 vonage-video==1.6.1 vonage-jwt==1.1.5 PyJWT==2.15.1
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @vonage/video@1.31.1 @vonage/auth@1.18.1

node -e '
const { privateKey } = require("crypto").generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});
require("fs").writeFileSync("private.key", privateKey);'

cat > probe.py <<'PY'
import jwt
from vonage import Auth, Vonage
from vonage_video.models import TokenOptions

client = Vonage(Auth(application_id="app", private_key="private.key"))
options = TokenOptions(session_id="s", initial_layout_class_list=["full", "focus"])
token = client.video.generate_client_token(options)
claims = jwt.decode(token, options={"verify_signature": False})
kind = type(claims["initial_layout_class_list"]).__name__
subject = next(name for name in ("sub", "subject") if name in claims)
print(f"python: {kind}, {claims['exp'] - claims['iat']} s, {subject}; ", end="")
PY

cat > probe.js <<'JS'
const { Auth } = require("@vonage/auth");
const { Video } = require("@vonage/video");

const privateKey = require("fs").readFileSync("private.key", "utf8");
const video = new Video(new Auth({ applicationId: "app", privateKey }));
const token = video.generateClientToken("s", { initialLayoutClassList: ["full", "focus"] });
const claims = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
const kind = typeof claims.initial_layout_class_list;
// exp and iat are computed by two roundings of the clock: a second apart at most.
const life = Math.floor((claims.exp - claims.iat) / 10) * 10;
console.log(`node: ${kind}, ${life} s, ${"sub" in claims ? "sub" : "subject"}`);
JS

expected='both: str, 86400 s, sub'
still='python: list, 900 s, subject; node: string, 86400 s, sub'
seen=$(venv/bin/python probe.py && node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
