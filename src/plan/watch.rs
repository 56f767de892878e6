//! `[watch]`: a plan that is run again and again.

use super::node_reader::{NodeReader, Place, TableEntry};
use super::ready::WatchTable;
use super::tree::{Node, Tree};

const KEYS: [&str; 6] = ["every", "jitter", "max_runs", "on_change", "on_failure", "hook_timeout"];

pub(super) fn read_watch(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> WatchTable {
    let mut watch = WatchTable::default();
    for entry in reader.table(&entry.place, entry.node).unwrap_or_default() {
        let (place, node) = (&entry.place, entry.node);
        match entry.key {
            "every" => watch.every = reader.span(place, node),
            "jitter" => watch.jitter = reader.duration(place, node),
            "max_runs" => watch.max_runs = reader.count(place, node, 1, u32::MAX),
            "on_change" => watch.on_change = read_program(reader, place, node),
            "on_failure" => watch.on_failure = read_program(reader, place, node),
            "hook_timeout" => watch.hook_timeout = reader.span(place, node),
            _ => reader.unknown(&entry, &KEYS),
        }
    }
    if let (Some(every), Some(jitter)) = (watch.every, watch.jitter) {
        if jitter > every {
            reader.error(&entry.place, "jitter is longer than every: a round starts before the next one is due");
        }
    }
    watch
}

/// A program and its arguments.
fn read_program(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Vec<String> {
    let Tree::Array(items) = &node.value else {
        reader.wrong_type(
            place,
            "a list of a program and its arguments, [\"notify\", \"--now\"]: no shell reads it",
            node,
        );
        return Vec::new();
    };
    let mut words = Vec::new();
    for item in items {
        let place = Place { at: item.at, path: place.path.clone() };
        words.extend(reader.parsed(&place, item, ("text", "notify"), |text| Ok(text.to_owned())));
    }
    if words.first().is_none_or(|program| program.trim().is_empty()) {
        reader.error(place, "it names no program: write [\"notify\", \"--now\"]");
    }
    words
}
