//! Whether a host may be asked, and why not.

use std::time::Instant;

use super::super::waits::WaitReason;

/// Whether a host may be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fetcher) enum Gate {
    /// It may.
    Open,
    /// When one of its requests has ended.
    Full,
    /// When a probe has told whether it is back.
    Probing,
    /// No earlier than then.
    Until(Instant, Hold),
    /// Its jobs are to end unsent, because it wants to be left alone until then.
    Closed(Instant),
    /// Its jobs are to end unsent: it takes no connections, and is not probed before then.
    GivenUp(Instant),
}

/// Why a host is not asked before a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fetcher) enum Hold {
    /// It asked for a pause.
    Pause,
    /// Its rate.
    Rate,
    /// It takes no connections, and will be probed then.
    Breaker,
}

impl Gate {
    /// Why the jobs of the host wait; `None` if it is not for the host.
    pub(in crate::fetcher) fn reason(self) -> Option<WaitReason> {
        Some(match self {
            Gate::Open => return None,
            Gate::Full => WaitReason::HostFull,
            Gate::Probing => WaitReason::Probe,
            Gate::Until(until, Hold::Pause) | Gate::Closed(until) => WaitReason::Pause(until),
            Gate::Until(until, Hold::Rate) => WaitReason::Rate(until),
            Gate::Until(until, Hold::Breaker) | Gate::GivenUp(until) => WaitReason::Breaker(until),
        })
    }
}
