"""A stand-in for `cloudflared tunnel --url`: its lines on stderr, a loopback port as its edge.

FAKE_CLOUDFLARED: "", fail, limited, slow, stubborn or flood. USR1: the edge is lost, then back.
"""

import asyncio
import os
import signal
import sys
import time

MODE = os.environ.get("FAKE_CLOUDFLARED", "")
FAILED = (
    'failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": '
    "dial tcp: lookup api.trycloudflare.com: no such host"
)
LIMITED = 'Error unmarshaling QuickTunnel response: error code: 1015 status_code="429 Too Many"'


def log(message: str, level: str = "INF") -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(now, level, message, file=sys.stderr, flush=True)  # noqa: T201 - an agent speaks so


def log_box(*rows: str) -> None:
    width = max(len(row) for row in rows)
    edge = "+" + "-" * (width + 4) + "+"
    for line in (edge, *(f"|  {row.ljust(width)}  |" for row in rows), edge):
        log(line)


def log_connected() -> None:
    log("Registered tunnel connection connIndex=0 connection=1b9d location=ams01 protocol=quic")


def drop() -> None:
    log("Lost connection with the edge connIndex=0", "WRN")
    log("Retrying connection in up to 1s connIndex=0")
    asyncio.get_running_loop().call_later(0.1, log_connected)


async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    finally:
        sink.close()


async def serve(local: str) -> None:
    host, _, port = local.removeprefix("http://").partition(":")

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pipe(reader, forth), pipe(back, writer), return_exceptions=True)

    edge = await asyncio.start_server(carry, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{edge.sockets[0].getsockname()[1]}"
    log_box("Your quick Tunnel has been created! Visit it at (it may take some time):", url)
    log_connected()
    if MODE == "flood":
        log("x" * 1_000_000)
        log("Lost connection with the edge connIndex=0", "WRN")
    await asyncio.Event().wait()


def obey_signals() -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, drop)
    loop.add_signal_handler(signal.SIGTERM, lambda: MODE == "stubborn" or os._exit(0))


async def main(local: str) -> None:
    obey_signals()
    log("Requesting new quick Tunnel on trycloudflare.com...")
    if MODE in ("fail", "limited"):
        print(FAILED if MODE == "fail" else LIMITED, file=sys.stderr)  # noqa: T201 - an agent speaks so
        sys.exit(1)
    await asyncio.sleep(3600 if MODE == "slow" else 0)  # until it is ended
    await serve(local)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[sys.argv.index("--url") + 1]))
