//! Files and stdin, read whole and up to a bound before anything is fetched.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;

use roundup::plan::MAX_PLAN_BYTES;
use roundup::{Error, Kind, Result};

/// The name of stdin in place of a file.
pub(crate) const DASH: &str = "-";

/// U+FEFF in UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// What stdin was read for, once it was.
static STDIN_IS: Mutex<Option<String>> = Mutex::new(None);

/// The files that were read, and what for.
static FILES: Mutex<Vec<(PathBuf, String)>> = Mutex::new(Vec::new());

/// Notes that the run needs this file, so that nothing is written over it.
pub(crate) fn note(path: &Path, what: &str) {
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    // A plan that is watched may be read any number of times.
    if !files.iter().any(|(known, _)| known == path) {
        files.push((path.to_owned(), what.to_owned()));
    }
}

/// The files that were read, and what for.
pub(crate) fn files() -> Vec<(PathBuf, String)> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The name of an input for errors.
pub(crate) fn shown(path: &str) -> &str {
    if path == DASH { "stdin" } else { path }
}

/// Reads a text file, or stdin for `-`, without the byte order mark (U+FEFF) that editors of Windows put before it.
///
/// # Errors
/// [`Kind::Config`]: it cannot be read, is longer than a plan may be, or is not UTF-8.
pub(crate) fn text(path: &str, what: &str) -> Result<String> {
    let mut bytes = bytes(path, what)?;
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::new(Kind::Config, format!("{}:{line}: {what} must be UTF-8 text", shown(path)))
    })
}

/// Reads a file, or stdin for `-`.
///
/// # Errors
/// [`Kind::Config`]: it cannot be read, is longer than a plan may be, or is stdin a second time.
pub(crate) fn bytes(path: &str, what: &str) -> Result<Vec<u8>> {
    let read = |mut reader: &mut dyn Read| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Read::take(&mut reader, MAX_PLAN_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let result = if path == DASH {
        // A second read would find it empty, and something would be missing without an error.
        if let Some(first) = STDIN_IS.lock().unwrap_or_else(PoisonError::into_inner).replace(what.to_owned()) {
            let text = format!("stdin can be read once and is {first} already: write {what} to a file");
            return Err(Error::new(Kind::Config, text));
        }
        read(&mut io::stdin().lock())
    } else {
        note(path.as_ref(), what);
        File::open(path).and_then(|mut file| read(&mut file))
    };
    let bytes = result.map_err(|error| {
        Error::new(Kind::Config, format!("{what} {} cannot be read", shown(path))).with_source(error)
    })?;
    if bytes.len() as u64 > MAX_PLAN_BYTES {
        let text = format!("{what} {} is longer than {} MiB", shown(path), MAX_PLAN_BYTES >> 20);
        return Err(Error::new(Kind::Config, text));
    }
    Ok(bytes)
}
