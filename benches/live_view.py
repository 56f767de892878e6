#!/usr/bin/env python3
"""Prints what the live view costs: processor time of runs of 10,000 sources in a terminal, with the view and without it; and
after how long it names what a run waits for.

    cargo build --release && benches/live_view.py [BINARY]

The terminal is a pseudo-terminal of 80 columns whose other end is read as fast as it comes. Runs with and without the view
take turns, ROUNDS of each; the figures are medians. One server answers at once, so that the run is all work; the other one
after 100 ms, so that it is mostly waiting and the view is drawn a hundred times. Then 50 sources of which one hangs, one is
refused by a host that asks for a pause, and one fails and is tried again: from the answer, or of the one that hangs from the
request, until the terminal shows it, the longest of ROUNDS runs. Redraws are 100 ms apart.
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
BINARY = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] not in ("serve", "kinds") else "target/release/roundup")


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


# What the server answers by path, and what the view says of it then.
KINDS = {
    "/hang": (None, b"/hang"),
    "/paused": (b"429 Too Many Requests\r\nRetry-After: 30", b"paused for"),
    "/flaky": (b"503 Service Unavailable", b"again in"),
}


class Kinds(asyncio.Protocol):
    """Answers by path, at once, and says when."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        path = data.split(b" ", 2)[1].decode()
        status, _ = KINDS.get(path, (b"200 OK", None))
        if path in KINDS:
            print(path, time.monotonic(), flush=True)
        if status:
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")


async def serve_kinds():
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Kinds, "127.0.0.1", 0) for _ in range(3)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def named_after():
    """Of each kind, after how many seconds the view has named it."""
    server = subprocess.Popen([sys.executable, __file__, "kinds"], stdout=subprocess.PIPE, text=True)
    first, second, third = server.stdout.readline().split()
    urls = [f"http://127.0.0.1:{first}/{number}" for number in range(47)]
    urls += [f"http://127.0.0.1:{first}/hang", f"http://127.0.0.1:{second}/paused", f"http://127.0.0.1:{third}/flaky"]
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    words = [BINARY, "get", *urls, "--retries", "9", "--deadline", "3s"]
    child = subprocess.Popen(
        words, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    shown, seen = b"", {}
    try:
        while data := os.read(ours, 65536):
            shown += data
            for path, (_, text) in KINDS.items():
                if text in shown:
                    seen.setdefault(path, time.monotonic())
    except OSError:
        pass
    child.wait()
    os.close(ours)
    server.terminate()
    said = {}
    for line in server.stdout:
        path, at = line.split()
        said.setdefault(path, float(at))
    server.wait()
    return {path: seen[path] - said[path] for path in KINDS}


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
    runs = [named_after() for _ in range(ROUNDS)]
    for path in KINDS:
        print(f"{path[1:]:6} is named after {max(run[path] for run in runs) * 1000:4.0f} ms")


if sys.argv[1:] == ["serve"]:
    asyncio.run(serve())
elif sys.argv[1:] == ["kinds"]:
    asyncio.run(serve_kinds())
else:
    main()
