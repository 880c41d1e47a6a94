#!/usr/bin/env bash
#
# Package: aiohttp 3.14.5 (PyPI)
# Expected: a server's request.read() is what was sent, so that it has Content-Length bytes and
#   its hash is the hash of what the sender signed.
# Seen: a body with Content-Encoding: gzip is inflated before the handler sees it, while
#   Content-Encoding and the compressed Content-Length stay in request.headers.
# Matters: a hash over "the raw body" is not over the bytes on the wire, and a forwarder that
#   copies headers and body sends plain JSON labelled as gzip with a length that is too short.
# Needs: bash, python3
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check aiohttp==3.14.5

cat > probe.py <<'PY'
import asyncio
import gzip

from aiohttp import ClientSession, web

SENT = gzip.compress(b'{"event":"streamCreated","data":"' + b"a" * 500 + b'"}')


async def answer(request: web.Request) -> web.Response:
    body = await request.read()
    same = len(body) == int(request.headers["Content-Length"])
    coding = request.headers.get("Content-Encoding")
    return web.Response(
        text=f"body is gzip: {body == SENT}, Content-Length is its length: {same}, "
        f"Content-Encoding: {coding}"
    )


async def main() -> None:
    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    async with ClientSession() as client:
        async with client.post(f"http://{host}:{port}/", data=SENT, headers=headers) as response:
            print(await response.text())
    await runner.cleanup()


asyncio.run(main())
PY

expected='body is gzip: True, Content-Length is its length: True'
still='body is gzip: False, Content-Length is its length: False, Content-Encoding: gzip'
seen=$(venv/bin/python probe.py)

printf 'expected: %s\nseen:     %s\n' "$expected" "$seen"
if [ "$seen" != "$still" ]; then
  printf 'changed: this used to be: %s\n' "$still" >&2
  exit 1
fi
