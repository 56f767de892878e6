//! Why a command cannot go on: the lines to print and the code to exit with.

use roundup::plan::Errors;
use roundup::{Error, Kind};

use crate::cli::exit::Exit;

/// One line for each thing that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct CommandError {
    pub(crate) exit: Exit,
    pub(crate) lines: Vec<String>,
}

impl CommandError {
    pub(crate) fn usage(line: impl Into<String>) -> CommandError {
        CommandError { exit: Exit::Usage, lines: vec![line.into()] }
    }

    pub(crate) fn plan(errors: &Errors) -> CommandError {
        CommandError { exit: Exit::Plan, lines: errors.to_string().lines().map(str::to_owned).collect() }
    }

    /// A report that cannot be opened. Two reports for one file are a mistake on the command line; otherwise the file
    /// cannot be written.
    pub(crate) fn report(error: &Error) -> CommandError {
        let exit = if error.kind() == Kind::Config { Exit::Usage } else { Exit::Report };
        CommandError { exit, lines: vec![error.one_line()] }
    }
}

impl CommandError {
    /// A state that cannot be read or written.
    #[cfg(feature = "state")]
    pub(crate) fn state(error: &Error) -> CommandError {
        CommandError { exit: Exit::Report, lines: vec![error.one_line()] }
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> CommandError {
        CommandError::usage(error.one_line())
    }
}

/// Whether the cause is that the reader has closed the pipe.
pub(crate) fn is_broken_pipe(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|source| source.kind() == std::io::ErrorKind::BrokenPipe)
}
