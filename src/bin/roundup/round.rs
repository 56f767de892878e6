//! One run from the first permit to the last byte of the report.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use futures_lite::StreamExt;
use roundup::event_loop::{EventLoop, Task};
use roundup::fetcher::Stopper;
use roundup::report::Run;
use roundup::{Fetcher, Outcome, Summary};

use crate::exit::Exit;
use crate::manner::Manner;
use crate::progress::Progress;
use crate::signals::signals;
use crate::tasks::Tasks;
use crate::work::Work;
use crate::writer::{Writer, complain};

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) exit: Exit,
    pub(crate) summary: Summary,
    pub(crate) elapsed: Duration,
    /// All of them, in input order.
    pub(crate) outcomes: Vec<Outcome>,
}

/// The loop of a run. It knows its tasks by name, and with `--verbose` reports those that hold it.
pub(crate) fn event_loop(manner: &Manner) -> EventLoop {
    let builder = EventLoop::builder();
    if manner.verbose { builder.build() } else { builder.slow_poll(Duration::MAX).build() }
}

/// Fetches all sources and writes what was asked for.
pub(crate) async fn round_up(
    event_loop: &EventLoop,
    fetcher: &Fetcher,
    work: Work,
    writer: Writer,
    interrupts: &Interrupts,
    manner: &Manner,
) -> Finished {
    let started = SystemTime::now();
    let clock = Instant::now();
    let Work { jobs, places, redactor, deadline, .. } = work;
    let mut outcomes = fetcher.run(event_loop, jobs);
    let stopper = outcomes.stopper();
    interrupts.watch(&stopper);
    let tasks = Tasks { redactor: redactor.clone(), progress: manner.progress };
    let half = deadline.filter(|_| !manner.quiet);
    let _half = half.map(|deadline| tasks.clone().watch_deadline(event_loop, deadline));
    let _asked = tasks.listen(event_loop);
    let progress = manner.progress.then(|| Progress::start(event_loop, stopper.clone()));
    let mut writer = writer.begin().await;
    while let Some(outcome) = outcomes.next().await {
        let place = places.get(outcome.index).copied().unwrap_or(outcome.index);
        writer.take(place, outcome);
        if writer.is_behind() {
            writer = writer.streamed().await;
        }
        if writer.is_pointless() {
            stopper.stop();
        }
    }
    let elapsed = clock.elapsed();
    if let Some(progress) = progress {
        progress.end().await;
    }
    let unread = writer.is_pointless();
    let in_time = deadline.is_none_or(|deadline| elapsed < deadline) || !writer.is_unfinished();
    let run = Run { started, elapsed, interrupted: interrupts.came() || !in_time, redactor };
    let (exit, summary, outcomes) = writer.finish(run).await;
    let exit = match unread {
        // Whoever closed the pipe has what they wanted.
        true => Exit::Success,
        false if interrupts.came() => Exit::Interrupted,
        false => exit,
    };
    Finished { exit, summary, elapsed, outcomes }
}

/// Ctrl-C and requests to terminate: the first ends the run, the second the program.
#[derive(Debug)]
pub(crate) struct Interrupts {
    came: Rc<Cell<bool>>,
    current: Rc<RefCell<Option<Stopper>>>,
    _task: Option<Task<()>>,
}

impl Interrupts {
    pub(crate) fn listen(event_loop: &EventLoop) -> Interrupts {
        let came = Rc::new(Cell::new(false));
        let current = Rc::new(RefCell::new(None::<Stopper>));
        let signals = signals();
        let task = match signals {
            Ok(mut signals) => {
                let (came, current) = (came.clone(), current.clone());
                Some(event_loop.spawn_named("signals", async move {
                    while signals.next().await.is_some() {
                        if came.replace(true) {
                            std::process::exit(i32::from(Exit::Interrupted.code()));
                        }
                        let stopper = current.borrow().clone();
                        if let Some(stopper) = stopper {
                            stopper.stop();
                        }
                    }
                }))
            }
            Err(error) => {
                // The run can be made; only its end by a signal will be an abrupt one.
                complain(&format!("signals cannot be watched: {error}"));
                None
            }
        };
        Interrupts { came, current, _task: task }
    }

    /// Whether one came.
    pub(crate) fn came(&self) -> bool {
        self.came.get()
    }

    fn watch(&self, stopper: &Stopper) {
        *self.current.borrow_mut() = Some(stopper.clone());
        if self.came() {
            stopper.stop();
        }
    }
}
