#!/usr/bin/env bash
#
# Package: cel-python 0.5.0, common-expression-language 0.10.0, cel-expr-python 0.1.3 (PyPI)
# Expected: `duration > 2.0` is true for {"duration": 3}: CEL compares numbers of different types
#   by value.
# Seen: cel-python raises "no such overload" when the JSON has 3, and answers when it has 3.5. The
#   two others answer in both cases.
# Matters: JSON does not tell 3 from 3.0, and senders drop the fraction when it is zero: the
#   filter works until a value happens to be whole.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check cel-python==0.5.0 common-expression-language==0.10.0 cel-expr-python==0.1.3

cat > probe.py <<'PY'
import cel
import celpy
from cel_expr_python import cel as google

TEXT = "duration > 2.0"


def python(value: float) -> str:
    environment = celpy.Environment()
    program = environment.program(environment.compile(TEXT))
    try:
        return str(bool(program.evaluate(celpy.json_to_cel({"duration": value}))))
    except celpy.CELEvalError as error:
        return type(error).__name__


def others(value: float) -> str:
    compiled = google.NewEnv(variables={"duration": google.Type.DYN}).compile(TEXT)
    answers = {
        cel.evaluate(TEXT, {"duration": value}),
        compiled.eval(data={"duration": value}).value(),
    }
    return "/".join(map(str, answers))


print(
    f"cel-python: 3.5 {python(3.5)}, 3 {python(3)}; the others: 3.5 {others(3.5)}, 3 {others(3)}"
)
PY

expected='cel-python: 3.5 True, 3 True; the others: 3.5 True, 3 True'
still='cel-python: 3.5 True, 3 CELEvalError; the others: 3.5 True, 3 True'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
