//! The fetcher against servers that count what it does.

mod alike;
mod clients;
mod content;
#[cfg(unix)]
mod descriptors;
mod embedded;
mod ends;
mod hostile;
mod intake;
mod kept;
mod limits;
mod memory;
mod places;
mod polite;
mod read_back;
mod retries;
mod rows;
mod waits;
#[cfg(feature = "xml")]
mod xml;

use std::num::NonZeroU32;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use roundup::event_loop::{EventLoop, timeout};
use roundup::{Failure, Fetcher, Job, Kind, Limits, Outcome, Phase};

use crate::common::PATIENCE;

/// All outcomes in input order, each job once; fails the test if that is not so or the run does not end.
fn collect(fetcher: &Fetcher, jobs: Vec<Job>) -> Vec<Outcome> {
    let names: Vec<String> = jobs.iter().map(|job| job.name().to_owned()).collect();
    let event_loop = EventLoop::new();
    let run = fetcher.run(&event_loop, jobs).collect::<Vec<_>>();
    in_order(event_loop.run(timeout(PATIENCE, run)).expect("it hangs"), &names)
}

fn in_order(mut outcomes: Vec<Outcome>, names: &[String]) -> Vec<Outcome> {
    outcomes.sort_by_key(|outcome| outcome.index);
    let found: Vec<(usize, &str)> = outcomes.iter().map(|outcome| (outcome.index, &*outcome.name)).collect();
    let expected: Vec<(usize, &str)> = names.iter().map(String::as_str).enumerate().collect();
    assert_eq!(found, expected, "every job comes out once");
    outcomes
}

/// The outcome of one job by a fetcher with the defaults.
fn one(job: Job) -> Outcome {
    collect(&Fetcher::new(), vec![job]).remove(0)
}

fn job(url: impl AsRef<str>) -> Job {
    Job::get(url.as_ref()).expect("a good URL")
}

/// Not tried again.
fn once(url: impl AsRef<str>) -> Job {
    job(url).with(|settings| settings.retries = 0)
}

/// So many at once, on one host or several.
fn at_once(concurrency: u32) -> Limits {
    Limits { concurrency: NonZeroU32::new(concurrency).expect("at least one"), per_host: None, ..Limits::default() }
}

/// So many at once on one host.
fn per_host(per_host: u32) -> Limits {
    Limits { per_host: NonZeroU32::new(per_host), ..at_once(100) }
}

#[track_caller]
fn failure(outcome: &Outcome) -> &Failure {
    outcome.error.as_ref().unwrap_or_else(|| panic!("it succeeded: {outcome:?}"))
}

#[track_caller]
fn assert_failed(outcome: &Outcome, kind: Kind, phase: Phase) {
    let failure = failure(outcome);
    assert_eq!((failure.kind, failure.phase), (kind, Some(phase)), "{}: {}", outcome.name, failure.message);
}

/// Holds requests until there are so many, so that a peak is really reached.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<usize>, Condvar)>);

impl Gate {
    fn wait_for(&self, number: usize) {
        let limit = Instant::now() + PATIENCE;
        let mut arrived = self.0.0.lock().expect("no thread panics here");
        *arrived += 1;
        self.0.1.notify_all();
        while *arrived < number && Instant::now() < limit {
            arrived = self.0.1.wait_timeout(arrived, Duration::from_millis(100)).expect("no thread panics here").0;
        }
    }
}
