//! Files and stdin, read whole within a bound, before anything is fetched.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::PoisonError;

use roundup::plan::MAX_PLAN_BYTES;
use roundup::{Error, Kind, Result};

/// How people write stdin where a file may stand.
pub(crate) const DASH: &str = "-";

/// What stdin was read as.
static STDIN_IS: Mutex<Option<String>> = Mutex::new(None);

/// The name of an input for errors.
pub(crate) fn shown(path: &str) -> &str {
    if path == DASH { "stdin" } else { path }
}

/// Reads a text file, or stdin for `-`.
///
/// # Errors
/// [`Kind::Config`]: it cannot be read, is longer than a plan may be, or is not UTF-8.
pub(crate) fn text(path: &str, what: &str) -> Result<String> {
    let bytes = bytes(path, what)?;
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
        // Read a second time it would be empty, and something would be sent or left out without a word.
        if let Some(first) = STDIN_IS.lock().unwrap_or_else(PoisonError::into_inner).replace(what.to_owned()) {
            let text = format!("stdin can be read once and is {first} already: write {what} to a file");
            return Err(Error::new(Kind::Config, text));
        }
        read(&mut io::stdin().lock())
    } else {
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
