#!/usr/bin/env bash
#
# Package: aiohttp 3.14.5 with yarl 1.25.1, httpx 0.28.1 (PyPI)
# Expected: a client sends the query of a URL string as it is written, since it is escaped
#   already.
# Seen: aiohttp normalises the string: %2F, %3A and %7E become / : ~ in what goes over the wire.
#   httpx sends the bytes as given. URL(text, encoded=True) is the way out.
# Matters: a replayed callback whose URL carries another URL or a signature over the query arrives
#   with another request target than the recorded one.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check aiohttp==3.14.5 yarl==1.25.1 httpx==0.28.1

cat > probe.py <<'PY'
import asyncio

import httpx
from aiohttp import ClientSession, web

TARGET = "/hook?next=http%3A%2F%2Fa%2F%7Eann"


async def answer(request: web.Request) -> web.Response:
    return web.Response(text=request.raw_path)


async def main() -> None:
    app = web.Application()
    app.router.add_post("/hook", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    url = f"http://{host}:{port}{TARGET}"
    async with ClientSession() as client, client.post(url) as response:
        print("aiohttp:", await response.text(), end=" ")
    async with httpx.AsyncClient(trust_env=False) as other:
        print("httpx:", (await other.post(url)).text)
    await runner.cleanup()


asyncio.run(main())
PY

expected='aiohttp: /hook?next=http%3A%2F%2Fa%2F%7Eann httpx: /hook?next=http%3A%2F%2Fa%2F%7Eann'
still='aiohttp: /hook?next=http://a/~ann httpx: /hook?next=http%3A%2F%2Fa%2F%7Eann'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
