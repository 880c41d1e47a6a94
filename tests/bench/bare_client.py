"""The least a client can do: so many workers post bodies from one iterator, with bare aiohttp.

`bare_client.py URL CONNECTIONS FILE` posts each line of FILE and prints how many a second.
"""

import asyncio
import sys
import time
from pathlib import Path

import aiohttp


async def _run(url: str, connections: int, bodies: list[bytes]) -> float:
    source = iter(bodies)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:

        async def work() -> None:
            for body in source:
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()

        start = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(connections)))
        return len(bodies) / (time.perf_counter() - start)


if __name__ == "__main__":
    lines = Path(sys.argv[3]).read_bytes().splitlines()
    print(asyncio.run(_run(sys.argv[1], int(sys.argv[2]), lines)))
