//! The commands in a text, in whichever shell they were written.

use super::marks::Marks;
use super::words::{WrittenCommand, wrong};
use super::{shell, windows};
use crate::error::Result;

/// Who reads the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// bash, zsh and their kin.
    Bash,
    /// cmd.exe.
    Cmd,
    PowerShell,
}

/// The commands in a text.
pub(super) fn commands(text: &str, marks: &mut Marks) -> Result<Vec<WrittenCommand>> {
    if let Some(word) = ["Invoke-WebRequest", "Invoke-RestMethod"].into_iter().find(|word| text.contains(word)) {
        return Err(wrong(1, &format!("{word} is not curl: copy the request as cURL (bash) instead")));
    }
    match dialect(text) {
        Dialect::Bash => shell::commands(text, marks),
        Dialect::Cmd => windows::cmd_commands(text),
        Dialect::PowerShell => windows::powershell_commands(text, marks),
    }
}

/// The line that begins with curl tells it: where it goes on behind its end, or how it quotes.
fn dialect(text: &str) -> Dialect {
    let first = text.lines().map(str::trim_end).find(|line| line.trim_start().to_ascii_lowercase().starts_with("curl"));
    match first {
        Some(line) if line.ends_with('^') || line.contains(" ^\"") => Dialect::Cmd,
        Some(line) if line.ends_with('`') => Dialect::PowerShell,
        Some(line) if line.to_ascii_lowercase().starts_with("curl.exe") && !line.ends_with('\\') => Dialect::PowerShell,
        _ => Dialect::Bash,
    }
}
