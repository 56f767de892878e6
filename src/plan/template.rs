//! Strings with `${NAME}` and `{name}` in them, kept in pieces until the values are there.

use std::borrow::Cow;
use std::sync::Arc;

use crate::rows::Cell;

/// A string as written, taken apart. It can be filled as often as there are jobs, and long after it was read.
///
/// What is put in is never looked at again: a value that holds `${X}` or `{x}` itself stays as it is.
#[derive(Clone)]
pub(super) struct Template {
    pieces: Arc<[Piece]>,
}

/// Part of a template.
#[derive(Clone)]
pub(super) enum Piece {
    Text(Box<str>),
    /// `${NAME}` and what it stands for.
    Secret {
        name: Box<str>,
        value: Arc<str>,
    },
    /// `{name}`, and the value that it has unless a job has one of its own by that name.
    Value {
        name: Box<str>,
        value: Option<Arc<PlainValue>>,
    },
}

/// One value of `each`, of `[variables]` or of the environment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PlainValue {
    /// The value with its type.
    cell: Cell,
    /// What few values have. A plan may have a hundred thousand.
    more: Option<Box<MoreOfValue>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct MoreOfValue {
    /// The text with `${NAME}` as it was written, if there is a secret in it.
    shown: Option<Box<str>>,
    /// The URL of the response that it came from, if it came from one.
    base: Option<Arc<str>>,
}

impl PlainValue {
    /// A text without secrets.
    pub(super) fn of_text(text: impl Into<Box<str>>) -> PlainValue {
        PlainValue::of_cell(Cell::Text(text.into()))
    }

    /// A value without secrets.
    pub(super) fn of_cell(cell: Cell) -> PlainValue {
        PlainValue { cell, more: None }
    }

    /// A text, and as it may be shown.
    pub(super) fn new(text: String, shown: String) -> PlainValue {
        PlainValue::of_text(text).shown_as(shown)
    }

    /// The same value, which is shown as this text.
    pub(super) fn shown_as(mut self, shown: String) -> PlainValue {
        if *self.text() != shown {
            self.more.get_or_insert_default().shown = Some(shown.into());
        }
        self
    }

    /// The same value, which came from the response of this URL.
    pub(super) fn with_base(mut self, base: Option<Arc<str>>) -> PlainValue {
        if base.is_some() {
            self.more.get_or_insert_default().base = base;
        }
        self
    }

    /// The URL of the response that it came from, if it came from one: a relative URL is resolved against it.
    pub(super) fn base(&self) -> Option<&str> {
        self.more.as_ref()?.base.as_deref()
    }

    fn shown_text(&self) -> Option<&str> {
        self.more.as_ref()?.shown.as_deref()
    }

    /// The value as a text.
    pub(super) fn text(&self) -> Cow<'_, str> {
        self.cell.as_text()
    }

    /// The text as it may be shown.
    pub(super) fn shown(&self) -> Cow<'_, str> {
        self.shown_text().map_or_else(|| self.text(), Cow::Borrowed)
    }

    /// The value with its type, as JSON.
    pub(super) fn json(&self) -> Cow<'_, str> {
        self.cell.to_json()
    }

    /// Whether a secret is part of it.
    pub(super) fn is_secret(&self) -> bool {
        self.shown_text().is_some()
    }

    /// The value as the rows of its job have it: with its type, unless a secret is in it.
    pub(super) fn cell(&self) -> Cell {
        self.shown_text().map_or_else(|| self.cell.clone(), Cell::from)
    }
}

/// The values that one job has of its own, by name.
pub(super) type Row<'a> = [(&'a str, &'a PlainValue)];

/// Whether a text is for the wire or for people's eyes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// Secrets are replaced by their values.
    Values,
    /// Secrets stand as `${NAME}`.
    Names,
}

/// Gives the values of names while a string is taken apart.
pub(super) trait Names {
    fn secret(&mut self, name: &str) -> Arc<str>;
    fn value(&mut self, name: &str) -> Option<Arc<PlainValue>>;
}

impl Template {
    /// Takes a string apart. `$${` stands for `${` and `{{name}}` for `{name}`; braces without a name in them are text.
    ///
    /// # Errors
    /// What is wrong with a `${` that is not followed by a name and `}`.
    pub(super) fn parse(text: &str, names: &mut impl Names) -> Result<Template, &'static str> {
        let mut pieces = Pieces { done: Vec::new(), text: String::new() };
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let escaped = rest[..at].ends_with('$');
            pieces.braces(&rest[..at - usize::from(escaped)], names);
            rest = &rest[at + 2..];
            if escaped {
                pieces.text.push_str("${");
                continue;
            }
            let (name, after) = rest.split_at(secret_name_len(rest));
            if name.is_empty() || !after.starts_with('}') {
                return Err("\"${\" begins a secret: write ${NAME}, or $${ for the two characters");
            }
            pieces.push(Piece::Secret { name: name.into(), value: names.secret(name) });
            rest = &after[1..];
        }
        pieces.braces(rest, names);
        Ok(Template { pieces: pieces.finish() })
    }

    /// A text in which nothing is looked for.
    pub(super) fn of_text(text: &str) -> Template {
        Template { pieces: Arc::new([Piece::Text(text.into())]) }
    }

    /// Both, with a text between them.
    pub(super) fn joined(&self, between: &str, after: &Template) -> Template {
        let mut pieces: Vec<Piece> = self.pieces.iter().cloned().collect();
        pieces.push(Piece::Text(between.into()));
        pieces.extend(after.pieces.iter().cloned());
        Template { pieces: pieces.into() }
    }

    /// Whether it is a URL without a scheme, and does not begin with a value that may bring one.
    pub(super) fn is_relative(&self) -> bool {
        match self.pieces.first() {
            Some(Piece::Text(text)) => {
                let scheme = text.find("://").map(|at| &text[..at]);
                !scheme.is_some_and(|scheme| scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)))
            }
            Some(Piece::Secret { .. } | Piece::Value { .. }) => false,
            None => true,
        }
    }

    /// This and a path behind it, with one slash between them; a query or a fragment follows as it is.
    pub(super) fn joined_by_slash(&self, path: &Template) -> Template {
        let ends_with_slash = match self.pieces.last() {
            Some(Piece::Text(text)) => text.ends_with('/'),
            Some(Piece::Secret { value, .. }) => value.ends_with('/'),
            Some(Piece::Value { value, .. }) => value.as_ref().is_some_and(|value| value.text().ends_with('/')),
            None => false,
        };
        let mut path = path.clone();
        if let Some(Piece::Text(text)) = path.pieces.first() {
            let first = Piece::Text(text.trim_start_matches('/').into());
            path.pieces = std::iter::once(first).chain(path.pieces.iter().skip(1).cloned()).collect();
        }
        let begins_with = match path.pieces.first() {
            Some(Piece::Text(text)) => text.chars().next(),
            Some(_) => Some('/'),
            None => return self.clone(),
        };
        self.joined(if ends_with_slash || matches!(begins_with, Some('?' | '#') | None) { "" } else { "/" }, &path)
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The text with these values as they are.
    pub(super) fn fill(&self, row: &Row<'_>, show: Show) -> String {
        let mut out = String::new();
        for piece in self.pieces.iter() {
            match (piece, show) {
                (Piece::Text(text), _) => out.push_str(text),
                (Piece::Secret { value, .. }, Show::Values) => out.push_str(value),
                (Piece::Secret { .. }, Show::Names) => out.push_str(&piece.shown_name()),
                (Piece::Value { .. }, _) => match (piece.value(row), show) {
                    (Some(value), Show::Values) => out.push_str(&value.text()),
                    (Some(value), Show::Names) => out.push_str(&value.shown()),
                    (None, _) => out.push_str(&piece.shown_name()),
                },
            }
        }
        out
    }

    /// How many bytes [`Template::fill`] gives at most, if each byte of a value becomes at most `growth` bytes.
    pub(super) fn max_len(&self, row: &Row<'_>, growth: usize) -> u64 {
        let piece_len = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Secret { name, value } => value.len().saturating_mul(growth).max(name.len() + 3),
            Piece::Value { .. } => {
                piece.value(row).map_or(0, |v| v.text().len().max(v.shown().len()).saturating_mul(growth))
            }
        };
        self.pieces.iter().map(|piece| piece_len(piece) as u64).sum()
    }

    /// The value of a template that is one `{name}` and nothing else.
    pub(super) fn sole_value<'a>(&'a self, row: &Row<'a>) -> Option<&'a PlainValue> {
        match &*self.pieces {
            [piece @ Piece::Value { .. }] => piece.value(row),
            _ => None,
        }
    }

    /// Whether a secret is part of the text that these values make.
    pub(super) fn has_secret(&self, row: &Row<'_>) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Text(_) => false,
            Piece::Secret { .. } => true,
            Piece::Value { .. } => piece.value(row).is_some_and(PlainValue::is_secret),
        })
    }

    /// Whether `{name}` is in it.
    pub(super) fn mentions(&self, wanted: &str) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Value { name, .. } if &**name == wanted))
    }

    /// The names that only a value among `row` could fill, and none does.
    pub(super) fn without_value<'t>(&'t self, row: &[String]) -> impl Iterator<Item = &'t str> {
        self.pieces.iter().filter_map(move |piece| match piece {
            Piece::Value { name, value: None } if !row.iter().any(|known| **known == **name) => Some(&**name),
            _ => None,
        })
    }
}

impl Piece {
    /// The value of a `{name}`: that of the job or else the one that holds for all.
    pub(super) fn value<'a>(&'a self, row: &Row<'a>) -> Option<&'a PlainValue> {
        match self {
            Piece::Value { name, value } => {
                let own = row.iter().find(|(own, _)| *own == &**name).map(|(_, value)| *value);
                own.or(value.as_deref())
            }
            Piece::Text(_) | Piece::Secret { .. } => None,
        }
    }

    /// The name with its braces.
    pub(super) fn shown_name(&self) -> String {
        match self {
            Piece::Text(_) => String::new(),
            Piece::Secret { name, .. } => format!("${{{name}}}"),
            Piece::Value { name, .. } => format!("{{{name}}}"),
        }
    }
}

/// Pieces while they are found.
struct Pieces {
    done: Vec<Piece>,
    /// Text that is not yet among them.
    text: String,
}

impl Pieces {
    fn push(&mut self, piece: Piece) {
        if !self.text.is_empty() {
            self.done.push(Piece::Text(std::mem::take(&mut self.text).into()));
        }
        self.done.push(piece);
    }

    fn finish(mut self) -> Arc<[Piece]> {
        if !self.text.is_empty() {
            self.done.push(Piece::Text(self.text.into()));
        }
        self.done.into()
    }

    /// Finds each `{name}`. `{{name}}` is the text `{name}`, `{{{name}}}` the value in braces; braces that have no
    /// counterpart stay before or after.
    fn braces(&mut self, text: &str, names: &mut impl Names) {
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let opened = rest[at..].len() - rest[at..].trim_start_matches('{').len();
            // Of a long row of braces only the last three matter.
            let used = opened.min(3);
            self.text.push_str(&rest[..at + opened - used]);
            rest = &rest[at + opened..];
            let (name, after) = rest.split_at(value_name_len(rest));
            let closed = (after.len() - after.trim_start_matches('}').len()).min(used);
            if closed == 0 || name.is_empty() {
                self.text.push_str(&"{{{"[..used]);
                continue;
            }
            rest = &after[closed..];
            self.text.push_str(&"{{{"[..used - closed]);
            match closed {
                2 => self.text.push_str(&format!("{{{name}}}")),
                _ => {
                    let in_braces = closed == 3;
                    self.text.push_str(if in_braces { "{" } else { "" });
                    self.push(Piece::Value { name: name.into(), value: names.value(name) });
                    self.text.push_str(if in_braces { "}" } else { "" });
                }
            }
        }
        self.text.push_str(rest);
    }
}

/// How many bytes of a name `[A-Za-z_][A-Za-z0-9_]*` the text begins with.
pub(super) fn secret_name_len(text: &str) -> usize {
    let len = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_ascii_digit()) { 0 } else { len }
}

/// Whether a value can be given this name: letters, digits, `_` and `-`, with a letter or `_` before all others.
pub(super) fn is_value_name(text: &str) -> bool {
    let rest = text.strip_prefix(|c: char| c.is_ascii_alphabetic() || c == '_');
    rest.is_some_and(|rest| rest.bytes().all(is_name_byte))
}

/// How many bytes of a name in braces the text begins with: words of letters, digits, `_` and `-`, joined by dots. None of
/// them begins with `-`.
pub(super) fn value_name_len(text: &str) -> usize {
    let len = text.bytes().take_while(|&b| is_name_byte(b) || b == b'.').count();
    let is_word = |word: &str| !word.is_empty() && !word.starts_with('-');
    if text[..len].split('.').all(is_word) { len } else { 0 }
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

/// The text as a string of JSON.
pub(super) fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every secret but NONE, and the values `fixed` and `env.HOME`.
    pub(in super::super) struct Known;

    impl Names for Known {
        fn secret(&mut self, name: &str) -> Arc<str> {
            format!("<{name}>${{X}}{{city}}").into()
        }

        fn value(&mut self, name: &str) -> Option<Arc<PlainValue>> {
            ["fixed", "env.HOME"].contains(&name).then(|| Arc::new(PlainValue::of_text(format!("({name})"))))
        }
    }

    fn parse(text: &str) -> Template {
        Template::parse(text, &mut Known).expect(text)
    }

    #[test]
    fn secrets_are_put_in_once() {
        for (text, filled) in [
            ("a", "a"),
            ("", ""),
            ("${A}", "<A>${X}{city}"),
            ("x${_a1}y", "x<_a1>${X}{city}y"),
            ("$${A}", "${A}"),
            ("$$${A}", "$${A}"),
            ("$A $ } {", "$A $ } {"),
        ] {
            let template = parse(text);
            assert_eq!(template.fill(&[], Show::Values), filled);
            if template.has_secret(&[]) {
                assert_eq!(template.fill(&[], Show::Names), text);
            }
            assert!(template.max_len(&[], 1) >= filled.len() as u64);
        }
        for bad in ["${", "${}", "${1A}", "${A", "${A B}", "${A-}", "${\u{e9}}"] {
            assert!(Template::parse(bad, &mut Known).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_brace_begins_a_value_only_before_a_name_and_a_brace() {
        let (city, n) = (PlainValue::of_text("a b/\u{e9}"), PlainValue::of_text("7"));
        let row: &Row<'_> = &[("city", &city), ("n", &n)];
        for (text, filled) in [
            ("{city}", "a b/\u{e9}"),
            ("{n}{n}", "77"),
            ("{{n}}", "{n}"),
            ("{{{n}}}", "{7}"),
            ("{{{{n}}}}", "{{7}}"),
            ("{{n}", "{7"),
            ("{n}}", "7}"),
            (r#"{"a":{"n":{n}}}"#, r#"{"a":{"n":7}}"#),
            (
                "{} { n } {n,m} {-n} {.n} {n.} {a..b} {\u{e9}} {\"n\"} {",
                "{} { n } {n,m} {-n} {.n} {n.} {a..b} {\u{e9}} {\"n\"} {",
            ),
            ("{{town}}", "{town}"),
            ("{fixed}/{env.HOME}", "(fixed)/(env.HOME)"),
            ("$${n}", "${n}"),
            ("${A}{n}", "<A>${X}{city}7"),
        ] {
            assert_eq!(parse(text).fill(row, Show::Values), filled, "{text}");
        }
    }

    #[test]
    fn names_without_a_value_are_known_before_filling() {
        let template = parse("{city} {town} {login.token} {9} {fixed}");
        assert_eq!(template.without_value(&["city".to_owned()]).collect::<Vec<_>>(), ["town", "login.token", "9"]);
        assert!(template.mentions("fixed") && !template.mentions("env.HOME"));
    }

    #[test]
    fn a_value_of_the_job_goes_before_one_that_holds_for_all() {
        let own = PlainValue::of_text("own");
        assert_eq!(parse("{fixed}").fill(&[("fixed", &own)], Show::Values), "own");
        assert_eq!(parse("{fixed}").sole_value(&[("fixed", &own)]), Some(&own));
        assert_eq!(parse("{fixed}!").sole_value(&[("fixed", &own)]), None);
    }
}
