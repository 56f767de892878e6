//! What ends a run from outside.

use std::io;
use std::pin::Pin;

use futures_lite::{Stream, StreamExt};

/// One item for each that comes.
pub(crate) type Signals = Pin<Box<dyn Stream<Item = ()>>>;

/// Ctrl-C (SIGINT) and requests to terminate (SIGTERM).
#[cfg(unix)]
pub(crate) fn signals() -> io::Result<Signals> {
    use async_signal::Signal;
    let signals = async_signal::Signals::new([Signal::Int, Signal::Term])?;
    Ok(signals.map(drop).boxed_local())
}

/// Ctrl-C and Ctrl-Break. The closing of the console, logging off and shutting down come here too, but Windows ends the
/// process as soon as it has said so: what was not written by then never is. To hold it up, a thread of Windows itself
/// would have to be blocked, for which no safe interface was found.
#[cfg(windows)]
pub(crate) fn signals() -> io::Result<Signals> {
    // The second ends the program; there is no use in a third.
    let (sender, receiver) = smol::channel::bounded(2);
    ctrlc::set_handler(move || {
        let _ = sender.try_send(());
    })
    .map_err(io::Error::other)?;
    Ok(receiver.boxed_local())
}
