//! Plain values: `[variables]`, and those that were given beside the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::node_reader::{NodeReader, Place, TableEntry};
use super::template::{PlainValue, Show, is_value_name};
use super::tree::{Node, Tree};
use crate::rows::Cell;

/// Reads `[variables]`. A value that was given beside the plan goes before one in it, and takes its type if it can be read
/// as such: `--variable year=2026` is a number if `year` is one in the plan.
pub(super) fn read_variables(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>, given: &BTreeMap<String, String>) {
    for entry in reader.table(&entry.place, entry.node).unwrap_or_default() {
        if !check_name(reader, &entry) {
            continue;
        }
        let Some(mut value) = read_value(reader, &entry.place, entry.node) else { continue };
        if let Some(text) = given.get(entry.key) {
            let typed = Cell::from_json(text).filter(|_| is_of_type(text, &entry.node.value));
            value = PlainValue::of_cell(typed.unwrap_or_else(|| Cell::from(text.as_str())));
        }
        reader.variables.insert(entry.key.to_owned(), Arc::new(value));
    }
}

/// Warns of values that were given beside the plan and that nothing in it uses: a name may be mistyped. `own` are the names
/// in its `[variables]`.
pub(super) fn warn_of_unused(reader: &mut NodeReader<'_>, own: &[&str], given: &BTreeMap<String, String>) {
    for name in given.keys().filter(|name| !own.contains(&name.as_str())) {
        if !reader.used.contains(name) {
            let hint = if own.is_empty() { String::new() } else { format!(": its [variables] are {}", own.join(", ")) };
            reader
                .warn(&Place::top(), format!("nothing in the plan uses {{{name}}}, for which a value was given{hint}"));
        }
    }
}

/// Whether a value can have the name of this key; if not, that is noted.
pub(super) fn check_name(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> bool {
    let good = is_value_name(entry.key);
    if !good {
        let text = format!("\"{}\" {NAME_RULE}", entry.key);
        reader.error(&entry.place, text);
    }
    good
}

/// What follows the text that is no name.
pub(super) const NAME_RULE: &str = "is not a name: letters, digits, _ and -, beginning with a letter or _";

/// Reads a string, a number, a boolean or a date.
pub(super) fn read_value(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<PlainValue> {
    match &node.value {
        Tree::String(_) => {
            let template = reader.string(place, node, "a string")?;
            reader
                .check_names(place, &template, &[])
                .then(|| PlainValue::new(template.fill(&[], Show::Values), template.fill(&[], Show::Names)))
        }
        Tree::Date(text) => Some(PlainValue::of_text(text.as_str())),
        Tree::Integer(text) | Tree::Float(text) => match node.value.scalar_as_json() {
            Some(json) => Some(PlainValue::of_cell(Cell::Number(json.into()))),
            None => {
                reader.error(place, format!("{text} is not a number of JSON"));
                None
            }
        },
        Tree::Boolean(value) => Some(PlainValue::of_cell(Cell::Bool(*value))),
        Tree::Null | Tree::Array(_) | Tree::Table(_) => {
            reader.wrong_type(place, "strings, numbers or booleans", node);
            None
        }
    }
}

/// Whether a text is a JSON value of the same type as a number or boolean.
fn is_of_type(text: &str, value: &Tree) -> bool {
    match value {
        Tree::Integer(_) | Tree::Float(_) => serde_json::from_str::<serde_json::Number>(text).is_ok(),
        Tree::Boolean(_) => ["true", "false"].contains(&text),
        _ => false,
    }
}
