//! From flags to how a fleet works together.

use std::time::Duration;

use roundup::{Error, Kind, Result};

use crate::cli::flags::Flags;

/// What a run of a fleet and its workers hold to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FleetConfig {
    pub(crate) lease: Duration,
    /// For how long Redis keeps a run after its last worker and collector.
    pub(crate) keep: Duration,
    /// After how long without jobs a worker ends.
    pub(crate) idle_exit: Option<Duration>,
}

impl Default for FleetConfig {
    fn default() -> FleetConfig {
        FleetConfig { lease: Duration::from_secs(30), keep: Duration::from_secs(24 * 60 * 60), idle_exit: None }
    }
}

/// Workers could not show in a shorter time that they live.
const SHORTEST_LEASE: Duration = Duration::from_millis(100);

impl FleetConfig {
    pub(super) fn new(flags: &Flags) -> Result<FleetConfig> {
        let default = FleetConfig::default();
        let lease = flags.time("lease")?.unwrap_or(default.lease);
        if lease < SHORTEST_LEASE {
            let text = "--lease: workers cannot show in so short a time that they live: write 100ms or more";
            return Err(Error::new(Kind::Config, text));
        }
        let keep = flags.time("fleet_keep")?.unwrap_or(default.keep);
        Ok(FleetConfig { lease, keep, idle_exit: flags.time("idle_exit")? })
    }
}
