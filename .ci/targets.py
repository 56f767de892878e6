"""Checks a binary as a user of a small board or of Windows would run it, against servers on this machine.

usage: python3 .ci/targets.py [--windows] BINARY [RUNNER...]

On Linux it checks what tests/cli cannot show: that a binary works on its processor, with an old kernel, little memory and a
read-only root, and how fast it starts. tests/cli does not run with wine, so for Windows everything is checked here.

RUNNER comes before the binary's name: qemu-arm-static -cpu arm1176, or wine. With --windows, HELPER.exe after it is
.ci/windows.c. Needs openssl for certificates.
"""

import contextlib
import csv
import ctypes
import functools
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

windows = "--windows" in sys.argv
words = [word for word in sys.argv[1:] if word != "--windows"]
if not words:
    sys.exit(__doc__)
COMMAND = [*[word for word in words[1:] if not word.endswith(".exe")], os.path.abspath(words[0])]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="roundup-targets-"))
# An emulated processor is slow, and so is a machine that compiles beside this.
PATIENCE = 180
TEXT = "∮ E⋅da = Q, naïve, 日本語, 🦀\n"
counts = {"passed": 0, "failed": 0}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen = set()

    def do_GET(self):
        path = self.path.split("?")[0]
        moved = None
        status, kind, content = 200, "application/json", json.dumps({"path": self.path}).encode()
        if path.startswith("/text"):
            kind, content = "text/plain; charset=utf-8", TEXT.encode()
        elif path.startswith("/big"):
            kind, content = "application/octet-stream", bytes(range(256)) * 4096
        elif path.startswith("/moved"):
            status, moved = 302, self.path.partition("?")[2]
        elif path.startswith("/down"):
            status = 503
        elif path.startswith("/flaky") and self.path not in Handler.seen:
            Handler.seen.add(self.path)
            status = 503
        elif path.startswith("/slow"):
            started.set()
            released.wait(PATIENCE)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if moved:
            # In UTF-8, as browsers take it.
            self.send_header("Location", urllib.parse.unquote(moved).encode().decode("latin-1"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 600

    def handle_error(self, *_):
        # Clients that break off, or do not like the certificate.
        pass


started, released = threading.Event(), threading.Event()


def serve(context=None):
    server = Server(("127.0.0.1", 0), Handler)
    if context:
        # The handshake is made by the thread of the connection, at its first read, so that accept() does not wait for it.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def authority():
    """A test authority and a certificate for localhost by it."""
    run = functools.partial(subprocess.run, check=True, capture_output=True, cwd=WORK)
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run([*new, "-x509", "-days", "30", "-subj", "/CN=a root for one test", "-keyout", "ca.key", "-out", "ca.pem"])
    run([*new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"])
    (WORK / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    run(["openssl", "x509", "-req", "-in", "server.csr", "-days", "30", "-extfile", "names", "-CA", "ca.pem",
         "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(WORK / "server.pem", WORK / "server.key")
    return context


def environment(**more):
    read = ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "SSL_CERT_FILE", "SSL_CERT_DIR")
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("ROUNDUP_") and not name.lower().endswith("_proxy") and name not in read}
    return {**kept, "WINEDEBUG": "-all", **more}


def roundup(*arguments, code=0, folder=WORK, stdin=None, prefix=(), before=None, **more):
    """Runs it to its end; its output as bytes."""
    def run():
        return subprocess.run([*prefix, *COMMAND, *map(str, arguments)], cwd=folder, input=stdin, capture_output=True,
                              timeout=PATIENCE, env=environment(**more), preexec_fn=before)
    done = run()
    # On a busy machine wine now and then ends with 1 before it has started the program, and without a word, as roundup never does.
    if windows and done.returncode == 1 and not done.stdout and not done.stderr:
        done = run()
    said = f"{arguments}: exit code {done.returncode}\n{done.stdout.decode(errors='replace')[-2000:]}\n" \
           f"{done.stderr.decode(errors='replace')[-2000:]}"
    assert done.returncode == code, said
    return done


def check(function):
    begun = time.monotonic()
    try:
        note = function()
    except Exception as error:
        counts["failed"] += 1
        print(f"FAILED  {function.__doc__}: {type(error).__name__}: {error}", flush=True)
        return
    counts["passed"] += 1
    print(f"ok {time.monotonic() - begun:7.2f} s  {function.__doc__}{f' ({note})' if note else ''}", flush=True)


def on_windows(function):
    """A check that tests/cli makes on Linux."""
    if windows:
        check(function)


def document(name):
    return json.loads((WORK / name).read_bytes())


context = authority()
HTTP, TLS = f"http://127.0.0.1:{serve()}", f"https://localhost:{serve(context)}"
quiet = ("--quiet", "--retries", "0")


@check
def _():
    "it starts, and prints its version"
    said = roundup("--version").stdout
    assert said.startswith(b"roundup ") and said.endswith(b"\n") and b"\r" not in said, said
    return said.decode().strip()


@on_windows
def _():
    "the demo: 50 APIs, one at a time and then concurrently"
    said = roundup("demo").stdout.decode()
    assert "one at a time" in said and "times as fast" in said, said
    return [line for line in said.splitlines() if "times as fast" in line][0]


@check
def _():
    "50 sources over http and https, with all reports to files"
    urls = [f"{base}/json?n=[1-25]" for base in (HTTP, TLS)]
    roundup("get", *quiet, "--cacert", "ca.pem", "--concurrency", 50, "--per-host", 50, "--report", "json=r.json",
            "--report", "jsonl=r.jsonl", "--report", "csv=r.csv", "--report", "table=r.txt", *urls)
    report = document("r.json")
    expected = [{"path": f"/json?n={n}"} for n in range(1, 26)] * 2
    assert [result["body"] for result in report["results"]] == expected, report["results"]
    assert report["summary"]["ok"] == 50 and not report["interrupted"], report["summary"]
    lines = [json.loads(line) for line in (WORK / "r.jsonl").read_text().splitlines()]
    assert len(lines) == 51, len(lines)
    with open(WORK / "r.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert [row["status"] for row in rows] == ["200"] * 50, rows
    assert "50 sources: 50 ok" in (WORK / "r.txt").read_text()


@on_windows
def _():
    "text comes out as the UTF-8 it is, byte for byte"
    both = roundup("get", *quiet, "--body", "--cacert", "ca.pem", f"{HTTP}/text", f"{TLS}/text").stdout
    assert both == TEXT.encode() * 2, both


@check
def _():
    "contents go to files that cannot leave their folder, over http and https"
    plan = "\n".join(f'[[job]]\nname = "{name}"\nurl = "{base}/big"' for name, base in
                     [("CON", HTTP), ("aux.txt", TLS), ("../../up", HTTP), ("a:b?c*d", TLS), ("Größe 日本", HTTP),
                      ("nul .txt", HTTP), ("COM¹", TLS), ("trail. .", HTTP), ("Up", TLS), ("UP", HTTP), ("日" * 300, TLS)])
    (WORK / "files.toml").write_text(plan, encoding="utf-8")
    roundup("run", *quiet, "--cacert", "ca.pem", "--output-dir", "out", "--report", "json=files.json", "files.toml")
    results = document("files.json")["results"]
    for result in results:
        path = (WORK / "out" / result["body_file"]).resolve()
        assert path.parent == (WORK / "out").resolve(), path
        assert path.read_bytes() == bytes(range(256)) * 4096, path
    assert len(list((WORK / "out").iterdir())) == len(results) == 11
    return ", ".join(result["body_file"][:20] for result in results)


@on_windows
def _():
    "a path beyond 260 characters"
    deep = "/".join(["a" * 60] * 5)
    (WORK / "deep").mkdir()
    # Windows takes 259 characters unless told otherwise; the rest is the binary's own matter.
    done = roundup("get", *quiet, "--output-dir", f"deep/{deep}", f"{HTTP}/text")
    saved = [path for path in (WORK / "deep").rglob("*") if path.is_file()]
    assert len(saved) == 1 and saved[0].read_text() == TEXT and not done.stderr, (saved, done.stderr)
    done = roundup("get", *quiet, "--report", f"json=deep/{deep}/report.json", f"{HTTP}/json")
    assert document(f"deep/{deep}/report.json")["summary"]["ok"] == 1 and not done.stderr, done.stderr


@on_windows
def _():
    "a report to the device that keeps nothing"
    said = roundup("get", *quiet, "--report", "json=nul", "--report", "jsonl", f"{HTTP}/json").stdout
    assert b'"ok":true' in said and not (WORK / "nul").is_file(), said


@on_windows
def _():
    "one failure costs no other its result; the flaky one is tried again"
    roundup("get", "--quiet", "--retries", 1, "--report", "json=mixed.json", f"{HTTP}/json", f"{HTTP}/down",
            f"{HTTP}/flaky", "http://127.0.0.1:1/", "http://no-such-host.invalid/", code=3)
    results = document("mixed.json")["results"]
    assert [result["ok"] for result in results] == [True, False, True, False, False], results
    kinds = [result["error"] and result["error"]["kind"] for result in results]
    assert kinds == [None, "status", None, "connect", "dns"], kinds
    assert len(results[2]["attempts"]) == 2, results[2]


@on_windows
def _():
    "a certificate by an unknown authority fails with kind tls, with each root store"
    for more in ((), ("--roots", "bundled")):
        roundup("get", *quiet, *more, "--report", "json=tls.json", f"{TLS}/json", code=3)
        assert document("tls.json")["results"][0]["error"]["kind"] == "tls", document("tls.json")
    roundup("get", *quiet, "--insecure", f"{TLS}/json")


@on_windows
def _():
    "exit codes: command line 1, plan 2, source 3, expectation 4, report 5"
    roundup("get", "--no-such-option", code=1)
    (WORK / "bad.toml").write_text("[[job]]\nurk = 1\n")
    said = roundup("run", "bad.toml", code=2).stderr.decode()
    assert "bad.toml" in said and "urk" in said, said
    roundup("get", *quiet, f"{HTTP}/down", code=3)
    (WORK / "expect.toml").write_text(f'[[job]]\nname = "a"\nurl = "{HTTP}/json"\nexpect = {{ status = "204" }}\n')
    roundup("run", *quiet, "expect.toml", code=4)
    roundup("get", *quiet, "--report", "json=no/such/folder/r.json", f"{HTTP}/json", code=5)


@on_windows
def _():
    "a proxy of the environment is asked"
    said = roundup("get", *quiet, "http://no-such-host.invalid/json", http_proxy=HTTP).stdout.decode()
    assert "1 ok" in said, said


@check
def _():
    "names of hosts in all scripts, as they are given and as a server says them"
    port = HTTP.rpartition(":")[2]
    hosts = {"bücher.example": "xn--bcher-kva.example", "пример.example": "xn--e1afmkfd.example",
             "日本.example": "xn--wgv71a.example", "한국.example": "xn--3e0b707e.example",
             "שלום.example": "xn--9dbne9b.example"}
    given = [word for name in hosts.values() for word in ("--resolve", f"{name}:{port}:127.0.0.1")]
    moved = [f"{HTTP}/moved?{urllib.parse.quote(f'//{host}:{port}/json')}" for host in hosts]
    said = roundup("get", *quiet, *given, *(f"http://{host}:{port}/json" for host in hosts), *moved).stdout
    assert b"10 ok" in said, said


@on_windows
def _():
    "a list on stdin"
    said = roundup("get", *quiet, "--cacert", WORK / "ca.pem", "-", stdin=f"{HTTP}/json\n{TLS}/json\n{HTTP}/text\n".encode())
    assert b"3 ok" in said.stdout, said.stdout


def interrupted(send):
    """Sends a signal while a source is under way; the report of what there is must be written."""
    started.clear()
    released.clear()
    (WORK / "cut.json").unlink(missing_ok=True)
    running = subprocess.Popen([*COMMAND, "get", "--concurrency", "1", "--report", "json=cut.json",
                                f"{HTTP}/json", f"{HTTP}/slow"], cwd=WORK, env=environment(),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert started.wait(PATIENCE), "it asked for nothing"
        begun = time.monotonic()
        send(running)
        said = running.communicate(timeout=PATIENCE)
        took = time.monotonic() - begun
    finally:
        released.set()
        with contextlib.suppress(OSError):
            running.kill()
        running.wait()
    assert running.returncode == 130, (running.returncode, said)
    report = document("cut.json")
    assert report["interrupted"] and [result["ok"] for result in report["results"]] == [True, False], report
    assert report["results"][1]["error"]["kind"] == "cancelled", report["results"][1]
    return f"{took:.2f} s to the end"


# wine takes SIGINT for Ctrl-C, and ends at once at SIGTERM as Windows ends a task.
@on_windows
def _():
    "SIGINT ends the run with the report of what there is"
    return interrupted(lambda running: running.send_signal(signal.SIGINT))


if windows and len(words) > 2 and words[2].endswith(".exe"):
    @contextlib.contextmanager
    def helped(*how):
        COMMAND[1:1] = [words[2], *how]
        try:
            yield
        finally:
            del COMMAND[1:2 + len(how)]

    for event, name in ((1, "Ctrl-Break"), (2, "the closing of the console"), (5, "logging off"), (6, "shutting down")):
        def told():
            with helped("console", str(event)):
                return interrupted(lambda running: (running.stdin.write(b"\n"), running.stdin.flush()))
        told.__doc__ = f"{name} ends the run with the report of what there is"
        check(told)

    @check
    def _():
        "without a console and without standard handles, as the Task Scheduler starts it"
        with helped("detached"):
            roundup("get", "--report", "json=task.json", f"{HTTP}/json")
            roundup("get", *quiet, f"{HTTP}/json")
            roundup("get", *quiet, f"{HTTP}/down", code=3)
            roundup("get", "-", code=1)
        assert document("task.json")["summary"]["ok"] == 1, document("task.json")

    @check
    def _():
        "an authority in the user's certificate store is trusted, but not with the bundled roots"
        subprocess.run(["openssl", "x509", "-in", "ca.pem", "-outform", "DER", "-out", "ca.der"], check=True, cwd=WORK)
        subprocess.run([COMMAND[0], words[2], "trust", "ca.der"], check=True, cwd=WORK, env=environment(), timeout=PATIENCE)
        roundup("get", *quiet, f"{TLS}/json")
        roundup("get", *quiet, "--roots", "os", f"{TLS}/json")
        roundup("get", *quiet, "--roots", "bundled", f"{TLS}/json", code=3)


def old_kernel():
    """System calls that came after Linux 4.9 fail as they do there: by their numbers on x86_64, statx is the first."""
    class Rule(ctypes.Structure):
        _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_uint16), ("rules", ctypes.POINTER(Rule))]

    rules = (Rule * 4)((0x20, 0, 0, 0), (0x35, 0, 1, 332), (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7FFF0000))
    program = Program(4, rules)
    libc = ctypes.CDLL(None, use_errno=True)
    # PR_SET_NO_NEW_PRIVS, then PR_SET_SECCOMP with SECCOMP_MODE_FILTER.
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "no filter for system calls")


def most_memory(*arguments, limit=None):
    """Runs it and watches its memory; the highest in KiB. LIMIT is of its whole address space, in bytes."""
    prefix = ("prlimit", f"--as={limit}", "--") if limit else ()
    running = subprocess.Popen([*prefix, *COMMAND, *map(str, arguments)], cwd=WORK, env=environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak, name = 0, pathlib.Path(COMMAND[0]).name
    # Not by resource usage, which counts what this process had when it forked.
    while running.poll() is None:
        with contextlib.suppress(OSError, ProcessLookupError):
            status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{running.pid}/status").read_text().splitlines())
            if status["Name"].strip() == name[:15] and "VmHWM" in status:
                peak = int(status["VmHWM"].split()[0])
        time.sleep(0.0005)
    assert running.returncode == 0, (running.returncode, running.stderr.read())
    return peak


def first_byte():
    """The milliseconds from the start of the process to the first byte of its request; those of the processor to its end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        begun = time.monotonic()
        running = subprocess.Popen([*COMMAND, "get", *quiet, f"http://127.0.0.1:{listener.getsockname()[1]}/"],
                                   env=environment(), stdout=subprocess.DEVNULL)
        connection, _ = listener.accept()
        assert connection.recv(1)
        took = (time.monotonic() - begun) * 1000
        connection.close()
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    return took, (usage.ru_utime + usage.ru_stime) * 1000


def cgroup(limit):
    """A new group with this much memory, of version 1 or 2; None if none can be made."""
    for base, name in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = pathlib.Path(base) / f"roundup-{os.getpid()}"
        with contextlib.suppress(OSError):
            group.mkdir()
            try:
                (group / name).write_text(str(limit))
                return group
            except OSError:
                group.rmdir()
    return None


if not windows and len(COMMAND) == 1:
    @check
    def _():
        "a kernel of 2016: system calls that came later are refused"
        urls = [f"{HTTP}/json?n=[1-5]", f"{TLS}/json?n=[1-5]"]
        said = roundup("get", *quiet, "--cacert", "ca.pem", "--output-dir", "old", *urls, before=old_kernel).stdout
        assert b"10 ok" in said and len(list((WORK / "old").iterdir())) == 10, said

    @check
    def _():
        "a root that is read-only, without /proc, a home or a folder to write to"
        mount = 'mount --make-rprivate / && mount -o remount,bind,ro / && umount -l /proc && cd / && exec "$@"'
        if os.geteuid() or subprocess.run(["unshare", "-m", "sh", "-c", mount, "sh", "true"], capture_output=True).returncode:
            return "not tried: mounts cannot be changed here"
        gone = {name: "" for name in ("HOME", "USER")}
        said = roundup("get", *quiet, "--cacert", WORK / "ca.pem", f"{HTTP}/json", f"{TLS}/json",
                       prefix=("unshare", "-m", "sh", "-c", mount, "sh"), **gone).stdout
        assert b"2 ok" in said, said
        said = roundup("get", *quiet, "--report", f"json={WORK}/no.json", f"{HTTP}/json", code=5,
                       prefix=("unshare", "-m", "sh", "-c", mount, "sh")).stderr
        assert b"Read-only" in said or b"read-only" in said, said

    @check
    def _():
        "50 https sources at once take at most 6 MiB of memory, and 7 with all features"
        most = (7 if "-full/" in str(COMMAND[-1]) else 6) * 1024
        peak = most_memory("get", *quiet, "--cacert", "ca.pem", "--concurrency", 50, "--per-host", 50, "--report", "json=m.json",
                           f"{TLS}/json?n=[1-50]")
        assert document("m.json")["summary"]["ok"] == 50 and 0 < peak <= most, peak
        return f"{peak} KiB"

    @check
    def _():
        "500 https sources, ten at a time, with an address space of 32 MB"
        peak = most_memory("get", *quiet, "--cacert", "ca.pem", "--report", "json=m.json", f"{TLS}/json?n=[1-500]",
                           limit=32_000_000)
        assert document("m.json")["summary"]["ok"] == 500, document("m.json")["summary"]
        return f"{peak} KiB"

    @check
    def _():
        "500 https sources, 100 at a time, in a cgroup with 32 MB of memory"
        group = cgroup(32_000_000)
        if not group:
            return "not tried: there is none to be had"
        try:
            roundup("get", *quiet, "--cacert", "ca.pem", "--concurrency", 100, "--per-host", 100, "--report", "json=m.json",
                    f"{TLS}/json?n=[1-500]", before=lambda: (group / "cgroup.procs").write_text("0"))
            peak = next(file for file in (group / "memory.max_usage_in_bytes", group / "memory.peak") if file.exists())
            note = f"{int(peak.read_text()) // 1024} KiB, what the kernel keeps for it included"
        finally:
            group.rmdir()
        assert document("m.json")["summary"]["ok"] == 500, document("m.json")["summary"]
        return note

    @check
    def _():
        "the first byte is sent within 5 ms of the start"
        # Python's own start of a process is included. The machine can only add to it: the fastest quarter of the runs is
        # judged, and on a busy machine, where none is fast, what the whole run took of the processor.
        runs = [first_byte() for _ in range(41)]
        took, worked = (sorted(numbers)[10] for numbers in zip(*runs))
        assert took <= 5 or worked <= 5, (took, worked, runs)
        return f"{took:.1f} ms" if took <= 5 else f"{took:.1f} ms on a busy machine, {worked:.1f} ms of the processor for all of it"

released.set()
shutil.rmtree(WORK)
print(f"{counts['passed']} passed, {counts['failed']} failed")
sys.exit(1 if counts["failed"] else 0)
