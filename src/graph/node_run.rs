//! How far a node of a graph is.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::captured::{Captured, skipped};
use super::node::JobNode;
use super::row_source::RowSource;
use crate::job::Job;
use crate::outcome::{Failure, Outcome};
use crate::shard::Shard;

/// No further jobs of a node are made while its requests take so many bytes: a server that gives a token of megabytes, which
/// stands in each of a thousand requests, would otherwise take gigabytes.
const MOST_STARTED_BYTES: usize = 16 << 20;

/// A node, and how far it is.
pub(super) struct NodeRun {
    pub(super) node: JobNode,
    pub(super) place: usize,
    /// Whether it may make more than one job.
    has_many_sources: bool,
    /// The nodes that need a value of it, and those that have jobs for its rows.
    pub(super) users: Vec<usize>,
    pub(super) readers: Vec<usize>,
    /// The node of each of its needs.
    pub(super) givers: Vec<usize>,
    /// How many nodes it waits for.
    pub(super) missing: usize,
    /// Whether rows may still come.
    pub(super) rows_may_come: bool,
    pub(super) ready: VecDeque<(usize, Job)>,
    /// Which members have not been made.
    pub(super) members: VecDeque<usize>,
    /// The shard of which its jobs are; `None` if all of them run.
    pub(super) shard: Option<Shard>,
    pub(super) rows: VecDeque<RowSource>,
    /// How many jobs have begun and not ended.
    pub(super) started: usize,
    /// What their requests take in memory, in bytes.
    pub(super) started_bytes: usize,
    /// How many jobs were made for rows, and their names.
    pub(super) made: usize,
    pub(super) names: HashSet<Arc<str>>,
    /// What it gave to the nodes that need it.
    pub(super) captured: Option<Captured>,
    /// Whether one of its jobs failed, and whether they were skipped because of another one.
    pub(super) failed: bool,
    pub(super) skipped: bool,
    pub(super) done: bool,
}

/// What the request of a job takes in memory.
pub(super) fn request_bytes(job: &Job) -> usize {
    let settings = job.settings();
    let fields: usize = settings.headers.iter().map(|field| field.value().len()).sum();
    job.url().as_str().len() + fields + settings.data.as_ref().map_or(0, |data| data.len())
}

impl NodeRun {
    /// A node that has these places of the input. These members of it run, and of its jobs for rows those of the shard.
    pub(super) fn new(node: JobNode, places: Range<usize>, members: VecDeque<usize>, shard: Option<Shard>) -> NodeRun {
        NodeRun {
            place: places.start,
            has_many_sources: places.len() > 1 || node.for_each.is_some(),
            users: Vec::new(),
            readers: Vec::new(),
            missing: 0,
            rows_may_come: node.for_each.is_some(),
            ready: VecDeque::new(),
            members,
            shard,
            rows: VecDeque::new(),
            started: 0,
            started_bytes: 0,
            made: 0,
            names: HashSet::new(),
            captured: None,
            givers: Vec::new(),
            failed: false,
            skipped: false,
            done: false,
            node,
        }
    }

    /// Whether there is memory for the request of one more job.
    pub(super) fn has_room(&self) -> bool {
        self.started_bytes < MOST_STARTED_BYTES
    }

    /// Whether all of its jobs have ended and no further ones will come.
    pub(super) fn has_ended(&self) -> bool {
        let nothing_comes = self.missing == 0 && !self.rows_may_come && self.is_used_up();
        !self.done && self.started == 0 && (self.skipped || nothing_comes)
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.ready.is_empty() && self.members.is_empty() && self.rows.iter().all(|rows| rows.len() == 0)
    }

    /// Whether there was no row and none is left.
    pub(super) fn has_no_rows(&self) -> bool {
        self.made == 0 && self.is_used_up()
    }

    /// How it comes that others cannot have what they need of it.
    pub(super) fn how_it_failed(&self) -> Option<&'static str> {
        if self.skipped { Some("was skipped") } else { self.failed.then_some("failed") }
    }

    /// The outcomes of all jobs that have not begun; of those for rows there is one. Nothing is left.
    pub(super) fn drain(&mut self, failure: &Failure) -> Vec<Outcome> {
        let ready = self.ready.drain(..).map(|(place, job)| skipped(place, &job, failure.clone()));
        let mut outcomes: Vec<Outcome> = ready.collect();
        let members = if self.node.for_each.is_some() { [0].into() } else { std::mem::take(&mut self.members) };
        outcomes.extend(members.into_iter().map(|member| self.not_made(self.place + member, failure.clone())));
        self.rows.clear();
        self.rows_may_come = false;
        outcomes
    }

    /// Gives the job of a row its name: that of the node with the key in brackets, if it has none of its own.
    ///
    /// `None` if it is in another shard.
    pub(super) fn name_job(&mut self, job: Job, key: &str) -> Option<Job> {
        let named = self.node.for_each.as_ref().is_some_and(|for_each| for_each.named);
        let wanted = if named { job.name().to_owned() } else { self.name_of_row(key) };
        // Names that differ by their numbers alone are in one shard, because which row came first is not the same in all.
        if !self.holds(&wanted) {
            return None;
        }
        let mut name: Arc<str> = wanted.replace(char::is_control, "\u{fffd}").into();
        let mut count = 1;
        while !self.names.insert(name.clone()) {
            count += 1;
            name = format!("{wanted}#{count}").into();
        }
        Some(job.named(name))
    }

    /// Whether the job of the row with this key may run, as far as that is known before it is made.
    pub(super) fn may_hold(&self, key: &str) -> bool {
        let named = self.node.for_each.as_ref().is_some_and(|for_each| for_each.named);
        self.shard.is_none() || named || self.holds(&self.name_of_row(key))
    }

    /// The name of the job of a row, if its template gives it none.
    fn name_of_row(&self, key: &str) -> String {
        format!("{}[{key}]", self.node.name)
    }

    /// Whether a job of this name runs.
    fn holds(&self, name: &str) -> bool {
        self.shard.is_none_or(|shard| shard.holds(name))
    }

    /// What tells one of its sources from the others, if there may be several: what its name has in brackets, or all of it.
    pub(super) fn own_name(&self, name: &str) -> Option<Box<str>> {
        let rest = name.strip_prefix(&*self.node.name).unwrap_or(name);
        let own_name = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        self.has_many_sources.then(|| own_name.into())
    }

    /// The outcome of a job that was not made.
    pub(super) fn not_made(&self, index: usize, failure: Failure) -> Outcome {
        let member = index.saturating_sub(self.place);
        let names = self.node.template.as_ref().and_then(|template| template.names(member));
        let (name, url) = names.unwrap_or_else(|| (self.node.name.clone(), "".into()));
        Outcome { index, name, url, error: Some(failure), ..Outcome::default() }
    }

    /// Why it is skipped if a node that it needs has given nothing.
    pub(super) fn why_skipped(&self, need: &str, how: &str) -> String {
        let needs = self.node.needs.iter().filter(|(job, value)| **job == *need && !value.is_empty());
        let values: Vec<String> = needs.map(|(_, value)| format!("\"{value}\"")).collect();
        if values.is_empty() {
            return format!("\"{need}\" {how}, and this comes after it");
        }
        format!("\"{need}\" {how}, and this needs its {}", values.join(" and "))
    }
}
