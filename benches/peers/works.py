"""What is measured: the works, and how much of what each of them may take."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Target:
    """That the subject takes at most `limit` of what `of` takes, or where there is no `of`, at most `limit` at all."""

    what: str  # cpu (ms at all, or of a request where compared), wall (s) or rss (MiB)
    limit: float
    of: str | None = None  # a peer, or a work of our own that this one is compared with


@dataclasses.dataclass(frozen=True)
class Work:
    name: str
    title: str
    # The server of servers.py it asks, and what of it; [1-N] stands for all numbers, as in curl.
    server: str
    pattern: str
    requests: int
    concurrency: int
    targets: tuple = ()
    # How many times as many rounds as the others, for what is over in milliseconds.
    times: int = 1
    # Enough rounds, where each of them takes minutes.
    most_rounds: int = 1_000
    tls: bool = False
    # Whether it needs the slow resolver.
    names: bool = False
    # Whether it is shown by the CPU of a request; by wall clock otherwise.
    by_cpu: bool = True
    content: int = 1024
    # What is made of the answers: one of REPORTS, or nothing beyond the table that the command has anyway.
    report: str = ""

    def scaled(self, scale):
        """A smaller or larger one, with no more at once than there are requests."""
        requests = max(1, round(self.requests * scale))
        return dataclasses.replace(self, requests=requests, concurrency=min(self.concurrency, requests))

    def pattern_for(self, base):
        """All URLs in one, as curl and roundup expand it."""
        return (base + self.pattern).replace("[1-N]", f"[1-{self.requests}]")

    def urls(self, base):
        return [(base + self.pattern).replace("[1-N]", str(n)) for n in range(1, self.requests + 1)]


# Where the URLs stand, what is asked for, and where it goes.
REPORTS = {
    "plan-lines": "a plan whose jobs pick one value; JSON Lines",
    "plan-json": "a plan; JSON with the contents",
    "list-lines": "a list; JSON Lines with the contents",
    "plan-csv": "a plan whose jobs pick one value; CSV",
}

KEPT = (
    Target("cpu", 0.8, "reqwest"),
    Target("cpu", 0.5, "wget2"),
    Target("cpu", 0.25, "curl"),
    Target("cpu", 0.06, "aiohttp"),
    Target("cpu", 1.4, "wrk"),
)
WORKS = (
    Work(
        "sources-50", "50 sources of 1 s", "plain", "/delay/1?n=[1-N]", 50, 50, by_cpu=False,
        targets=(Target("wall", 1.010), Target("cpu", 10), Target("rss", 6)),
    ),
    Work(
        "sources-1000", "1,000 sources of 2 s at once", "plain", "/delay/2?n=[1-N]", 1_000, 1_000, by_cpu=False,
        targets=(Target("wall", 2.10), Target("cpu", 0.5, "wget2"), Target("rss", 20)),
    ),
    Work("kept", "10,000 small requests at 50, kept alive", "plain", "/small?n=[1-N]", 10_000, 50, targets=KEPT),
    Work("kept-tls", "10,000 small requests at 50 over TLS, kept alive", "tls", "/small?n=[1-N]", 10_000, 50, targets=KEPT, tls=True),
    Work(
        "fresh-tls", "2,000 fresh TLS connections at 10", "closing", "/small?n=[1-N]", 2_000, 10, tls=True,
        targets=(Target("cpu", 1.0, "reqwest"),),
    ),
    Work(
        "resumed-tls", "2,000 TLS connections at 10 with resumption", "resuming", "/small?n=[1-N]", 2_000, 10, tls=True,
        targets=(Target("cpu", 0.4, "fresh-tls"),),
    ),
    Work(
        "bodies", "200 contents of 5 MB at 10", "plain", "/large?n=[1-N]", 200, 10, content=5_000_000,
        targets=(Target("cpu", 1.1, "curl"),),
    ),
    Work(
        "bodies-tls", "200 contents of 5 MB at 10 over TLS", "tls", "/large?n=[1-N]", 200, 10, content=5_000_000, tls=True,
        targets=(Target("cpu", 1.2, "curl"),),
    ),
    *(
        Work(
            name, f"10,000 small requests at 50: {REPORTS[name]}", "plain", "/small?n=[1-N]", 10_000, 50, report=name,
            targets=(Target("cpu", limit, "reqwest"), *more),
        )
        for name, limit, more in (
            ("plan-lines", 0.70, (Target("cpu", 0.10, "aiohttp"),)),
            ("plan-json", 0.70, ()),
            ("list-lines", 0.65, ()),
            ("plan-csv", 0.70, ()),
        )
    ),
    Work(
        "names", "500 hosts by name at 50, a slow resolver", "named", "/small", 500, 50, names=True, by_cpu=False, most_rounds=2,
    ),
    Work(
        "cold", "a cold start with one URL", "plain", "/small", 1, 1, times=5, by_cpu=False,
        targets=(Target("wall", 1.0, "curl"),),
    ),
    Work("cold-tls", "a cold start over TLS", "tls", "/small", 1, 1, times=5, by_cpu=False, tls=True),
)
BY_NAME = {work.name: work for work in WORKS}
