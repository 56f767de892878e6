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

/// Ctrl-C, Ctrl-Break, the closing of the console, logging off and shutting down. After the last three Windows ends the
/// process as soon as its handler returns, so that one never does: there is an end when `main` comes to its own, or after
/// the five seconds that Windows gives.
#[cfg(windows)]
pub(crate) fn signals() -> io::Result<Signals> {
    use signal_mod::{Coordinator, Signal, SignalSet};
    let all = SignalSet::from(Signal::Interrupt).with(Signal::Quit).with(Signal::Terminate).with(Signal::Hangup);
    // What is done about them is the caller's business: nothing is shut down from here.
    let source = Coordinator::builder().signals(SignalSet::empty()).notify_signals(all).build();
    let received = source.subscribe();
    source.install().map_err(io::Error::other)?;
    // The source goes along, for without it nothing comes any more.
    let signals = futures_lite::stream::unfold((source, received), |(source, mut received)| async move {
        received.recv().await.map(|_| ((), (source, received)))
    });
    Ok(signals.boxed_local())
}
