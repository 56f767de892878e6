//! Exit codes, and which of several counts.

use std::process::ExitCode;

use roundup::{Kind, Outcome};

/// How the command ended; the worst of several counts, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Every source succeeded.
    #[default]
    Success,
    /// The command line is wrong.
    Usage,
    /// The plan cannot be read.
    Plan,
    /// At least one source failed.
    Failed,
    /// An expectation failed.
    Expectation,
    /// The report could not be written.
    Report,
    /// Interrupted by Ctrl-C or a request to terminate.
    Interrupted,
}

impl Exit {
    /// What an outcome means for the exit code. `fail_stale` says whether a content that is not new counts as a failure.
    pub(crate) fn of(outcome: &Outcome, fail_stale: bool) -> Exit {
        match outcome.error.as_ref().map(|failure| failure.kind) {
            None if fail_stale && outcome.stale.is_some() => Exit::Failed,
            None => Exit::Success,
            Some(Kind::Expectation) => Exit::Expectation,
            Some(_) => Exit::Failed,
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Usage => 1,
            Exit::Plan => 2,
            Exit::Failed => 3,
            Exit::Expectation => 4,
            Exit::Report => 5,
            // 128 and the number of SIGINT, as shells have it.
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts() {
        assert_eq!(Exit::Failed.max(Exit::Expectation).code(), 4);
        assert_eq!([Exit::Success, Exit::Interrupted, Exit::Report].into_iter().max().map(Exit::code), Some(130));
        assert_eq!(Exit::default().code(), 0);
    }
}
