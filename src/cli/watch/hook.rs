//! Programs that are run when something has changed: no shell reads their words, and none outlives its time.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures_lite::{AsyncWriteExt, FutureExt};
use roundup::event_loop::sleep;
use roundup::units::DisplayDuration;
use smol::process::{Child, Command};

/// Between the request to end and the end by force.
const TIME_TO_END: Duration = Duration::from_secs(2);
/// What systemd gives to the program that it started, and to no other.
const OF_SYSTEMD: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// A program and its arguments.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    /// The key of the plan, for messages.
    key: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    limit: Duration,
}

impl Hook {
    /// The program of these words, if there are any. One that is named with a folder is looked for from the folder of the
    /// plan on, any other in those of PATH.
    ///
    /// # Errors
    /// There is no such program.
    pub(super) fn new(
        key: &'static str,
        words: &[String],
        folder: &Path,
        limit: Duration,
    ) -> Result<Option<Hook>, String> {
        let Some((program, arguments)) = words.split_first() else { return Ok(None) };
        let program = find(program, folder).map_err(|why| format!("{key}: {why}"))?;
        Ok(Some(Hook { key, program, arguments: arguments.to_vec(), limit }))
    }

    /// Runs it with this on stdin, and waits for its end. What it prints goes to stderr. If it takes longer than its time, or
    /// `hurry` is over before, it is ended, with all programs that it has started.
    ///
    /// # Errors
    /// It could not be started, failed, or had to be ended, in words.
    pub(super) async fn run(&self, input: Vec<u8>, hurry: impl Future<Output = ()>) -> Result<(), String> {
        let name = format!("{}: {}", self.key, self.program.display());
        let mut child = self.start().map_err(|error| format!("{name} cannot be started: {error}"))?;
        let stdin = child.stdin.take();
        let write = async {
            if let Some(mut stdin) = stdin {
                // It may not read it, or not all.
                let _ = stdin.write_all(&input).await;
            }
            std::future::pending().await
        };
        let hurried = async {
            hurry.await;
            "the run ends".to_owned()
        };
        let too_long = async {
            sleep(self.limit).await;
            format!("it took longer than {}", DisplayDuration(self.limit))
        };
        let over = async { Err(hurried.or(too_long).await) };
        let ended = async { Ok(child.status().await) }.or(write).or(over).await;
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("{name} failed: {}", how_it_ended(status))),
            Ok(Err(error)) => Err(format!("{name} cannot be waited for: {error}")),
            Err(why) => {
                end(&mut child).await;
                Err(format!("{name} was ended, because {why}"))
            }
        }
    }

    fn start(&self) -> io::Result<Child> {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments);
        for name in OF_SYSTEMD {
            command.env_remove(name);
        }
        // A group of its own: Ctrl-C is for us, and what it starts can be ended with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut command = Command::from(command);
        // stdout may be data for another program.
        command.stdin(Stdio::piped()).stdout(io::stderr()).stderr(Stdio::inherit()).spawn()
    }
}

/// Asks it to end, and then ends it.
async fn end(child: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        // It has not been waited for, so the number is still its own.
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::TERM);
            let ended = async { child.status().await.is_ok() };
            let has_ended = ended
                .or(async {
                    sleep(TIME_TO_END).await;
                    false
                })
                .await;
            // Others of the group may go on.
            let _ = kill_process_group(group, Signal::KILL);
            if has_ended {
                return;
            }
        }
    }
    let _ = child.kill();
    let ended = async { drop(child.status().await) };
    ended.or(async { sleep(TIME_TO_END).await }).await;
}

fn how_it_ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("signal {signal} ended it");
    }
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}

fn find(program: &str, folder: &Path) -> Result<PathBuf, String> {
    let path = Path::new(program);
    if path.components().count() > 1 || path.is_absolute() {
        let path = folder.join(path);
        return match is_program(&path) {
            true => Ok(path),
            false => Err(format!("{} is not a program: name a file that can be executed", path.display())),
        };
    }
    // Windows looks in more places, and adds endings.
    if cfg!(windows) {
        return Ok(path.to_owned());
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&folders).any(|folder| is_program(&folder.join(path))) {
        true => Ok(path.to_owned()),
        false => Err(format!("there is no program \"{program}\" in the folders of PATH: install it, or name its file")),
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file() || path.extension().is_none() && path.with_extension("exe").is_file()
}
