//! `expect`: what a plan says of how responses must be.

use super::json_template::JsonTemplate;
use super::node_reader::{NodeReader, Place, TableEntry};
use super::picking::{parse_type, read_text};
use super::template::{Row, Template};
use super::tree::{Node, Tree};
use crate::expectations::{ExpectPatch, RowCount};
use crate::http::Field;
use crate::pointer::Pointer;
use crate::rows::{Condition, ValueBounds};

const KEYS: [&str; 9] = ["status", "json", "absent", "present", "text", "matches", "header", "rows", "max_ms"];

/// A value that must stand at a place of the response, as it is written.
#[derive(Clone)]
pub(super) struct ExpectedJson {
    pub(super) place: Place,
    pointer: Pointer,
    condition: ConditionTemplate,
}

/// A condition whose values may hold `{name}`.
#[derive(Clone)]
pub(super) enum ConditionTemplate {
    Equals(JsonTemplate),
    Within(Box<BoundTemplates>),
}

#[derive(Clone, Default)]
pub(super) struct BoundTemplates {
    min: Option<JsonTemplate>,
    max: Option<JsonTemplate>,
    one_of: Option<Vec<JsonTemplate>>,
    is: Option<crate::rows::ValueType>,
}

/// Reads `expect`. What it says of JSON is returned, because it may hold values of a job.
pub(super) fn read_expect(
    reader: &mut NodeReader<'_>,
    place: &Place,
    node: &Node,
    expect: &mut ExpectPatch,
) -> Option<Vec<ExpectedJson>> {
    let mut json = None;
    for entry in reader.table(place, node)? {
        let (place, node) = (&entry.place, entry.node);
        match entry.key {
            "status" => expect.status = reader.statuses(place, node),
            "max_ms" => expect.max_ms = reader.count(place, node, 1, u32::MAX).map(u64::from),
            "absent" => expect.absent = read_pointers(reader, place, node),
            "present" => expect.present = read_pointers(reader, place, node),
            "text" => expect.text = read_text(reader, place, node, "a string").map(String::into),
            "matches" => {
                expect.matches = reader.parsed(place, node, ("a regular expression", "id=[0-9]+"), str::parse);
            }
            "header" => expect.header = read_headers(reader, place, node),
            "rows" => expect.rows = read_row_count(reader, place, node),
            "json" => {
                let Some(entries) = reader.table(place, node) else { continue };
                json = Some(entries.into_iter().filter_map(|entry| ExpectedJson::read(reader, entry)).collect());
            }
            _ => reader.unknown(&entry, &KEYS),
        }
    }
    json
}

fn read_pointers(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Vec<Pointer>> {
    let Tree::Array(items) = &node.value else {
        reader.wrong_type(place, "an array of JSON Pointers such as [\"/errors\"]", node);
        return None;
    };
    let mut pointers = Vec::new();
    for item in items {
        let place = Place { at: item.at, path: place.path.clone() };
        pointers.push(reader.parsed(&place, item, ("a JSON Pointer", "/errors"), str::parse));
    }
    pointers.into_iter().collect()
}

fn read_headers(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Vec<(Box<str>, Box<str>)>> {
    let mut headers = Vec::new();
    for entry in reader.table(place, node)? {
        let value = read_text(reader, &entry.place, entry.node, "a string")?;
        if let Err(error) = Field::new(entry.key, value.as_str()) {
            reader.error(&entry.place, error.one_line());
            return None;
        }
        headers.push((entry.key.into(), value.into()));
    }
    Some(headers)
}

fn read_row_count(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<RowCount> {
    let mut count = RowCount::default();
    for entry in reader.table(place, node)? {
        match entry.key {
            "min" => count.min = reader.count(&entry.place, entry.node, 0, u32::MAX).map(u64::from),
            "max" => count.max = reader.count(&entry.place, entry.node, 0, u32::MAX).map(u64::from),
            _ => reader.unknown(&entry, &["min", "max"]),
        }
    }
    Some(count)
}

impl ExpectedJson {
    fn read(reader: &mut NodeReader<'_>, entry: TableEntry<'_>) -> Option<ExpectedJson> {
        match entry.key.parse::<Pointer>() {
            Ok(pointer) => {
                let condition = ConditionTemplate::read(reader, &entry.place, entry.node)?;
                Some(ExpectedJson { place: entry.place, pointer, condition })
            }
            Err(error) => {
                reader.error(&entry.place, error.one_line());
                None
            }
        }
    }

    /// Calls `look` with every template.
    pub(super) fn for_each<'t>(&'t self, look: &mut dyn FnMut(&'t Template)) {
        self.condition.for_each(look);
    }

    /// The condition with these values; `None` if there is no room for it, which is noted.
    pub(super) fn fill(&self, reader: &mut NodeReader<'_>, row: &Row<'_>) -> Option<(Pointer, Condition)> {
        let len = self.condition.values().map(|value| value.max_len(row)).sum();
        reader.charge(&self.place, len).then(|| (self.pointer.clone(), self.condition.fill(row)))
    }
}

fn read_list(reader: &mut NodeReader<'_>, place: &Place, items: &[Node]) -> Option<Vec<JsonTemplate>> {
    let read = |item: &Node| JsonTemplate::read(reader, &Place { at: item.at, path: place.path.clone() }, item);
    items.iter().map(read).collect()
}

impl ConditionTemplate {
    /// A value that is compared with; or a table with nothing but bounds; or `{ equals = ... }`.
    fn read(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<ConditionTemplate> {
        let keys: Vec<&str> = match &node.value {
            Tree::Table(members) => members.iter().map(|member| member.key.as_str()).collect(),
            _ => Vec::new(),
        };
        if keys == ["equals"] {
            let entries = reader.table(place, node)?;
            let value = JsonTemplate::read(reader, &entries[0].place, entries[0].node)?;
            return Some(ConditionTemplate::Equals(value));
        }
        if keys.is_empty() || !keys.iter().all(|key| ["min", "max", "in", "type"].contains(key)) {
            return JsonTemplate::read(reader, place, node).map(ConditionTemplate::Equals);
        }
        let mut bounds = BoundTemplates::default();
        for entry in reader.table(place, node)? {
            let (place, node) = (&entry.place, entry.node);
            match (entry.key, &node.value) {
                ("type", _) => bounds.is = Some(reader.parsed(place, node, ("a type", "number"), parse_type)?),
                ("in", Tree::Array(items)) => {
                    bounds.one_of = Some(read_list(reader, place, items)?);
                }
                ("in", _) => {
                    reader.wrong_type(place, "an array of values", node);
                    return None;
                }
                (_, Tree::Integer(_) | Tree::Float(_) | Tree::String(_) | Tree::Date(_)) => {
                    let value = JsonTemplate::read(reader, place, node)?;
                    let bound = if entry.key == "min" { &mut bounds.min } else { &mut bounds.max };
                    *bound = Some(value);
                }
                _ => {
                    reader.wrong_type(place, "a number or a string", node);
                    return None;
                }
            }
        }
        Some(ConditionTemplate::Within(bounds.into()))
    }

    /// The same, where a list stands for one of its values.
    pub(super) fn read_choice(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<ConditionTemplate> {
        let items = match &node.value {
            Tree::Array(items) if !items.is_empty() => items,
            _ => return ConditionTemplate::read(reader, place, node),
        };
        let one_of = Some(read_list(reader, place, items)?);
        Some(ConditionTemplate::Within(BoundTemplates { one_of, ..BoundTemplates::default() }.into()))
    }

    /// Calls `look` with every template.
    pub(super) fn for_each<'t>(&'t self, look: &mut dyn FnMut(&'t Template)) {
        self.values().for_each(|value| value.for_each(look));
    }

    fn values(&self) -> Box<dyn Iterator<Item = &JsonTemplate> + '_> {
        match self {
            ConditionTemplate::Equals(value) => Box::new(std::iter::once(value)),
            ConditionTemplate::Within(bounds) => {
                Box::new(bounds.min.iter().chain(&bounds.max).chain(bounds.one_of.iter().flatten()))
            }
        }
    }

    pub(super) fn fill(&self, row: &Row<'_>) -> Condition {
        match self {
            ConditionTemplate::Equals(value) => Condition::Equals(value.cell(row)),
            ConditionTemplate::Within(bounds) => Condition::Within(ValueBounds {
                min: bounds.min.as_ref().map(|value| value.cell(row)),
                max: bounds.max.as_ref().map(|value| value.cell(row)),
                one_of: bounds.one_of.as_ref().map(|list| list.iter().map(|value| value.cell(row)).collect()),
                is: bounds.is,
            }),
        }
    }
}
