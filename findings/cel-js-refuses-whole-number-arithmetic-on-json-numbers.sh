#!/usr/bin/env bash
#
# Package: @marcbachmann/cel-js 8.0.0 (npm), common-expression-language 0.10.0 (PyPI)
# Expected: `size / 1000 > 5` is a valid filter for {"size": 12345} in every CEL engine.
# Seen: in JavaScript every number of the data is a double and `double / int` has no overload, so
#   the filter is an error at run time; comparing it (`size > 5000`) works. In Python the same
#   filter answers true.
# Matters: a filter that is shared between a backend and a page passes its tests while it only
#   compares, and fails on the first division, remainder or sum.
# Needs: bash, python3, node, npm
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check common-expression-language==0.10.0
echo '{}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @marcbachmann/cel-js@8.0.0

cat > probe.py <<'PY'
import cel

print(f"python: {cel.evaluate('size / 1000 > 5', {'size': 12345})}; ", end="")
PY

cat > probe.js <<'JS'
import("@marcbachmann/cel-js").then(({ evaluate }) => {
  const outcome = (text) => {
    try {
      return `${text} ${evaluate(text, { size: 12345 })}`;
    } catch (error) {
      return `${text} ${error.name}`;
    }
  };
  console.log(`js: ${outcome("size > 5000")}, ${outcome("size / 1000 > 5")}`);
});
JS

expected='python: True; js: size > 5000 true, size / 1000 > 5 true'
still='python: True; js: size > 5000 true, size / 1000 > 5 EvaluationError'
seen=$(venv/bin/python probe.py && node probe.js)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
