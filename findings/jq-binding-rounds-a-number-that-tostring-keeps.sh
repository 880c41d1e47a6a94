#!/usr/bin/env bash
#
# Package: jq 1.13.0 (PyPI, the Python binding)
# Expected: a large integer comes out of `.id` as it went in, since jq keeps the literal of a
#   number that no arithmetic touched; or it is rounded everywhere.
# Seen: `.id` is rounded to 9007199254740992 while `.id | tostring` in the same program has all
#   its digits.
# Matters: ids of projects and of other systems that are numbers beyond 2^53 are changed by the
#   identity filter alone; what a test of the filter on the jq command showed does not hold in
#   Python.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check jq==1.13.0

cat > probe.py <<'PY'
import jq

TEXT = '{"id": 9007199254740993}'
plain = jq.compile(".id").input_text(TEXT).first()
text = jq.compile(".id | tostring").input_text(TEXT).first()
print(f".id: {plain}, tostring: {text}")
PY

expected='.id: 9007199254740993, tostring: 9007199254740993'
still='.id: 9007199254740992, tostring: 9007199254740993'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
