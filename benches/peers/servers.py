"""The other side: nginx with what the works ask for, and a slow resolver in a mount namespace of its own."""

import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ADDRESS, RESOLVER = "127.0.0.1", "127.0.53.53"
# Everything on one process: it has one core. Answers of one request each come from memory or a file in memory.
CONF = """
load_module {echo};
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections {connections}; multi_accept on; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type application/json;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {folder}/chain.pem;
    ssl_certificate_key {folder}/leaf.key;
    ssl_protocols TLSv1.3;
    ssl_session_tickets off;
    ssl_session_cache off;
    log_format resumed "$ssl_session_reused";
    open_file_cache max=16;
    server {{
        listen {address}:{plain} backlog=4096;
        listen {address}:{tls} ssl backlog=4096;
        root {folder}/www;
        location = /delay/1 {{ echo_sleep 1; echo -n "{json}"; }}
        location = /delay/2 {{ echo_sleep 2; echo -n "{json}"; }}
    }}
    server {{
        listen {address}:{closing} ssl backlog=4096;
        keepalive_timeout 0;
        root {folder}/www;
    }}
    server {{
        listen {address}:{resuming} ssl backlog=4096;
        keepalive_timeout 0;
        ssl_session_tickets on;
        access_log {folder}/resumed.log resumed;
        root {folder}/www;
    }}
    # Other hosts are all over 127.0.0.0/8.
    server {{
        listen 0.0.0.0:{named} backlog=4096;
        allow 127.0.0.0/8;
        deny all;
        root {folder}/www;
    }}
    server {{
        listen 0.0.0.0:{parting} backlog=4096;
        allow 127.0.0.0/8;
        deny all;
        keepalive_timeout 0;
        root {folder}/www;
    }}
    server {{
        listen {address}:{status};
        location = /status {{ stub_status; }}
    }}
}}
"""
CERTIFICATES = """
openssl ecparam -name prime256v1 -genkey -noout -out root.key
openssl req -x509 -new -key root.key -subj '/CN=bench root' -days 30 -out ca.pem \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
openssl ecparam -name prime256v1 -genkey -noout -out middle.key
openssl req -new -key middle.key -subj '/CN=bench intermediate' -out middle.csr
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n' > middle.ext
openssl x509 -req -in middle.csr -CA ca.pem -CAkey root.key -CAcreateserial -days 30 -extfile middle.ext -out middle.pem
openssl ecparam -name prime256v1 -genkey -noout -out leaf.key
openssl req -new -key leaf.key -subj '/CN=127.0.0.1' -out leaf.csr
printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n' > leaf.ext
openssl x509 -req -in leaf.csr -CA middle.pem -CAkey middle.key -CAcreateserial -days 30 -extfile leaf.ext -out leaf.pem
cat leaf.pem middle.pem > chain.pem
"""


class Servers:
    """Runs from its start to `stop`, on one core."""

    def __init__(self, folder, core):
        self.folder, self.core, self.started = pathlib.Path(folder), core, []
        self.prefix = None
        self.asked = self.read = 0
        plain, tls, closing, resuming, named, parting, status = free_ports(7)
        self.status = status
        self.bases = {
            "plain": f"http://{ADDRESS}:{plain}",
            "tls": f"https://{ADDRESS}:{tls}",
            "closing": f"https://{ADDRESS}:{closing}",
            "resuming": f"https://{ADDRESS}:{resuming}",
            "named": f"http://h[1-N].bench.test:{named}",
        }
        self.ports = dict(
            plain=plain, tls=tls, closing=closing, resuming=resuming, named=named, parting=parting, status=status
        )

    def start(self):
        (self.folder / "www").mkdir(parents=True, exist_ok=True)
        small = '{"city":"oslo","temperature_c":3.5,"filler":"%s"}'
        (self.folder / "www/small").write_text(small % ("x" * (1024 - len(small % ""))))
        large = self.folder / "www/large"
        large.write_bytes(os.urandom(1_000_000) * 5)
        subprocess.run(["sh", "-ec", CERTIFICATES], cwd=self.folder, check=True, capture_output=True)
        module = "/usr/lib/nginx/modules/ngx_http_echo_module.so"
        descriptors = min(65_536, resource_limit())
        conf = CONF.format(
            echo=module, folder=self.folder, address=ADDRESS, descriptors=descriptors, connections=descriptors - 100,
            json='{\\"late\\":true}', **self.ports,
        )
        (self.folder / "nginx.conf").write_text(conf)
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        server = self.spawn([nginx, "-p", self.folder, "-c", self.folder / "nginx.conf", "-g", "daemon off;"])
        for _ in range(100):
            try:
                self.counts()
            except OSError:
                time.sleep(0.05)
                continue
            if server.poll() is None:
                return
            break
        sys.exit(f"run.py: nginx does not start: {(self.folder / 'error.log').read_text()[-500:]}")

    def spawn(self, command, **more):
        child = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {self.core}),
            **more,
        )
        self.started.append(child)
        return child

    def resolver(self):
        """Starts the slow resolver; returns what to put before a command to make it the command's own."""
        if os.geteuid() != 0:
            return None
        if self.prefix:
            return self.prefix
        dns = self.spawn([sys.executable, HERE / "slow_dns.py", RESOLVER, "53"], stdout=subprocess.PIPE)
        dns.stdout.readline()
        (self.folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\noptions timeout:5 attempts:1\n")
        (self.folder / "nsswitch.conf").write_text("hosts: files dns\n")
        script = "for name in resolv nsswitch; do mount --bind $0/$name.conf /etc/$name.conf; done; echo ready; exec sleep 86400"
        holder = self.spawn(["unshare", "-m", "sh", "-ec", script, self.folder], stdout=subprocess.PIPE)
        if holder.stdout.readline() != b"ready\n":
            return None
        self.prefix = ["nsenter", "-t", str(holder.pid), "-m", "--"]
        return self.prefix

    def counts(self):
        """Connections and requests so far, without those for this count."""
        with urllib.request.urlopen(f"http://{ADDRESS}:{self.status}/status", timeout=10) as answer:
            text = answer.read().decode()
        self.asked += 1
        accepted, _, requests = map(int, re.search(r"\n *(\d+) (\d+) (\d+)", text).groups())
        return accepted - self.asked, requests - self.asked

    def resumed(self):
        """How many connections were resumed since this was asked last."""
        log = self.folder / "resumed.log"
        with log.open() as file:
            file.seek(self.read)
            lines = file.read().splitlines()
            self.read = file.tell()
        return lines.count("r")

    def stop(self):
        for child in reversed(self.started):
            child.terminate()
        for child in self.started:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()


def free_ports(count):
    """Ports that nobody listens on, below those that the kernel gives to clients."""
    free = []
    for port in range(18_480, 19_480):
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    sys.exit("run.py: no ports are free between 18480 and 19480")


def resource_limit():
    """Raises the limit on open files as far as it may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def main():
    """`servers.py FOLDER`: the servers alone, for a profiler, until they are interrupted."""
    folder = pathlib.Path(sys.argv[1]).resolve()
    side = Servers(folder, min(os.sched_getaffinity(0)))
    try:
        side.start()
        folder.chmod(0o755)
        print(*(f"{name}: {base}" for name, base in side.bases.items()), f"ca: {folder}/ca.pem", sep="\n", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        side.stop()


if __name__ == "__main__":
    main()
