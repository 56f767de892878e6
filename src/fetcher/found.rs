//! How many requests at once each host was found to take, from one run to the next.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use crate::origin::Origin;

/// How many requests at once each host has shown to take: what adaptive runs begin with, and what they have found when their
/// stream has ended. Clones share what is found.
#[derive(Clone, Debug, Default)]
pub struct FoundConcurrency(Arc<Mutex<BTreeMap<Origin, NonZeroU32>>>);

impl FoundConcurrency {
    /// What is known of these hosts.
    pub fn of(hosts: impl IntoIterator<Item = (Origin, NonZeroU32)>) -> FoundConcurrency {
        FoundConcurrency(Arc::new(Mutex::new(hosts.into_iter().collect())))
    }

    /// All that is known.
    pub fn hosts(&self) -> Vec<(Origin, NonZeroU32)> {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.iter().map(|(origin, at_once)| (origin.clone(), *at_once)).collect()
    }

    pub(super) fn of_host(&self, origin: &Origin) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(origin).map(|at_once| at_once.get())
    }

    pub(super) fn note(&self, found: impl IntoIterator<Item = (Origin, NonZeroU32)>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }
}
