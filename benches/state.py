#!/usr/bin/env python3
"""Prints what --state and --cache cost, and how long queries of a large file take.

    cargo build --release && benches/state.py [BINARY]

A server on this machine answers; the processor time is that of roundup alone. Nothing is judged: the figures belong to
the machine they were taken on.
"""
import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

SOURCES = 10_000
LAST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../src/state/last.rs")
BINARY = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] != "serve" else "target/release/roundup")


class Answers(asyncio.Protocol):
    """HTTP/1.1 with an ETag, or fresh for an hour, or neither; /SIZE/KIND/NUMBER."""

    sent = 0

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            path = head.split(b" ", 2)[1]
            if path == b"/sent":
                content = str(Answers.sent).encode()
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content))
                continue
            _, size, kind, _ = path.split(b"/")
            field = {b"etag": b'ETag: "v"\r\n', b"fresh": b"Cache-Control: max-age=3600\r\n", b"plain": b""}[kind]
            if b'If-None-Match: "v"' in head:
                reply = b"HTTP/1.1 304 Not Modified\r\n" + field + b"\r\n"
            else:
                content = b'"' + b"x" * (int(size) - 2) + b'"'
                reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + field
                reply += b"Content-Length: %d\r\n\r\n" % len(content) + content
            Answers.sent += len(reply)
            self.transport.write(reply)


async def serve():
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def sent(port):
    import urllib.request

    return int(urllib.request.urlopen(f"http://127.0.0.1:{port}/sent").read())


def run(port, path, *options):
    """Processor time in seconds, the largest memory in MiB, and bytes that the server sent."""
    before = sent(port)
    url = f"http://127.0.0.1:{port}/{path}/[1-{SOURCES}]"
    process = subprocess.Popen([BINARY, "get", url, "-q", "--report", "table=o.txt", *options])
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, status
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, sent(port) - before


def median(runs):
    return sorted(runs)[len(runs) // 2]


def overhead(port):
    plain = [run(port, "200/plain") for _ in range(5)]
    kept = [run(port, "200/plain", "--state", f"{number}.db") for number in range(5)]
    (cpu, memory, _), (kept_cpu, kept_memory, _) = median(plain), median(kept)
    print(f"{SOURCES} sources of 200 bytes: {cpu:.3f} s and {memory:.1f} MiB; with --state {kept_cpu:.3f} s "
          f"({kept_cpu / cpu:.2f} of it) and {kept_memory:.1f} MiB")


def cache(port):
    for kind in ["etag", "fresh"]:
        options = ("--cache", "--state", f"{kind}.db")
        first = run(port, f"65536/{kind}", *options)
        second = median([run(port, f"65536/{kind}", *options) for _ in range(3)])
        print(f"{SOURCES} sources of 64 KiB, {kind}: {first[0]:.3f} s; again {second[0]:.3f} s "
              f"({second[0] / first[0]:.2f} of it) and {second[2] / first[2]:.5f} of the bytes")


def last(port):
    """Rows of the run before, in a file of 100,000 outcomes."""
    rows = f"[[job]]\nname = \"n\"\nurl = \"http://127.0.0.1:{port}/40/plain/{{i}}\"\neach = {{ i = {{ from = 1, to = {SOURCES} }} }}\n"
    with open("plan.toml", "w") as file:
        file.write(rows)
    for _ in range(10):
        subprocess.run([BINARY, "run", "plan.toml", "--state", "last.db", "-q", "--report", "table=o.txt"], check=True)
    connection = sqlite3.connect("last.db")
    # That of the command, from its source.
    with open(LAST) as file:
        query = file.read().split('const LAST: &str = "', 1)[1].split('";', 1)[0].replace("\\\n", "")
    for _ in range(2):
        start = time.perf_counter()
        count = len(connection.execute(query, [10]).fetchall())
        took = time.perf_counter() - start
    print(f"the last of each of {count} sources among 100,000 outcomes: {took * 1000:.0f} ms")


def main():
    server = subprocess.Popen([sys.executable, os.path.abspath(__file__), "serve"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            overhead(port)
            cache(port)
            last(port)
    finally:
        server.kill()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        main()
