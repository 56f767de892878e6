//! The command line as it was typed, and the one list of options.
//!
//! An option is a field of [`options::OptionFields`], which argh describes, and a row of [`table::ROWS`], which says
//! what argh cannot: group, commands, values, default, key in a plan. Everything else is derived from these two: how words
//! are split, environment variables, help, suggestions. [`aliases::ALIASES`] has other names of options.

mod aliases;
mod args;
mod completions;
#[cfg_attr(not(feature = "import"), path = "without_guesses.rs")]
mod guesses;
mod help;
mod man;
mod nearest;
mod options;
mod plan_help;
mod spelled;
mod table;
mod unknown;
mod values;
mod words;

#[cfg(feature = "diff")]
pub(crate) use self::args::Diff;
#[cfg(feature = "explain")]
pub(crate) use self::args::Explain;
#[cfg(feature = "merge")]
pub(crate) use self::args::Merge;
pub(crate) use self::args::{Check, Command, Compare, Get, Render, Run};
#[cfg(feature = "fleet")]
pub(crate) use self::args::{Collect, Submit, WorkerCommand};
#[cfg(feature = "state")]
pub(crate) use self::args::{History, StateCommand};
#[cfg(feature = "import")]
pub(crate) use self::args::{Import, New};
pub(crate) use self::completions::{SHELLS, completions};
pub(crate) use self::guesses::unreadable_plan;
pub(crate) use self::man::man;
#[cfg(feature = "explain")]
pub(crate) use self::nearest::nearest;
pub(crate) use self::values::{Flags, check_environment};
pub(crate) use self::words::{CommandLine, parse};

#[cfg(test)]
pub(crate) use self::table::{PlanTable, ROWS, ValueKind};
