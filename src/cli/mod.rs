//! The command: many HTTP APIs rounded up into one report.
//!
//! ```text
//! words ──flags──> Flags ──config──> Config ──jobs──> JobSet ──run──> PreparedRun ──> RunResult ──> exit code
//!                                                               Fetcher ──outcomes──> Writer ──> reports, stdout
//! ```

mod commands;
mod config;
mod console;
mod credentials;
mod descriptors;
mod error;
mod exit;
mod flags;
#[cfg(feature = "fleet")]
mod fleet;
mod input;
mod interrupts;
mod jobs;
#[cfg_attr(not(feature = "state"), path = "without_state.rs")]
mod kept;
mod netrc;
mod report_tables;
mod results;
mod run;
mod running;
mod shared_files;
mod signals;
mod sources;
#[cfg_attr(not(feature = "watch"), path = "without_watch.rs")]
mod watch;
mod writer;

use std::process::ExitCode;

use self::console::{complain, logger, print};
use self::error::CommandError;
use self::exit::Exit;
use self::flags::{Command, CommandLine, Flags};

/// Does what the command line asks for.
pub(crate) fn main() -> ExitCode {
    signals::survive_size_limit();
    let words: Result<Vec<String>, _> = std::env::args_os().skip(1).map(std::ffi::OsString::into_string).collect();
    let Ok(words) = words else {
        complain("the command line is not valid UTF-8");
        return Exit::Usage.into();
    };
    let result = match flags::parse(&words) {
        Ok(CommandLine::Command(command, flags)) => execute(&command, &flags),
        Ok(CommandLine::Version) => print(concat!("roundup ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(CommandLine::Help(text)) => print(&text),
        Err(line) => Err(CommandError::usage(line)),
    };
    let exit = result.unwrap_or_else(|error| {
        error.lines.iter().for_each(|line| complain(line));
        error.exit
    });
    exit.into()
}

fn execute(command: &Command, flags: &Flags) -> Result<Exit, CommandError> {
    flags::check_environment()?;
    descriptors::raise();
    // A value that is wrong is found when the command reads it.
    if let Ok(level @ 1..) = flags.level("verbose") {
        logger::start(level);
    }
    match command {
        Command::Get(get) => commands::get(get, flags),
        Command::Run(run) => commands::run(run, flags),
        Command::Check(check) => commands::check(check, flags),
        Command::Compare(compare) => commands::compare(compare, flags),
        Command::Completions(wanted) => match flags::completions(&wanted.shell) {
            Some(text) => print(&text),
            None => {
                let text =
                    format!("completions: \"{}\" is not valid: write {}", wanted.shell, flags::SHELLS.join(", "));
                Err(CommandError::usage(text))
            }
        },
        Command::Man(_) => print(&flags::man()),
        #[cfg(feature = "state")]
        Command::History(history) => commands::history(history),
        #[cfg(feature = "state")]
        Command::State(state) => commands::state(state),
        #[cfg(feature = "fleet")]
        Command::Worker(worker) => commands::worker(worker, flags),
        #[cfg(feature = "fleet")]
        Command::Submit(submit) => commands::submit(submit, flags),
        #[cfg(feature = "fleet")]
        Command::Collect(collect) => commands::collect(collect, flags),
        #[cfg(feature = "merge")]
        Command::Merge(merge) => commands::merge(merge, flags),
        Command::Render(render) => commands::render(render, flags),
        #[cfg(feature = "diff")]
        Command::Diff(diff) => commands::diff(diff, flags),
        #[cfg(feature = "explain")]
        Command::Explain(explain) => commands::explain(explain),
        #[cfg(feature = "import")]
        Command::Import(import) => commands::import(import, flags),
        #[cfg(feature = "import")]
        Command::New(new) => commands::new(new),
        #[cfg(feature = "demo")]
        Command::Demo(_) => commands::demo(flags),
        #[cfg(feature = "demo")]
        Command::Serve(_) => commands::serve(flags),
    }
}
