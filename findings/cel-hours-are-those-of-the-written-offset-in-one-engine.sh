#!/usr/bin/env bash
#
# Package: common-expression-language 0.10.0, cel-python 0.5.0, cel-expr-python 0.1.3 (PyPI)
# Expected: timestamp("...T23:30:00+02:00").getHours() is 21: without an argument the accessors of
#   CEL answer in UTC.
# Seen: common-expression-language answers 23, the hour as it is written; the two others answer
#   21.
# Matters: a filter such as "only callbacks of the night" chooses other events when the engine is
#   changed, and only where a sender writes times with an offset.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check common-expression-language==0.10.0 cel-python==0.5.0 cel-expr-python==0.1.3

cat > probe.py <<'PY'
import cel
import celpy
from cel_expr_python import cel as google

TEXT = 'timestamp("2024-01-07T23:30:00+02:00").getHours()'
environment = celpy.Environment()
answers = {
    "common-expression-language": cel.evaluate(TEXT, {}),
    "cel-python": int(environment.program(environment.compile(TEXT)).evaluate({})),
    "cel-expr-python": google.NewEnv().compile(TEXT).eval(data={}).value(),
}
print(", ".join(f"{name} {hours}" for name, hours in answers.items()))
PY

expected='common-expression-language 21, cel-python 21, cel-expr-python 21'
still='common-expression-language 23, cel-python 21, cel-expr-python 21'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
