//! Reading values out of a TOML tree: every mistake is noted with its line and key, and reading goes on.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Number, Value};
use toml::de::{DeInteger, DeTable, DeValue};

use super::diagnostic::{Log, unknown_key};
use super::template::{Show, Template, percent_encode};
use super::{MAX_EXPANDED_BYTES, MAX_PLAN_BYTES, Variables};
use crate::error::{Error, Kind};
use crate::redact::Redactor;
use crate::statuses::StatusSet;
use crate::units::{parse_duration, parse_size};

/// Where a value stands: its byte and its key.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) path: String,
}

impl Place {
    /// The place of a key below this one.
    pub(super) fn child(&self, key: &str, at: usize) -> Place {
        let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let key = if plain { key.to_owned() } else { format!("{key:?}") };
        Place { at, path: if self.path.is_empty() { key } else { format!("{}.{key}", self.path) } }
    }
}

/// A key and its value in a table.
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    pub(super) place: Place,
    pub(super) value: &'a DeValue<'a>,
    /// How much of the path names the table.
    table_len: usize,
}

/// The entries of a table in the order they were written.
pub(super) fn entries<'a>(place: &Place, table: &'a DeTable<'a>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = table
        .iter()
        .map(|(key, value)| {
            let name = key.get_ref().as_ref();
            Entry {
                key: name,
                place: place.child(name, key.span().start),
                value: value.get_ref(),
                table_len: place.path.len(),
            }
        })
        .collect();
    entries.sort_by_key(|entry| entry.place.at);
    entries
}

/// The log, the variables, and the readers of each type. A reader that gives `None` has noted why.
pub(super) struct Reader<'v> {
    pub(super) log: Log,
    variables: &'v Variables<'v>,
    /// Each variable that was asked for, and its value.
    known: BTreeMap<String, Option<Rc<str>>>,
    /// How many bytes the jobs have taken so far.
    expanded: u64,
    /// Whether the text was JSON before, with times in the place of null.
    of_json: bool,
}

impl<'v> Reader<'v> {
    pub(super) fn new(log: Log, variables: &'v Variables<'v>) -> Reader<'v> {
        Reader { log, variables, known: BTreeMap::new(), expanded: 0, of_json: false }
    }

    /// The same for what was JSON before: a time stands for null.
    pub(super) fn of_json(mut self) -> Reader<'v> {
        self.of_json = true;
        self
    }

    /// Whether the value stands for null.
    pub(super) fn is_null(&self, value: &DeValue<'_>) -> bool {
        self.of_json && matches!(value, DeValue::Datetime(_))
    }

    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) {
        self.log.at(place.at, &place.path, message);
    }

    pub(super) fn unknown(&mut self, entry: &Entry<'_>, known: &[&str]) {
        let table = &entry.place.path[..entry.table_len];
        let message = if self.log.is_full() { String::new() } else { unknown_key(entry.key, known) };
        self.log.at(entry.place.at, table, message);
    }

    /// Counts what a plan grows to; `false` where it is more than [`MAX_EXPANDED_BYTES`], which is noted once.
    pub(super) fn charge(&mut self, place: &Place, bytes: u64) -> bool {
        let before = self.expanded;
        self.expanded = before.saturating_add(bytes);
        if self.expanded <= MAX_EXPANDED_BYTES {
            return true;
        }
        if before <= MAX_EXPANDED_BYTES {
            let text = format!("with all values in place the jobs take more than {} MiB", MAX_EXPANDED_BYTES >> 20);
            self.error(place, text);
        }
        false
    }

    pub(super) fn string(&mut self, place: &Place, value: &DeValue<'_>, form: &str) -> Option<Template> {
        let DeValue::String(text) = value else {
            self.wrong_type(place, form, value);
            return None;
        };
        let (variables, known) = (self.variables, &mut self.known);
        let mut missing = Vec::new();
        let template = Template::parse(text, |name| {
            if let Some(value) = known.get(name) {
                return value.clone();
            }
            let value: Option<Rc<str>> = variables(name).map(Rc::from);
            if value.is_none() {
                missing.push(name.to_owned());
            }
            known.insert(name.to_owned(), value.clone());
            value
        });
        for name in missing {
            // Once for each name: forty jobs with one token are one mistake.
            let hint =
                if self.of_json { "give it a value first" } else { "set it in the environment or in a secrets file" };
            let text = format!("there is no variable {name}: {hint}");
            self.error(place, text);
        }
        match template {
            Ok(template) if template.max_len(&[]) > MAX_PLAN_BYTES => {
                self.error(place, format!("is longer than {} MiB with its variables in place", MAX_PLAN_BYTES >> 20));
                None
            }
            Ok(template) => Some(template),
            Err(message) => {
                if let Some(message) = message {
                    self.error(place, message);
                }
                None
            }
        }
    }

    /// Reads a string and parses it. `what` names what it ought to be, `form` is an example of it.
    pub(super) fn parsed<T>(
        &mut self,
        place: &Place,
        value: &DeValue<'_>,
        (what, form): (&str, &str),
        parse: impl Fn(&str) -> Result<T, Error>,
    ) -> Option<T> {
        let template = self.string(place, value, &format!("a string such as \"{form}\""))?;
        match parse(&template.plain(Show::Values)) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                let message = not_valid(&template.plain(Show::Names), template.has_variables(), what, &error);
                self.error(place, message);
                None
            }
        }
    }

    /// A duration longer than nothing.
    pub(super) fn span(&mut self, place: &Place, value: &DeValue<'_>) -> Option<Duration> {
        self.parsed(place, value, ("a duration above 0", "10s"), |text| match parse_duration(text)? {
            Duration::ZERO => Err(Error::new(Kind::Config, format!("\"{text}\" leaves no time: write 500ms or 10s"))),
            duration => Ok(duration),
        })
    }

    pub(super) fn duration(&mut self, place: &Place, value: &DeValue<'_>) -> Option<Duration> {
        self.parsed(place, value, ("a duration", "10s"), parse_duration)
    }

    /// A size, as a string or as a number of bytes.
    pub(super) fn size(&mut self, place: &Place, value: &DeValue<'_>) -> Option<u64> {
        match value {
            DeValue::Integer(number) => match integer(number).map(u64::try_from) {
                Some(Ok(size)) => Some(size),
                _ => {
                    self.error(place, format!("{number} is not a size: write 4096 or \"16MiB\""));
                    None
                }
            },
            other => self.parsed(place, other, ("a size", "16MiB"), parse_size),
        }
    }

    pub(super) fn count(&mut self, place: &Place, value: &DeValue<'_>, min: u32, max: u32) -> Option<u32> {
        let DeValue::Integer(number) = value else {
            self.wrong_type(place, &format!("a whole number from {min} to {max}"), value);
            return None;
        };
        let count = integer(number).and_then(|n| u32::try_from(n).ok()).filter(|n| (min..=max).contains(n));
        if count.is_none() {
            self.error(place, format!("{number} is not valid here: write a whole number from {min} to {max}"));
        }
        count
    }

    pub(super) fn boolean(&mut self, place: &Place, value: &DeValue<'_>) -> Option<bool> {
        if let DeValue::Boolean(value) = value {
            return Some(*value);
        }
        self.wrong_type(place, "true or false", value);
        None
    }

    pub(super) fn table<'a>(&mut self, place: &Place, value: &'a DeValue<'a>) -> Option<Vec<Entry<'a>>> {
        if let DeValue::Table(table) = value {
            return Some(entries(place, table));
        }
        self.wrong_type(place, "a table", value);
        None
    }

    /// A set of statuses: a string, an integer, or an array of these.
    pub(super) fn statuses(&mut self, place: &Place, value: &DeValue<'_>) -> Option<StatusSet> {
        const KIND: (&str, &str) = ("a status set", "200-399");
        match value {
            DeValue::Integer(number) => self.status_text(place, &number.to_string()),
            DeValue::Array(array) if array.is_empty() => {
                self.error(place, "the array is empty: write at least one status, such as 200");
                None
            }
            DeValue::Array(array) => {
                let mut parts = Vec::new();
                for item in array.iter() {
                    let item_place = Place { at: item.span().start, path: place.path.clone() };
                    let part = match item.get_ref() {
                        DeValue::Integer(number) => self.status_text(&item_place, &number.to_string()),
                        other => self.parsed(&item_place, other, KIND, str::parse::<StatusSet>),
                    };
                    parts.push(part);
                }
                let parts: Option<Vec<StatusSet>> = parts.into_iter().collect();
                let joined: Vec<String> = parts?.iter().map(StatusSet::to_string).collect();
                self.status_text(place, &joined.join(","))
            }
            other => self.parsed(place, other, KIND, str::parse),
        }
    }

    fn status_text(&mut self, place: &Place, text: &str) -> Option<StatusSet> {
        text.parse().map_err(|error: Error| self.error(place, error.one_line())).ok()
    }

    pub(super) fn wrong_type(&mut self, place: &Place, expected: &str, found: &DeValue<'_>) {
        let found = match found {
            null if self.is_null(null) => "null",
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.error(place, format!("expected {expected}, found {found}"));
    }

    /// What hides all values that were put in, in each form they may take on their way.
    pub(super) fn redactor(&self) -> Redactor {
        let mut secrets = Vec::new();
        for value in self.known.values().flatten() {
            let mut encoded = String::new();
            percent_encode(value, &mut encoded);
            secrets.push(encoded);
            // A header loses the blanks around its value.
            secrets.push(value.trim().to_owned());
            // A variable in a URL is not encoded by us but by the URL standard, by other rules for path and query.
            if let Ok(mut url) = url::Url::parse("http://h/") {
                url.set_path(value);
                url.set_query(Some(value));
                secrets.push(url.path().trim_start_matches('/').to_owned());
                secrets.extend(url.query().map(str::to_owned));
            }
            // A whole base URL comes back as the standard writes it.
            if let Ok(url) = url::Url::parse(value) {
                secrets.extend(url.password().map(str::to_owned));
                if url.has_host() {
                    secrets.push(url.as_str().trim_end_matches('/').to_owned());
                }
            }
            secrets.push(value.to_string());
        }
        Redactor::new(secrets)
    }
}

/// What to say of a text that cannot be parsed. With variables in it, the parser's own words would show their values.
pub(super) fn not_valid(written: &str, has_variables: bool, what: &str, error: &Error) -> String {
    if has_variables {
        format!("\"{written}\" is not {what} once its variables are in place")
    } else {
        error.one_line()
    }
}

/// The value of an integer, where it fits TOML's 64 bits.
pub(super) fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A number, boolean or date as JSON; `None` for other types and for numbers that JSON cannot hold.
pub(super) fn scalar(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::Integer(number) => integer(number).map(Value::from),
        DeValue::Float(number) => number.as_str().parse().ok().and_then(Number::from_f64).map(Value::Number),
        DeValue::Boolean(value) => Some(Value::Bool(*value)),
        DeValue::Datetime(date) => Some(Value::String(date.to_string())),
        DeValue::String(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
