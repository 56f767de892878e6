//! What the limits of one run leave to the next.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::host::HostState;
use super::host::rate::Pacer;
use crate::limits::HostLimits;
use crate::origin::Origin;

/// So many hosts of which no more is known than how many requests at once they take are remembered. A program that runs for
/// weeks must not keep them all.
pub(super) const MAX_IDLE_HOSTS: usize = 1_024;

/// And so many of which it is known how many requests at once they take: that is little for each, and worth more.
const MAX_FOUND: usize = 8_192;

/// What limits know of the past: when the last requests left, which hosts have asked to be left alone, which take no
/// connections, and how many requests at once each takes. A run takes it up where the one before has left it, so that rates
/// and pauses hold over all of them.
///
/// Clones share it. Runs note what they know when their stream has ended or was dropped; those that go on at the same time
/// know nothing of each other, and what they leave has the pauses of all of them.
///
/// It does not grow without end: a pause is forgotten when it is over, and that a host took no connection after two minutes,
/// once there are 1,024 hosts; how many requests at once hosts take is remembered of 8,192 and those of the last run.
#[derive(Clone, Debug, Default)]
pub struct LimitState(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The last requests of all hosts together.
    pacer: Option<Pacer>,
    hosts: HashMap<Origin, HostState>,
    /// How many requests at once hosts were found to take, if runs were adaptive.
    found: BTreeMap<Origin, NonZeroU32>,
}

impl LimitState {
    /// What is known if adaptive runs have found that these hosts take so many requests at once.
    pub fn of(found: impl IntoIterator<Item = (Origin, NonZeroU32)>) -> LimitState {
        LimitState(Arc::new(Mutex::new(Known { found: found.into_iter().collect(), ..Known::default() })))
    }

    /// How many requests at once adaptive runs have found each host to take.
    pub fn found(&self) -> Vec<(Origin, NonZeroU32)> {
        self.known().found.iter().map(|(origin, at_once)| (origin.clone(), *at_once)).collect()
    }

    /// Notes what others have found of hosts of which nothing was found here.
    pub fn add_found(&self, found: impl IntoIterator<Item = (Origin, NonZeroU32)>) {
        let mut known = self.known();
        found.into_iter().for_each(|(origin, at_once)| {
            known.found.entry(origin).or_insert(at_once);
        });
    }

    /// What has left in a run before.
    pub(super) fn pacer(&self) -> Option<Pacer> {
        self.known().pacer.clone()
    }

    /// How a host stands when a run begins to ask it.
    pub(super) fn host(&self, origin: &Origin, limits: HostLimits, is_adaptive: bool) -> HostState {
        let known = self.known();
        let adaptive = is_adaptive.then(|| known.found.get(origin).map(|at_once| at_once.get()));
        known.hosts.get(origin).cloned().unwrap_or_default().under(limits, adaptive)
    }

    /// Notes how a run has left its hosts, and what has left in it. What no longer fits is forgotten of earlier runs.
    pub(super) fn note<'a>(
        &self,
        pacer: Option<&Pacer>,
        hosts: impl Iterator<Item = (&'a Origin, &'a HostState)>,
        now: Instant,
    ) {
        let mut known = self.known();
        if known.hosts.len() >= MAX_IDLE_HOSTS {
            known.hosts.retain(|_, host| !host.is_idle(now));
        }
        if known.found.len() >= MAX_FOUND {
            known.found.clear();
        }
        known.pacer = pacer.cloned().or(known.pacer.take()).filter(|pacer| !pacer.is_idle(now));
        for (origin, host) in hosts {
            known.found.extend(host.found().map(|at_once| (origin.clone(), at_once)));
            let before = known.hosts.remove(origin);
            let host = before.iter().fold(host.clone().at_rest(), |host, before| host.join_pauses(before, now));
            if !host.is_blank(now) {
                known.hosts.insert(origin.clone(), host);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn hosts(&self) -> Vec<Origin> {
        self.known().hosts.keys().cloned().collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
