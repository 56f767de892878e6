//! From flags to limits of the run.

use std::num::NonZeroU32;
use std::time::Duration;

use roundup::units::Rate;
use roundup::{Limits, Result};

use crate::cli::flags::Flags;

/// Some of a run's limits, to go over those of a plan.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LimitsPatch {
    concurrency: Option<NonZeroU32>,
    pub(crate) per_host: Option<NonZeroU32>,
    rate: Option<Rate>,
    adaptive: Option<bool>,
    pub(crate) deadline: Option<Duration>,
    max_memory: Option<u64>,
}

impl LimitsPatch {
    pub(super) fn new(flags: &Flags) -> Result<LimitsPatch> {
        Ok(LimitsPatch {
            concurrency: flags.count("concurrency")?.and_then(NonZeroU32::new),
            per_host: flags.count("per_host")?.and_then(NonZeroU32::new),
            rate: flags.parsed("rate", str::parse)?,
            adaptive: flags.switch("adaptive")?,
            deadline: flags.time("deadline")?,
            max_memory: flags.size("max_memory")?,
        })
    }

    /// Puts what is given over these limits. A limit for each host goes over those of single hosts, too.
    pub(crate) fn over(&self, limits: &mut Limits) {
        limits.concurrency = self.concurrency.unwrap_or(limits.concurrency);
        limits.rate = self.rate.or(limits.rate);
        limits.max_memory = self.max_memory.or(limits.max_memory);
        limits.adaptive = self.adaptive.unwrap_or(limits.adaptive);
        if self.per_host.is_some() {
            limits.per_host = self.per_host;
            limits.hosts.values_mut().for_each(|host| host.per_host = None);
        }
    }
}
