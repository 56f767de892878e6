//! A command as words, and what is wrong with one.

use crate::error::{Error, Kind, Result};

/// One command, its words without quotes and with marks for variables.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WrittenCommand {
    /// The line on which it begins, from 1.
    pub(super) line: usize,
    pub(super) words: Vec<String>,
    /// What a here-document gives it on stdin.
    pub(super) stdin: Option<String>,
    /// Whether it reads what the command before it writes.
    pub(super) is_piped: bool,
}

/// What is wrong on a line of the text.
pub(super) fn wrong(line: usize, text: &str) -> Error {
    Error::new(Kind::Config, format!("line {line}: {text}"))
}

/// The bytes as text.
pub(super) fn text_of(bytes: Vec<u8>, line: usize) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| wrong(line, "what is not UTF-8 cannot stand in a plan"))
}
