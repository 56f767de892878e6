"""Fetches a list of URLs with aiohttp: aiohttp_client.py LIST CONCURRENCY [CA]

As many tasks as may be under way share the list; contents are read whole and dropped. Ends with 1 where a fetch fails.
"""

import asyncio
import ssl
import sys

import aiohttp


async def worker(session, urls):
    for url in urls:
        async with session.get(url) as response:
            response.raise_for_status()
            async for _ in response.content.iter_any():
                pass


async def main(listed, concurrency, ca=None):
    with open(listed) as file:
        urls = iter(file.read().split())
    context = ssl.create_default_context(cafile=ca) if ca else True
    connector = aiohttp.TCPConnector(limit=int(concurrency), ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(worker(session, urls) for _ in range(int(concurrency))))


asyncio.run(main(*sys.argv[1:]))
