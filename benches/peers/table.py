"""Medians, ratios, verdicts, and the words and tables for them."""

import datetime
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess

import plot

OURS = ("roundup", "library")


class Machine:
    """What the figures were taken on."""

    def __init__(self, taking_part, absent, options):
        self.peers = taking_part
        self.absent, self.scale = absent, options.scale
        self.before = os.getloadavg()[0]

    def lines(self, rounds):
        models = re.findall(r"^(?:model name|Model)\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        model = models[0] if models else platform.machine()
        rustc = said("rustc", "--version").split()[1]
        nginx = said(shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-v").strip().rsplit("/", 1)[-1]
        today = datetime.datetime.now(datetime.timezone.utc).date()
        lines = [
            f"{today}: {model}, {os.cpu_count()} cores, Linux {platform.release()}; Rust {rustc}, nginx {nginx};",
            f"{', '.join(f'{peer.name} {peer.known_version}' for peer in self.peers)};",
            f"medians of {rounds} rounds, the load of the machine was {self.before:.1f} before and {os.getloadavg()[0]:.1f} at the end.",
        ]
        if self.scale != 1:
            lines.append(f"Only {self.scale:g} of the work was done: what a start costs weighs more in these figures.")
        return [*lines, *(f"Left out: {name} ({why})." for name, why in self.absent.items())]


def said(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


class Results:
    """All figures of all works."""

    def __init__(self, measured, taking_part, figures, notes):
        self.works, self.peers, self.figures, self.notes = measured, [peer.name for peer in taking_part], figures, notes

    def lines(self, plots=None):
        """All tables, with plots from that folder where there is one."""
        lines = []
        for work in self.works:
            title = work.title[0].upper() + work.title[1:]
            picture = [f"![{title}]({plots}/{work.name}.svg)", ""] if plots else []
            lines += [f"### {title}", "", *picture, *self.table(work), ""]
        return [*lines, "### The targets", "", *self.verdicts(), *([""] if self.notes else []), *self.notes]

    def table(self, work):
        """A row for each peer, in the order of what is compared."""
        each = "ms of CPU" if work.requests == 1 or not work.by_cpu else "us of CPU a request"
        rows = [[work.name, each, "least", "most", "s", "MiB", "connections", "of the command", "of the library"]]
        if work.server == "resuming":
            rows[0].insert(7, "resumed")
        for peer in sorted(self.figures[work.name], key=lambda peer: self.median(work, peer)):
            figures = self.figures[work.name][peer]
            costs = [cost(work, figure) for figure in figures]
            median = lambda key: statistics.median(figure[key] for figure in figures)
            row = [peer, number(statistics.median(costs)), number(min(costs)), number(max(costs))]
            row += [f"{median('wall'):.3f}", f"{median('rss') / 1024:.1f}", f"{median('connections'):,.0f}"]
            if work.server == "resuming":
                row.append(f"{median('resumed'):,.0f}")
            for ours in OURS:
                ratio = self.ratio("cpu" if work.by_cpu else "wall", (work.name, peer), (work.name, ours))
                row.append("" if ratio is None or peer == ours else f"{ratio:.2f}")
            if not all(figure["whole"] for figure in figures):
                row[0] += " (not whole)"
            rows.append(row)
        return markdown(rows)

    def median(self, work, peer):
        figures = self.figures[work.name][peer]
        return statistics.median(cost(work, figure) if work.by_cpu else figure["wall"] for figure in figures)

    def ratio(self, what, one, other):
        """The median over the rounds of one figure by the other; both are named by work and peer."""
        pairs = list(zip(*(self.figures.get(work, {}).get(peer, []) for work, peer in (one, other))))
        each = (lambda figure: figure["cpu"] / max(1, figure["requests"])) if what == "cpu" else (lambda figure: figure[what])
        pairs = [(each(a), each(b)) for a, b in pairs]
        return statistics.median(a / b for a, b in pairs) if pairs and all(b for _, b in pairs) else None

    def verdicts(self):
        rows = [["what", "at most", *OURS]]
        for work in self.works:
            for target in work.targets:
                row = [f"{work.title}: {named(target)}", f"{target.limit:g}{unit(target)}"]
                found = [self.found(work, target, ours) for ours in OURS]
                if any(value is not None for value in found):
                    rows.append([*row, *(verdict(value, target) for value in found)])
        return markdown(rows) if len(rows) > 1 else []

    def found(self, work, target, ours):
        if target.of is None:
            figures = self.figures[work.name].get(ours)
            scale = {"cpu": 1e3, "wall": 1, "rss": 1 / 1024}[target.what]
            return figures and statistics.median(figure[target.what] for figure in figures) * scale
        other = (target.of, ours) if target.of in self.figures or "-" in target.of else (work.name, target.of)
        return self.ratio(target.what, (work.name, ours), other)


def cost(work, figure):
    if work.requests == 1 or not work.by_cpu:
        return figure["cpu"] * 1e3
    return figure["cpu"] * 1e6 / max(1, figure["requests"])


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def named(target):
    word = {"cpu": "CPU", "wall": "wall clock", "rss": "resident"}[target.what]
    if target.of is None:
        return word
    return f"{word}, of {target.of}'s" if "-" not in target.of else f"{word}, of a full handshake's"


def unit(target):
    return "" if target.of else {"cpu": " ms", "wall": " s", "rss": " MiB"}[target.what]


def verdict(value, target):
    if value is None:
        return ""
    shown = f"{value:.3f}" if target.what == "wall" and not target.of else f"{value:.2f}"
    return f"{shown} {'ok' if value <= target.limit else 'misses'}"


def markdown(rows):
    """Columns that line up for people, too."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    line = lambda row: "| " + " | ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]) + " |"
    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return [line(rows[0]), rule, *map(line, rows[1:])]


def replace(file, mark, lines):
    """Puts lines between two comments of a file."""
    marks = rf"(?<=<!-- {mark} -->\n).*?(?=<!-- end -->)"
    text = "\n".join(lines)
    file.write_text(re.sub(marks, lambda _: f"\n{text}\n\n", file.read_text(), flags=re.DOTALL))


def write(root, machine, results, commands, rounds):
    """Into docs/benchmarks.md with its plots, and what each peer was told into the README beside this."""
    replace(root / "docs/benchmarks.md", "peers", [*machine.lines(rounds), "", *results.lines("benchmarks")])
    told = [*markdown([["", "what it is"], *([peer.name, peer.about] for peer in machine.peers)]), ""]
    for work, of in commands.items():
        told += [f"`{work}`:", "", "```", *of.values(), "```", ""]
    replace(pathlib.Path(__file__).with_name("README.md"), "told", told[:-1])
    folder = root / "docs/benchmarks"
    folder.mkdir(exist_ok=True)
    for work in results.works:
        bars = [(peer, results.median(work, peer)) for peer in results.figures[work.name]]
        about = "microseconds of processor time a request" if work.by_cpu else "seconds"
        title = work.title[0].upper() + work.title[1:]
        (folder / f"{work.name}.svg").write_text(plot.bars(title, about, bars, OURS))
