//! Why jobs wait, for people. Pure: the caller brings the time.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::Queue;
use crate::fetcher::host::{HostQueue, JobNumber};
use crate::fetcher::waits::{HeldHost, WaitReason};
use crate::origin::Origin;

/// Limits that let something start at least this often are how a run goes on, and no news.
const STANDSTILL: Duration = Duration::from_secs(1);

impl Queue {
    /// All jobs that wait, and why: first those to be tried again.
    pub(in crate::fetcher) fn waits(&self, now: Instant) -> impl Iterator<Item = (JobNumber, WaitReason)> + '_ {
        let paced = self.pacer.wait_until(now);
        let delayed = self.delayed.iter().map(|Reverse((at, job, _))| (job.number, WaitReason::Retry(*at)));
        let unbudgeted = self.unbudgeted.iter().map(|(_, job, _)| (job.number, WaitReason::Budget));
        let at_hosts = self.hosts.iter().flat_map(move |host| {
            let otherwise = paced.map_or(WaitReason::Run, WaitReason::Rate);
            let why = host.gate(now).reason().unwrap_or(otherwise);
            host.waiting().map(move |number| (number, why))
        });
        delayed.chain(unbudgeted).chain(at_hosts)
    }

    /// The hosts that are not asked now, whatever waits for them, but for those that are full or paced.
    pub(in crate::fetcher) fn held_hosts(&self, now: Instant) -> impl Iterator<Item = HeldHost> + '_ {
        self.by_origin.iter().filter_map(move |(origin, index)| {
            let host = &self.hosts[*index];
            let why = host.gate(now).reason()?;
            let is_held = matches!(why, WaitReason::Pause(_) | WaitReason::Breaker(_) | WaitReason::Probe);
            is_held.then(|| held(origin, host, why))
        })
    }

    /// The hosts with jobs that wait for a limit of theirs which lets nothing start for long: their rate, or requests under
    /// way that take long.
    pub(in crate::fetcher) fn limited_hosts(&self, now: Instant) -> impl Iterator<Item = HeldHost> + '_ {
        self.by_origin.iter().filter_map(move |(origin, index)| {
            let host = &self.hosts[*index];
            let why = host.gate(now).reason().filter(|_| host.waiting_count() > 0)?;
            let is_long = match why {
                WaitReason::Rate(until) => self.stands_still(until),
                WaitReason::HostFull => self.stands_still(now),
                _ => false,
            };
            is_long.then(|| held(origin, host, why))
        })
    }

    /// When the rate of the run lets the next job start, if one waits for that and it is long.
    pub(in crate::fetcher) fn paced_until(&self, now: Instant) -> Option<Instant> {
        self.pacer.wait_until(now).filter(|until| !self.open.is_empty() && self.stands_still(*until))
    }

    /// Whether it is long until then from the last start.
    fn stands_still(&self, until: Instant) -> bool {
        self.last_start.is_none_or(|last| until.saturating_duration_since(last) > STANDSTILL)
    }
}

fn held(origin: &Origin, host: &HostQueue, why: WaitReason) -> HeldHost {
    HeldHost { origin: origin.clone(), why, waiting: host.waiting_count() }
}
