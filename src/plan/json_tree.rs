//! JSON (RFC 8259) into a tree.

use std::collections::HashSet;

use serde::de::Deserialize;
use serde_json::value::RawValue;

use super::bounds::MAX_DEPTH;
use super::tree::{Member, Node, SyntaxError, Tree};
use crate::json_members::RawMembers;

/// Parses a JSON text. A key that is there twice is an error.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let whole = RawPart { text, at: 0 };
    // What skips a value says less of a mistake than what reads it.
    let root: &RawValue = whole.parse().map_err(|error| whole.parse::<serde_json::Value>().err().unwrap_or(error))?;
    RawPart::of(root, text).node(0)
}

/// One value in the text, not yet taken apart. serde_json has seen that its syntax is right.
#[derive(Clone, Copy)]
struct RawPart<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> RawPart<'t> {
    /// The value, which borrows from the whole text.
    fn of(value: &'t RawValue, whole: &str) -> RawPart<'t> {
        let text = value.get();
        RawPart { text, at: (text.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize) }
    }

    /// A value that is part of this one.
    fn inner(self, value: &'t RawValue) -> RawPart<'t> {
        let inner = RawPart::of(value, self.text);
        RawPart { at: self.at + inner.at, ..inner }
    }

    fn parse<T: Deserialize<'t>>(self) -> Result<T, SyntaxError> {
        serde_json::from_str(self.text).map_err(|error| {
            // The error's own text ends with its line and column, which are those of this part alone.
            let said = error.to_string();
            let message = said.rsplit_once(" at line ").map_or(said.as_str(), |(message, _)| message).to_owned();
            let before =
                self.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
            SyntaxError { at: self.at + before + error.column().saturating_sub(1), message }
        })
    }

    fn node(self, depth: usize) -> Result<Node, SyntaxError> {
        if depth > MAX_DEPTH {
            let message = format!("arrays and objects in each other are at most {MAX_DEPTH} deep");
            return Err(SyntaxError { at: self.at, message });
        }
        let value = match self.text.as_bytes().first() {
            Some(b'{') => self.table(depth)?,
            Some(b'[') => {
                let items: Vec<&RawValue> = self.parse()?;
                Tree::Array(items.into_iter().map(|item| self.inner(item).node(depth + 1)).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Tree::String(self.parse()?),
            Some(b't' | b'f') => Tree::Boolean(self.parse()?),
            Some(b'n') => Tree::Null,
            _ if self.text.contains(['.', 'e', 'E']) => Tree::Float(self.text.to_owned()),
            _ => Tree::Integer(self.text.to_owned()),
        };
        Ok(Node { at: self.at, value })
    }

    fn table(self, depth: usize) -> Result<Tree, SyntaxError> {
        let RawMembers(members) = self.parse()?;
        let mut table: Vec<Member> = Vec::with_capacity(members.len());
        let mut seen: HashSet<String> = HashSet::with_capacity(members.len());
        for (key, value) in members {
            let key_part = self.inner(key);
            let key: String = key_part.parse()?;
            if !seen.insert(key.clone()) {
                let message = format!("the key {key:?} is there twice");
                return Err(SyntaxError { at: key_part.at, message });
            }
            table.push(Member { key, key_at: key_part.at, node: self.inner(value).node(depth + 1)? });
        }
        Ok(Tree::Table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as JSON again, each value and key with its byte before it.
    fn shown(node: &Node) -> String {
        let value = match &node.value {
            Tree::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
            Tree::Table(members) => {
                let member = |m: &Member| format!("{}{:?}:{}", m.key_at, m.key, shown(&m.node));
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
            Tree::String(text) => format!("{text:?}"),
            scalar => scalar.scalar_as_json().expect("a scalar"),
        };
        format!("{}@{value}", node.at)
    }

    #[test]
    fn values_keep_their_order_digits_and_places() {
        let text = " {\"b\": [1.0e+05, -0, null],\n\"a\":{ \"\\u00e9\" :12345678901234567890123}, \"c\": \"x\\ny\", \"d\":true}";
        let root = parse(text).expect("JSON");
        let expected = "1@{2\"b\":7@[8@1.0e+05,17@-0,21@null],28\"a\":32@{34\"\u{e9}\":44@12345678901234567890123},\
                        70\"c\":75@\"x\\ny\",83\"d\":87@true}";
        assert_eq!(shown(&root), expected);
    }

    #[test]
    fn what_is_no_json_is_said_with_its_place() {
        for (text, at, part) in [
            ("", 0, "EOF"),
            ("{\"a\":\n 1,}", 9, "trailing comma"),
            ("{} x", 3, "trailing characters"),
            ("{\"a\": 1, \"a\": 2}", 9, "the key \"a\" is there twice"),
            ("[1,\n[2,\n\"\\ud800\"]]", 15, "hex escape"),
            ("[01]", 2, "invalid number"),
        ] {
            let error = parse(text).err().expect(text);
            assert!(error.message.contains(part), "{text}: {}", error.message);
            assert_eq!(error.at, at, "{text}: {}", error.message);
        }
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&deep(MAX_DEPTH)).is_ok());
        assert!(parse(&deep(100_000)).err().expect("too deep").message.contains("at most 80 deep"));
    }
}
