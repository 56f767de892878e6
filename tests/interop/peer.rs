//! Starts programs that others wrote, and ends them.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Dir, PATIENCE, TestCommand};

/// A program that listens on free ports of 127.0.0.1, until it is dropped.
pub(super) struct Peer<const N: usize> {
    child: Child,
    /// What it listens on.
    pub(super) ports: [u16; N],
    /// Its files, and its log.
    dir: Dir,
}

impl<const N: usize> Peer<N> {
    /// Starts what `command` makes for a folder and ports, and waits until it listens on all of them. A port that another
    /// process takes in between ends the program, so it gets three tries.
    #[track_caller]
    pub(super) fn start(name: &str, mut command: impl FnMut(&Dir, [u16; N]) -> Command) -> Peer<N> {
        let mut log = String::new();
        for _ in 0..3 {
            let (dir, ports) = (Dir::new(), free_ports());
            let file = File::create(dir.join("log")).expect("the folder was just made");
            let mut command = command(&dir, ports);
            let also = file.try_clone().expect("a file can be shared");
            command.stdin(Stdio::null()).stdout(file).stderr(also);
            let child = command.spawn().unwrap_or_else(|e| panic!("{name}: {command:?}: {e}"));
            let mut peer = Peer { child, ports, dir };
            if peer.listens() {
                return peer;
            }
            log = peer.log();
        }
        panic!("{name} does not listen: {log}")
    }

    /// All that it has written.
    pub(super) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.join("log")).expect("it was made at the start")).into_owned()
    }

    fn listens(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            if self.ports.iter().all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok()) {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl<const N: usize> Drop for Peer<N> {
    /// Asks it to end, so that it ends its own workers, and kills it if it has not after five seconds.
    fn drop(&mut self) {
        // Fails if it has ended by itself, which is as good.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports that were free a moment ago. No two peers of this process get the same one: the second could not listen, and a
/// connection to the first would look as if it did. They are below the ports that Linux gives to outgoing connections
/// (`ip_local_port_range`), so that none of those takes one in between.
fn free_ports<const N: usize>() -> [u16; N] {
    const LOWEST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Test runners that start a process for each test begin at different places.
    let first = std::process::id().wrapping_mul(97);
    let next = || {
        let offset = first.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(LOWEST + offset).expect("it is below 32,000");
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(port)
    };
    [(); N].map(|()| (0..COUNT).find_map(|_| next()).expect("a free port of 127.0.0.1"))
}

/// The path of a program. Debian keeps servers in sbin, which is not on every user's PATH.
#[track_caller]
pub(super) fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let found = folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()));
    found.unwrap_or_else(|| panic!("{name} is missing: apt-get install {package}"))
}

/// A line in the settings of a server that would otherwise hand its work to another user, which cannot read our folder.
pub(super) fn for_root(line: &str) -> &str {
    if rustix::process::geteuid().is_root() { line } else { "" }
}

/// nginx with these files, over plain HTTP and TLS; `more` goes into both servers.
pub(super) fn nginx(root: &Path, certificate: &Path, key: &Path, more: &str) -> Peer<2> {
    Peer::start("nginx", |dir, [http, https]| {
        let (at, root) = (dir.path().display(), root.display());
        let temporary =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {at};"));
        let config = format!(
            "{user} daemon off; worker_processes 1; pid {at}/pid; error_log stderr;
            events {{ worker_connections 256; }}
            http {{
                access_log off; root {root}; sendfile on; {temporary}
                gzip on; gzip_types application/json text/plain;
                types {{ application/json json; text/plain txt; }} default_type application/octet-stream;
                server {{ listen 127.0.0.1:{http}; {more} }}
                server {{
                    listen 127.0.0.1:{https} ssl; {more}
                    ssl_certificate {certificate}; ssl_certificate_key {key};
                }}
            }}",
            user = for_root("user root;"),
            temporary = temporary.concat(),
            certificate = certificate.display(),
            key = key.display(),
        );
        let config = dir.write("nginx.conf", config);
        let mut command = Command::new(program("nginx", "nginx-light"));
        command.arg("-p").arg(dir.path()).arg("-c").arg(config);
        command
    })
}

/// curl, with nothing of the caller's proxies.
pub(super) fn curl() -> TestCommand {
    let always = ["--silent", "--show-error", "--noproxy", "*", "--max-time", "60"];
    TestCommand::program(program("curl", "curl")).args(always)
}

/// What a process took at most.
#[derive(Debug, Default)]
pub(super) struct Usage {
    pub(super) peak_kib: u64,
    /// The part of it that the program wrote itself: not the pages of its file and of libraries, of which the system
    /// brings in as many as it has at hand, and drops them when it needs the room.
    pub(super) peak_own_kib: u64,
    /// The names of its threads, when there were most.
    pub(super) threads: Vec<String>,
}

/// Looks at a child until it ends. Not by its resource usage: the maximum there includes this process, before the exec.
pub(super) fn watch(pid: u32) -> JoinHandle<Usage> {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    thread::spawn(move || {
        let mut usage = Usage::default();
        while let Ok(status) = fs::read_to_string(proc.join("status")) {
            let kib = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                line.trim().split(' ').next()?.parse::<u64>().ok()
            };
            // It has ended and was not waited for.
            let Some(peak) = kib("VmHWM:") else { break };
            usage.peak_kib = usage.peak_kib.max(peak);
            usage.peak_own_kib = usage.peak_own_kib.max(kib("RssAnon:").unwrap_or_default());
            let tasks = fs::read_dir(proc.join("task")).into_iter().flatten().flatten();
            let names: Vec<String> =
                tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok()).collect();
            if names.len() > usage.threads.len() {
                usage.threads = names;
            }
            thread::sleep(Duration::from_millis(2));
        }
        usage
    })
}
