//! Why a source waits.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::origin::Origin;

/// Why a source waits that is neither under way nor has ended. Times are when it may go on at the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReason {
    /// As many sources are under way in the run as may be.
    Run,
    /// As many requests are under way at its host as may be.
    HostFull,
    /// The rate of its host, or of the run.
    Rate(Instant),
    /// Its host has asked to be left alone.
    Pause(Instant),
    /// Its host takes no connections, and is probed then.
    Breaker(Instant),
    /// Its host took no connections, and a probe is finding out whether it is back.
    Probe,
    /// It is tried again after a failure.
    Retry(Instant),
    /// The run has made as many retries as it may; it is tried again when more sources have been started.
    Budget,
}

impl WaitReason {
    /// When the source may go on at the earliest, if that is a matter of time.
    pub fn until(self) -> Option<Instant> {
        match self {
            WaitReason::Rate(until)
            | WaitReason::Pause(until)
            | WaitReason::Breaker(until)
            | WaitReason::Retry(until) => Some(until),
            _ => None,
        }
    }
}

/// For people: `its host has asked for a pause`.
impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitReason::Run => "as many sources were under way as may be",
            WaitReason::HostFull => "as many requests were under way at its host as may be",
            WaitReason::Rate(_) => "it waited for its rate",
            WaitReason::Pause(_) => "its host has asked for a pause",
            WaitReason::Breaker(_) => "its host takes no connections",
            WaitReason::Probe => "its host took no connections and was being probed",
            WaitReason::Retry(_) => "it waited to be tried again",
            WaitReason::Budget => "the run has made as many retries as it may",
        })
    }
}

/// A source that waits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitingSource {
    /// Its name.
    pub name: Arc<str>,
    /// Why it waits.
    pub why: WaitReason,
}

/// A host that is not asked for anything now, whatever waits for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HeldHost {
    /// Where it is.
    pub origin: Origin,
    /// Why it is not asked.
    pub why: WaitReason,
    /// How many sources wait for it, without those that wait to be tried again.
    pub waiting: usize,
}
