//! Jobs that are made when the values of others are there.

use std::sync::{Arc, Mutex, PoisonError};

use super::diagnostic::Log;
use super::job_table::JobTable;
use super::jobs::{Base, JobBuilder, TakenNames};
use super::node_reader::NodeReader;
use super::template::{PlainValue, Show, Template};
use crate::error::{Error, Kind, Result};
use crate::graph::{JobTemplate, JobValues};
use crate::job::Job;
use crate::origin::without_password;
use crate::rows::Record;
use crate::secrets::Secrets;

/// A table whose jobs are made later, with what stands below it.
pub(super) struct LateTable {
    pub(super) table: Arc<JobTable>,
    pub(super) base: Arc<Base>,
    /// Knows the lines of the plan.
    pub(super) log: Log,
    /// Shared by all tables of the plan.
    pub(super) taken: Arc<Mutex<TakenNames>>,
    pub(super) secrets: Secrets,
}

impl JobTemplate for LateTable {
    fn make(&self, member: usize, values: &JobValues) -> Result<Job> {
        let table = &self.table;
        self.check_nulls(values)?;
        let given: Vec<(&str, PlainValue)> = values.iter().map(|(name, value)| (&**name, plain(name, value))).collect();
        let mut row = table.each.combination(member);
        row.extend(given.iter().map(|(name, value)| (*name, value)));
        let mut reader = NodeReader::new(self.log.emptied(), &|_| None, &|_| None);
        let brackets = table.has_brackets();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if table.keys.for_each.is_some() {
            // The graph gives these jobs names of their own.
            taken.names.clear();
        }
        let mut builder = JobBuilder::new(&self.base).with_taken(std::mem::take(&mut taken));
        let made = builder.make_one(&mut reader, table, &row, brackets);
        *taken = builder.finish().1;
        match made {
            Some(job) => Ok(job.with_values(self.columns(member, values)).with_secrets(self.secrets_with(values))),
            None => Err(first_error(reader.log)),
        }
    }

    fn names(&self, member: usize) -> Option<(Arc<str>, Arc<str>)> {
        let table = &self.table;
        let row = if table.keys.for_each.is_some() { Vec::new() } else { table.each.combination(member) };
        let url = without_password(&table.url.1.fill(&row, Show::Names)).into_owned();
        let mut name = table.name.as_ref().map_or_else(|| url.clone(), |(_, name)| name.fill(&row, Show::Names));
        if table.has_brackets() && !row.is_empty() {
            let shown = row.iter().zip(table.each.names()).filter(|(_, name)| name.is_shown);
            let values: Vec<_> = shown.map(|((_, value), _)| value.shown()).collect();
            name.push_str(&format!("[{}]", values.join(",")));
        }
        Some((name.into(), url.into()))
    }

    fn keeps_responses(&self) -> bool {
        let Base { defaults, hosts, .. } = &*self.base;
        self.table.layer.keeps_responses() || defaults.keeps_responses() || hosts.keep_responses()
    }

    fn explain(&self) -> Option<String> {
        let table = &self.table;
        let method = table.layer.over(&self.base.defaults).method();
        let url = without_password(&table.url.1.fill(&[], Show::Names)).into_owned();
        Some(format!("{method} {url}"))
    }
}

impl LateTable {
    /// Refuses null where a text must stand. In `json` it is a value.
    fn check_nulls(&self, values: &JobValues) -> Result<()> {
        let nulls: Vec<&str> =
            values.iter().filter(|(_, value)| value.cell.is_null()).map(|(name, _)| &**name).collect();
        if nulls.is_empty() {
            return Ok(());
        }
        let mut found = None;
        let mut look = |place: &super::node_reader::Place, template: &Template| {
            let name = nulls.iter().find(|name| template.mentions(name));
            found = found.take().or(name.map(|name| (place.clone(), (*name).to_owned())));
        };
        look(&self.table.url.0, &self.table.url.1);
        self.table.name.iter().for_each(|(place, name)| look(place, name));
        self.table.layer.over(&self.base.defaults).for_each_text(&mut look);
        let Some((place, name)) = found else { return Ok(()) };
        let mut log = self.log.emptied();
        log.at(place.at, &place.path, format!("the value of {{{name}}} is null, which is no text"));
        Err(first_error(log))
    }

    /// The values that stand in the rows of a job: those of `each`, and the fields of the row that it is made for. What it
    /// needs of others is no column: it may be a token.
    fn columns(&self, member: usize, values: &JobValues) -> Record {
        let each = self.table.each.combination(member).into_iter().map(|(name, value)| (name, value.cell()));
        let source = self.table.keys.for_each.as_ref().map(|(_, source)| source.as_str());
        let fields = values.iter().filter_map(|(name, value)| {
            let (job, field) = name.split_once('.')?;
            (Some(job) == source).then(|| (field, value.cell.clone()))
        });
        each.chain(fields).collect()
    }

    /// The secrets of the plan, and those among the values.
    fn secrets_with(&self, values: &JobValues) -> Secrets {
        let mut captured = values.iter().filter(|(_, value)| value.secret).peekable();
        if captured.peek().is_none() {
            return self.secrets.clone();
        }
        let captured = captured.map(|(name, value)| (name.to_string(), value.cell.as_text().into_owned()));
        let plan = self.secrets.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Secrets::new(plan.chain(captured).collect::<Vec<_>>())
    }
}

/// A value of another job, as templates take it.
fn plain(name: &str, value: &crate::graph::JobValue) -> PlainValue {
    let plain = PlainValue::of_cell(value.cell.clone()).with_base(value.base.clone());
    if value.secret { plain.shown_as(format!("{{{name}}}")) } else { plain }
}

/// What was noted first.
fn first_error(log: Log) -> Error {
    let errors = log.into_errors();
    let text = errors.list().first().map_or_else(|| "the job cannot be made".to_owned(), ToString::to_string);
    Error::new(Kind::Url, text)
}
