//! The command: many HTTP APIs rounded up into one report.
//!
//! ```text
//! typed (words) ─> args (as typed) ─> options (or environment) ─> work, manner ─> round ─> writer ─> exit code
//! ```

use std::process::ExitCode;

use crate::args::{Arguments, Command};
use crate::exit::Exit;
use crate::failed::Failed;
use crate::options::Options;
use crate::typed::Typed;
use crate::writer::complain;

mod args;
mod commands;
mod connections;
mod credentials;
mod descriptors;
mod exit;
mod failed;
mod input;
mod logger;
mod manner;
mod netrc;
mod options;
mod progress;
mod round;
#[cfg(feature = "demo")]
mod server;
mod signals;
mod tasks;
mod typed;
mod work;
mod writer;

fn main() -> ExitCode {
    let words: Result<Vec<String>, _> = std::env::args_os().skip(1).map(std::ffi::OsString::into_string).collect();
    let Ok(words) = words else {
        complain("the command line is not valid UTF-8");
        return Exit::Usage.into();
    };
    let result = match typed::parse(&words) {
        Typed::Arguments(arguments, options) => follow(*arguments, options),
        Typed::Help(text) => print(&text),
        Typed::Wrong(line) => Err(Failed::usage(line)),
    };
    let exit = result.unwrap_or_else(|failed| {
        failed.lines.iter().for_each(|line| complain(line));
        failed.exit
    });
    exit.into()
}

fn follow(arguments: Arguments, options: Options) -> Result<Exit, Failed> {
    if arguments.version {
        return print(concat!("roundup ", env!("CARGO_PKG_VERSION"), "\n"));
    }
    let Some(command) = arguments.command else {
        let line = "what shall be done? roundup --help lists the commands, roundup demo shows one run";
        return Err(Failed::usage(line));
    };
    options::check_environment()?;
    descriptors::raise();
    match command {
        Command::Get(get) => commands::get(get, options),
        Command::Run(run) => commands::run(run, options),
        Command::Check(check) => commands::check(check, options),
        Command::Compare(compare) => commands::compare(compare, options),
        #[cfg(feature = "demo")]
        Command::Demo(_) => commands::demo(options),
        #[cfg(feature = "demo")]
        Command::Serve(serve) => commands::serve(serve),
    }
}

/// Prints what was asked for; a closed pipe ends it quietly.
fn print(text: &str) -> Result<Exit, Failed> {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failed { exit: Exit::Report, lines: vec![format!("stdout cannot be written: {error}")] })
        }
        _ => Ok(Exit::Success),
    }
}
