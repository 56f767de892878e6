#!/usr/bin/env python3
"""What tasks, wake-ups, timers and channels cost: roundup's loop beside LocalExecutor, tokio and asyncio.

usage: benches/loops/run.py [--rounds N] [--count] [--write]

Builds the bench as it is released and runs every work on every runtime in turns, a process each, all on one core, so
that what else the machine does falls on all of them. Prints the machine, the median times and the ratios: the median
over the rounds of the ratio within a round. Figures are compared with their targets, and none of them fails the run.
Then it counts the locked instructions of each work, if valgrind and objdump are there; --count does that alone.
--write puts what was found into README.md. Needs Linux.
"""

import argparse
import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

import locked

HERE = pathlib.Path(__file__).resolve().parent
BINARY = HERE / "target/release/roundup-bench-loops"
RUST = ("roundup", "roundup-watched", "LocalExecutor", "tokio", "tokio-LocalSet")
RUNTIMES = (*RUST, "asyncio")
# What is measured, how many of it by the Rust runtimes and by asyncio, and what the first column may be of tokio.
WORKS = {
    "spawn": (200_000, 20_000, 0.5, "start a task and await it"),
    "gather": (200_000, 20_000, 1.0, "start tasks, then await all"),
    "yield": (1_000_000, 100_000, 1.0, "give way among 100 tasks"),
    "wake": (200_000, 20_000, 1.0, "wake another task and be woken by it"),
    "channel": (1_000_000, 100_000, 1.0, "pass a number through a channel of 64"),
    "sleep": (100_000, 100_000, 1.0, "sleep, 100,000 at once"),
    "timer": (300_000, 100_000, 1.0, "arm a timer and drop it"),
}
OF_ASYNCIO = 0.1
MANY = 100_000
OF_A_POLL = 1.01


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("run.py: the figures are those of Linux: core, memory and processor time are asked of it")
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=HERE, check=True)
    if not options.count:
        show("measured", measured(options.rounds), options.write)
    why = locked.missing()
    if why:
        print(f"Locked instructions were not counted: {why}.")
    else:
        show("counted", counted(), options.write)


def show(mark, lines, write):
    """Prints them, and puts them between this mark and its end."""
    text = "\n".join(lines)
    print(text)
    if write:
        readme = HERE / "README.md"
        between = rf"(?<=<!-- {mark} -->\n).*?(?=<!-- end -->)"
        readme.write_text(re.sub(between, lambda _: f"\n{text}\n\n", readme.read_text(), count=1, flags=re.DOTALL))


def measured(rounds):
    before = os.getloadavg()[0]
    figures = {work: {runtime: [] for runtime in RUNTIMES} for work in (*WORKS, "many")}
    watch = []
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for work in WORKS:
            for runtime in RUNTIMES:
                figures[work][runtime].append(measure(runtime, work, WORKS[work][runtime == "asyncio"])[0])
        watch.append(run(BINARY, "watch"))
    # These hardly differ from one to the next.
    for _ in range(min(rounds, 3)):
        for runtime in RUNTIMES:
            figures["many"][runtime].append(measure(runtime, "many", MANY))
    return [*machine(rounds, before), "", *table(figures), "", *asleep(figures["many"]), "", *watched(watch)]


def counted():
    """The locked instructions of each work, and by function those of the works that the others are made of."""
    counter = locked.Counter(BINARY)
    found = {work: {runtime: counter.per_piece(runtime, work) for runtime in RUST} for work in WORKS}
    rows = [["locked instructions", *RUST]]
    rows += [[about, *(f"{found[work][r][0]:.1f}" for r in RUST)] for work, (*_, about) in WORKS.items()]
    lines = markdown(rows)
    for work in ("spawn", "yield", "wake"):
        for runtime in ("roundup", "tokio-LocalSet"):
            shares = sorted(found[work][runtime][1].items(), key=lambda share: -share[1])
            named = ", ".join(f"{count:.1f} `{locked.short(name)}`" for name, count in shares if count >= 0.5)
            lines += ["", f"{WORKS[work][-1]}, {runtime}: {named}"]
    return lines


def measure(runtime, work, many):
    if runtime == "asyncio":
        return run(sys.executable, HERE / "asyncio_loop.py", work, many)
    return run(BINARY, runtime, work, many)


def run(*command):
    """The numbers that it prints."""
    # The last core: interrupts and other people's work prefer the first.
    core = max(os.sched_getaffinity(0))
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True, timeout=300,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    return [float(word) for word in done.stdout.split()]


def machine(rounds, before):
    models = re.findall(r"^(?:model name|Model)\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    model = models[0] if models else platform.machine()
    rustc = subprocess.run(["rustc", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[1]
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return [
        f"{today}: {model}, {os.cpu_count()} cores, Linux {platform.release()}; Rust {rustc}, Python",
        f"{platform.python_version()}; medians of {rounds} rounds; the load of the machine was {before:.1f} before and",
        f"{os.getloadavg()[0]:.1f} at the end.",
    ]


def ratio(figures, other):
    return statistics.median(a / b for a, b in zip(figures["roundup"], figures[other]))


def mark(value, target):
    return f"{value:.2f} {'ok' if value <= target else f'MISSED {target:g}'}"


def table(figures):
    rows = [["ns of processor time", *RUNTIMES, "of tokio", "of asyncio"]]
    for work, (_, _, target, about) in WORKS.items():
        of = figures[work]
        medians = [f"{statistics.median(of[runtime]):,.0f}" for runtime in RUNTIMES]
        rows.append([about, *medians, mark(ratio(of, "tokio"), target), mark(ratio(of, "asyncio"), OF_ASYNCIO)])
    return markdown(rows)


def asleep(figures):
    rows = [["100,000 tasks asleep at once", *RUNTIMES]]
    for at, (about, scale) in enumerate((("bytes of memory a task", 1), ("ms to start them all", 1e6 / MANY), ("ms to end them all", 1e6 / MANY))):
        rows.append([about, *(f"{statistics.median(figure[at] for figure in figures[r]) / scale:,.0f}" for r in RUNTIMES)])
    return markdown(rows)


def watched(figures):
    without, with_, of = (statistics.median(column) for column in zip(*figures))
    cost = (of - 1) * 100
    verdict = "ok" if of <= OF_A_POLL else "MISSED 1 %"
    return [
        f"The list of tasks and the watchdog make a poll of {without / 1000:.2f} us {with_ / 1000:.2f} us long, by the ratios in pairs",
        f"{cost:.2f} % longer ({verdict}).",
    ]


def markdown(rows):
    """Columns that line up for people, too."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    line = lambda row: "| " + " | ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]) + " |"
    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return [line(rows[0]), rule, *map(line, rows[1:])]


main()
