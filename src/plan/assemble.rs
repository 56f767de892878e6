//! Tables of jobs into a plan: jobs that can run at once, and a graph of those that need others.

use std::sync::{Arc, Mutex};

use super::dependencies::{Uses, resolve};
use super::job_table::JobTable;
use super::jobs::{Base, JobBuilder};
use super::late::LateTable;
use super::layer::Layer;
use super::node_reader::NodeReader;
use crate::graph::{JobGraph, JobNode};
use crate::job::Job;

/// Makes the jobs of these tables; what is wrong is noted. There is a graph if one of them has to do with another.
pub(super) fn assemble(reader: &mut NodeReader<'_>, tables: Vec<JobTable>, base: Base) -> (Vec<Job>, Option<JobGraph>) {
    let base = Arc::new(base);
    let hosts: Vec<&Layer> = base.hosts.layers().collect();
    let mut tables = tables;
    tables.iter_mut().for_each(|table| table.put_base(&base.defaults));
    tables.iter_mut().for_each(|table| table.drop_unused_columns(&base.defaults, &hosts));
    let all = resolve(reader, &tables, &base.defaults, &hosts);
    let tables: Vec<Arc<JobTable>> = tables.into_iter().map(Arc::new).collect();
    let mut builder = JobBuilder::new(&base);
    let goes_on = hosts.iter().any(|host| host.goes_on()) || base.defaults.goes_on();
    let has_graph =
        |(table, uses): (&Arc<JobTable>, &Uses)| uses.is_late(table) || table.keys.is_used() || table.layer.goes_on();
    if !goes_on && !tables.iter().zip(&all).any(has_graph) {
        tables.iter().for_each(|table| {
            builder.add(reader, table);
        });
        builder.warn_of_unused_hosts(reader);
        return (builder.finish().0, None);
    }
    let mut counts = Vec::with_capacity(tables.len());
    for (table, uses) in tables.iter().zip(&all) {
        counts.push(match uses.complete {
            true if uses.is_late(table) => {
                let mut names = table.own_names();
                names.extend(uses.names.iter().cloned());
                builder.add_late(reader, table, &names).unwrap_or_default()
            }
            true => builder.add(reader, table),
            false => 0,
        });
    }
    builder.warn_of_unused_hosts(reader);
    let (jobs, taken) = builder.finish();
    if !reader.log.is_empty() {
        return (Vec::new(), None);
    }
    let secrets = reader.secrets();
    let taken = Arc::new(Mutex::new(taken));
    let mut ready = jobs.into_iter();
    let nodes: Vec<JobNode> = tables
        .into_iter()
        .zip(&all)
        .zip(counts)
        .map(|((table, uses), count)| {
            let late = uses.is_late(&table);
            let node = node(&table, uses, count);
            if !late {
                return node.with_ready(ready.by_ref().take(count).collect());
            }
            let (base, log, taken) = (base.clone(), reader.log.emptied(), taken.clone());
            node.with_template(Arc::new(LateTable { table, base, log, taken, secrets: secrets.clone() }))
        })
        .collect();
    match JobGraph::new(nodes) {
        Ok(mut graph) => (graph.take_ready(), Some(graph)),
        Err(error) => {
            reader.log.whole(error.one_line());
            (Vec::new(), None)
        }
    }
}

/// A node without its jobs.
fn node(table: &JobTable, uses: &Uses, count: usize) -> JobNode {
    let name = table.shown_name();
    let secret = table.keys.secret.iter().map(|(_, name)| name.as_str());
    let mut node = match &table.keys.for_each {
        Some((_, source)) => {
            let named = table.name.as_ref().is_some_and(|(_, name)| uses.names.iter().any(|used| name.mentions(used)));
            let node =
                JobNode::rows_of(&name, source).fields(uses.fields.clone(), named).max_jobs(table.keys.most_jobs());
            table.keys.key.iter().fold(node, |node, (_, key)| node.key(key))
        }
        None => JobNode::new(name.into(), None).members(count),
    };
    if table.is_many() {
        node = node.many();
    }
    node.and_needs(&uses.needs).report(table.keys.unreported.is_none()).secret(secret)
}
