//! The places of a content that differ.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::embed;
use crate::outcome::Outcome;
use crate::rows::{Cell, Decimal};

/// A place of a content that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlaceDiff {
    /// A JSON Pointer, or `line 7` of a text.
    pub at: Box<str>,
    /// What was there, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Cell>,
    /// What is there, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Cell>,
}

/// Whether two contents differ, and where.
pub(super) enum ContentDiff {
    Same,
    /// A result does not hold the content.
    Unknown,
    Differs {
        /// The first places, if they can be named.
        places: Vec<PlaceDiff>,
        more: usize,
    },
}

/// How deep the JSON of a cell may be nested, so that the document around it is read by all.
const MOST_LEVELS: u32 = 100;

/// The most places that are named.
const MOST_PLACES: usize = 20;
/// How deep places are looked for. What is nested deeper is compared as text.
const DEEPEST: usize = 64;
/// The longest line of a text that is shown.
const LONGEST_LINE: usize = 1000;

/// Compares the contents of two outcomes. JSON is compared by value: order of members, blanks, and how a number is written
/// make no difference.
pub(super) fn content_diff(old: &Outcome, new: &Outcome) -> ContentDiff {
    let without_place = || ContentDiff::Differs { places: Vec::new(), more: 0 };
    let (Some(old_body), Some(new_body)) = (&old.body, &new.body) else {
        return match (old.body_bytes, new.body_bytes) {
            (old, new) if old != new => without_place(),
            (None | Some(0), _) => ContentDiff::Same,
            _ => ContentDiff::Unknown,
        };
    };
    let (Ok(old), Ok(new)) = (old_body.read(), new_body.read()) else { return ContentDiff::Unknown };
    if old == new {
        return ContentDiff::Same;
    }
    let (Ok(old), Ok(new)) = (std::str::from_utf8(&old), std::str::from_utf8(&new)) else { return without_place() };
    let mut found = FoundPlaces::default();
    match (serde_json::from_str::<&RawValue>(old), serde_json::from_str::<&RawValue>(new)) {
        (Ok(old), Ok(new)) => found.compare(&mut String::new(), old, new, 0),
        _ => found.compare_lines(old, new),
    }
    if found.places.is_empty() {
        ContentDiff::Same
    } else {
        ContentDiff::Differs { places: found.places, more: found.more }
    }
}

/// Whether two JSON texts are one value.
pub(super) fn is_same_json(old: &str, new: &str) -> bool {
    let mut found = FoundPlaces::default();
    match (serde_json::from_str::<&RawValue>(old), serde_json::from_str::<&RawValue>(new)) {
        (Ok(old), Ok(new)) => found.compare(&mut String::new(), old, new, 0),
        _ => return old == new,
    }
    found.places.is_empty()
}

/// The cell as every reader of JSON takes it: what is nested too deeply or out of the range of doubles is text.
pub(super) fn portable(cell: Cell) -> Cell {
    match &cell {
        Cell::Number(json) | Cell::Json(json) if !embed::is_portable_json(json, MOST_LEVELS) => {
            Cell::Text(json.clone())
        }
        _ => cell,
    }
}

#[derive(Default)]
struct FoundPlaces {
    places: Vec<PlaceDiff>,
    more: usize,
}

impl FoundPlaces {
    fn add(&mut self, at: &str, old: Option<&RawValue>, new: Option<&RawValue>) {
        if self.places.len() == MOST_PLACES {
            self.more += 1;
            return;
        }
        // Half a surrogate pair is no text of ours.
        let cell = |json: &RawValue| portable(Cell::from_raw(json).unwrap_or_else(|| Cell::from("\u{fffd}")));
        self.places.push(PlaceDiff { at: at.into(), old: old.map(cell), new: new.map(cell) });
    }

    fn compare(&mut self, at: &mut String, old: &RawValue, new: &RawValue, depth: usize) {
        let (old_text, new_text) = (old.get(), new.get());
        if old_text == new_text {
            return;
        }
        let first = |text: &str| text.as_bytes().first().copied();
        match (first(old_text), first(new_text)) {
            (Some(b'{'), Some(b'{')) if depth < DEEPEST => {
                type Members<'a> = serde_json::Result<BTreeMap<String, &'a RawValue>>;
                let (old_members, new_members): (Members<'_>, Members<'_>) =
                    (serde_json::from_str(old_text), serde_json::from_str(new_text));
                match (old_members, new_members) {
                    (Ok(old), Ok(new)) => self.compare_members(at, &old, &new, depth),
                    _ => self.add(at, Some(old), Some(new)),
                }
            }
            (Some(b'['), Some(b'[')) if depth < DEEPEST => {
                type Items<'a> = serde_json::Result<Vec<&'a RawValue>>;
                let (old_items, new_items): (Items<'_>, Items<'_>) =
                    (serde_json::from_str(old_text), serde_json::from_str(new_text));
                match (old_items, new_items) {
                    (Ok(old), Ok(new)) => self.compare_items(at, &old, &new, depth),
                    _ => self.add(at, Some(old), Some(new)),
                }
            }
            (Some(b'"'), Some(b'"')) if Cell::from_raw(old).is_some_and(|cell| Some(cell) == Cell::from_raw(new)) => {}
            _ => match (Decimal::parse(old_text), Decimal::parse(new_text)) {
                (Some(old), Some(new)) if old == new => {}
                _ => self.add(at, Some(old), Some(new)),
            },
        }
    }

    fn compare_members(
        &mut self,
        at: &mut String,
        old: &BTreeMap<String, &RawValue>,
        new: &BTreeMap<String, &RawValue>,
        depth: usize,
    ) {
        let gone = old.keys().filter(|name| !new.contains_key(*name));
        for name in new.keys().chain(gone) {
            let step = name.replace('~', "~0").replace('/', "~1");
            self.step(at, &step, old.get(name).copied(), new.get(name).copied(), depth);
        }
    }

    fn compare_items(&mut self, at: &mut String, old: &[&RawValue], new: &[&RawValue], depth: usize) {
        for index in 0..old.len().max(new.len()) {
            self.step(at, &index.to_string(), old.get(index).copied(), new.get(index).copied(), depth);
        }
    }

    fn step(&mut self, at: &mut String, step: &str, old: Option<&RawValue>, new: Option<&RawValue>, depth: usize) {
        let length = at.len();
        at.push('/');
        at.push_str(step);
        match (old, new) {
            (Some(old), Some(new)) => self.compare(at, old, new, depth + 1),
            (old, new) => self.add(at, old, new),
        }
        at.truncate(length);
    }

    /// The first line that differs: those behind it may only have moved.
    fn compare_lines(&mut self, old: &str, new: &str) {
        let (mut old, mut new) = (old.lines(), new.lines());
        for number in 1_usize.. {
            let (old, new) = (old.next(), new.next());
            if old.is_none() && new.is_none() {
                // They differ in how lines end.
                self.places.push(PlaceDiff { at: "line ends".into(), old: None, new: None });
                return;
            }
            if old != new {
                let cell = |line: &str| Cell::from(&*line.chars().take(LONGEST_LINE).collect::<String>());
                let place = PlaceDiff { at: format!("line {number}").into(), old: old.map(cell), new: new.map(cell) };
                self.places.push(place);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(old: &str, new: &str) -> Vec<String> {
        let outcome = |body: &str| Outcome { body: Some(body.as_bytes().to_vec().into()), ..Outcome::default() };
        let shown = |cell: &Option<Cell>| cell.as_ref().map_or("-".to_owned(), |cell| cell.to_json().into_owned());
        match content_diff(&outcome(old), &outcome(new)) {
            ContentDiff::Same => vec!["same".to_owned()],
            ContentDiff::Unknown => vec!["unknown".to_owned()],
            ContentDiff::Differs { places, .. } => {
                places.iter().map(|place| format!("{} {} {}", place.at, shown(&place.old), shown(&place.new))).collect()
            }
        }
    }

    #[test]
    fn places_of_json_are_named() {
        assert_eq!(
            places(r#"{"a":[1,{"b/c":2}],"x":1}"#, r#"{"a":[1,{"b/c":3},4],"y":null}"#),
            ["/a/1/b~1c 2 3", "/a/2 - 4", "/y - null", "/x 1 -",]
        );
        assert_eq!(places("1", "\"1\""), [" 1 \"1\""]);
        assert_eq!(places("a\nb\nc", "a\nB\nc"), ["line 2 \"b\" \"B\""]);
        assert_eq!(places("a\n", "a\r\n"), ["line ends - -"]);
    }

    #[test]
    fn what_is_only_written_otherwise_is_the_same() {
        for (old, new) in [
            (r#"{"a":1,"b":[1.0]}"#, r#"{ "b": [1], "a": 1e0 }"#),
            (r#"["\u00e9"]"#, "[\"\u{e9}\"]"),
            ("[1000000000000000000001]", "[1000000000000000000001.0]"),
        ] {
            assert_eq!(places(old, new), ["same"], "{old}");
        }
        assert_eq!(places("[1000000000000000000001]", "[1000000000000000000002]").len(), 1);
    }

    #[test]
    fn what_is_nested_deeply_takes_no_stack() {
        let nested = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(places(&nested("1"), &nested("2")).len(), 1);
    }
}
