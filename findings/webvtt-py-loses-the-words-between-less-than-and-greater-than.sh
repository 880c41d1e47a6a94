#!/usr/bin/env bash
#
# Package: webvtt-py 0.6.0, pycaption 2.3.14 (PyPI)
# Expected: a SubRip caption "loss < 5 and rtt > 200" is converted with its signs escaped and has
#   all its words.
# Seen: from_srt() copies the signs unescaped into WebVTT, where everything between them is a tag:
#   `text` is "loss  200", and a player that follows the format shows the same. pycaption escapes
#   the first sign, which is enough.
# Matters: transcripts of technical talk lose half a sentence on their way into a player, with no
#   warning.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check webvtt-py==0.6.0 pycaption==2.3.14

cat > probe.py <<'PY'
from pathlib import Path

import webvtt
from pycaption import SRTReader, WebVTTWriter

TEXT = "1\n00:00:01,000 --> 00:00:02,000\nloss < 5 and rtt > 200\n"
Path("talk.srt").write_text(TEXT)
captions = webvtt.from_srt("talk.srt")


def line(content: str) -> str:
    return next(each for each in content.splitlines() if each.startswith("loss"))


other = line(WebVTTWriter().write(SRTReader().read(TEXT)))
print(f"webvtt-py: {captions[0].text}; written: {line(captions.content)}; pycaption: {other}")
PY

expected='webvtt-py: loss < 5 and rtt > 200; written: loss &lt; 5 and rtt > 200'
still='webvtt-py: loss  200; written: loss < 5 and rtt > 200; pycaption: loss &lt; 5 and rtt > 200'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
