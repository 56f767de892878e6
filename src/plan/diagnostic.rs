//! What is wrong in a file of the user, and where: all of it, a line each.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Kind};
use crate::http::printable;

/// How many errors of a file are kept; more are only counted.
pub const MAX_DIAGNOSTICS: usize = 100;

/// One thing that is wrong in a file. `Display` is one line: `plan.toml:12: job[2].timeout: "5x" is not a duration: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as the caller named it.
    pub file: Arc<str>,
    /// The line, counted from 1; `None` if the error is about the file as a whole.
    pub line: Option<usize>,
    /// The column in characters, counted from 1; known for TOML syntax only.
    pub column: Option<usize>,
    /// The key, jobs counted from 1: `job[2].timeout`. Empty if the error is about no key.
    pub key: String,
    /// What is wrong and what would be right; never shows the value of a variable.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = self.file.to_string();
        for number in [self.line, self.column].into_iter().flatten() {
            line.push_str(&format!(":{number}"));
        }
        if !self.key.is_empty() {
            line.push_str(": ");
            line.push_str(&self.key);
        }
        line.push_str(": ");
        line.push_str(&self.message);
        // Keys and values are the user's text; a diagnostic must stay one line, and a terminal must not obey it.
        f.write_str(&printable(&line, &[]))
    }
}

/// Everything that is wrong in a file, in the order of its lines. `Display` writes a line for each, without a last
/// line break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    list: Vec<Diagnostic>,
    more: usize,
}

impl Errors {
    /// The first [`MAX_DIAGNOSTICS`] errors; at least one.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// How many errors there are beyond the list.
    pub fn more(&self) -> usize {
        self.more
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.list.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            write!(f, "{separator}{diagnostic}")?;
        }
        if let (Some(last), 1..) = (self.list.last(), self.more) {
            write!(f, "\n{}: {} more errors", last.file, self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// One error of [`Kind::Config`] with all of them as its source, for callers who use `?`.
impl From<Errors> for Error {
    fn from(errors: Errors) -> Error {
        let count = errors.list.len() + errors.more;
        let noun = if count == 1 { "error" } else { "errors" };
        let file = errors.list.first().map_or("plan", |first| &*first.file);
        Error::new(Kind::Config, format!("{count} {noun} in {file}")).with_source(errors)
    }
}

/// Gathers diagnostics while a file is read, and knows which line a byte is on.
pub(super) struct Log {
    file: Arc<str>,
    /// Where each line starts, in bytes.
    starts: Arc<[usize]>,
    list: Vec<Diagnostic>,
    more: usize,
    /// What is not wrong, and probably not meant.
    warnings: Vec<Diagnostic>,
}

impl Log {
    pub(super) fn new(file: &str, text: &str) -> Log {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Log { file: file.into(), starts, list: Vec::new(), more: 0, warnings: Vec::new() }
    }

    /// A log of the same text with nothing in it.
    pub(super) fn emptied(&self) -> Log {
        Log { file: self.file.clone(), starts: self.starts.clone(), list: Vec::new(), more: 0, warnings: Vec::new() }
    }

    /// The line of a byte, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// Notes an error at a byte of the text.
    pub(super) fn at(&mut self, at: usize, key: &str, message: impl Into<String>) {
        let line = self.line(at);
        self.push(Some(line), None, key, message.into());
    }

    /// Notes what is probably not meant at a byte of the text. Beyond [`MAX_DIAGNOSTICS`] they are dropped.
    pub(super) fn warn(&mut self, at: usize, key: &str, message: impl Into<String>) {
        if self.warnings.len() < MAX_DIAGNOSTICS {
            let (file, line) = (self.file.clone(), Some(self.line(at)));
            self.warnings.push(Diagnostic { file, line, column: None, key: key.to_owned(), message: message.into() });
        }
    }

    /// What is probably not meant, in the order of lines.
    pub(super) fn take_warnings(&mut self) -> Vec<Diagnostic> {
        self.warnings.sort_by_key(|warning| warning.line);
        std::mem::take(&mut self.warnings)
    }

    /// Notes an error on a line.
    pub(super) fn on_line(&mut self, line: usize, message: impl Into<String>) {
        self.push(Some(line), None, "", message.into());
    }

    /// Takes the lines out, because they say nothing to the caller.
    pub(super) fn without_lines(mut self) -> Log {
        self.list.iter_mut().for_each(|diagnostic| diagnostic.line = None);
        self
    }

    /// Notes an error at a byte of the text, with its column.
    pub(super) fn syntax(&mut self, text: &str, at: usize, message: impl Into<String>) {
        let line = self.line(at);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let column = text.get(start..at).map(|before| before.chars().count() + 1);
        self.push(Some(line), column, "", message.into());
    }

    /// Notes an error of the file as a whole.
    pub(super) fn whole(&mut self, message: impl Into<String>) {
        self.push(None, None, "", message.into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether further errors are only counted: their texts need not be made.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MAX_DIAGNOSTICS
    }

    /// The value, if nothing was wrong.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Errors> {
        if self.list.is_empty() { Ok(value) } else { Err(self.into_errors()) }
    }

    /// What was wrong.
    pub(super) fn into_errors(mut self) -> Errors {
        self.list.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        Errors { list: self.list, more: self.more }
    }

    fn push(&mut self, line: Option<usize>, column: Option<usize>, key: &str, message: String) {
        if self.is_full() {
            self.more += 1;
            return;
        }
        self.list.push(Diagnostic { file: self.file.clone(), line, column, key: key.to_owned(), message });
    }
}

/// What to say of a key that does not exist: the nearest that does, or all of them.
pub(super) fn unknown_key(key: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|name| (distance(key, name), *name)).min();
    match nearest {
        // A third of the letters wrong is still a slip of the pen; more is another word.
        Some((distance, name)) if distance <= (name.len() / 3).max(1) => {
            format!("unknown key \"{key}\": did you mean \"{name}\"?")
        }
        _ => format!("unknown key \"{key}\": the keys here are {}", known.join(", ")),
    }
}

/// How many letters must be changed, added, dropped or swapped with their neighbour to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    // No known key comes near this length; a hostile one must not cost its square.
    const MAX: usize = 40;
    let a: Vec<char> = a.chars().take(MAX).map(|c| c.to_ascii_lowercase()).collect();
    let b: Vec<char> = b.chars().take(MAX).collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(from != to)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *to && b[j - 1] == *from {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_named() {
        let known = ["timeout", "retries", "raw", "url"];
        for (key, nearest) in [("timout", "timeout"), ("Timeout", "timeout"), ("retires", "retries"), ("rwa", "raw")] {
            assert_eq!(unknown_key(key, &known), format!("unknown key \"{key}\": did you mean \"{nearest}\"?"));
        }
        for far in ["colour", "", &"x".repeat(100_000)] {
            assert!(unknown_key(far, &known).ends_with("the keys here are timeout, retries, raw, url"), "{far}");
        }
    }

    #[test]
    fn lines_are_counted_from_one_and_errors_are_bounded() {
        let mut log = Log::new("p", "a\nb\n");
        assert_eq!([0, 1, 2, 3, 4].map(|at| log.line(at)), [1, 1, 2, 2, 3]);
        for _ in 0..MAX_DIAGNOSTICS + 7 {
            log.at(2, "k\n", "bad\tvalue");
        }
        let errors = log.finish(()).expect_err("there were errors");
        assert_eq!((errors.list().len(), errors.more()), (MAX_DIAGNOSTICS, 7));
        assert_eq!(errors.list()[0].to_string(), "p:2: k\u{fffd}: bad\u{fffd}value");
        assert!(errors.to_string().ends_with("\np: 7 more errors"));
        assert!(Error::from(errors).one_line().starts_with("107 errors in p: p:2: k"));
    }
}
