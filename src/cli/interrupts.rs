//! Ctrl-C, requests to terminate and the end of the terminal: the first ends the run, or, while its reports are written,
//! leaves contents out of what remains of them. The second ends the program.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
#[cfg(any(feature = "fleet", feature = "watch"))]
use roundup::event_loop::Event;
use roundup::event_loop::{EventLoop, Task};
use roundup::fetcher::Stopper;
use roundup::report::Cutoff;

use super::console::{complain, leave};
use super::exit::Exit;
use super::signals::{EndSignal, signals};

/// For so long contents are written after a first signal that came before the reports, or after the deadline of the run.
pub(crate) const TIME_FOR_CONTENTS: Duration = Duration::from_secs(10);

/// For so long of that the tables of the report are made, so that a query without end leaves the contents their time.
pub(crate) const TIME_FOR_TABLES: Duration = Duration::from_secs(5);

/// For so long a program that was started may go on after a signal.
#[cfg(feature = "watch")]
pub(crate) const TIME_TO_LEAVE: Duration = Duration::from_secs(5);

/// The run that signals are for.
#[derive(Clone, Debug)]
struct CurrentRun {
    stopper: Stopper,
    cutoff: Cutoff,
    /// Whether all has been fetched and is only to be written.
    is_writing: bool,
    /// Whether reports are written whole all the same, if they do not take too long: those that are there are whole, too.
    keeps_whole: bool,
}

impl CurrentRun {
    fn interrupt(&self) {
        let now = Instant::now();
        if self.is_writing && !self.keeps_whole {
            self.cutoff.set(now);
            complain(
                "interrupted: the contents that are still to be written are left out, and the next signal ends it all",
            );
        } else {
            self.cutoff.set(now + TIME_FOR_CONTENTS);
            self.stopper.stop();
        }
    }
}

/// The signals that have come.
#[derive(Debug, Default)]
struct SeenSignals {
    end: Cell<Option<EndSignal>>,
    /// Whether the plan is to be read anew.
    reload: Cell<bool>,
    /// Set by each signal.
    #[cfg(any(feature = "fleet", feature = "watch"))]
    changed: Event,
}

impl SeenSignals {
    /// Wakes the tasks that wait for a signal.
    fn tell(&self) {
        #[cfg(any(feature = "fleet", feature = "watch"))]
        self.changed.set();
    }
}

/// Watches the signals, and stops the run that is under way when one comes.
#[derive(Debug)]
pub(crate) struct Interrupts {
    seen: Rc<SeenSignals>,
    current: Rc<RefCell<Option<CurrentRun>>>,
    /// Whether runs follow each other.
    between_rounds: bool,
    _task: Option<Task<()>>,
}

impl Interrupts {
    pub(crate) fn listen(event_loop: &EventLoop) -> Interrupts {
        Interrupts::listening(event_loop, false)
    }

    /// The same for a plan that is run again and again: without a terminal, SIGHUP asks for it to be read anew.
    #[cfg(feature = "watch")]
    pub(crate) fn listen_between_rounds(event_loop: &EventLoop) -> Interrupts {
        use std::io::{IsTerminal, stderr, stdin, stdout};
        let has_terminal = stdin().is_terminal() || stdout().is_terminal() || stderr().is_terminal();
        Interrupts { between_rounds: true, ..Interrupts::listening(event_loop, cfg!(unix) && !has_terminal) }
    }

    fn listening(event_loop: &EventLoop, reloads: bool) -> Interrupts {
        let seen = Rc::<SeenSignals>::default();
        let current = Rc::new(RefCell::new(None::<CurrentRun>));
        let task = match signals() {
            Ok(mut signals) => {
                let (seen, current) = (seen.clone(), current.clone());
                Some(event_loop.spawn_named("signals", async move {
                    while let Some(signal) = signals.next().await {
                        if reloads && signal == EndSignal::HungUp {
                            seen.reload.set(true);
                            seen.tell();
                            continue;
                        }
                        let is_first = seen.end.get().is_none();
                        if !is_first && signal != EndSignal::HungUp {
                            leave();
                            std::process::exit(i32::from(Exit::Interrupted.code()));
                        }
                        seen.end.set(seen.end.get().or(Some(signal)));
                        seen.tell();
                        let current = current.borrow().clone();
                        if let Some(current) = current.filter(|_| is_first) {
                            current.interrupt();
                        }
                    }
                }))
            }
            Err(error) => {
                // The run goes on: a signal then ends the program at once, without a report.
                complain(&format!("signals cannot be watched: {error}"));
                None
            }
        };
        Interrupts { seen, current, between_rounds: false, _task: task }
    }

    /// Whether one came that ends the program.
    pub(crate) fn came(&self) -> bool {
        self.seen.end.get().is_some()
    }

    /// Whether the first was SIGTERM.
    #[cfg(feature = "watch")]
    pub(crate) fn is_termination(&self) -> bool {
        self.seen.end.get() == Some(EndSignal::Terminated)
    }

    /// Whether the plan is to be read anew, once for each time that it was asked for.
    #[cfg(feature = "watch")]
    pub(crate) fn take_reload(&self) -> bool {
        self.seen.reload.take()
    }

    /// Waits for a signal that ends the program or asks for the plan to be read anew.
    #[cfg(feature = "watch")]
    pub(crate) async fn next(&self) {
        while !self.came() && !self.seen.reload.get() {
            self.seen.changed.clear();
            self.seen.changed.wait().await;
        }
    }

    /// Waits for a signal that ends the program.
    #[cfg(any(feature = "fleet", feature = "watch"))]
    pub(crate) async fn end(&self) {
        while !self.came() {
            self.seen.changed.clear();
            self.seen.changed.wait().await;
        }
    }

    /// From now on, interrupts stop this run, and soon after the contents of its reports. One that came before stops it at
    /// once.
    pub(crate) fn stop(&self, stopper: &Stopper, cutoff: &Cutoff) {
        let (stopper, cutoff, keeps_whole) = (stopper.clone(), cutoff.clone(), self.between_rounds);
        let current = CurrentRun { stopper, cutoff, is_writing: false, keeps_whole };
        *self.current.borrow_mut() = Some(current.clone());
        if self.came() {
            current.interrupt();
        }
    }

    /// From now on there is no run that a signal could stop.
    #[cfg(feature = "watch")]
    pub(crate) fn run_is_over(&self) {
        *self.current.borrow_mut() = None;
    }

    /// The run is over and its reports are written: from now on, a first interrupt leaves contents out of them.
    pub(crate) fn writing(&self) {
        if let Some(current) = &mut *self.current.borrow_mut() {
            current.is_writing = true;
        }
    }
}
