"""Fetches a list of URLs with aiohttp: aiohttp_client.py LIST CONCURRENCY [CA | --pick FILE | --whole FILE]

As many tasks as may be under way share the list; contents are read whole and dropped. With --pick, one value of each goes
into a line of JSON in the file, with --whole all of it. Ends with 1 where a fetch fails.
"""

import asyncio
import json
import ssl
import sys

import aiohttp


async def worker(session, urls):
    for url in urls:
        async with session.get(url) as response:
            response.raise_for_status()
            async for _ in response.content.iter_any():
                pass


async def reporter(session, urls, picks, report):
    for url in urls:
        async with session.get(url) as response:
            response.raise_for_status()
            document = await response.json()
        data = {"temperature": document["temperature_c"]} if picks else document
        report.write(json.dumps({"url": url, "status": response.status, "data": data}) + "\n")


async def main(listed, concurrency, *more):
    with open(listed) as file:
        urls = iter(file.read().split())
    reports = more and more[0].startswith("--")
    context = ssl.create_default_context(cafile=more[0]) if more and not reports else True
    connector = aiohttp.TCPConnector(limit=int(concurrency), ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        if not reports:
            await asyncio.gather(*(worker(session, urls) for _ in range(int(concurrency))))
            return
        with open(more[1], "w") as report:
            await asyncio.gather(*(reporter(session, urls, more[0] == "--pick", report) for _ in range(int(concurrency))))


asyncio.run(main(*sys.argv[1:]))
