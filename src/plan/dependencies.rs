//! The values of others that a job uses.

use std::collections::HashMap;

use super::job_table::JobTable;
use super::layer::Layer;
use super::node_reader::{NodeReader, Place};
use super::template::Template;
use crate::graph::circle;

/// What a table uses of others.
#[derive(Default)]
pub(super) struct Uses {
    /// Each name as it is written in braces.
    pub(super) names: Vec<String>,
    /// The names of which each is a value of a job: `login.token`; or `login.` if it only comes after that.
    pub(super) needs: Vec<String>,
    /// The fields of the rows that jobs are made for.
    pub(super) fields: Vec<Box<str>>,
    pub(super) complete: bool,
}

impl Uses {
    /// Whether its jobs cannot be made before others have ended.
    pub(super) fn is_late(&self, table: &JobTable) -> bool {
        !self.needs.is_empty() || table.keys.for_each.is_some()
    }
}

/// What can be taken of a table.
struct Given<'t> {
    table: &'t JobTable,
    columns: Vec<String>,
}

/// Finds what each table uses of others; names that nothing defines are left to be noted with all others. Circles and
/// columns that are not there are noted.
pub(super) fn resolve(
    reader: &mut NodeReader<'_>,
    tables: &[JobTable],
    defaults: &Layer,
    hosts: &[&Layer],
) -> Vec<Uses> {
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let (mut all, mut doubles) = (Vec::new(), Vec::new());
    for (index, table) in tables.iter().enumerate() {
        let uses = Uses { complete: true, ..Uses::default() };
        if let Some(name) = table.word() {
            match by_name.get(&name) {
                Some(before) => doubles.push((*before, index, name)),
                None => drop(by_name.insert(name, index)),
            }
        }
        all.push(uses);
    }
    let given: Vec<Given<'_>> =
        tables.iter().map(|table| Given { table, columns: table.layer.over(defaults).columns() }).collect();
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); tables.len()];
    for (index, table) in tables.iter().enumerate() {
        let source = table.keys.for_each.as_ref().and_then(|(place, source)| {
            let source = by_name.get(source).copied().or_else(|| unknown_job(reader, place, source, &by_name));
            all[index].complete &= source.is_some();
            source
        });
        edges[index].extend(source);
        if let (Some((place, key)), Some(source)) = (&table.keys.key, source) {
            all[index].complete &= check_column(reader, place, key, &given[source], false);
            all[index].fields.push(key.as_str().into());
        }
        for (place, name) in &table.keys.after {
            let need = by_name.get(name).copied().or_else(|| unknown_job(reader, place, name, &by_name));
            all[index].complete &= need.is_some();
            all[index].needs.push(format!("{name}."));
            edges[index].extend(need);
        }
        for (place, secret) in &table.keys.secret {
            check_column(reader, place, secret, &given[index], false);
        }
        for (place, name) in references(table, defaults, hosts) {
            let Some((job, column)) = name.split_once('.') else { continue };
            let Some(need) = by_name.get(job).copied() else { continue };
            let of_row = Some(need) == source;
            all[index].complete &= check_column(reader, &place, column, &given[need], !of_row);
            let uses = &mut all[index];
            if of_row {
                uses.fields.push(column.into());
            } else {
                uses.needs.push(name.clone());
                edges[index].push(need);
            }
            uses.names.push(name);
        }
    }
    note_doubles(reader, tables, &edges, &doubles, &mut all);
    if let Some(circle) = circle(&edges) {
        let names: Vec<String> = circle.iter().map(|index| tables[*index].shown_name()).collect();
        let place = circle.iter().map(|index| &tables[*index].place).min_by_key(|place| place.at);
        if let Some(place) = place {
            reader.error(place, format!("jobs need each other in a circle: {}", names.join(" needs ")));
        }
    }
    all
}

/// Notes two jobs of one name if one of them has to do with another job. Of all others the reader of jobs says so.
fn note_doubles(
    reader: &mut NodeReader<'_>,
    tables: &[JobTable],
    edges: &[Vec<usize>],
    doubles: &[(usize, usize, String)],
    all: &mut [Uses],
) {
    let is_used = |index: usize| !edges[index].is_empty() || edges.iter().any(|needs| needs.contains(&index));
    for (before, index, name) in doubles.iter().filter(|(before, index, _)| is_used(*before) || is_used(*index)) {
        let line = reader.log.line(tables[*before].place.at);
        let place = tables[*index].name.as_ref().map_or(&tables[*index].place, |(place, _)| place);
        reader.error(place, format!("the name \"{name}\" is taken by the job of line {line}: give each job its own"));
        all[*index].complete = false;
    }
}

fn unknown_job(
    reader: &mut NodeReader<'_>,
    place: &Place,
    name: &str,
    by_name: &HashMap<String, usize>,
) -> Option<usize> {
    let mut known: Vec<&str> = by_name.keys().map(String::as_str).collect();
    known.sort_unstable();
    reader.error(place, format!("no job is named \"{name}\": the names are {}", known.join(", ")));
    None
}

/// Whether a value can be taken of a job; if not, that is noted.
fn check_column(reader: &mut NodeReader<'_>, place: &Place, column: &str, given: &Given<'_>, single: bool) -> bool {
    let name = given.table.shown_name();
    let text = if single && given.table.is_many() {
        format!("\"{name}\" has several jobs or rows, of which no single \"{column}\" can be taken: use it by for_each")
    } else if !given.columns.iter().any(|known| known == column) {
        let known = given.columns.join(", ");
        let known = if known.is_empty() { "it has no select".to_owned() } else { format!("its select has {known}") };
        format!("the job \"{name}\" has no value \"{column}\": {known}")
    } else {
        return true;
    };
    reader.error(place, text);
    false
}

/// The names with a dot that stand in braces in a table, or in what goes for it from elsewhere.
fn references(table: &JobTable, defaults: &Layer, hosts: &[&Layer]) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    let mut look = |place: &Place, template: &Template| {
        for name in template.without_value(&[]).filter(|name| name.contains('.')) {
            found.push((place.clone(), name.to_owned()));
        }
    };
    look(&table.url.0, &table.url.1);
    table.name.iter().for_each(|(place, name)| look(place, name));
    let below = hosts.iter().fold(defaults.clone(), |below, host| host.over(&below));
    table.layer.over(&below).for_each_place(&mut look);
    found
}
