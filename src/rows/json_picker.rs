//! Takes values out of a JSON text in one pass, and keeps nothing of the rest.
//!
//! The places that are asked for make a tree, and the text is read along it: what is asked for is kept as the text that it
//! is, everything else is checked and passed over. So memory is that of what is found, and a text is nested as deep as it
//! likes: only the steps of pointers take stack.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::cell::Cell;
use super::condition::shorten;
use crate::pointer::Pointer;

/// The number of a place, by which its value is found.
pub(crate) type PlaceNumber = usize;

/// The places that are looked for in a text.
#[derive(Debug, Default)]
pub(crate) struct JsonPicker {
    document: PlaceNode,
    /// The places within a row.
    row: PlaceNode,
    document_places: usize,
    row_places: usize,
}

/// A step on the way to places.
#[derive(Debug, Default)]
struct PlaceNode {
    /// The number of this place, if its value is asked for.
    wanted: Option<PlaceNumber>,
    /// Whether the rows are the elements of this array.
    is_rows: bool,
    next: Vec<PlaceStep>,
}

#[derive(Debug)]
struct PlaceStep {
    key: Box<str>,
    /// The key as the index of an array, if it can be one.
    index: Option<usize>,
    node: PlaceNode,
}

/// Takes what is found in the rows, one after the other.
pub(crate) trait TakeRow<'t> {
    /// Takes a row: the row as a whole if it was asked for, and a value or nothing for each place within rows.
    fn take(&mut self, found: &[Option<&'t RawValue>]);

    /// All rows before are void: the key of the rows is there twice, and the last one counts.
    fn restart(&mut self);
}

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RowsFound {
    /// There is nothing at their place, or none were asked for.
    #[default]
    Nothing,
    /// There is something else at their place.
    NoArray(&'static str),
    /// They are there.
    Array,
}

impl JsonPicker {
    /// Asks for a place in the document. The same place has the same number.
    pub(crate) fn want(&mut self, place: &Pointer) -> PlaceNumber {
        self.document.want(place, &mut self.document_places)
    }

    /// Asks for a place within each row.
    pub(crate) fn want_in_row(&mut self, place: &Pointer) -> PlaceNumber {
        self.row.want(place, &mut self.row_places)
    }

    /// Makes a row of each element of the array at this place.
    pub(crate) fn rows(&mut self, place: &Pointer) {
        self.document.at(place).is_rows = true;
    }

    /// Whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.document.next.is_empty() && self.document.wanted.is_none() && !self.document.is_rows
    }

    /// What a pass finds if there is nothing.
    pub(crate) fn nothing<'t>(&self) -> Vec<Option<&'t RawValue>> {
        vec![None; self.document_places]
    }

    /// Reads a text to its end. Returns the value at each place of the document, by number, and what became of the rows.
    ///
    /// # Errors
    /// It is not JSON, or a pointer leads deeper than 127 levels. Rows that came before are taken.
    pub(crate) fn pick<'t>(
        &self,
        text: &'t str,
        rows: &mut dyn TakeRow<'t>,
    ) -> serde_json::Result<(Vec<Option<&'t RawValue>>, RowsFound)> {
        let mut walk = Walk {
            row: &self.row,
            found: vec![None; self.document_places],
            found_in_row: vec![None; self.row_places],
            in_row: false,
            rows,
            rows_found: RowsFound::Nothing,
        };
        read(text, &self.document, &mut walk, true)?;
        Ok((walk.found, walk.rows_found))
    }

    /// Reads a text that is a row by itself, such as a line of JSON Lines.
    pub(crate) fn pick_row<'t>(&self, text: &'t str, rows: &mut dyn TakeRow<'t>) -> serde_json::Result<()> {
        let mut walk = Walk {
            row: &self.row,
            found: Vec::new(),
            found_in_row: vec![None; self.row_places],
            in_row: true,
            rows,
            rows_found: RowsFound::Nothing,
        };
        read(text, &self.row, &mut walk, true)?;
        walk.rows.take(&walk.found_in_row);
        Ok(())
    }
}

impl PlaceNode {
    fn want(&mut self, place: &Pointer, count: &mut usize) -> PlaceNumber {
        *self.at(place).wanted.get_or_insert_with(|| {
            *count += 1;
            *count - 1
        })
    }

    fn at(&mut self, place: &Pointer) -> &mut PlaceNode {
        let mut node = self;
        for key in place.steps() {
            let at = node.next.iter().position(|step| *step.key == *key).unwrap_or_else(|| {
                let is_index = key.bytes().all(|byte| byte.is_ascii_digit()) && (key == "0" || !key.starts_with('0'));
                let index = key.parse().ok().filter(|_| is_index);
                node.next.push(PlaceStep { key: key.as_ref().into(), index, node: PlaceNode::default() });
                node.next.len() - 1
            });
            node = &mut node.next[at].node;
        }
        node
    }
}

/// The state of one pass.
struct Walk<'p, 't, 'r> {
    row: &'p PlaceNode,
    found: Vec<Option<&'t RawValue>>,
    found_in_row: Vec<Option<&'t RawValue>>,
    /// Whether the walk is within a row.
    in_row: bool,
    rows: &'r mut dyn TakeRow<'t>,
    rows_found: RowsFound,
}

impl<'t> Walk<'_, 't, '_> {
    fn found(&mut self) -> &mut Vec<Option<&'t RawValue>> {
        if self.in_row { &mut self.found_in_row } else { &mut self.found }
    }

    /// Forgets what was found below a key: it is there again, and of two members of one name the last one counts.
    fn forget(&mut self, node: &PlaceNode) {
        if let Some(number) = node.wanted {
            self.found()[number] = None;
        }
        if node.is_rows && self.rows_found != RowsFound::Nothing {
            self.rows_found = RowsFound::Nothing;
            self.rows.restart();
        }
        node.next.iter().for_each(|step| self.forget(&step.node));
    }
}

/// Reads a text along the places below a node; the value of the node itself if `whole`.
fn read<'t>(text: &'t str, node: &PlaceNode, walk: &mut Walk<'_, 't, '_>, whole: bool) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    ValueSeed { node, walk, whole }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Reads one value.
struct ValueSeed<'s, 'p, 't, 'r> {
    node: &'s PlaceNode,
    walk: &'s mut Walk<'p, 't, 'r>,
    /// Whether the value itself may be asked for, or only what is in it.
    whole: bool,
}

impl<'t> DeserializeSeed<'t> for ValueSeed<'_, '_, 't, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        let ValueSeed { node, walk, whole } = self;
        let has_more = node.is_rows || !node.next.is_empty();
        if let Some(number) = node.wanted.filter(|_| whole) {
            let value = <&'t RawValue>::deserialize(deserializer)?;
            walk.found()[number] = Some(value);
            // What is in it is read from its text.
            return if has_more { read(value.get(), node, walk, false).map_err(D::Error::custom) } else { Ok(()) };
        }
        if has_more {
            return deserializer.deserialize_any(WalkVisitor { node, walk });
        }
        IgnoredAny::deserialize(deserializer).map(drop)
    }
}

/// Walks through a value in which something is looked for.
struct WalkVisitor<'s, 'p, 't, 'r> {
    node: &'s PlaceNode,
    walk: &'s mut Walk<'p, 't, 'r>,
}

impl<'t> WalkVisitor<'_, '_, 't, '_> {
    /// Notes that a value is no array of rows, if one was looked for.
    fn no_array<E>(self, what: &'static str) -> Result<(), E> {
        if self.node.is_rows {
            self.walk.rows_found = RowsFound::NoArray(what);
        }
        Ok(())
    }

    /// Reads the next element as a row; `false` if there is none.
    fn row<A: SeqAccess<'t>>(&mut self, items: &mut A, step: Option<&PlaceNode>) -> Result<bool, A::Error> {
        let walk = &mut *self.walk;
        let row = walk.row;
        let Some(step) = step else {
            walk.in_row = true;
            walk.found_in_row.fill(None);
            let read = items.next_element_seed(ValueSeed { node: row, walk, whole: true });
            walk.in_row = false;
            let is_there = read?.is_some();
            if is_there {
                walk.rows.take(&walk.found_in_row);
            }
            return Ok(is_there);
        };
        // Something else is looked for in the same element.
        let Some(value) = items.next_element::<&'t RawValue>()? else { return Ok(false) };
        read(value.get(), step, walk, true).map_err(A::Error::custom)?;
        walk.in_row = true;
        walk.found_in_row.fill(None);
        let read = read(value.get(), row, walk, true);
        walk.in_row = false;
        read.map_err(A::Error::custom)?;
        walk.rows.take(&walk.found_in_row);
        Ok(true)
    }
}

impl<'t> Visitor<'t> for WalkVisitor<'_, '_, 't, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut members: A) -> Result<(), A::Error> {
        let WalkVisitor { node, walk } = self;
        while let Some(step) = members.next_key_seed(KeySeed(&node.next))? {
            match step {
                Some(step) => {
                    walk.forget(step);
                    members.next_value_seed(ValueSeed { node: step, walk, whole: true })?;
                }
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        WalkVisitor { node, walk }.no_array("an object")
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut items: A) -> Result<(), A::Error> {
        let node = self.node;
        let last = node.next.iter().filter_map(|step| step.index).max();
        if node.is_rows {
            self.walk.rows_found = RowsFound::Array;
        }
        for index in 0.. {
            let wanted = last.is_some_and(|last| index <= last);
            let step = if wanted { node.next.iter().find(|step| step.index == Some(index)) } else { None };
            let is_there = match step {
                step if node.is_rows => self.row(&mut items, step.map(|step| &step.node))?,
                Some(step) => {
                    let seed = ValueSeed { node: &step.node, walk: &mut *self.walk, whole: true };
                    items.next_element_seed(seed)?.is_some()
                }
                None => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !is_there {
                break;
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.no_array("null")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.no_array(if value { "true" } else { "false" })
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.no_array("a number")
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.no_array("a number")
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.no_array("a number")
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.no_array("a text")
    }
}

/// Reads a key, and finds the step that it is.
struct KeySeed<'s>(&'s [PlaceStep]);

impl<'t, 's> DeserializeSeed<'t> for KeySeed<'s> {
    type Value = Option<&'s PlaceNode>;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        // As bytes, because a key with half a surrogate pair is no text, and none that is looked for.
        deserializer.deserialize_bytes(self)
    }
}

impl<'s> Visitor<'_> for KeySeed<'s> {
    type Value = Option<&'s PlaceNode>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|step| step.key.as_bytes() == key).map(|step| &step.node))
    }
}

/// What is there on the way to a place at which nothing is: `/b has "x", "y"`.
pub(crate) fn nearest(text: &str, place: &Pointer) -> String {
    let mut picker = JsonPicker::default();
    let prefixes: Vec<Pointer> = place.prefixes().collect();
    let numbers: Vec<PlaceNumber> = prefixes.iter().map(|prefix| picker.want(prefix)).collect();
    let Ok((found, _)) = picker.pick(text, &mut NoRows) else { return "it is nested too deep".to_owned() };
    let deepest = prefixes.iter().zip(numbers).rev().find_map(|(prefix, number)| Some((prefix, found[number]?)));
    let Some((prefix, value)) = deepest else { return "there is no document".to_owned() };
    format!("{} {}", prefix.as_place(), outline(value))
}

/// What a value is or has, in a few words.
pub(crate) fn outline(value: &RawValue) -> String {
    const MOST: usize = 10;
    let json = value.get();
    if json.starts_with('[') {
        let count = serde_json::from_str::<Vec<IgnoredAny>>(json).map_or(0, |items| items.len());
        return format!("has {count} {}", if count == 1 { "item" } else { "items" });
    }
    if !json.starts_with('{') {
        return format!("is {}", shorten(json));
    }
    let Ok(Keys { first, count }) = serde_json::from_str::<Keys>(json) else { return "has other keys".to_owned() };
    if count == 0 {
        return "has no keys".to_owned();
    }
    let mut keys: Vec<String> = first.iter().map(|key| shorten(&Cell::from(key.as_str()).to_json())).collect();
    keys.extend((count > MOST).then(|| format!("{} more", count - MOST)));
    format!("has {}", keys.join(", "))
}

/// The first keys of an object, and how many there are.
struct Keys {
    first: Vec<String>,
    count: usize,
}

impl<'t> Deserialize<'t> for Keys {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Keys, D::Error> {
        struct KeysVisitor;

        impl<'t> Visitor<'t> for KeysVisitor {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut members: A) -> Result<Keys, A::Error> {
                let mut keys = Keys { first: Vec::new(), count: 0 };
                while keys.first.len() < 10 {
                    let Some((key, IgnoredAny)) = members.next_entry()? else { break };
                    keys.first.push(key);
                }
                keys.count = keys.first.len();
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    keys.count += 1;
                }
                Ok(keys)
            }
        }

        deserializer.deserialize_map(KeysVisitor)
    }
}

/// Takes no rows.
pub(crate) struct NoRows;

impl TakeRow<'_> for NoRows {
    fn take(&mut self, _: &[Option<&RawValue>]) {}

    fn restart(&mut self) {}
}
