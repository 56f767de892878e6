"""Who takes part: how each is installed, what version it is, and what it is told."""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OURS = ("roundup", "library")
HURL = "8.0.1"
# What the servers need, of Debian.
SERVER = (
    ("nginx", "nginx-light"), ("/usr/lib/nginx/modules/ngx_http_echo_module.so", "libnginx-mod-http-echo"), ("openssl", "openssl"),
)


@dataclasses.dataclass
class Task:
    """A work as a peer sees it."""

    work: object
    pattern: str
    urls: list
    # A file with the URLs, a folder for what must be saved, and the authority to trust where that is needed.
    listed: pathlib.Path
    folder: pathlib.Path
    ca: pathlib.Path | None

    @property
    def report(self):
        """The file for what is made of the answers, where the work asks for that."""
        return self.folder / "report" if self.work.report else None

    @property
    def picks(self):
        """Whether one value is picked of each answer; its whole content is reported otherwise."""
        return self.work.report in ("plan-lines", "plan-csv")


class Peer:
    """One of them. `command` says how it is told a task, or is None where it cannot do that."""

    name = ""
    about = ""
    packages = ()  # of Debian
    cargo = None  # a folder with a package, built here
    reports = False  # whether it makes something of the answers

    def __init__(self, target):
        self.target = target  # target/peers

    def install(self):
        """Installs it where it is missing; raises `Missing` where that cannot be."""
        debian(self.packages)
        if self.cargo:
            environment = {**os.environ, "CARGO_TARGET_DIR": str(self.builds())}
            run("cargo", "build", "--release", "--locked", "--quiet", cwd=self.cargo, env=environment)

    def builds(self):
        """Where cargo builds it."""
        return self.target / "build"

    def built(self, name):
        return self.builds() / "release" / name

    def version(self):
        raise NotImplementedError

    def command(self, task):
        raise NotImplementedError


class Missing(Exception):
    """A peer that cannot be had here, with the reason."""


def run(*command, timeout=3600, **more):
    try:
        return subprocess.run([str(word) for word in command], check=True, timeout=timeout, stdin=subprocess.DEVNULL, **more)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"{' '.join(map(str, command[:3]))}: {error}") from error


def output(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def debian(packages):
    """Installs what is missing of a mapping from programs or files to packages."""
    path = os.environ["PATH"] + ":/usr/sbin"
    missing = [name for what, name in packages if not (os.path.exists(what) if what[0] == "/" else shutil.which(what, path=path))]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"{' '.join(missing)} missing: needs root and apt-get to install")
    # RUNLEVEL=1 keeps a package from starting a server of its own.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ("apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing)
    quiet = {"env": environment, "stdout": subprocess.DEVNULL, "timeout": 900}
    try:
        run(*install, stderr=subprocess.DEVNULL, **quiet)
    except Missing:
        run("apt-get", "-qq", "update", **quiet)
        run(*install, **quiet)


class Ours(Peer):
    def builds(self):
        """The project's own target folder: most of what is compiled for one serves the other."""
        return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


class Roundup(Ours):
    name = "roundup"
    about = "the command, with its table to stdout"
    reports = True

    def install(self):
        run("cargo", "build", "--release", "--locked", "--quiet", cwd=ROOT)

    def binary(self):
        return self.built("roundup")

    def version(self):
        return output(self.binary(), "--version").split()[-1]

    def command(self, task):
        trust = ["--cacert", task.ca] if task.ca else []
        limits = ["--quiet", "--concurrency", task.work.concurrency, "--per-host", task.work.concurrency, *trust]
        if not task.report:
            return [self.binary(), "get", *limits, task.pattern]
        source, kind = task.work.report.split("-")
        report = ["--report", f"{'jsonl' if kind == 'lines' else kind}={task.report}"]
        if source == "list":
            return [self.binary(), "get", *limits, *report, "--input", task.listed]
        plan = task.folder / "plan.toml"
        plan.write_text(
            "[[job]]\nname = \"small\"\n"
            + f"each = {{ n = {{ from = 1, to = {task.work.requests} }} }}\n"
            + f"url = \"{task.pattern.replace(f'[1-{task.work.requests}]', '{n}')}\"\n"
            + ("select = { temperature = \"/temperature_c\" }\n" if task.picks else "")
        )
        return [self.binary(), "run", *limits, *report, plan]


class Library(Ours):
    name = "library"
    about = "the same through `Fetcher`, without command line and report"
    cargo = HERE / "library"

    def version(self):
        return re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]

    def command(self, task):
        return [self.built("roundup-bench-library"), task.listed, task.work.concurrency, *([task.ca] if task.ca else [])]


class Reqwest(Peer):
    name = "reqwest"
    about = "on tokio's current-thread runtime, rustls with ring"
    reports = True
    cargo = HERE / "reqwest"

    def version(self):
        lock = (self.cargo / "Cargo.lock").read_text()
        return re.search(r'name = "reqwest"\nversion = "(.+)"', lock)[1]

    def command(self, task):
        if task.report:
            made = "--pick" if task.picks else "--whole"
            return [self.built("roundup-bench-reqwest"), task.listed, task.work.concurrency, made, task.report]
        return [self.built("roundup-bench-reqwest"), task.listed, task.work.concurrency, *([task.ca] if task.ca else [])]


class Curl(Peer):
    name = "curl"
    about = "`curl -Z --parallel-immediate`, OpenSSL; Debian's takes at most 300 at once"
    packages = (("curl", "curl"),)

    def version(self):
        return output("curl", "--version").split()[1]

    def command(self, task):
        at_once = min(task.work.concurrency, 300)
        parallel = ["-Z", "--parallel-immediate", "--parallel-max", at_once] if task.work.requests > 1 else []
        trust = ["--cacert", task.ca] if task.ca else []
        return ["curl", "-q", "-s", "-S", "-f", *parallel, *trust, "-o", "/dev/null", task.pattern]


class Wget2(Peer):
    name = "wget2"
    about = "a thread a connection, GnuTLS"
    packages = (("wget2", "wget2"),)

    def version(self):
        return output("wget2", "--version").split()[2]

    def command(self, task):
        trust = ["--ca-certificate", task.ca] if task.ca else []
        return [
            "wget2", "--no-config", "-q", "--max-threads", task.work.concurrency, "--no-hsts", "--no-hpkp", "--tries=1", *trust,
            "-O", "/dev/null", "-i", task.listed,
        ]


class Aria2(Peer):
    name = "aria2"
    about = "GnuTLS; it can do no other than save to files, which are in memory here"
    packages = (("aria2c", "aria2"),)

    def version(self):
        return output("aria2c", "--version").split()[2]

    def command(self, task):
        # Names of files that differ: it would try one after the other.
        listed = task.folder / "aria2.list"
        listed.write_text("".join(f"{url}\n out={n}\n" for n, url in enumerate(task.urls)))
        trust = ["--ca-certificate", task.ca] if task.ca else []
        return [
            "aria2c", "--no-conf", "-q", "-j", task.work.concurrency, "-x", "1", "-s", "1", "--file-allocation=none", "--max-tries=1",
            "--auto-save-interval=0", "--max-download-result=0", *trust, "-d", task.folder / "aria2", "-i", listed,
        ]


class Aiohttp(Peer):
    name = "aiohttp"
    about = "on asyncio, OpenSSL"
    reports = True

    def python(self):
        return self.target / "venv/bin/python"

    def install(self):
        if not self.python().exists():
            try:
                run(sys.executable, "-m", "venv", self.target / "venv", stdout=subprocess.DEVNULL)
            except Missing:
                debian((("/usr/share/doc/python3-venv", "python3-venv"),))
                run(sys.executable, "-m", "venv", "--clear", self.target / "venv", stdout=subprocess.DEVNULL)
        if not list(self.target.glob("venv/lib/*/site-packages/aiohttp")):
            run(self.python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "aiohttp>=3.11,<4")

    def version(self):
        return output(self.python(), "-c", "import aiohttp, platform; print(aiohttp.__version__, 'on Python', platform.python_version())").strip()

    def command(self, task):
        made = ["--pick" if task.picks else "--whole", task.report] if task.report else []
        made = made or ([task.ca] if task.ca else [])
        return [self.python(), HERE / "aiohttp_client.py", task.listed, task.work.concurrency, *made]


class Hurl(Peer):
    name = "hurl"
    about = "a thread and a file of requests for each of those at once, libcurl"
    packages = (
        ("/usr/include/libxml2", "libxml2-dev"), ("pkg-config", "pkg-config"), ("/usr/include/openssl/ssl.h", "libssl-dev"),
        ("/usr/share/doc/libcurl4-openssl-dev", "libcurl4-openssl-dev"), ("/usr/share/doc/libclang-dev", "libclang-dev"),
    )

    def binary(self):
        return self.target / "hurl/bin/hurl"

    def install(self):
        if not self.binary().exists():
            super().install()
            environment = {**os.environ, "CARGO_TARGET_DIR": str(self.target / "hurl/build")}
            run("cargo", "install", "hurl", "--locked", "--quiet", "--version", HURL, "--root", self.target / "hurl", env=environment)

    def version(self):
        return output(self.binary(), "--version").split()[1]

    def command(self, task):
        # Requests of a file are made one after the other, on one connection.
        files = []
        for n in range(task.work.concurrency):
            file = task.folder / f"{n}.hurl"
            file.write_text("".join(f"GET {url}\nHTTP 200\n" for url in task.urls[n :: task.work.concurrency]))
            files.append(file)
        trust = ["--cacert", task.ca] if task.ca else []
        parallel = ["--parallel", "--jobs", task.work.concurrency] if len(files) > 1 else []
        return [self.binary(), "--no-output", *parallel, *trust, *files]


class Wrk(Peer):
    name = "wrk"
    about = "the floor: one URL again and again for 2 s, OpenSSL without verification"
    packages = (("wrk", "wrk"),)

    def version(self):
        return output("wrk", "--version").split()[1].removeprefix("debian/")

    def command(self, task):
        # Its work is a time; what delays, is over at once or has many names is not for it.
        if task.work.name not in ("kept", "kept-tls"):
            return None
        return ["wrk", "-t", "1", "-c", task.work.concurrency, "-d", "2s", task.urls[0]]


ALL = (Roundup, Library, Reqwest, Curl, Wget2, Aria2, Aiohttp, Hurl, Wrk)


def prepared(target, script):
    """The library's programs, built, and what the servers need, installed; ends the script where that cannot be."""
    target.mkdir(parents=True, exist_ok=True)
    try:
        debian(SERVER)
        library = Library(target)
        library.install()
    except Missing as missing:
        sys.exit(f"{script}: {missing}")
    return library
