//! Runs a command and says what it took: all of its processes and threads, from its start to its end.
//!
//! ```text
//! measure FILE COMMAND...
//! ```
//!
//! Writes wall clock (ns), user and system time (us), the largest resident size of a process (KiB) and the exit code
//! to FILE. A process of its own, since a process is counted the memory of the one that started it, and a Python that
//! does so is larger than most of what is measured here.

use std::error::Error;
use std::process::Command;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let (file, program) = (words.next().ok_or("a file is missing")?, words.next().ok_or("a command is missing")?);
    let mut command = Command::new(program);
    command.args(words);
    let started = Instant::now();
    let status = command.spawn()?.wait()?;
    let wall = started.elapsed().as_nanos();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let [user, system] = [usage.user_time(), usage.system_time()].map(|time| time.num_microseconds());
    let code = status.code().unwrap_or(255);
    std::fs::write(file, format!("{wall} {user} {system} {} {code}\n", usage.max_rss()))?;
    Ok(())
}
