#!/usr/bin/env python3
"""What a job, a connection and a host cost as there are more of them.

usage: benches/peers/scale.py [--rounds N] [--most 1000] [--write]

Jobs without a network, from 10 to 100,000, of one host and of many; connections at once to a server that answers late, from
1 to 10,000; small requests spread over 1 to 5,000 hosts (addresses of 127.0.0.0/8), on connections that are kept where
they can be, and on fresh ones. Prints tables and targets; a curve that rises is a structure that is searched from end to
end. --most bounds all of these numbers, for a quick look; --write puts tables and plots into docs/. Needs Linux, two
cores and room for 20,000 open files.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import peers as contestants
import plot
import servers
import table

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / "target/peers"
JOBS = (10, 100, 1_000, 10_000, 100_000)
CONNECTIONS = (1, 10, 100, 1_000, 5_000, 10_000)
HOSTS = (1, 10, 50, 100, 250, 500, 1_000, 2_000, 5_000)
REQUESTS = 10_000
# Of a waiting job, bytes; of scheduling one, ns.
WAITING, SCHEDULING = 1_024, 2_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=max(JOBS))
    parser.add_argument("--write", action="store_true", help="renew docs/benchmarks.md and its plots")
    options = parser.parse_args()
    library = contestants.prepared(TARGET, "scale.py")
    cores = sorted(os.sched_getaffinity(0))
    library.known_version = library.version()
    options.scale = 1
    machine = table.Machine([library], {}, options)
    with tempfile.TemporaryDirectory(prefix="roundup-scale-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        os.chmod(folder, 0o755)
        side = servers.Servers(pathlib.Path(folder) / "server", cores[0])
        try:
            side.start()
            os.sched_setaffinity(0, {cores[1]})
            scale = Scale(options, library, side, pathlib.Path(folder))
            jobs, spread = scale.jobs(1), scale.jobs(1_000)
            connections = scale.connections()
            hosts = scale.hosts()
        finally:
            side.stop()
    text = [*machine.lines(options.rounds), "", *report(jobs, spread, connections, hosts)]
    print("\n".join(text))
    if options.write:
        folder = ROOT / "docs/benchmarks"
        folder.mkdir(exist_ok=True)
        for name, svg in plots(jobs, spread, connections, hosts):
            (folder / f"{name}.svg").write_text(svg)
        table.replace(ROOT / "docs/benchmarks.md", "scale", text)


class Scale:
    def __init__(self, options, library, side, folder):
        self.rounds, self.most = options.rounds, options.most
        self.library, self.side, self.folder = library, side, folder

    def medians(self, keys, one):
        """Of each key, the medians of what `one` finds. All keys take turns, so that noise falls on all of them."""
        found = {key: [] for key in keys}
        for _ in range(self.rounds):
            for key in keys:
                found[key].append(one(key))
                print(f"{key}: {found[key][-1]}", file=sys.stderr)
        return {key: [statistics.median(column) for column in zip(*rows)] for key, rows in found.items()}

    def jobs(self, hosts):
        """Of each number of jobs: bytes a job that waits, ns to queue it, to make it, to run it, and to send it bare."""
        one = lambda many: self.run(self.library.built("scale"), many, min(hosts, many))
        return self.medians(within(JOBS, self.most), one)

    def connections(self):
        """Of each number at once: us of CPU and KiB of memory for one of them, and wall clock (s) of all."""
        base = self.side.bases["plain"]
        one = lambda many: self.measured([f"{base}/delay/2?n={n}" for n in range(many)], many)
        rows = self.medians(within(CONNECTIONS, self.most), one)
        alone = rows[1][2]
        return {many: (cpu / many * 1e6, (rss - alone) / max(1, many - 1), wall) for many, (wall, cpu, rss) in rows.items()}

    def hosts(self):
        """Of each number of hosts: us of CPU for a request where connections are kept, connections made, and the CPU where
        every request makes one."""
        requests = min(REQUESTS, self.most)

        def one(many):
            row = []
            for server in ("named", "parting"):
                port = self.side.ports[server]
                before = self.side.counts()[0]
                _, cpu, _ = self.measured([f"http://{address(n % many)}:{port}/small?n={n}" for n in range(requests)], 50)
                row += [cpu / requests * 1e6, self.side.counts()[0] - before]
            return row

        return self.medians(within(HOSTS, self.most), one)

    def measured(self, urls, at_once):
        """Wall clock and CPU in seconds and memory in KiB of the library's program."""
        listed, figures = self.folder / "urls", self.folder / "figures"
        listed.write_text("".join(f"{url}\n" for url in urls))
        self.run(self.library.built("measure"), figures, self.library.built("roundup-bench-library"), listed, at_once)
        wall, user, system, rss, code = map(int, figures.read_text().split())
        if code:
            sys.exit(f"scale.py: {len(urls)} requests, {at_once} at once: the client ended with {code}")
        return wall / 1e9, (user + system) / 1e6, rss

    def run(self, *command):
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True, timeout=300)
        return [float(word) for word in done.stdout.split()]


def within(numbers, most):
    return [number for number in numbers if number <= most]


def address(n):
    return f"127.{1 + n // 62_500}.{n // 250 % 250}.{n % 250 + 1}"


def verdict(value, limit):
    return "ok" if value <= limit else f"misses {limit:,}"


def report(jobs, spread, connections, hosts):
    rows = [["jobs that wait, then run at once", "bytes a job", "ns to queue it", "to make it", "to run it", "to send it bare", "of 1,000 hosts: bytes", "to queue", "to run"]]
    for many, (size, queue, make, run, bare) in jobs.items():
        other = spread[many]
        rows.append([f"{many:,}", *(f"{value:,.0f}" for value in (size, queue, make, run, bare, other[0], other[1], other[3]))])
    largest = max(jobs)
    size, queue, _, run, bare = jobs[largest]
    whole = queue + run - bare
    lines = [
        "### Jobs",
        "",
        "![Processor time a job](benchmarks/scale-jobs.svg)",
        "",
        *table.markdown(rows),
        "",
        f"A waiting job takes {size:,.0f} bytes, its URL and name included ({verdict(size, WAITING)}). Scheduling is what the fetcher",
        f"adds to a request: {queue:,.0f} ns to queue a job, and {run - bare:,.0f} ns for its turn, task, limits of time and outcome beyond",
        f"the same request sent bare; {whole:,.0f} ns in all ({verdict(whole, SCHEDULING)}).",
        "",
        "### Connections at once",
        "",
        "![Memory of a connection](benchmarks/scale-connections.svg)",
        "",
    ]
    rows = [["at once, each answered after 2 s", "us of CPU for one", "KiB for one", "s in all"]]
    rows += [[f"{many:,}", f"{cpu:,.0f}", f"{memory:.1f}", f"{wall:.3f}"] for many, (cpu, memory, wall) in connections.items()]
    lines += [*table.markdown(rows), "", "### Hosts", "", "![Processor time by hosts](benchmarks/scale-hosts.svg)", ""]
    rows = [["hosts, requests in turns at 50", "us of CPU a request, kept alive", "connections", "us, each on its own connection", "connections"]]
    rows += [[f"{many:,}", *(f"{value:,.0f}" for value in row)] for many, row in hosts.items()]
    return [*lines, *table.markdown(rows)]


def plots(jobs, spread, connections, hosts):
    # Ten jobs show what the first costs.
    jobs, spread = ({many: row for many, row in rows.items() if many >= 100} for rows in (jobs, spread))
    curve = lambda rows, at: [(many, row[at] / 1_000) for many, row in rows.items()]
    yield "scale-jobs", plot.lines("Processor time a job", "jobs", "microseconds of processor time", [
        ("run, one host", curve(jobs, 3)), ("run, 1,000 hosts", curve(spread, 3)), ("sent bare", curve(jobs, 4)), ("queued", curve(jobs, 1)),
    ])
    yield "scale-connections", plot.lines("Memory of a connection that waits for its answer", "connections at once", "KiB", [
        ("KiB for one", [(many, row[1]) for many, row in connections.items() if many > 1]),
    ])
    yield "scale-hosts", plot.lines("Processor time of a request by the number of hosts", "hosts", "microseconds of processor time", [
        ("kept alive", [(many, row[0]) for many, row in hosts.items()]), ("fresh", [(many, row[2]) for many, row in hosts.items()]),
    ])


if __name__ == "__main__":
    main()
