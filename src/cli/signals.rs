//! The signals that end a run.

use std::io;
use std::pin::Pin;

use futures_lite::{Stream, StreamExt};

/// A signal that asks the run to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndSignal {
    /// By a person or a program, who insists if it comes again.
    Asked,
    /// The same by what started the program, such as systemd: SIGTERM.
    Terminated,
    /// The terminal is gone. The shell and the system may both say so, so a second one says nothing new.
    HungUp,
}

/// A stream with an item for each signal.
pub(crate) type Signals = Pin<Box<dyn Stream<Item = EndSignal>>>;

/// From now on, a file that would grow beyond the limit on sizes (RLIMIT_FSIZE) is an error of the write, and SIGXFSZ does
/// not end the process: the other outputs are still to be written, and the exit code has to say what is missing.
///
/// The signal is held back from this thread and from those that it starts, so it is to be called before any is there. That
/// takes no descriptor, of which there may be too few for anything else, and unlike a handler it needs no `unsafe`.
#[cfg(unix)]
pub(crate) fn survive_size_limit() {
    use nix::sys::signal::{SigSet, Signal};
    let signals = SigSet::from_iter([Signal::SIGXFSZ]);
    // It can only fail for a set that the system does not know.
    let _ = signals.thread_block();
}

/// There is no such limit.
#[cfg(not(unix))]
pub(crate) fn survive_size_limit() {}

/// Ctrl-C (SIGINT), Ctrl-\\ (SIGQUIT, without a core), requests to terminate (SIGTERM), and the end of the terminal
/// (SIGHUP), unless that is ignored as under `nohup`.
#[cfg(unix)]
pub(crate) fn signals() -> io::Result<Signals> {
    use async_signal::Signal;
    let mut signals = async_signal::Signals::new([Signal::Int, Signal::Term, Signal::Quit])?;
    if !hangup_is_ignored() {
        signals.add_signals([Signal::Hup])?;
    }
    let ends = signals.filter_map(|signal| match signal {
        Ok(Signal::Hup) => Some(EndSignal::HungUp),
        Ok(Signal::Term) => Some(EndSignal::Terminated),
        _ => Some(EndSignal::Asked),
    });
    Ok(ends.boxed_local())
}

/// Whether the process was started with SIGHUP ignored. Where the system does not tell, by what `nohup` does: it leaves
/// no stream to the terminal.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    use std::io::IsTerminal;
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => {
            let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
            // Signals count from 1, and this is the first.
            ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
        }
        Err(_) => !(io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal()),
    }
}

/// Ctrl-C, Ctrl-Break, the closing of the console, logging off and shutting down. After the last three, Windows ends the
/// process as soon as its handler returns. So the handler never returns, and the process ends when `main` does, or after
/// the five seconds that Windows allows.
#[cfg(windows)]
pub(crate) fn signals() -> io::Result<Signals> {
    use signal_mod::{Coordinator, Signal, SignalSet};
    let all = SignalSet::from(Signal::Interrupt).with(Signal::Quit).with(Signal::Terminate).with(Signal::Hangup);
    // The caller decides what a signal does: `signals` shuts nothing down, `notify_signals` reports all.
    let source = Coordinator::builder().signals(SignalSet::empty()).notify_signals(all).build();
    let received = source.subscribe();
    source.install().map_err(io::Error::other)?;
    // The stream holds the source, because signals stop coming when it is dropped.
    let signals = futures_lite::stream::unfold((source, received), |(source, mut received)| async move {
        let signal = received.recv().await?;
        let end = match signal {
            Signal::Hangup => EndSignal::HungUp,
            Signal::Terminate => EndSignal::Terminated,
            _ => EndSignal::Asked,
        };
        Some((end, (source, received)))
    });
    Ok(signals.boxed_local())
}
