//! Why a command cannot go on: the lines to print and the code to exit with.

use roundup::plan::Errors;
use roundup::{Error, Kind};

use crate::exit::Exit;

/// One line for each thing that is wrong.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) exit: Exit,
    pub(crate) lines: Vec<String>,
}

impl Failed {
    pub(crate) fn usage(line: impl Into<String>) -> Failed {
        Failed { exit: Exit::Usage, lines: vec![line.into()] }
    }

    pub(crate) fn plan(errors: &Errors) -> Failed {
        Failed { exit: Exit::Plan, lines: errors.to_string().lines().map(str::to_owned).collect() }
    }

    pub(crate) fn report(error: &Error) -> Failed {
        // Two reports for one place is a mistake on the command line; everything else is the place's fault.
        let exit = if error.kind() == Kind::Config { Exit::Usage } else { Exit::Report };
        Failed { exit, lines: vec![error.one_line()] }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::usage(error.one_line())
    }
}
