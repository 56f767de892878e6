//! Warnings and errors that no caller can be told of: to the crate `log` with the feature of that name, otherwise to stderr.

use std::fmt::Arguments;

#[cfg(feature = "log")]
pub(crate) fn warn(message: Arguments<'_>) {
    log::warn!("{message}");
}

#[cfg(feature = "log")]
pub(crate) fn error(message: Arguments<'_>) {
    log::error!("{message}");
}

#[cfg(not(feature = "log"))]
pub(crate) fn warn(message: Arguments<'_>) {
    print(format_args!("warning: {message}\n"));
}

#[cfg(not(feature = "log"))]
pub(crate) fn error(message: Arguments<'_>) {
    print(format_args!("error: {message}\n"));
}

#[cfg(not(feature = "log"))]
fn print(line: Arguments<'_>) {
    use std::io::Write;
    // Not `eprint`, which panics if stderr is closed.
    let _ = std::io::stderr().write_fmt(line);
}
