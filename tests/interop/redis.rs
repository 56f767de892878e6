//! A Redis of one test, and workers of its fleet.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::{Dir, PATIENCE, Running, TestCommand};

/// A Redis on a port of this machine that writes each command to its file at once, so that it may be killed.
pub(super) struct Redis {
    child: Child,
    pub(super) port: u16,
    dir: Dir,
    options: Vec<String>,
}

impl Redis {
    pub(super) fn start(options: &[&str]) -> Redis {
        // Others may take the port in between; then it does not answer.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        drop(listener);
        let (dir, options) = (Dir::new(), options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>());
        let child = Redis::spawn(port, &dir, &options);
        let redis = Redis { child, port, dir, options };
        redis.wait();
        redis
    }

    fn spawn(port: u16, dir: &Dir, options: &[String]) -> Child {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--appendonly", "yes", "--save", "", "--enable-debug-command", "yes"]);
        command.args(["--port", &port.to_string()]).arg("--dir").arg(dir.path()).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap_or_else(|e| panic!("redis-server: {e}: apt-get install redis-server"))
    }

    fn wait(&self) {
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(Instant::now() < end, "redis-server does not listen");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it, and starts it again with what it had written.
    pub(super) fn kill_and_start(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
        self.child = Redis::spawn(self.port, &self.dir, &self.options);
        self.wait();
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Stops it, as a machine that is asleep, or lets it go on.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// What it answers to a command.
    pub(super) fn ask(&self, words: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output();
        String::from_utf8(output.expect("redis-cli comes with redis-server").stdout).expect("text").trim().to_owned()
    }

    /// All that it has written to its disk.
    pub(super) fn written(&self) -> Vec<u8> {
        let folder = std::fs::read_dir(self.dir.join("appendonlydir")).expect("it writes there");
        folder.flat_map(|entry| std::fs::read(entry.expect("a file").path()).expect("it is there")).collect()
    }

    /// Begins to write down each command that it runs, also those of scripts, with its own time.
    pub(super) fn write_down(&self) -> Monitor {
        let file = self.dir.join("monitor");
        let output = std::fs::File::create(&file).expect("a file");
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string(), "monitor"]).stdin(Stdio::null()).stdout(output);
        let monitor = Monitor { child: command.spawn().expect("redis-cli comes with redis-server"), file };
        monitor.wait_for(1, "OK");
        monitor
    }

    pub(super) fn worker(&self, words: &[&str]) -> Running {
        let mut worker = worker(&self.url(), words).spawn();
        worker.wait_for_stderr("takes jobs from");
        worker
    }
}

/// What a Redis does.
pub(super) struct Monitor {
    child: Child,
    file: std::path::PathBuf,
}

impl Monitor {
    /// The lines with this text, when there are so many of them.
    pub(super) fn wait_for(&self, count: usize, text: &str) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let all = std::fs::read_to_string(&self.file).expect("it is written");
            let lines: Vec<String> = all.lines().filter(|line| line.contains(text)).map(str::to_owned).collect();
            if lines.len() >= count {
                return lines;
            }
            assert!(Instant::now() < end, "{} lines with {text:?} of {count}", lines.len());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A way to a Redis on which the reply to the first call of each script is lost, and the connection with it. Gives its URL.
pub(super) fn lossy_way_to(redis: &Redis) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let url = format!("redis://{}", listener.local_addr().expect("it listens"));
    let port = redis.port;
    let lost = Arc::new(Mutex::new(BTreeSet::new()));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(redis) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { break };
            let lost = lost.clone();
            thread::spawn(move || pass_on(client, redis, &lost));
        }
    });
    url
}

/// Passes commands and replies on, until a reply is to be lost. Who sends waits for the replies before it sends more.
fn pass_on(mut client: TcpStream, mut redis: TcpStream, lost: &Mutex<BTreeSet<Vec<u8>>>) -> Option<()> {
    let (mut back, mut to_client) = (redis.try_clone().ok()?, client.try_clone().ok()?);
    let loses = Arc::new(AtomicBool::new(false));
    let loses_next = loses.clone();
    thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(read @ 1..) = back.read(&mut bytes) {
            if loses_next.load(Ordering::SeqCst) || to_client.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        let _ = (to_client.shutdown(Shutdown::Both), back.shutdown(Shutdown::Both));
    });
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read @ 1..) = client.read(&mut bytes) {
        const CALL: &[u8] = b"EVALSHA\r\n$40\r\n";
        let call = bytes[..read].windows(CALL.len()).position(|window| window == CALL);
        if let Some(digest) = call.and_then(|at| bytes[..read].get(at + CALL.len()..at + CALL.len() + 40)) {
            loses.store(lost.lock().expect("no panic").insert(digest.to_vec()), Ordering::SeqCst);
        }
        redis.write_all(&bytes[..read]).ok()?;
    }
    redis.shutdown(Shutdown::Both).ok()
}

/// A worker that may ask this machine.
pub(super) fn worker(url: &str, words: &[&str]) -> TestCommand {
    TestCommand::new().args(["worker", url, "--allow", "127.0.0.1"]).args(words).limit(PATIENCE * 4)
}
