//! `[report]`: what is shown of the run, and where it is written.

use super::node_reader::{NodeReader, Place, TableEntry};
use super::template::Piece;
use super::tree::{Node, Tree};
use crate::rows::Chart;
use crate::tables::{OutputSpec, RUN_NAMES, RUNS_SQL, ReportSpec, RunNames, SortKey, TableSource, TableSpec};

/// Reads `[report]`.
pub(super) fn read_report(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> ReportSpec {
    let mut report = ReportSpec::default();
    for entry in reader.table(&entry.place, entry.node).unwrap_or_default() {
        match entry.key {
            "title" => report.title = text(reader, &entry, &RUN_NAMES[..3]),
            "table" => {
                for (place, node) in list(reader, &entry, "[[report.table]]") {
                    let number = report.tables.len() + 1;
                    report.tables.extend(read_table(reader, &place, node, number, &report.tables));
                }
            }
            "output" => {
                for (place, node) in list(reader, &entry, "[[report.output]]") {
                    report.outputs.extend(read_output(reader, &place, node));
                }
            }
            _ => reader.unknown(&entry, &["title", "table", "output"]),
        }
    }
    report
}

/// The tables of an array of tables, and where they stand.
fn list<'a>(reader: &mut NodeReader<'_>, entry: &TableEntry<'a>, form: &str) -> Vec<(Place, &'a Node)> {
    match &entry.node.value {
        Tree::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, item)| (Place { at: item.at, path: format!("{}[{}]", entry.place.path, i + 1) }, item))
            .collect(),
        Tree::Table(_) => {
            reader.error(
                &entry.place,
                format!("expected an array of tables, found a table: write {form} in two brackets"),
            );
            Vec::new()
        }
        _ => {
            reader.wrong_type(&entry.place, &format!("an array of tables, {form}"), entry.node);
            Vec::new()
        }
    }
}

/// Reads a `[[report.table]]`.
fn read_table(
    reader: &mut NodeReader<'_>,
    place: &Place,
    node: &Node,
    number: usize,
    before: &[TableSpec],
) -> Option<TableSpec> {
    let line = reader.log.line(place.at);
    let (mut name, mut title, mut rows, mut sql) = (None, None, None, None);
    let (mut columns, mut sort, mut limit, mut charts) = (Vec::new(), Vec::new(), None, Vec::new());
    for entry in reader.table(place, node)? {
        let (at, node) = (&entry.place, entry.node);
        match entry.key {
            "name" => name = text(reader, &entry, &[]),
            "title" => title = text(reader, &entry, &RUN_NAMES[..3]),
            "table" => rows = text(reader, &entry, &[]),
            "sql" if RUNS_SQL => sql = plain_text(reader, at, node),
            "sql" => reader.error(
                at,
                "this build cannot run SQL: take one with the cargo feature \"sql\", or write table = \"...\"",
            ),
            "columns" => columns = texts(reader, at, node),
            "sort" => sort = texts(reader, at, node).iter().map(|key| SortKey::parse(key)).collect(),
            "limit" => limit = reader.count(at, node, 1, u32::MAX).map(|limit| limit as usize),
            "chart" => charts = read_charts(reader, at, node),
            _ => reader.unknown(&entry, &["name", "title", "table", "sql", "columns", "sort", "limit", "chart"]),
        }
    }
    let source = match (rows, sql) {
        (Some(_), Some(_)) => {
            reader.error(place, "\"table\" and \"sql\" exclude each other: write one of them");
            return None;
        }
        (Some(name), None) => TableSource::Rows(name),
        (None, Some(sql)) => TableSource::Sql(sql),
        (None, None) => {
            reader.error(place, "it has no rows: write table = \"NAME\"");
            return None;
        }
    };
    let name = match name {
        Some(name) if before.iter().any(|other| other.name == name) => {
            reader.error(place, format!("two tables of the report are called \"{name}\": give one another name"));
            name
        }
        Some(name) => name,
        None => free_name(title.as_deref(), &source, number, before),
    };
    Some(TableSpec { line, name, title, source, columns, sort, limit, charts })
}

/// A name for a table that was given none: that of its rows if no other table has it, or its title in small letters.
fn free_name(title: Option<&str>, source: &TableSource, number: usize, before: &[TableSpec]) -> Box<str> {
    let own = match source {
        TableSource::Rows(name) => Some(name.clone()),
        TableSource::Sql(_) => None,
    };
    let words = title.map(|title| {
        let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect::<Vec<_>>().join("-").into_boxed_str()
    });
    let is_free = |name: &str| !name.is_empty() && before.iter().all(|other| *other.name != *name);
    let candidates = [own, words.map(|words| words.chars().take(60).collect())].into_iter().flatten();
    let numbered = (number..).map(|number| format!("table-{number}").into());
    // The numbers do not end.
    candidates.chain(numbered).find(|name| is_free(name)).unwrap_or_default()
}

/// Reads `chart = { price = "bar" }`.
fn read_charts(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Vec<(Box<str>, Chart)> {
    let mut charts = Vec::new();
    for entry in reader.table(place, node).unwrap_or_default() {
        let chart = match &entry.node.value {
            Tree::String(word) => Chart::from_word(word),
            _ => None,
        };
        match chart {
            Some(chart) => charts.push((entry.key.into(), chart)),
            None => reader.error(&entry.place, "expected \"bar\" or \"line\""),
        }
    }
    charts
}

/// Reads a `[[report.output]]`.
fn read_output(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<OutputSpec> {
    let line = reader.log.line(place.at);
    let (mut format, mut file, mut bom) = (None, None, false);
    for entry in reader.table(place, node)? {
        match entry.key {
            "format" => format = text(reader, &entry, &[]),
            "file" => file = text(reader, &entry, &RUN_NAMES),
            "bom" => bom = reader.boolean(&entry.place, entry.node).unwrap_or_default(),
            _ => reader.unknown(&entry, &["format", "file", "bom"]),
        }
    }
    if format.is_none() && file.is_none() {
        reader.error(
            place,
            "it says nothing: write format = \"html\" and, unless it goes to stdout, file = \"report.html\"",
        );
        return None;
    }
    Some(OutputSpec { line, format, file, bom })
}

/// A text that people get to see. `later` are names that get their values when the run starts.
fn text(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>, later: &[&str]) -> Option<Box<str>> {
    text_at(reader, &entry.place, entry.node, later)
}

fn plain_text(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Box<str>> {
    text_at(reader, place, node, &[])
}

fn text_at(reader: &mut NodeReader<'_>, place: &Place, node: &Node, later: &[&str]) -> Option<Box<str>> {
    let template = reader.string(place, node, "a string")?;
    let own: Vec<String> = later.iter().map(|name| (*name).to_owned()).collect();
    if !reader.check_names(place, &template, &own) {
        return None;
    }
    if template.has_secret(&[]) {
        reader.error(place, "a secret cannot stand here: everybody who gets the report reads it");
        return None;
    }
    let mut text = String::new();
    for piece in template.pieces() {
        match (piece, piece.value(&[])) {
            (Piece::Text(piece), _) => text.push_str(&RunNames::escape(piece)),
            (_, Some(value)) => text.push_str(&RunNames::escape(&value.text())),
            (_, None) => text.push_str(&piece.shown_name()),
        }
    }
    if later.is_empty() {
        // Its values are not filled in later, so no brace is doubled.
        text = template.fill(&[], super::template::Show::Values);
    }
    if text.is_empty() {
        reader.error(place, "it is empty: write at least one character");
        return None;
    }
    Some(text.into())
}

/// A string, or an array of strings.
fn texts(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Vec<Box<str>> {
    match &node.value {
        Tree::Array(items) => {
            let item = |item: &Node| plain_text(reader, &Place { at: item.at, path: place.path.clone() }, item);
            items.iter().filter_map(item).collect()
        }
        _ => plain_text(reader, place, node).into_iter().collect(),
    }
}
