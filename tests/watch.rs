//! Plans that are run again and again.

mod hooks;
mod mistakes;
mod rounds;
#[cfg(unix)]
mod signals;
#[cfg(target_os = "linux")]
mod systemd;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{Dir, PATIENCE, Running, Server, TestCommand};

/// A call with the words of this line, parted by spaces, in this folder.
fn line(dir: &Dir, line: &str) -> TestCommand {
    TestCommand::new().args(line.split_whitespace()).inside(dir)
}

/// Writes a plan with a job for each of these paths of the server, each called by its path. `more` stands above them.
fn write_plan(dir: &Dir, server: &Server, more: &str, paths: &[&str]) {
    let job = |path: &&str| {
        format!("[[job]]\nname = \"{path}\"\nurl = \"{}\"\nretries = 0\n", server.url(&format!("/{path}")))
    };
    dir.write("plan.toml", more.to_owned() + &paths.iter().map(job).collect::<String>());
}

/// Waits until there is something in this file that is as it should be.
fn wait_until(file: &Path, is_so: impl Fn(&str) -> bool) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if is_so(&text) {
            return text;
        }
        assert!(Instant::now() < end, "{}: {text}", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends it as `systemctl stop` does.
#[cfg(unix)]
fn stop(running: Running) -> crate::common::Output {
    running.signal(rustix::process::Signal::TERM);
    running.wait().expect_code(0)
}
