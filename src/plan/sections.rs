//! The tables of a plan: `[variables]`, `[defaults]`, `[limits]`, `[hosts]`, `[report]`, `[state]`, `[watch]` and `[[job]]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::assemble::assemble;
use super::auth_keys::Logins;
use super::hosts::{HostTables, at_once};
use super::job_table::JobTable;
use super::jobs::Base;
use super::layer::{self, Layer};
use super::node_reader::{NodeReader, Place, TableEntry, entries};
use super::ready::StateTable;
#[cfg(feature = "watch")]
use super::ready::WatchTable;
use super::report::read_report;
use super::tree::{Member, Node, Tree};
use super::values::{read_variables, warn_of_unused};
use crate::error::{Error, Kind};
use crate::graph::JobGraph;
use crate::job::Job;
use crate::kept_runs::KeptRuns;
use crate::limits::Limits;
use crate::settings::Settings;
use crate::tables::ReportSpec;

/// What a plan says.
#[derive(Default)]
pub(super) struct Sections {
    pub(super) jobs: Vec<Job>,
    /// If jobs need others.
    pub(super) graph: Option<JobGraph>,
    pub(super) limits: Limits,
    pub(super) deadline: Option<Duration>,
    pub(super) report: ReportSpec,
    pub(super) state: StateTable,
    #[cfg(feature = "watch")]
    pub(super) watch: Option<WatchTable>,
}

/// Reads all tables; what is wrong is noted. `given` are plain values from beside the plan.
pub(super) fn read(
    reader: &mut NodeReader<'_>,
    members: &[Member],
    settings: &Settings,
    given: &BTreeMap<String, String>,
) -> Sections {
    let mut sections = Sections::default();
    let mut base = Base::over(settings);
    let top = entries(&Place::top(), members);
    // First, wherever it stands: the other tables use its values.
    if let Some(entry) = top.iter().find(|entry| entry.key == "variables") {
        read_variables(reader, entry, given);
    }
    let mut jobs = None;
    for entry in &top {
        match entry.key {
            "variables" | "auth" => {}
            "defaults" => read_defaults(reader, entry, &mut base.defaults),
            "limits" => read_limits(reader, entry, &mut sections.limits, &mut sections.deadline),
            "hosts" => base.hosts = HostTables::read(reader, &entry.place, entry.node),
            "report" => sections.report = read_report(reader, entry),
            "state" => read_state(reader, entry, &mut sections.state),
            #[cfg(feature = "watch")]
            "watch" => sections.watch = Some(super::watch::read_watch(reader, entry)),
            #[cfg(not(feature = "watch"))]
            "watch" => reader.error(&entry.place, "this build cannot watch: take one with the cargo feature \"watch\""),
            "job" => jobs = Some(entry),
            _ => reader.unknown(
                entry,
                &["variables", "defaults", "limits", "hosts", "auth", "report", "state", "watch", "job"],
            ),
        }
    }
    sections.limits.hosts = base.hosts.limits().clone();
    let tables = match jobs {
        None => {
            reader.log.whole("the plan has no [[job]]");
            Vec::new()
        }
        Some(entry) => read_tables(reader, entry),
    };
    let logins = top.iter().find(|entry| entry.key == "auth").map(|entry| Logins::read(reader, entry));
    let logins = logins.unwrap_or_default();
    let layers = base.hosts.layers().chain([&base.defaults]).chain(tables.iter().map(|table| &table.layer));
    layers.for_each(|layer| layer.check_login(reader, &logins));
    let token_logins = logins.token_logins(reader, settings);
    base.logins = logins;
    sections.report.row_tables = row_tables(reader, &tables, &base.defaults);
    (sections.jobs, sections.graph) = assemble(reader, tables, base);
    sections.graph = sections.graph.map(|graph| token_logins.into_iter().fold(graph, JobGraph::login));
    let own = members.iter().filter(|member| member.key == "variables").flat_map(|member| match &member.node.value {
        Tree::Table(members) => members.iter().map(|member| member.key.as_str()).collect(),
        _ => Vec::new(),
    });
    warn_of_unused(reader, &own.collect::<Vec<&str>>(), given);
    sections
}

/// The tables that the jobs give rows to, in the order in which they are first named. A value of `each` that has the name of a
/// selected one is noted: both would be one column.
fn row_tables(reader: &mut NodeReader<'_>, tables: &[JobTable], defaults: &Layer) -> Vec<Box<str>> {
    let mut all: Vec<Box<str>> = Vec::new();
    for table in tables {
        let layer = table.layer.over(defaults);
        let Some(rows) = layer.table_of_rows() else { continue };
        for name in table.own_names() {
            if layer.selected().any(|selected| selected == name) {
                let place = Place { path: format!("{}.select", table.place.path), ..table.place.clone() };
                reader.error(&place, format!("\"{name}\" is a value of each, too, and both would be one column: give one of them another name"));
            }
        }
        if table.keys.unreported.is_none() && !all.contains(&rows) {
            all.push(rows);
        }
    }
    all
}

fn read_tables(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Vec<JobTable> {
    let mut tables = Vec::new();
    match &entry.node.value {
        Tree::Array(items) if items.is_empty() => reader.error(&entry.place, "the plan has no [[job]]"),
        Tree::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                let place = Place { at: item.at, path: format!("job[{}]", i + 1) };
                match &item.value {
                    Tree::Table(members) => tables.extend(JobTable::read(reader, &place, members)),
                    _ => reader.wrong_type(&place, "a table", item),
                }
            }
        }
        Tree::Table(_) => {
            reader.error(&entry.place, "expected an array of tables, found a table: write [[job]] in two brackets");
        }
        _ => reader.wrong_type(&entry.place, "an array of tables, [[job]]", entry.node),
    }
    tables
}

fn read_defaults(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>, defaults: &mut Layer) {
    for entry in reader.table(&entry.place, entry.node).unwrap_or_default() {
        if !defaults.read(reader, &entry) {
            if ["name", "url", "each"].contains(&entry.key) {
                reader.error(&entry.place, format!("\"{}\" is a job's own and has no default", entry.key));
            } else {
                reader.unknown(&entry, &layer::KEYS);
            }
        }
    }
}

fn read_limits(
    reader: &mut NodeReader<'_>,
    entry: &TableEntry<'_>,
    limits: &mut Limits,
    deadline: &mut Option<Duration>,
) {
    for entry in reader.table(&entry.place, entry.node).unwrap_or_default() {
        let (place, node) = (&entry.place, entry.node);
        match entry.key {
            "concurrency" => limits.concurrency = at_once(reader, place, node).unwrap_or(limits.concurrency),
            "per_host" => limits.per_host = at_once(reader, place, node),
            "adaptive" => limits.adaptive = reader.boolean(place, node).unwrap_or_default(),
            "rate" => limits.rate = reader.parsed(place, node, ("a rate", "20/s"), str::parse),
            "deadline" => *deadline = reader.span(place, node),
            "max_memory" => limits.max_memory = reader.size(place, node),
            _ => reader.unknown(&entry, &["concurrency", "per_host", "rate", "adaptive", "deadline", "max_memory"]),
        }
    }
}

fn read_state(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>, state: &mut StateTable) {
    for entry in reader.table(&entry.place, entry.node).unwrap_or_default() {
        let (place, node) = (&entry.place, entry.node);
        match entry.key {
            "file" => {
                let path = |text: &str| match text.trim() {
                    "" => Err(Error::new(Kind::Config, "it is empty: write \"roundup.db\"")),
                    "-" => Err(Error::new(Kind::Config, "a state is a file and no stream: write \"roundup.db\"")),
                    _ => Ok(PathBuf::from(text)),
                };
                state.file = reader.parsed(place, node, ("a file", "roundup.db"), path);
            }
            "keep" => state.keep = read_keep(reader, place, node),
            "size" => state.size = reader.size(place, node),
            _ => reader.unknown(&entry, &["file", "keep", "size"]),
        }
    }
}

fn read_keep(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<KeptRuns> {
    let Tree::Integer(number) = &node.value else {
        return reader.parsed(place, node, ("a number of runs or a time", "30d"), str::parse);
    };
    number.parse().map_err(|error: Error| reader.error(place, error.one_line())).ok()
}
