//! Text to stdout and to stderr.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use roundup::printable;
use roundup::report::width_of;

use super::terminal::width;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;

/// The widths of the lines of the live view that stand on the terminal, the cursor behind the last of them.
static DRAWN: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Prints what a command was asked for. A closed pipe ends it quietly.
pub(crate) fn print(text: &str) -> Result<Exit, CommandError> {
    check_stdout()?;
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CommandError { exit: Exit::Report, lines: vec![format!("stdout cannot be written: {error}")] })
        }
        _ => Ok(Exit::Success),
    }
}

/// For whatever writes to stdout.
///
/// # Errors
/// It was closed when the process was started (`>&-`); exit code 5.
pub(crate) fn check_stdout() -> Result<(), CommandError> {
    if !roundup_start::stdout_was_closed() {
        return Ok(());
    }
    let line = "stdout is closed, so nothing can be written to it: write >/dev/null if that is meant, or name a file with \
                --report FORMAT=FILE";
    Err(CommandError { exit: Exit::Report, lines: vec![line.to_owned()] })
}

/// One line on stderr. Best effort: a closed stderr is ignored.
pub(crate) fn complain(line: &str) {
    complain_all(&[line.to_owned()]);
}

/// Lines on stderr in one write, in place of the live view, which is drawn again below them.
pub(super) fn complain_all(lines: &[String]) {
    let mut drawn = drawn();
    let mut text = back_to_first(&drawn);
    if !drawn.is_empty() {
        text.push_str("\x1b[J");
    }
    for line in lines {
        text.push_str("roundup: ");
        text.push_str(&printable(line, &[]));
        text.push('\n');
    }
    drawn.clear();
    write(&text);
}

/// Draws the live view over what was drawn before; nothing is drawn of no lines.
pub(super) fn draw(lines: &[String]) {
    let mut drawn = drawn();
    if lines.is_empty() && drawn.is_empty() {
        return;
    }
    let mut text = back_to_first(&drawn);
    for (number, line) in lines.iter().enumerate() {
        // What stood there before is overwritten and not erased first, which would flicker.
        text.push_str(if number == 0 { "" } else { "\r\n" });
        text.push_str(line);
        text.push_str("\x1b[K");
    }
    text.push_str("\x1b[J");
    *drawn = lines.iter().map(|line| width_of(line)).collect();
    write(&text);
}

/// Takes the live view away, if nothing writes to the terminal now: for a program that ends at once.
pub(crate) fn leave() {
    if let Ok(mut drawn) = DRAWN.try_lock() {
        if !drawn.is_empty() {
            write(&format!("{}\x1b[J", back_to_first(&drawn)));
            drawn.clear();
        }
    }
}

/// To the first line of what was drawn. In a window that has become narrower its lines take several rows each.
fn back_to_first(drawn: &[usize]) -> String {
    if drawn.is_empty() {
        return String::new();
    }
    let columns = width().unwrap_or(usize::MAX).max(1);
    let rows: usize = drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum();
    if rows > 1 { format!("\r\x1b[{}A", rows - 1) } else { "\r".to_owned() }
}

fn drawn() -> MutexGuard<'static, Vec<usize>> {
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
