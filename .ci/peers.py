"""The checks of .ci/peers, which starts the servers and calls this. One line a check, and a count at the end."""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import jsonschema

MIB = 1 << 20
# A call that takes longer is killed, and its check has failed.
PATIENCE_S = 180

options = argparse.ArgumentParser()
for name in ("subject", "work", "schema", "httpbin", "nginx", "tls", "simple"):
    options.add_argument("--" + name, required=True)
options = options.parse_args()
HTTPBIN, NGINX, TLS, SIMPLE = options.httpbin, options.nginx, options.tls, options.simple
WORK = pathlib.Path(options.work)
WWW = WORK / "www"
CA = str(WORK / "tls" / "ca.pem")
counts = {"passed": 0, "failed": 0}


def check(function):
    """Runs a check named by its first line of documentation; what it returns is shown behind the name."""
    try:
        note = function()
    except Exception as error:  # noqa: BLE001: whatever went wrong, the other checks go on
        counts["failed"] += 1
        text = " ".join(str(error).split()) or "not so"
        line = error.__traceback__
        while line.tb_next and line.tb_next.tb_frame.f_code.co_filename == __file__:
            line = line.tb_next
        print(f"FAIL - {function.__doc__}: {type(error).__name__} at line {line.tb_lineno}: {text[:600]}", flush=True)
    else:
        counts["passed"] += 1
        print(f"ok - {function.__doc__}" + (f" ({note})" if note else ""), flush=True)


def sha(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(MIB):
            digest.update(piece)
    return digest.hexdigest()


def clean_environment():
    def is_kept(name):
        upper = name.upper()
        return not (upper.startswith("ROUNDUP_") or upper.endswith("_PROXY") or upper.startswith("SSL_CERT_"))

    return {name: value for name, value in os.environ.items() if is_kept(name)}


class Run:
    """One call of the binary with its report read, checked against the schema and against the order of the URLs."""

    def __init__(self, urls, *arguments, code=0):
        self.urls, self.folder = urls, pathlib.Path(tempfile.mkdtemp(dir=WORK))
        self.peak_kib, self.threads = 0, []
        report = self.folder / "report.json"
        command = [options.subject, "get", "--quiet", "--report", f"json={report}", *arguments, *urls]
        with open(self.folder / "out", "wb") as out, open(self.folder / "err", "wb") as err:
            start = time.monotonic()
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=clean_environment()
            )
            self.code = self.watch(process, start + PATIENCE_S)
            self.elapsed_s = time.monotonic() - start
        self.out = (self.folder / "out").read_text(errors="replace")
        self.err = (self.folder / "err").read_text(errors="replace")
        assert self.code == code, f"exit code {self.code}, not {code}: {self.err}"
        self.text = report.read_text()
        self.report = json.loads(self.text)
        self.results = self.report["results"]
        schema = json.loads(pathlib.Path(options.schema).read_text())
        jsonschema.Draft202012Validator(schema).validate(self.report)
        assert len(self.results) == len(urls), f"{len(self.results)} results"
        summary = self.report["summary"]
        ok = sum(result["ok"] for result in self.results)
        assert (summary["total"], summary["ok"], summary["failed"]) == (len(urls), ok, len(urls) - ok), summary
        self.first = self.results[0]

    def watch(self, process, limit):
        """Samples memory and threads. Not by rusage: its maximum includes this process from before the exec."""
        proc = pathlib.Path(f"/proc/{process.pid}")
        while (code := process.poll()) is None:
            if time.monotonic() > limit:
                process.kill()
                process.wait()
                raise TimeoutError(f"no end in {PATIENCE_S} s")
            try:
                for line in (proc / "status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self.peak_kib = max(self.peak_kib, int(line.split()[1]))
                names = [(task / "comm").read_text().strip() for task in (proc / "task").iterdir()]
                if len(names) > len(self.threads):
                    self.threads = names
            except OSError:
                pass  # it has just ended, or a thread has
            time.sleep(0.002)
        return code

    def in_order(self):
        assert [result["url"] for result in self.results] == self.urls, "not in input order"
        return self


def get(url, *arguments, code=0):
    return Run([url], *arguments, code=code).in_order()


def saved(run, folder):
    return [pathlib.Path(folder) / result["body_file"] for result in run.results]


def output_folder():
    return tempfile.mkdtemp(dir=WORK)


def failed(run, kind):
    assert not run.first["ok"] and run.first["error"]["kind"] == kind, run.first


def checks_of_httpbin():
    @check
    def _():
        "httpbin: ten answers of a second each take about a second"
        run = Run([f"{HTTPBIN}/delay/1?n={n}" for n in range(10)]).in_order()
        assert 1000 <= run.report["elapsed_ms"] < 4000, run.report["elapsed_ms"]
        return f"{run.report['elapsed_ms']} ms"

    @check
    def _():
        "httpbin: compare does the same work one at a time and at once"
        urls = [f"{HTTPBIN}/delay/1?n={n}" for n in range(10)]
        start = time.monotonic()
        done = subprocess.run(
            [options.subject, "compare", *urls], capture_output=True, env=clean_environment(), timeout=PATIENCE_S
        )
        elapsed = time.monotonic() - start
        assert done.returncode == 0 and done.stdout, done
        assert 11 <= elapsed < 20, elapsed
        return f"{elapsed:.1f} s"

    @check
    def _():
        "httpbin: 429 is tried three times and fails with kind status"
        run = get(f"{HTTPBIN}/status/429", "--retries", "2", code=3)
        failed(run, "status")
        assert run.first["status"] == 429 and len(run.first["attempts"]) == 3, run.first

    @check
    def _():
        "httpbin: 503 fails once without retries, and is fine where it is accepted"
        run = get(f"{HTTPBIN}/status/503", "--retries", "0", code=3)
        failed(run, "status")
        assert run.first["status"] == 503 and len(run.first["attempts"]) == 1, run.first
        assert get(f"{HTTPBIN}/status/503", "--accept", "200,503").first["ok"]

    @check
    def _():
        "httpbin: gzip is undone"
        assert get(f"{HTTPBIN}/gzip").first["body"]["gzipped"] is True

    @check
    def _():
        "httpbin: --raw leaves gzip as it is"
        folder = output_folder()
        run = get(f"{HTTPBIN}/gzip", "--raw", "--output-dir", folder)
        assert saved(run, folder)[0].read_bytes()[:2] == b"\x1f\x8b"

    @check
    def _():
        "httpbin: redirects are followed, relative and absolute"
        for path in ("/redirect/3", "/absolute-redirect/2"):
            run = get(HTTPBIN + path)
            assert run.first["final_url"] == f"{HTTPBIN}/get" and run.first["status"] == 200, run.first

    @check
    def _():
        "httpbin: too many redirects fail with kind redirect"
        failed(get(f"{HTTPBIN}/redirect/4", "--follow", "3", code=3), "redirect")

    @check
    def _():
        "httpbin: five lines come in chunks"
        folder = output_folder()
        run = get(f"{HTTPBIN}/stream/5", "--output-dir", folder)
        lines = saved(run, folder)[0].read_text().splitlines()
        assert [json.loads(line)["id"] for line in lines] == list(range(5)), lines

    @check
    def _():
        "httpbin: bytes that drip in a second are all there"
        run = get(f"{HTTPBIN}/drip?duration=1&numbytes=10&delay=0")
        assert run.first["body_bytes"] == 10, run.first

    @check
    def _():
        "httpbin: a name and a password in the URL log in, and a wrong one is not shown"
        right = HTTPBIN.replace("//", "//u:p4ssw0rd@")
        run = Run([f"{right}/basic-auth/u/p4ssw0rd"])
        assert run.first["status"] == 200 and run.first["body"]["authenticated"] is True, run.first
        wrong = HTTPBIN.replace("//", "//u:wr0ngw0rd@")
        run = Run([f"{wrong}/basic-auth/u/p"], code=3)
        failed(run, "status")
        assert run.first["status"] == 401, run.first
        for text in (run.text, run.out, run.err):
            assert "wr0ngw0rd" not in text, "the password is shown"

    @check
    def _():
        "httpbin: a thousand bytes"
        assert get(f"{HTTPBIN}/bytes/1000").first["body_bytes"] == 1000

    @check
    def _():
        "httpbin: text in UTF-8, HTML and plain text"
        assert "∮ E⋅da = Q" in get(f"{HTTPBIN}/encoding/utf8").first["body"]
        assert "Herman Melville" in get(f"{HTTPBIN}/html").first["body"]
        assert "YOU SHOULDN'T BE HERE" in get(f"{HTTPBIN}/deny").first["body"]

    @check
    def _():
        "httpbin: HEAD has no body and ends at once"
        run = get(f"{HTTPBIN}/bytes/1000", "--method", "HEAD", "--timeout", "5s")
        assert run.first["status"] == 200 and run.first["body_bytes"] in (0, None), run.first

    @check
    def _():
        "httpbin: POST sends data from the command line and from a file"
        json_type = ("--method", "POST", "--header", "Content-Type: application/json")
        run = get(f"{HTTPBIN}/post", *json_type, "--data", '{"a":[1,"ü"]}')
        assert run.first["body"]["json"] == {"a": [1, "ü"]}, run.first["body"]
        file = WWW / "numbers.json"
        run = get(f"{HTTPBIN}/post", *json_type, "--data", f"@{file}")
        assert run.first["body"]["json"] == json.loads(file.read_text())

    @check
    def _():
        "httpbin: fields and the user agent arrive"
        run = get(f"{HTTPBIN}/headers", "--header", "X-Check: a b", "--user-agent", "peers/1")
        headers = run.first["body"]["headers"]
        assert (headers["X-Check"], headers["User-Agent"]) == ("a b", "peers/1"), headers

    @check
    def _():
        "httpbin: a timeout has its kind, and the time it says"
        run = get(f"{HTTPBIN}/delay/5", "--timeout", "500ms", "--retries", "0", code=3)
        failed(run, "timeout")
        assert 500 <= run.report["elapsed_ms"] < 3000, run.report["elapsed_ms"]


def checks_of_nginx():
    large = ("--max-body", "128MiB", "--timeout", "120s")

    @check
    def _():
        "nginx: a small and a large file arrive whole, plain and over TLS"
        for base, arguments in ((NGINX, ()), (TLS, ("--cacert", CA))):
            folder = output_folder()
            run = Run([f"{base}/1k", f"{base}/100m"], "--output-dir", folder, *large, *arguments).in_order()
            assert [result["body_bytes"] for result in run.results] == [1024, 100 * MIB], run.results
            for name, path in zip(("1k", "100m"), saved(run, folder)):
                assert sha(path) == sha(WWW / name), name
            shutil.rmtree(folder)

    @check
    def _():
        "nginx: a certificate nobody vouches for fails with kind tls"
        failed(get(f"{TLS}/1k", code=3), "tls")

    @check
    def _():
        "nginx: --insecure takes that certificate"
        assert get(f"{TLS}/1k", "--insecure").first["status"] == 200

    @check
    def _():
        "nginx: gzip made on the fly is undone, plain and over TLS"
        expected = json.loads((WWW / "numbers.json").read_text())
        for base, arguments in ((NGINX, ()), (TLS, ("--cacert", CA))):
            assert get(f"{base}/numbers.json", *arguments).first["body"] == expected

    @check
    def _():
        "nginx: a body over its cap fails with kind too_large"
        failed(get(f"{NGINX}/100m", "--max-body", "1MiB", code=3), "too_large")

    @check
    def _():
        "nginx: twenty files of 100 MiB stay under 24 MiB of memory"
        free = shutil.disk_usage(WORK).free
        assert free > 3000 * MIB, f"only {free // MIB} MiB are free in {WORK}"
        folder = output_folder()
        urls = [f"{NGINX}/100m?n={n}" for n in range(20)]
        try:
            run = Run(urls, "--output-dir", folder, "--concurrency", "20", *large).in_order()
            sizes = [path.stat().st_size for path in saved(run, folder)]
        finally:
            shutil.rmtree(folder)
        assert sizes == [100 * MIB] * 20, sizes
        assert 0 < run.peak_kib < 24 * 1024, f"{run.peak_kib} KiB"
        return f"{run.peak_kib} KiB, {run.elapsed_s:.1f} s"


def checks_of_simple():
    @check
    def _():
        "http.server: HTTP/1.0 with a file, a listing, and what is not there, in input order"
        paths = ("/nothing", "/folder/", "/folder/hello.txt", "/1k")
        run = Run([SIMPLE + path for path in paths], code=3).in_order()
        assert [result["status"] for result in run.results] == [404, 200, 200, 200], run.results
        failed(run, "status")
        assert "hello.txt" in run.results[1]["body"] and run.results[2]["body"] == "hello\n", run.results
        assert run.results[3]["body_bytes"] == 1024, run.results[3]


def checks_of_the_whole():
    @check
    def _():
        "all: results are in input order, whatever answers first"
        urls = [f"{HTTPBIN}/delay/1", f"{NGINX}/1k", f"{HTTPBIN}/delay/2", f"{SIMPLE}/1k", f"{HTTPBIN}/get"]
        Run(urls).in_order()

    @check
    def _():
        "all: fifty sources stay within 8 MiB of memory and six threads"
        # All at once, for long enough to be looked at.
        run = Run([f"{HTTPBIN}/delay/1?n={n}" for n in range(50)], "--concurrency", "50").in_order()
        assert 0 < run.peak_kib <= 8 * 1024, f"{run.peak_kib} KiB"
        # The caller's, the helper of async-io, and the blocking pool.
        assert 0 < len(run.threads) <= 1 + 1 + 4, run.threads
        return f"{run.peak_kib} KiB, threads {', '.join(sorted(run.threads))}"


def checks_of_the_servers():
    """Without the binary: that the servers are what the checks take them for."""

    def curl(*arguments):
        command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", *arguments]
        return subprocess.run(command, check=True, capture_output=True, env=clean_environment()).stdout

    def code(*arguments):
        return int(curl("--output", "/dev/null", "--write-out", "%{http_code}", *arguments))

    @check
    def _():
        "httpbin: statuses, redirects and a login"
        assert (code(f"{HTTPBIN}/status/429"), code(f"{HTTPBIN}/status/503")) == (429, 503)
        login = HTTPBIN.replace("//", "//u:p@")
        assert (code(f"{login}/basic-auth/u/p"), code(f"{login}/basic-auth/u/x")) == (200, 401)
        for path in ("/redirect/3", "/absolute-redirect/2"):
            url = curl("--location", "--output", "/dev/null", "--write-out", "%{url_effective}", HTTPBIN + path)
            assert url.decode() == f"{HTTPBIN}/get", url

    @check
    def _():
        "httpbin: bodies"
        assert json.loads(curl("--compressed", f"{HTTPBIN}/gzip"))["gzipped"] is True
        assert len(curl(f"{HTTPBIN}/bytes/1000")) == 1000
        assert len(curl(f"{HTTPBIN}/drip?duration=1&numbytes=10&delay=0")) == 10
        assert "∮ E⋅da = Q" in curl(f"{HTTPBIN}/encoding/utf8").decode()
        assert b"Herman Melville" in curl(f"{HTTPBIN}/html")
        assert b"YOU SHOULDN'T BE HERE" in curl(f"{HTTPBIN}/deny")
        head = curl("--include", f"{HTTPBIN}/stream/5")
        assert b"HTTP/1.1 200" in head and b"chunked" in head.lower() and head.count(b'"id"') == 5, head
        posted = curl("--header", "Content-Type: application/json", "--data", '{"a":1}', f"{HTTPBIN}/post")
        assert json.loads(posted)["json"] == {"a": 1}
        assert b"content-length: 1000" in curl("--head", f"{HTTPBIN}/bytes/1000").lower()

    @check
    def _():
        "httpbin: fifty answers of a second each at once"
        urls = [f"{HTTPBIN}/delay/1?n={n}" for n in range(50)]
        start = time.monotonic()
        curl("--parallel", "--parallel-max", "50", "--parallel-immediate", *(x for u in urls for x in ("-o", "/dev/null", u)))
        elapsed = time.monotonic() - start
        assert 1 <= elapsed < 5, elapsed
        return f"{elapsed:.1f} s"

    @check
    def _():
        "nginx: files, plain and over TLS"
        for arguments in ((NGINX,), (TLS, "--cacert", CA)):
            base, *rest = arguments
            for name in ("1k", "100m"):
                assert curl(*rest, f"{base}/{name}") == (WWW / name).read_bytes(), name
            head = curl(*rest, "--include", "--output", "-", "--header", "Accept-Encoding: gzip", f"{base}/numbers.json")
            assert b"content-encoding: gzip" in head.lower()

    @check
    def _():
        "nginx: curl does not trust the certificate by itself"
        try:
            curl(f"{TLS}/1k")
        except subprocess.CalledProcessError as error:
            assert error.returncode == 60, error
        else:
            raise AssertionError("it does")

    @check
    def _():
        "http.server: HTTP/1.0, a file, a listing and 404"
        assert curl("--include", f"{SIMPLE}/folder/hello.txt").startswith(b"HTTP/1.0 200")
        assert b"hello.txt" in curl(f"{SIMPLE}/folder/") and code(f"{SIMPLE}/nothing") == 404


if options.subject == "--servers":
    checks_of_the_servers()
else:
    options.subject = os.path.abspath(options.subject)
    checks_of_httpbin()
    checks_of_nginx()
    checks_of_simple()
    checks_of_the_whole()
print(f"{counts['passed']} passed, {counts['failed']} failed")
sys.exit(1 if counts["failed"] else 0)
