"""The least an aiohttp application can do with a callback: read the body, answer 200."""

import asyncio

from aiohttp import web


async def _handle(request: web.Request) -> web.Response:
    await request.read()
    return web.Response()


async def _serve() -> None:
    app = web.Application()
    app.router.add_post("/{tail:.*}", _handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"ready local=http://127.0.0.1:{runner.addresses[0][1]} capture=-", flush=True)
    await asyncio.Event().wait()


asyncio.run(_serve())
