//! `each`: the values that make several jobs of one table.

use std::collections::HashSet;

use super::bounds::MAX_JOBS;
use super::each_file::read_each_file;
use super::node_reader::{NodeReader, Place, TableEntry, entries};
use super::template::PlainValue;
use super::tree::{Node, Tree};
use super::values::{check_name, read_value};
use crate::rows::Cell;

/// The most names in one `each`.
const MAX_NAMES: usize = 16;

/// A name in `each`.
pub(super) struct EachName {
    pub(super) place: Place,
    pub(super) name: String,
    /// Whether its value stands in brackets behind the name of a job.
    pub(super) is_shown: bool,
    /// Whether it is a column of a file, which need not be used.
    pub(super) is_column: bool,
}

impl EachName {
    fn new(entry: &TableEntry<'_>) -> EachName {
        EachName { place: entry.place.clone(), name: entry.key.to_owned(), is_shown: true, is_column: false }
    }
}

/// The names of one job and their values.
#[derive(Default)]
pub(super) struct Each {
    names: Vec<EachName>,
    /// Values that belong together; the jobs are for the product of all of these.
    sets: Vec<ValueSet>,
}

/// Names, and a value for each of them, row by row.
struct ValueSet {
    names: usize,
    values: Vec<PlainValue>,
}

impl ValueSet {
    fn rows(&self) -> usize {
        self.values.len() / self.names.max(1)
    }
}

impl Each {
    /// Reads the values; `None` if something is wrong, which is noted.
    pub(super) fn read(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<Each> {
        if let Tree::Array(items) = &entry.node.value {
            return read_tables(reader, &entry.place, items);
        }
        if is_file(entry.node) {
            return read_each_file(reader, entry);
        }
        let entries = reader.table(&entry.place, entry.node)?;
        if entries.is_empty() {
            reader.error(&entry.place, "is empty: write each = { city = [\"berlin\", \"oslo\"] }");
            return None;
        }
        if entries.len() > MAX_NAMES {
            reader.error(&entry.place, format!("a job has at most {MAX_NAMES} variables"));
            return None;
        }
        let mut each = Each::default();
        let mut complete = true;
        for entry in entries {
            let values = if check_name(reader, &entry) { read_values(reader, &entry) } else { None };
            complete &= values.is_some();
            each.sets.push(ValueSet { names: 1, values: values.unwrap_or_default() });
            each.names.push(EachName::new(&entry));
        }
        complete.then_some(each)
    }

    /// Names with values that belong together, row by row.
    pub(super) fn of_rows(names: Vec<EachName>, values: Vec<PlainValue>) -> Each {
        Each { sets: vec![ValueSet { names: names.len(), values }], names }
    }

    /// Drops the columns of a file that are neither used nor shown.
    pub(super) fn drop_unused(&mut self, is_used: impl Fn(&str) -> bool) {
        let is_kept: Vec<bool> =
            self.names.iter().map(|name| !name.is_column || name.is_shown || is_used(&name.name)).collect();
        if is_kept.iter().all(|kept| *kept) {
            return;
        }
        // A file is the only set of its job.
        for set in &mut self.sets {
            set.names = is_kept.iter().filter(|kept| **kept).count();
            let mut kept = is_kept.iter().cycle();
            set.values.retain(|_| kept.next().is_some_and(|kept| *kept));
            set.values.shrink_to_fit();
        }
        let mut kept = is_kept.iter();
        self.names.retain(|_| kept.next().is_some_and(|kept| *kept));
    }

    /// Whether the values come from a file.
    pub(super) fn is_file(&self) -> bool {
        self.names.iter().any(|name| name.is_column)
    }

    pub(super) fn names(&self) -> &[EachName] {
        &self.names
    }

    /// How many combinations there are; `None` if the number is too large to be told.
    pub(super) fn combinations(&self) -> Option<usize> {
        self.sets.iter().try_fold(1usize, |count, set| count.checked_mul(set.rows()))
    }

    /// One combination, counted from 0: the last name changes fastest.
    pub(super) fn combination(&self, mut number: usize) -> Vec<(&str, &PlainValue)> {
        let mut row = Vec::with_capacity(self.names.len());
        let mut end = self.names.len();
        for set in self.sets.iter().rev() {
            let count = set.rows().max(1);
            let names = &self.names[end - set.names..end];
            let values = set.values.chunks_exact(set.names.max(1)).nth(number % count).unwrap_or_default();
            row.extend(names.iter().map(|name| name.name.as_str()).zip(values).rev());
            number /= count;
            end -= set.names;
        }
        row.reverse();
        row
    }
}

/// Whether it is a file, or a table of which `file` is a text: otherwise the values of a name are a list or a table.
fn is_file(node: &Node) -> bool {
    match &node.value {
        Tree::String(_) => true,
        Tree::Table(members) => {
            members.iter().any(|member| member.key == "file" && matches!(member.node.value, Tree::String(_)))
        }
        _ => false,
    }
}

/// Reads a list of tables, of which each has a value for each name.
fn read_tables(reader: &mut NodeReader<'_>, place: &Place, items: &[Node]) -> Option<Each> {
    let mut each = Each::default();
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        let place = Place { at: item.at, path: place.path.clone() };
        let Tree::Table(members) = &item.value else {
            reader.wrong_type(&place, "a table of values in each place of the array", item);
            return None;
        };
        let entries = entries(&place, members);
        if each.names.is_empty() {
            for entry in &entries {
                check_name(reader, entry).then_some(())?;
                each.names.push(EachName::new(entry));
            }
        }
        let known: Vec<&str> = each.names.iter().map(|name| name.name.as_str()).collect();
        if let Some(entry) = entries.iter().find(|entry| !known.contains(&entry.key)) {
            reader.unknown(entry, &known);
            return None;
        }
        for name in known {
            let Some(entry) = entries.iter().find(|entry| entry.key == name) else {
                reader.error(&place, format!("has no \"{name}\", which the first table has"));
                return None;
            };
            values.push(read_value(reader, &entry.place, entry.node)?);
        }
    }
    if each.names.is_empty() {
        reader.error(place, "has no values: write each = [{ city = \"oslo\", country = \"no\" }]");
        return None;
    }
    each.sets.push(ValueSet { names: each.names.len(), values });
    Some(each)
}

fn read_values(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<Vec<PlainValue>> {
    if let Tree::Table(_) = entry.node.value {
        return read_range(reader, entry);
    }
    let Tree::Array(items) = &entry.node.value else {
        reader.wrong_type(&entry.place, "an array of values, or { from = 1, to = 100 }", entry.node);
        return None;
    };
    if items.is_empty() {
        reader.error(&entry.place, "the array is empty: write at least one value");
        return None;
    }
    let mut seen: HashSet<String> = HashSet::new();
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        let place = Place { at: item.at, path: entry.place.path.clone() };
        let value = read_value(reader, &place, item);
        if let Some(value) = &value {
            if !seen.insert(value.shown().into_owned()) {
                reader.error(&place, format!("\"{}\" is there twice", value.shown()));
            }
        }
        values.push(value);
    }
    values.into_iter().collect()
}

/// The whole numbers from one to another, both included.
fn read_range(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<Vec<PlainValue>> {
    let (mut from, mut to) = (None, None);
    for entry in reader.table(&entry.place, entry.node)? {
        match entry.key {
            "from" => from = Some(reader.count(&entry.place, entry.node, 0, u32::MAX)?),
            "to" => to = Some(reader.count(&entry.place, entry.node, 0, u32::MAX)?),
            _ => {
                reader.unknown(&entry, &["from", "to"]);
                return None;
            }
        }
    }
    let (Some(from), Some(to)) = (from, to) else {
        reader.error(&entry.place, "a range has \"from\" and \"to\": write { from = 1, to = 100 }");
        return None;
    };
    if to < from || (to - from) as usize >= MAX_JOBS {
        let text = format!("{from} to {to} is no range of at most {MAX_JOBS} numbers: write the smaller one first");
        reader.error(&entry.place, text);
        return None;
    }
    Some((from..=to).map(|number| PlainValue::of_cell(Cell::from(u64::from(number)))).collect())
}
