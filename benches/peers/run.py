#!/usr/bin/env python3
"""What fetching costs: roundup and its peers on the same work, in turns, the server on one core and they on the other.

usage: benches/peers/run.py [--rounds N] [--works A,B] [--peers X,Y] [--scale 0.1] [--write] [--no-install]

Builds and installs what is missing (as root from Debian's packages; crates and Python's into target/peers), prints a
table for each work, each target beside the figure, and what the machine was. Processor time is that of all processes
and threads of a client, user and system; ratios are medians of the ratios within a round. A figure that misses its
target does not fail the run; a peer that did not do all of the work does. --write puts the tables and plots into docs/.
Needs Linux and two cores.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import peers as contestants
import servers
import table
import works

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = ROOT / "target/peers"
LIMIT = 120


def main():
    options = parse()
    if sys.platform != "linux" or os.cpu_count() < 2:
        sys.exit("run.py: the figures are those of Linux with two cores: processor time and cores are asked of it")
    library = contestants.prepared(TARGET, "run.py")
    taking_part, absent = assemble(options)
    cores = sorted(os.sched_getaffinity(0))
    # Files of clients and servers are in memory.
    with tempfile.TemporaryDirectory(prefix="roundup-peers-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        # nginx reads its files as another user.
        os.chmod(folder, 0o755)
        machine = table.Machine(taking_part, absent, options)
        side = servers.Servers(pathlib.Path(folder) / "server", cores[0])
        try:
            side.start()
            os.sched_setaffinity(0, {cores[1]})
            bench = Bench(options, side, pathlib.Path(folder), taking_part, library.built("measure"))
            bench.run()
        finally:
            side.stop()
    results = table.Results(bench.works, taking_part, bench.figures, bench.notes)
    print("\n".join([*machine.lines(options.rounds), "", *results.lines()]))
    if options.write:
        table.write(ROOT, machine, results, bench.commands, options.rounds)
    for failure in bench.failures.values():
        print(f"run.py: {failure}", file=sys.stderr)
    sys.exit(1 if bench.failures else 0)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--works", default=",".join(works.BY_NAME), help="which of %(default)s")
    parser.add_argument("--peers", default=",".join(peer.name for peer in contestants.ALL), help="which of %(default)s")
    parser.add_argument("--scale", type=float, default=1.0, help="so much of the work: 0.1 for a quick look")
    parser.add_argument("--no-install", action="store_true", help="leave out who is not there yet")
    parser.add_argument("--write", action="store_true", help="renew docs/benchmarks.md, its plots and README.md")
    options = parser.parse_args()
    options.works = chosen(options.works, works.BY_NAME)
    options.peers = chosen(options.peers, [peer.name for peer in contestants.ALL])
    return options


def chosen(text, known):
    names = text.split(",")
    for name in names:
        if name not in known:
            sys.exit(f"run.py: {name} is none of {', '.join(known)}")
    return names


def assemble(options):
    """Those that take part, and those that were asked for and cannot be had, with the reason."""
    taking_part, absent = [], {}
    for kind in contestants.ALL:
        if kind.name not in options.peers:
            continue
        peer = kind(TARGET)
        try:
            if not options.no_install or kind.name in contestants.OURS:
                print(f"{kind.name}: installing or building what is missing", file=sys.stderr)
                peer.install()
            peer.known_version = peer.version()
            taking_part.append(peer)
        except (contestants.Missing, OSError, IndexError, subprocess.SubprocessError) as missing:
            absent[kind.name] = str(missing)
            print(f"{kind.name} is left out: {missing}", file=sys.stderr)
    return taking_part, absent


class Bench:
    """Runs the works and gathers the figures."""

    def __init__(self, options, side, folder, taking_part, measure):
        self.options, self.side, self.folder, self.peers, self.measure = options, side, folder, taking_part, measure
        self.works = [works.BY_NAME[name].scaled(options.scale) for name in options.works]
        # Of a work and a peer: a dictionary for each round.
        self.figures = {work.name: {} for work in self.works}
        self.notes, self.failures, self.commands = [], {}, {}

    def run(self):
        self.tasks = {work.name: self.prepare(work) for work in list(self.works)}
        for number in range(self.options.rounds):
            for work in self.works:
                for _ in range(work.times if number < work.most_rounds else 0):
                    for peer in self.peers:
                        self.turn(number, work, peer)

    def prepare(self, work):
        base = self.side.bases[work.server]
        folder = self.folder / work.name
        folder.mkdir()
        listed = folder / "urls"
        urls = work.urls(base)
        listed.write_text("".join(f"{url}\n" for url in urls))
        ca = self.side.folder / "ca.pem" if work.tls else None
        task = contestants.Task(work, work.pattern_for(base), urls, listed, folder, ca)
        prefix = []
        if work.names:
            prefix = self.side.resolver()
            if prefix is None:
                self.notes.append(f"{work.title}: left out, since a resolver of its own takes root and mount namespaces.")
                self.works.remove(work)
        return task, prefix

    def turn(self, number, work, peer):
        task, prefix = self.tasks[work.name]
        shutil.rmtree(task.folder / "aria2", ignore_errors=True)
        command = None if task.report and not peer.reports else peer.command(task)
        if command is None:
            return
        command = [str(word) for word in command]
        self.commands.setdefault(work.name, {})[peer.name] = self.shown(command, task)
        connections, requests = self.side.counts()
        figure = self.measured(work, peer, [*prefix, str(self.measure), str(self.folder / "figures"), *command])
        after = self.side.counts()
        figure["connections"], figure["requests"] = after[0] - connections, after[1] - requests
        if work.server == "resuming":
            figure["resumed"] = self.side.resumed()
        whole = figure["requests"] == work.requests or (peer.name == "wrk" and figure["requests"] > 0)
        if task.report:
            # A line each, of the summary and of CSV's head too; JSON's results have a line each.
            lines = task.report.read_bytes().count(b"\n") if task.report.exists() else 0
            whole = whole and lines >= work.requests
            task.report.unlink(missing_ok=True)
        if figure["code"] != 0 or not whole:
            text = f"{work.name}: {peer.name} ended with {figure['code']} and made {figure['requests']} of {work.requests} requests"
            self.failures[work.name, peer.name] = f"{text}: {figure['said'][-300:].strip()}"
            figure["whole"] = False
        self.figures[work.name].setdefault(peer.name, []).append(figure)
        print(
            f"round {number + 1}: {work.name:13} {peer.name:8} {figure['cpu'] * 1e3:8.1f} ms of CPU {figure['wall']:8.3f} s "
            f"{figure['rss'] / 1024:6.1f} MiB {figure['connections']:6} connections {figure['requests']:6} requests",
            file=sys.stderr,
        )

    def measured(self, work, peer, command):
        figures = self.folder / "figures"
        figures.unlink(missing_ok=True)
        said = self.folder / "said"
        with said.open("w+") as errors, (self.folder / "stdout").open("w") as stdout:
            stdout = stdout if peer.name == "wrk" else subprocess.DEVNULL
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors, start_new_session=True)
            try:
                child.wait(LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, 9)
                child.wait()
        wall, user, system, rss, code = (figures.read_text() if figures.exists() else "0 0 0 0 124").split()
        cpu = (int(user) + int(system)) / 1e6
        return {"wall": int(wall) / 1e9, "cpu": cpu, "rss": int(rss), "code": int(code), "said": said.read_text(), "whole": True}

    def shown(self, command, task):
        """The command with names in place of folders; of many files, the first."""
        words = [pathlib.Path(command[0]).name, *command[1:]]
        files = [word for word in words if word.endswith(".hurl")]
        words = [word for word in words if word not in files[1:]] + (["..."] if len(files) > 1 else [])
        text = " ".join(f"'{word}'" if set(word) & set("[]?") else word for word in words)
        for folder in (self.side.folder, task.folder, HERE):
            text = text.replace(f"{folder}/", "")
        return text


if __name__ == "__main__":
    main()
