//! The sources of a plan, to which results are put in order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::part::named;
use super::shards::Shards;
use crate::error::{Error, Kind};
use crate::graph::JobGraph;
use crate::job::Job;
use crate::job_id::JobDigest;
use crate::outcome::{Failure, Outcome};

/// What a plan says of the results that a run of it has.
#[derive(Clone, Debug)]
pub struct MergePlan {
    /// Its name, for errors.
    pub name: String,
    /// What tells it from others: see [`plan_digest`](crate::plan_digest).
    pub digest: JobDigest,
    /// The sources that are known before it is run, as if they had been skipped.
    sources: Vec<Outcome>,
    /// The places of tables whose jobs are made for rows, by name.
    tables: HashMap<Arc<str>, u32>,
    /// The names of those that a report has only if they failed.
    unreported: HashSet<Arc<str>>,
}

impl MergePlan {
    /// The plan with these jobs, each of which knows its place, and this graph, if they need others.
    pub fn new(name: &str, digest: JobDigest, jobs: &[Job], graph: Option<&JobGraph>) -> MergePlan {
        let failure = Failure::from(&Error::new(Kind::Skipped, "it is in none of the results"));
        let mut sources: Vec<Outcome> = jobs
            .iter()
            .enumerate()
            .map(|(number, job)| {
                let (name, url) = (job.name().into(), job.written_url().into());
                let table = job.settings().table_of_rows().map(Box::from);
                let index = job.index().unwrap_or(number);
                Outcome { index, name, url, table, error: Some(failure.clone()), ..Outcome::default() }
            })
            .collect();
        let mut tables = HashMap::new();
        let mut unreported = HashSet::new();
        if let Some(graph) = graph {
            for (index, name, url) in graph.late_sources() {
                sources.push(Outcome { index, name, url, error: Some(failure.clone()), ..Outcome::default() });
            }
            tables = graph.tables_of_rows().collect();
            let is_unreported = |outcome: &&Outcome| !graph.is_reported(outcome.index);
            unreported = sources.iter().filter(is_unreported).map(|outcome| outcome.name.clone()).collect();
        }
        MergePlan { name: name.to_owned(), digest, sources, tables, unreported }
    }

    /// Gives outcomes their places in the plan, and adds those that are missing. Returns whether some are.
    pub(super) fn place(&self, outcomes: &mut Vec<Outcome>, shards: Option<&Shards>, notes: &mut Vec<String>) -> bool {
        let mut sources: HashMap<&str, &Outcome> = self.sources.iter().map(|it| (&*it.name, it)).collect();
        let mut others: Vec<String> = Vec::new();
        for outcome in outcomes.iter_mut() {
            if let Some(source) = sources.remove(&*outcome.name) {
                outcome.place = source.with_place(|place| Some(place.into()));
                outcome.table = outcome.table.take().or_else(|| source.table.clone());
            } else if shards.is_none() && !self.place_of_row(outcome) {
                others.push(outcome.name.to_string());
            }
        }
        if !others.is_empty() {
            let are = if others.len() == 1 { "is" } else { "are" };
            notes.push(format!("{} {are} not in {}", named(&others), self.name));
        }
        let missing: Vec<&Outcome> = self
            .sources
            .iter()
            .filter(|source| sources.contains_key(&*source.name) && !self.unreported.contains(&source.name))
            .collect();
        if missing.is_empty() {
            return false;
        }
        let names: Vec<&str> = missing.iter().map(|source| &*source.name).collect();
        let are = if names.len() == 1 { "is" } else { "are" };
        notes.push(format!("{} {are} in none of the results", named(&names)));
        outcomes.extend(missing.into_iter().cloned().map(|mut source| {
            let shard = shards.and_then(|shards| shards.missing_with(&source.name));
            if let (Some(shard), Some(failure)) = (shard, &mut source.error) {
                failure.message = format!("it is in none of the results: shard {shard} is missing").into();
            }
            source.keep_place();
            source
        }));
        true
    }

    /// Gives the outcome of a job that was made for a row its place behind that of its table. Whether there is one.
    fn place_of_row(&self, outcome: &mut Outcome) -> bool {
        let name = outcome.name.split('[').next().unwrap_or_default();
        let table = self.tables.get(name);
        // The number of its part comes first, then where it stood in the input of that.
        let place: Vec<u32> = outcome.with_place(|place| place.iter().skip(2).copied().collect());
        let own = outcome.with_place(|place| place.to_vec());
        let first = table.copied().unwrap_or(u32::MAX);
        let rest = if table.is_some() { place } else { own };
        outcome.place = Some([first].into_iter().chain(rest).collect());
        table.is_some()
    }
}
