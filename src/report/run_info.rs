//! What a report says of the run itself.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::cutoff::Cutoff;
use crate::outcome::{Outcome, Summary};
use crate::redact::Redactor;
use crate::rfc3339::rfc3339;
use crate::rows::DataTable;
use crate::shard::ShardRun;

/// What the run itself adds to its outcomes.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// When the run started, by the clock of the system. The start of 1970 if that is not known, as of a report that was cut.
    pub started: SystemTime,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether it ended before all sources were done: by a signal or by its deadline.
    pub interrupted: bool,
    /// Which part of its plan was run, if it was not all of it.
    pub shard: Option<ShardRun>,
    /// When contents are no longer written.
    pub cutoff: Cutoff,
    /// The secrets that reports must not show.
    pub redactor: Redactor,
    /// What stands above the report, if it has a title.
    pub title: Option<Box<str>>,
    /// The tables that the report shows, beside the results.
    pub tables: Vec<DataTable>,
    /// How many requests at once each host was found to take, if the run was adaptive.
    pub hosts: Vec<SettledHost>,
}

/// A host, and how many requests at once it was found to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledHost {
    /// Its origin: `https://api.example.com`.
    pub host: Box<str>,
    /// How many requests at once.
    pub at_once: u32,
}

impl RunInfo {
    /// When the run started, RFC 3339 in UTC; `None` if that is not known.
    pub fn start_text(&self) -> Option<String> {
        (self.started != SystemTime::UNIX_EPOCH).then(|| rfc3339(self.started))
    }

    /// What an adaptive run has found, a line for each host, as reports in prose say it: at most ten, and how many more.
    pub fn settled_lines(&self) -> Vec<String> {
        const MOST: usize = 10;
        let line = |SettledHost { host, at_once }: &SettledHost| {
            self.redactor.redact(&format!("{host} takes {at_once} at once")).into_owned()
        };
        let more = self.hosts.len().saturating_sub(MOST);
        let rest = (more > 0).then(|| format!("and {more} more {}", if more == 1 { "host" } else { "hosts" }));
        self.hosts.iter().take(MOST).map(line).chain(rest).collect()
    }

    /// The totals of these outcomes.
    pub fn summary<'a>(&self, outcomes: impl IntoIterator<Item = &'a Outcome>) -> Summary {
        let mut summary = Summary::default();
        outcomes.into_iter().for_each(|outcome| summary.add(outcome));
        summary.finish(self.elapsed);
        summary
    }
}

impl Default for RunInfo {
    /// A run that took no time at the start of 1970 and has no secrets.
    fn default() -> RunInfo {
        RunInfo {
            started: SystemTime::UNIX_EPOCH,
            elapsed: Duration::ZERO,
            interrupted: false,
            shard: None,
            cutoff: Cutoff::default(),
            redactor: Redactor::default(),
            title: None,
            tables: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_ten_hosts_are_named() {
        let lines = |count: u32| {
            let host = |at_once| SettledHost { host: format!("http://h{at_once}.example").into(), at_once };
            RunInfo { hosts: (1..=count).map(host).collect(), ..RunInfo::default() }.settled_lines()
        };
        assert!(lines(0).is_empty(), "the run was not adaptive");
        assert_eq!(lines(2), ["http://h1.example takes 1 at once", "http://h2.example takes 2 at once"]);
        assert_eq!((lines(10).len(), lines(11).len(), lines(13).len()), (10, 11, 11));
        assert_eq!((&*lines(11)[10], &*lines(13)[10]), ("and 1 more host", "and 3 more hosts"));
    }
}
