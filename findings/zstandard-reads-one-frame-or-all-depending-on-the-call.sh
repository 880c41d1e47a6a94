#!/usr/bin/env bash
#
# Package: zstandard 0.25.0, pyzstd 0.20.0 (PyPI)
# Expected: every call that reads a .zst file of two frames gives both frames, as the zstd command
#   and pyzstd do.
# Seen: decompress() and read_to_iter() stop after the first frame without an error; copy_stream()
#   and zstandard.open() read on.
# Matters: a file that is appended to has one frame for each run; code that streams it to save
#   memory sees only the first run, and the same code in its simpler form sees all.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check zstandard==0.25.0 pyzstd==0.20.0

cat > probe.py <<'PY'
import io
from pathlib import Path

import pyzstd
import zstandard

frames = zstandard.compress(b"one\n") + zstandard.compress(b"two\n")
Path("two.zst").write_bytes(frames)
copied = io.BytesIO()
zstandard.ZstdDecompressor().copy_stream(io.BytesIO(frames), copied)
with zstandard.open("two.zst", "rb") as file:
    opened = file.read()
texts = {
    "pyzstd": pyzstd.decompress(frames),
    "decompress": zstandard.decompress(frames),
    "read_to_iter": b"".join(zstandard.ZstdDecompressor().read_to_iter(io.BytesIO(frames))),
    "copy_stream": copied.getvalue(),
    "open": opened,
}
print(", ".join(f"{name}: {len(text.splitlines())}" for name, text in texts.items()))
PY

expected='pyzstd: 2, decompress: 2, read_to_iter: 2, copy_stream: 2, open: 2'
still='pyzstd: 2, decompress: 1, read_to_iter: 1, copy_stream: 2, open: 2'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
