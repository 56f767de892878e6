//! Runs the binary as a user does.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// A prefix to run the binary with, words parted by spaces: `qemu-arm-static -cpu arm1176`.
const RUNNER: &str = "ROUNDUP_TEST_RUNNER";
/// The binary to run in place of the one cargo built.
const BINARY: &str = "ROUNDUP_TEST_BINARY";

/// A folder of one test, removed on drop.
#[derive(Debug)]
pub(crate) struct Dir {
    path: PathBuf,
}

impl Dir {
    pub(crate) fn new() -> Dir {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // cargo makes this folder, and `cargo clean` removes it.
        let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = base.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Dir { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file, and the folders on the way to it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        let parent = path.parent().expect("it is within the folder");
        std::fs::create_dir_all(parent).unwrap_or_else(|e| panic!("{}: {e}", parent.display()));
        std::fs::write(&path, content).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        path
    }

    /// Reads a text file.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// The names in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.path).unwrap_or_else(|e| panic!("{}: {e}", self.path.display()));
        let mut names: Vec<String> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // What is left behind lies in the target folder and harms nobody.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// One call of the binary. Nothing of the caller's environment that roundup would read reaches it.
#[derive(Debug)]
pub(crate) struct TestCommand {
    command: Command,
    stdin: Vec<u8>,
    limit: Duration,
}

impl TestCommand {
    pub(crate) fn new() -> TestCommand {
        let mut words = invocation().into_iter();
        let program = words.next().expect("there is the binary");
        TestCommand::program(program).args(words)
    }

    /// Another program, in the same surroundings.
    pub(crate) fn program(program: impl AsRef<OsStr>) -> TestCommand {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if is_read_by_roundup(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        TestCommand { command, stdin: Vec::new(), limit: PATIENCE }
    }

    /// Runs it in this folder.
    pub(crate) fn inside(mut self, dir: &Dir) -> TestCommand {
        self.command.current_dir(dir.path());
        self
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> TestCommand {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<T: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = T>) -> TestCommand {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> TestCommand {
        self.command.env(name, value);
        self
    }

    /// What comes in on stdin; nothing without this.
    pub(crate) fn stdin(mut self, content: impl Into<Vec<u8>>) -> TestCommand {
        self.stdin = content.into();
        self
    }

    /// When to take it for hung and fail the test; 60 seconds without this.
    pub(crate) fn limit(mut self, limit: Duration) -> TestCommand {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Output {
        self.spawn().wait()
    }

    /// Starts it.
    pub(crate) fn spawn(mut self) -> Running {
        let line = format!("{:?}", self.command);
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap_or_else(|e| panic!("{line}: {e}"));
        let mut stdin = child.stdin.take().expect("it is piped");
        // On a thread: a child that writes much before it reads would wait for us, and we for it. It ends with the
        // child, whose end breaks the pipe; a child that does not read its input is fine.
        let content = self.stdin;
        let writer = thread::spawn(move || drop(stdin.write_all(&content)));
        let stdout = Pipe::drain(child.stdout.take().expect("it is piped"));
        let stderr = Pipe::drain(child.stderr.take().expect("it is piped"));
        let end = Instant::now() + self.limit;
        Running { child, line, stdout, stderr, writer: Some(writer), end }
    }
}

/// The words that run the binary, for a shell to write others after them.
pub(crate) fn invocation() -> Vec<OsString> {
    let binary = std::env::var_os(BINARY).unwrap_or_else(|| env!("CARGO_BIN_EXE_roundup").into());
    let runner = std::env::var(RUNNER).unwrap_or_default();
    runner.split_whitespace().map(OsString::from).chain([binary]).collect()
}

/// Whether a variable would change what roundup does.
pub(crate) fn is_read_by_roundup(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let exact = [
        "NO_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "TERM",
        "COLORTERM",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "SSLKEYLOGFILE",
        "NETRC",
    ];
    name.starts_with("ROUNDUP_") || name.ends_with("_PROXY") || name == "RUST_LOG" || exact.contains(&name.as_str())
}

/// A call that has not ended. Dropped early, it is killed.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    line: String,
    stdout: Pipe,
    stderr: Pipe,
    writer: Option<JoinHandle<()>>,
    end: Instant,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// When to take it for hung, from now on.
    pub(crate) fn limit(&mut self, limit: Duration) {
        self.end = Instant::now() + limit;
    }

    /// Sends Ctrl-C.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.signal(rustix::process::Signal::INT);
    }

    /// Sends a signal. The child is not waited for before, so the number is still its own.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap_or_else(|e| panic!("{}: {e}", self.line));
    }

    /// Waits until this text has come on stdout, and gives all that has come.
    pub(crate) fn wait_for_stdout(&mut self, text: &str) -> String {
        self.wait_for_text(text, |running| &running.stdout)
    }

    /// Waits until this many lines have come on stdout, or it has ended, and gives all that has come.
    pub(crate) fn wait_for_lines(&mut self, lines: usize) -> String {
        let enough =
            |drained: &Drained| drained.ended || drained.bytes.iter().filter(|byte| **byte == b'\n').count() >= lines;
        String::from_utf8_lossy(&self.stdout.until(self.end, enough).1).into_owned()
    }

    /// Waits until this text has come on stderr, and gives all that has come.
    pub(crate) fn wait_for_stderr(&mut self, text: &str) -> String {
        self.wait_for_text(text, |running| &running.stderr)
    }

    fn wait_for_text(&mut self, text: &str, pipe: impl Fn(&Running) -> &Pipe) -> String {
        match pipe(self).wait_for(text, self.end) {
            Ok(so_far) => so_far,
            Err(so_far) => {
                self.kill();
                panic!("{}: no {text:?} in {so_far:?}; stderr: {:?}", self.line, self.stderr.text())
            }
        }
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Output {
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < self.end => thread::sleep(Duration::from_millis(2)),
                Ok(None) => {
                    self.kill();
                    let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
                    panic!("{}: hangs\nstdout: {stdout}\nstderr: {stderr}", self.line);
                }
                Err(error) => panic!("{}: {error}", self.line),
            }
        };
        if let Some(writer) = self.writer.take() {
            writer.join().expect("the writer does not panic");
        }
        Output {
            line: self.line.clone(),
            status,
            stdout_bytes: self.stdout.all(),
            stderr: String::from_utf8_lossy(&self.stderr.all()).into_owned(),
        }
    }

    fn kill(&mut self) {
        // Fails where it has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a call ended, and what it wrote.
#[derive(Clone)]
pub(crate) struct Output {
    line: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout_bytes: Vec<u8>,
    pub(crate) stderr: String,
}

impl Output {
    /// The exit code; none where a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// What came on stdout, which must be text.
    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout_bytes).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// What came on stdout as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.stdout()).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Fails the test with everything there is to see, unless it ended so.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Output {
        assert_eq!(self.code(), Some(code), "{self:?}");
        self
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stdout = String::from_utf8_lossy(&self.stdout_bytes);
        write!(f, "{}\n{}\nstdout:\n{stdout}\nstderr:\n{}", self.line, self.status, self.stderr)
    }
}

/// What a child writes, drained on a thread so that it never waits for us.
#[derive(Debug)]
struct Pipe {
    shared: Arc<(Mutex<Drained>, Condvar)>,
}

#[derive(Debug, Default)]
struct Drained {
    bytes: Vec<u8>,
    ended: bool,
}

impl Pipe {
    fn drain(mut from: impl Read + Send + 'static) -> Pipe {
        let pipe = Pipe { shared: Arc::default() };
        let shared = pipe.shared.clone();
        thread::spawn(move || {
            let mut piece = [0; 16 * 1024];
            loop {
                let read = from.read(&mut piece);
                let mut drained = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
                match read {
                    Ok(n @ 1..) => drained.bytes.extend_from_slice(&piece[..n]),
                    Ok(0) | Err(_) => drained.ended = true,
                }
                shared.1.notify_all();
                if drained.ended {
                    return;
                }
            }
        });
        pipe
    }

    /// All that came until the pipe was closed. Not for ever: a grandchild may hold it open.
    fn all(&self) -> Vec<u8> {
        self.until(Instant::now() + PATIENCE, |drained| drained.ended).1
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.until(Instant::now(), |_| true).1).into_owned()
    }

    /// What has come, as soon as the text is in it; as an error where it will not come.
    fn wait_for(&self, text: &str, end: Instant) -> Result<String, String> {
        let has = |drained: &Drained| String::from_utf8_lossy(&drained.bytes).contains(text);
        let (_, bytes) = self.until(end, |drained| drained.ended || has(drained));
        let so_far = String::from_utf8_lossy(&bytes).into_owned();
        if so_far.contains(text) { Ok(so_far) } else { Err(so_far) }
    }

    fn until(&self, end: Instant, enough: impl Fn(&Drained) -> bool) -> (bool, Vec<u8>) {
        let mut drained = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let is_enough = enough(&drained);
            if is_enough || left.is_zero() {
                return (is_enough, drained.bytes.clone());
            }
            drained = self.shared.1.wait_timeout(drained, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
