#!/usr/bin/env python3
"""Counts how often clients break the limits of a server that enforces them: roundup, aiohttp with aiolimiter, curl -Z.

    cargo build --release && benches/polite.py [--write] [BINARY]

The server allows RATE requests in any second and AT_ONCE at a time, answers more with 429 and Retry-After, and counts what
was over. The work: 100 items, 20 of them behind a redirect, and a list of 10 pages. Every client but the one that is not
told knows both limits, and gives them to what it has for that. A list of pages is a chain of links, which curl cannot
follow, so it is given the URLs of all pages. aiohttp and aiolimiter are installed from PyPI into target/polite.
Then fifty hosts (127.0.0.1 to .50, so Linux alone) of a second each with no option, and fifty sources of which 25 hang, drip,
reset the connection or answer 500 for ever: when the good ones have come, beside the same without the bad ones, and how many
requests it took. --write puts all of it into docs/benchmarks.md.
"""
import asyncio
import collections
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

RATE, AT_ONCE = 50, 5
ITEMS, MOVED, PAGES = 100, 20, 10
ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / "target/polite/venv"


class Host:
    """What the server allows, and what it has seen."""

    def __init__(self):
        self.under_way = self.most = 0
        self.arrivals = collections.deque()
        self.seen = collections.Counter()
        self.began = None

    def over(self, now):
        while self.arrivals and self.arrivals[0] <= now - 1:
            self.arrivals.popleft()
        self.arrivals.append(now)
        self.began = self.began or now
        over_rate, over_most = len(self.arrivals) > RATE, self.under_way > AT_ONCE
        self.seen["requests"] += 1
        self.seen["over the rate"] += over_rate
        self.seen["over those at once"] += over_most
        refused = over_rate or over_most
        self.seen["refused"] += refused
        self.seen["refused later"] += refused and now - self.began > 1
        self.most = max(self.most, self.under_way)
        return refused

    def summary(self):
        return dict(self.seen, most=self.most)


async def answer(host, path):
    kind, _, number = path.strip("/").partition("/")
    # Some take so long that those at once matter, and most so short that the rate does.
    await asyncio.sleep(0.2 if int(number) % 4 == 0 else 0.02)
    if kind == "moved":
        return 302, f"Location: /item/{number}\r\n", ""
    if kind == "pages":
        more = f"Link: </pages/{int(number) + 1}>; rel=\"next\"\r\n" if int(number) < PAGES else ""
        return 200, more, json.dumps([{"n": number}])
    return 200, "", json.dumps({"n": number})


async def ill(path, writer):
    """Never gives a whole answer."""
    if path == "/reset":
        writer.transport.abort()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" if path == "/drip" else b"")
    while path in ("/hang", "/drip") and not writer.is_closing():
        writer.write(b"x" if path == "/drip" else b"")
        await asyncio.sleep(0.05)


async def connection(host, reader, writer):
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ", 2)[1].decode()
            host.seen["of all kinds"] += path != "/seen"
            if path in ("/hang", "/drip", "/reset"):
                await ill(path, writer)
                return
            if path.startswith("/delay/"):
                await asyncio.sleep(float(path[7:]))
                status, fields, body = 200, "", "{}"
            elif path == "/500":
                status, fields, body = 500, "", ""
            elif path == "/seen":
                status, fields, body = 200, "", json.dumps(host.summary())
            else:
                host.under_way += 1
                try:
                    refused = host.over(time.monotonic())
                    status, fields, body = (429, "Retry-After: 1\r\n", "") if refused else await answer(host, path)
                finally:
                    host.under_way -= 1
            fields += "Content-Type: application/json\r\n"
            writer.write(f"HTTP/1.1 {status} -\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve():
    host = Host()
    server = await asyncio.start_server(lambda reader, writer: connection(host, reader, writer), "0.0.0.0", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def urls(base):
    items = [f"{base}/item/{n}" for n in range(ITEMS - MOVED)]
    return items + [f"{base}/moved/{n}" for n in range(ITEMS - MOVED, ITEMS)]


async def aiohttp_client(base):
    """As it is written by those who know both: a limiter, a semaphore, a session."""
    import aiohttp
    from aiolimiter import AsyncLimiter

    limiter, places = AsyncLimiter(RATE, 1), asyncio.Semaphore(AT_ONCE)

    async def fetch(session, url):
        async with places, limiter, session.get(url) as response:
            await response.read()
            return response.status == 200, response.links.get("next", {}).get("url")

    async def pages(session):
        url, good = f"{base}/pages/1", True
        while url and good:
            good, url = await fetch(session, url)
        return good, None

    async with aiohttp.ClientSession() as session:
        results = await asyncio.gather(pages(session), *(fetch(session, url) for url in urls(base)))
    print(sum(good for good, _ in results))


def roundup(binary, told):
    def run(base, folder):
        items = "\n".join(json.dumps(url) + "," for url in urls(base))
        limits = f'rate = "{RATE}/s"\nper_host = {AT_ONCE}\n' if told else ""
        plan = f'[limits]\n{limits}[[job]]\nname = "item"\nurl = "{{url}}"\neach = {{ url = [\n{items}] }}\n'
        plan += f'[[job]]\nname = "pages"\nurl = "{base}/pages/1"\npages = {{ link = true }}\nrows = ""\n'
        (folder / "plan.toml").write_text(plan)
        # Without limits of its own, it learns them from refusals.
        retries = [] if told else ["--retries", "9"]
        words = [binary, "run", "plan.toml", "--quiet", "--report", "report.json", *retries]
        subprocess.run(words, cwd=folder, check=False)
        return json.loads((folder / "report.json").read_text())["summary"]["ok"]

    return run


def aiohttp(base, _folder):
    words = [VENV / "bin/python", __file__, "client", base]
    return int(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)


def curl(base, _folder):
    listed = urls(base) + [f"{base}/pages/{n}" for n in range(1, PAGES + 1)]
    words = ["curl", "-q", "-s", "-L", "-Z", "--parallel-max", str(AT_ONCE), "--rate", f"{RATE}/s", "--retry", "2"]
    words += ["-w", "%{http_code}\n"] + [word for url in listed for word in ("-o", "/dev/null", url)]
    # A URL that is tried again says each of its statuses.
    run = subprocess.run(words, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    codes = run.stdout.split()
    return codes.count("200") - (PAGES - 1)


def measure(client):
    server = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        base = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            good = client(base, pathlib.Path(folder))
            took = time.monotonic() - began
        return seen(base), good, took
    finally:
        server.terminate()
        server.wait()


def faults(binary):
    """Lines about fifty hosts, all well and half of them ill."""
    server = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    port = server.stdout.readline().strip()

    def run(paths, *options):
        """The report of one source at each host, and how many requests there were."""
        before = seen(f"http://127.0.0.1:{port}").get("of all kinds", 0)
        listed = [f"http://127.0.0.{n}:{port}{path}" for n, path in enumerate(paths, 1)]
        words = [binary, "get", *listed, "--quiet", "--report", "json", *options]
        report = json.loads(subprocess.run(words, check=False, stdout=subprocess.PIPE).stdout)
        return report, seen(f"http://127.0.0.1:{port}")["of all kinds"] - before

    def good(report):
        """When the last good source had come, in milliseconds."""
        ok = (result["attempts"][-1] for result in report["results"] if result["ok"])
        return max(attempt["started_ms"] + attempt["total_ms"] for attempt in ok)

    try:
        hosts = [run(["/delay/1"] * 50)[0]["elapsed_ms"] for _ in range(5)]
        bad = ["/hang", "/drip", "/reset", "/500"]
        mixed = [bad[n // 2 % 4] if n % 2 else "/delay/0.5" for n in range(50)]
        alone = [good(run(["/delay/0.5"] * 25)[0]) for _ in range(3)]
        together = [run(mixed, "--timeout", "3s") for _ in range(3)]
        ratio = statistics.median(good(report) for report, _ in together) / statistics.median(alone)
        requests = max(count for _, count in together)
        ok = {sum(result["ok"] for result in report["results"]) for report, _ in together}
        return [
            f"- Fifty hosts of 1 s each, no option: {statistics.median(hosts) / 1000:.3f} s (median of 5).",
            f"- Fifty sources of which 25 hang, drip, reset or answer 500 for ever: the good ones have come after {ratio:.2f} "
            f"of the time that they take alone (0.5 s each; medians of 3), {'/'.join(map(str, sorted(ok)))} of 25; "
            f"{requests} requests, {requests / 50:.2f} a source.",
        ]
    finally:
        server.terminate()
        server.wait()


def seen(base):
    return json.load(urllib.request.urlopen(base + "/seen"))


def install():
    if not (VENV / "bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    if not list(VENV.glob("lib/*/site-packages/aiolimiter")):
        words = [VENV / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*words, "aiohttp>=3.11,<4", "aiolimiter>=1.2,<2"], check=True)


KEYS = ("requests", "over the rate", "over those at once", "most", "refused", "refused later")


def main():
    words = [word for word in sys.argv[1:] if word != "--write"]
    binary = os.path.abspath(words[0] if words else ROOT / "target/release/roundup")
    install()
    clients = [
        ("roundup, told both limits", roundup(binary, True)),
        ("roundup, told nothing", roundup(binary, False)),
        ("aiohttp, aiolimiter and a semaphore", aiohttp),
        ("`curl -Z --rate --parallel-max`", curl),
    ]
    most = ITEMS + MOVED + PAGES
    lines = [
        f"{RATE} requests in any second and {AT_ONCE} at once, {ITEMS + 1} sources, {most} requests if none is refused:",
        "",
        "| client | requests | over the rate | over those at once | at once | refused | after the first second | sources that came | s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, client in clients:
        seen, good, took = measure(client)
        counts = [seen.get(key, 0) for key in KEYS]
        cells = " | ".join(str(count) for count in counts)
        lines.append(f"| {name} | {cells} | {good} of {ITEMS + 1} | {took:.1f} |")
    lines += ["", "aiohttp's script tries nothing again, and neither its limiter nor curl's `--rate` sees redirects; with `-Z`, curl", "ignores `--rate`.", "", *faults(binary)]
    print("\n".join(lines))
    if "--write" in sys.argv:
        page = ROOT / "docs/benchmarks.md"
        between = "<!-- polite -->\n\n" + "\n".join(lines) + "\n\n<!-- end of polite -->"
        page.write_text(re.sub(r"<!-- polite -->.*<!-- end of polite -->", lambda _: between, page.read_text(), flags=re.S))


match sys.argv[1:2]:
    case ["serve"]:
        asyncio.run(serve())
    case ["client"]:
        asyncio.run(aiohttp_client(sys.argv[2]))
    case _:
        main()
