#!/usr/bin/env python3
"""Prints what the live view costs: processor time of runs of 10,000 sources in a terminal, with the view and without it.

    cargo build --release && benches/live_view.py [BINARY]

The terminal is a pseudo-terminal of 80 columns whose other end is read as fast as it comes. Runs with and without the view
take turns, ROUNDS of each; the figures are medians. One server answers at once, so that the run is all work; the other one
after 100 ms, so that it is mostly waiting and the view is drawn a hundred times.
"""
import asyncio
import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

SOURCES, ROUNDS = 10_000, 9
BINARY = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] != "serve" else "target/release/roundup")


class Answers(asyncio.Protocol):
    """HTTP/1.1: /DELAY_MS/NUMBER."""

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            delay = int(head.split(b"/", 2)[1])
            if delay:
                asyncio.get_running_loop().call_later(delay / 1000, self.answer)
            else:
                self.answer()

    def answer(self):
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")


async def serve():
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def read_all(terminal, sizes):
    try:
        while data := os.read(terminal, 65536):
            sizes.append(len(data))
    except OSError:
        pass


def run(urls, progress):
    """Processor time, time by the clock, and bytes that were written to the terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    words = [BINARY, "get", "--input", urls, "--concurrency", "100", "--per-host", "100", "--progress", progress]
    began = time.monotonic()
    environment = {**os.environ, "TERM": "xterm"}
    child = subprocess.Popen(words, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    sizes = []
    reader = threading.Thread(target=read_all, args=(ours, sizes))
    reader.start()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - began
    reader.join()
    os.close(ours)
    assert child.returncode == 0, child.returncode
    return usage.ru_utime + usage.ru_stime, took, sum(sizes)


def main():
    server = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        base = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        print(f"{SOURCES:,} sources, 100 at once; medians of {ROUNDS} turns")
        for delay in (0, 100):
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as urls:
                urls.writelines(f"{base}/{delay}/{number}\n" for number in range(SOURCES))
                urls.flush()
                turns = [(run(urls.name, "auto"), run(urls.name, "none")) for _ in range(ROUNDS)]
            with_view, without = (statistics.median(turn[which][0] for turn in turns) for which in (0, 1))
            cost = statistics.median(one[0] - other[0] for one, other in turns)
            took = statistics.median(one[1] for one, _ in turns)
            size = statistics.median(one[2] for one, _ in turns)
            print(
                f"answers after {delay:3} ms: {with_view * 1000:6.0f} ms of processor time with the view, "
                f"{without * 1000:6.0f} ms without; the view takes {cost * 1000:5.1f} ms, {cost / without:6.1%} of the "
                f"processor time and {cost / took:6.2%} of the {took:.1f} s; {size / 1024:.0f} KiB to the terminal"
            )
    finally:
        server.terminate()
        server.wait()


if sys.argv[1:] == ["serve"]:
    asyncio.run(serve())
else:
    main()
