//! `new`: a plan to begin with.

use super::import::{refuse_existing, write_new};
use crate::cli::console::print;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::New;
use crate::cli::input;

/// The plan. Its server is the one that `roundup serve` starts.
const STARTER: &str = include_str!("starter.toml");

/// What the file is called if nothing is said.
const NAME: &str = "plan.toml";

pub(crate) fn new(new: &New) -> Result<Exit, CommandError> {
    let file = new.file.as_deref().unwrap_or(NAME);
    if file == input::DASH {
        return print(STARTER);
    }
    if file.contains("://") {
        let text =
            format!("\"{}\" is a URL: write the name of the plan, such as {NAME}", roundup::without_password(file));
        return Err(CommandError::usage(text));
    }
    refuse_existing(file)?;
    write_new(file, STARTER, false)?;
    print(&format!("{file} is written: roundup check {file} shows what it does, roundup run {file} runs it\n"))
}
