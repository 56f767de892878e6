//! A build that writes no curl commands: the same signature, and an error that names the feature.

use crate::cli::config::Config;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::Flags;
use crate::cli::jobs::JobSet;

pub(crate) fn print_commands(_: JobSet, _: &Config, _: &Flags) -> Result<Exit, CommandError> {
    Err(CommandError::usage("--curl: this build was made without it: take one with the cargo feature \"import\""))
}
