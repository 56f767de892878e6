#!/usr/bin/env python3
"""The works of src/main.rs in Python's asyncio, each as its users would write it.

usage: asyncio_loop.py WORK MANY     prints the nanoseconds of processor time that one of MANY takes
       asyncio_loop.py many MANY     of MANY tasks that sleep at once: bytes, nanoseconds to start and to end each
"""

import asyncio
import sys
import time

NAP = 1.5
# As in src/many.rs.
LONG_NAP = 4


async def same(n):
    return n


async def spawn(many):
    """A task is started and awaited, one after the other."""
    for n in range(many):
        assert await asyncio.create_task(same(n)) == n


async def gather(many):
    """All are started, then all awaited."""
    assert len(await asyncio.gather(*(same(n) for n in range(many)))) == many


async def yield_(many):
    """100 tasks give way to each other."""

    async def task():
        for _ in range(many // 100):
            await asyncio.sleep(0)

    await asyncio.gather(*(task() for _ in range(100)))


async def wake(many):
    """Two tasks wake each other by turns."""
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def echo():
        while (n := await there.get()) is not None:
            await back.put(n)

    task = asyncio.create_task(echo())
    for n in range(many):
        await there.put(n)
        assert await back.get() == n
    await there.put(None)
    await task


async def channel(many):
    """One task sends, another takes, 64 between them."""
    queue = asyncio.Queue(64)

    async def source():
        for n in range(many):
            await queue.put(n)
        await queue.put(None)

    task, total = asyncio.create_task(source()), 0
    while (n := await queue.get()) is not None:
        total += n
    assert total == many * (many - 1) // 2
    await task


async def sleep(many):
    """Tasks that all sleep at once, less that sleep."""
    await asyncio.gather(*(asyncio.sleep(NAP) for _ in range(many)))


async def timer(many):
    """A timer that is armed and dropped before it is due, as one under every request; the least that asyncio has for it."""
    loop = asyncio.get_running_loop()
    for n in range(many):
        loop.call_later(10, print).cancel()
        # Cancelled timers are collected by a turn of the loop.
        if n % 1000 == 0:
            await asyncio.sleep(0)


async def many_asleep(many):
    """The same as `sleep`, looked at more closely."""
    started = 0

    async def task():
        nonlocal started
        started += 1
        await asyncio.sleep(LONG_NAP)

    memory, start = resident(), time.process_time_ns()
    tasks = [asyncio.create_task(task()) for _ in range(many)]
    while started < many:
        await asyncio.sleep(0)
    bytes_, asleep = resident() - memory, time.process_time_ns()
    for task in tasks:
        await task
    end = time.process_time_ns()
    print(f"{bytes_ / many:.0f} {(asleep - start) / many:.1f} {(end - asleep) / many:.1f}")


def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def main():
    work, many = sys.argv[1], int(sys.argv[2])
    if work == "many":
        asyncio.run(many_asleep(many))
        return
    works = {"yield": yield_, **{w.__name__: w for w in (spawn, gather, wake, channel, sleep, timer)}}
    start = time.process_time_ns()
    asyncio.run(works[work](many))
    print(f"{(time.process_time_ns() - start) / many:.1f}")


main()
