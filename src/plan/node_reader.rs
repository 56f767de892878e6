//! Reading values out of a tree: every mistake is noted with its line and key, and reading goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::bounds::{MAX_EXPANDED_BYTES, MAX_PLAN_BYTES};
use super::diagnostic::{Log, unknown_key};
use super::template::{Names, PlainValue, Show, Template};
use super::tree::{Member, Node, Tree};
use crate::error::{Error, Kind};
use crate::http::StatusSet;
use crate::http::percent::{COMPONENT, encode};
use crate::redact::Redactor;
use crate::secrets::Secrets;
use crate::units::{parse_duration, parse_size};

/// What gives the value of a name, if there is one: of a `${NAME}`, or of an `{env.NAME}`.
pub type ValueLookup<'v> = dyn Fn(&str) -> Option<String> + 'v;

/// Gives the text of a file that a plan names, or says in one line why it cannot.
pub type FileLookup<'v> = dyn Fn(&str) -> Result<String, String> + 'v;

/// Where a value stands: its byte and its key.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) path: String,
}

impl Place {
    /// The place of the whole text.
    pub(super) fn top() -> Place {
        Place { at: 0, path: String::new() }
    }

    /// The place of a key below this one.
    pub(super) fn child(&self, key: &str, at: usize) -> Place {
        let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let key = if plain { key.to_owned() } else { format!("{key:?}") };
        Place { at, path: if self.path.is_empty() { key } else { format!("{}.{key}", self.path) } }
    }
}

/// A key and its value in a table.
pub(super) struct TableEntry<'a> {
    pub(super) key: &'a str,
    pub(super) place: Place,
    pub(super) node: &'a Node,
    /// How much of the path names the table.
    table_len: usize,
}

/// The entries of a table in the order they were written.
pub(super) fn entries<'a>(place: &Place, members: &'a [Member]) -> Vec<TableEntry<'a>> {
    let entry = |member: &'a Member| TableEntry {
        key: &member.key,
        place: place.child(&member.key, member.key_at),
        node: &member.node,
        table_len: place.path.len(),
    };
    members.iter().map(entry).collect()
}

/// Secrets that were asked for, by name, and their values, if they have one.
pub(super) type KnownSecrets = BTreeMap<String, Option<Arc<str>>>;

/// The log, the values of names, and the readers of each type. A reader that gives `None` has noted why.
pub(super) struct NodeReader<'v> {
    pub(super) log: Log,
    /// The values of `{name}` that hold for all jobs.
    pub(super) variables: BTreeMap<String, Arc<PlainValue>>,
    secrets: &'v ValueLookup<'v>,
    environment: &'v ValueLookup<'v>,
    files: Option<&'v FileLookup<'v>>,
    /// The folder that files are in which are not read by that.
    folder: PathBuf,
    /// Each secret that was asked for, and its value.
    pub(super) known: KnownSecrets,
    /// Where to set a secret, for messages.
    hint: &'static str,
    /// How many bytes the jobs have taken so far.
    expanded: u64,
    /// The places and names of values that are not there, so that each is noted once.
    missed: BTreeSet<(usize, String)>,
    /// The names of plain values that something has asked for.
    pub(super) used: BTreeSet<String>,
}

impl<'v> NodeReader<'v> {
    pub(super) fn new(log: Log, secrets: &'v ValueLookup<'v>, environment: &'v ValueLookup<'v>) -> NodeReader<'v> {
        NodeReader {
            log,
            variables: BTreeMap::new(),
            secrets,
            environment,
            files: None,
            folder: PathBuf::new(),
            known: BTreeMap::new(),
            hint: "set it in the environment or in a secrets file",
            expanded: 0,
            missed: BTreeSet::new(),
            used: BTreeSet::new(),
        }
    }

    /// Reads the files that a plan names by this.
    pub(super) fn with_files(mut self, files: Option<&'v FileLookup<'v>>) -> NodeReader<'v> {
        self.files = files;
        self
    }

    /// Names of other files are relative to this folder.
    pub(super) fn in_folder(mut self, folder: &Path) -> NodeReader<'v> {
        self.folder = folder.to_owned();
        self
    }

    /// The path of a file that a plan names.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The text of a file.
    pub(super) fn file(&self, name: &str) -> Result<String, String> {
        match self.files {
            Some(files) => files(name),
            None => Err("files are read only for plans that are files themselves".to_owned()),
        }
    }

    /// Says in errors where secrets come from.
    pub(super) fn with_hint(mut self, hint: &'static str) -> NodeReader<'v> {
        self.hint = hint;
        self
    }

    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) {
        self.log.at(place.at, &place.path, message);
    }

    /// Notes what is probably not meant.
    pub(super) fn warn(&mut self, place: &Place, message: impl Into<String>) {
        self.log.warn(place.at, &place.path, message);
    }

    pub(super) fn unknown(&mut self, entry: &TableEntry<'_>, known: &[&str]) {
        let table = &entry.place.path[..entry.table_len];
        let message = if self.log.is_full() { String::new() } else { unknown_key(entry.key, known) };
        self.log.at(entry.place.at, table, message);
    }

    /// Counts what a plan grows to; `false` if it is more than [`MAX_EXPANDED_BYTES`], which is noted once.
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

    pub(super) fn string(&mut self, place: &Place, node: &Node, form: &str) -> Option<Template> {
        let Tree::String(text) = &node.value else {
            self.wrong_type(place, form, node);
            return None;
        };
        let mut names = Found { reader: self, missing: Vec::new(), complete: true };
        let template = Template::parse(text, &mut names);
        let Found { missing, complete, .. } = names;
        for message in missing {
            self.error(place, message);
        }
        match template {
            Ok(template) if template.max_len(&[], 1) > MAX_PLAN_BYTES => {
                self.error(place, format!("is longer than {} MiB with its values in place", MAX_PLAN_BYTES >> 20));
                None
            }
            Ok(template) => Some(template).filter(|_| complete),
            Err(message) => {
                self.error(place, message);
                None
            }
        }
    }

    /// Whether every `{name}` has a value: one that holds for all jobs, or one of these of a job's own. What is missing is
    /// noted, once for each place.
    pub(super) fn check_names(&mut self, place: &Place, template: &Template, own: &[String]) -> bool {
        let mut complete = true;
        for name in template.without_value(own) {
            complete = false;
            if self.missed.insert((place.at, name.to_owned())) {
                let known: Vec<&str> = own.iter().chain(self.variables.keys()).map(String::as_str).collect();
                let hint = if name.contains('.') {
                    "a value of another job is {JOB.VALUE}, with the name of a job in this plan that has no dot in it"
                        .to_owned()
                } else if known.is_empty() {
                    "give it one in [variables] or in \"each\"".to_owned()
                } else {
                    format!("the names here are {}", known.join(", "))
                };
                let text = format!("{{{name}}} has no value: {hint}; write {{{{{name}}}}} for the text itself");
                self.error(place, text);
            }
        }
        complete
    }

    /// Reads a string and parses it. `what` names what it ought to be, `form` is an example of it.
    pub(super) fn parsed<T>(
        &mut self,
        place: &Place,
        node: &Node,
        (what, form): (&str, &str),
        parse: impl Fn(&str) -> Result<T, Error>,
    ) -> Option<T> {
        let template = self.string(place, node, &format!("a string such as \"{form}\""))?;
        if !self.check_names(place, &template, &[]) {
            return None;
        }
        match parse(&template.fill(&[], Show::Values)) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                let message = not_valid(&template.fill(&[], Show::Names), template.has_secret(&[]), what, &error);
                self.error(place, message);
                None
            }
        }
    }

    /// A duration longer than nothing.
    pub(super) fn span(&mut self, place: &Place, node: &Node) -> Option<Duration> {
        self.parsed(place, node, ("a duration above 0", "10s"), |text| match parse_duration(text)? {
            Duration::ZERO => Err(Error::new(Kind::Config, format!("\"{text}\" leaves no time: write 500ms or 10s"))),
            duration => Ok(duration),
        })
    }

    pub(super) fn duration(&mut self, place: &Place, node: &Node) -> Option<Duration> {
        self.parsed(place, node, ("a duration", "10s"), parse_duration)
    }

    /// A size, as a string or as a number of bytes.
    pub(super) fn size(&mut self, place: &Place, node: &Node) -> Option<u64> {
        match &node.value {
            Tree::Integer(number) => match number.parse() {
                Ok(size) => Some(size),
                Err(_) => {
                    self.error(place, format!("{number} is not a size: write 4096 or \"16MiB\""));
                    None
                }
            },
            _ => self.parsed(place, node, ("a size", "16MiB"), parse_size),
        }
    }

    pub(super) fn count(&mut self, place: &Place, node: &Node, min: u32, max: u32) -> Option<u32> {
        let Tree::Integer(number) = &node.value else {
            self.wrong_type(place, &format!("a whole number from {min} to {max}"), node);
            return None;
        };
        let count = number.parse().ok().filter(|n| (min..=max).contains(n));
        if count.is_none() {
            self.error(place, format!("{number} is not valid here: write a whole number from {min} to {max}"));
        }
        count
    }

    /// A whole number of either sign.
    pub(super) fn priority(&mut self, place: &Place, node: &Node) -> Option<i8> {
        let Tree::Integer(number) = &node.value else {
            self.wrong_type(place, "a whole number from -100 to 100", node);
            return None;
        };
        let priority = number.parse().ok().filter(|n| (-100..=100).contains(n));
        if priority.is_none() {
            self.error(place, format!("{number} is not valid here: write a whole number from -100 to 100"));
        }
        priority
    }

    pub(super) fn boolean(&mut self, place: &Place, node: &Node) -> Option<bool> {
        if let Tree::Boolean(value) = node.value {
            return Some(value);
        }
        self.wrong_type(place, "true or false", node);
        None
    }

    pub(super) fn table<'a>(&mut self, place: &Place, node: &'a Node) -> Option<Vec<TableEntry<'a>>> {
        if let Tree::Table(members) = &node.value {
            return Some(entries(place, members));
        }
        self.wrong_type(place, "a table", node);
        None
    }

    /// A set of statuses: a string, an integer, or an array of these.
    pub(super) fn statuses(&mut self, place: &Place, node: &Node) -> Option<StatusSet> {
        const KIND: (&str, &str) = ("a status set", "200-399");
        match &node.value {
            Tree::Integer(number) => self.status_text(place, number),
            Tree::Array(items) if items.is_empty() => {
                self.error(place, "the array is empty: write at least one status, such as 200");
                None
            }
            Tree::Array(items) => {
                let mut parts = Vec::new();
                for item in items {
                    let place = Place { at: item.at, path: place.path.clone() };
                    let part = match &item.value {
                        Tree::Integer(number) => self.status_text(&place, number),
                        _ => self.parsed(&place, item, KIND, str::parse::<StatusSet>),
                    };
                    parts.push(part);
                }
                let parts: Option<Vec<StatusSet>> = parts.into_iter().collect();
                let joined: Vec<String> = parts?.iter().map(StatusSet::to_string).collect();
                self.status_text(place, &joined.join(","))
            }
            _ => self.parsed(place, node, KIND, str::parse),
        }
    }

    fn status_text(&mut self, place: &Place, text: &str) -> Option<StatusSet> {
        text.parse().map_err(|error: Error| self.error(place, error.one_line())).ok()
    }

    pub(super) fn wrong_type(&mut self, place: &Place, expected: &str, found: &Node) {
        self.error(place, format!("expected {expected}, found {}", found.value.type_name()));
    }

    /// The secrets that were put in, with their names.
    pub(super) fn secrets(&self) -> Secrets {
        Secrets::new(self.known.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?))))
    }

    /// What hides all values that were put in, in each form they may take on their way.
    pub(super) fn redactor(&self) -> Redactor {
        let mut secrets = Vec::new();
        for value in self.known.values().flatten() {
            secrets.push(encode(value.as_bytes(), COMPONENT));
            // A header loses the blanks around its value.
            secrets.push(value.trim().to_owned());
            // One that begins a URL is encoded by the URL standard, by other rules for path and query.
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

/// Looks up the names in a string.
struct Found<'r, 'v> {
    reader: &'r mut NodeReader<'v>,
    /// What is to be said of names without a value.
    missing: Vec<String>,
    /// Whether all have one.
    complete: bool,
}

impl Names for Found<'_, '_> {
    fn secret(&mut self, name: &str) -> Arc<str> {
        let (secrets, hint) = (self.reader.secrets, self.reader.hint);
        let value = self.reader.known.entry(name.to_owned()).or_insert_with(|| {
            let value = secrets(name).map(Arc::from);
            if value.is_none() {
                // Only when it is first asked for: forty jobs with one token are one mistake.
                self.missing.push(format!("${{{name}}} has no value: {hint}"));
            }
            value
        });
        self.complete &= value.is_some();
        value.clone().unwrap_or_default()
    }

    fn value(&mut self, name: &str) -> Option<Arc<PlainValue>> {
        if let Some(value) = self.reader.variables.get(name).cloned() {
            if !self.reader.used.contains(name) {
                self.reader.used.insert(name.to_owned());
            }
            return Some(value);
        }
        let Some(text) = (self.reader.environment)(name.strip_prefix("env.")?) else {
            self.missing.push(format!("{{{name}}} has no value: it is not set in the environment"));
            self.complete = false;
            return Some(Arc::new(PlainValue::of_text(String::new())));
        };
        let value = Arc::new(PlainValue::of_text(text));
        self.reader.variables.insert(name.to_owned(), value.clone());
        Some(value)
    }
}

/// What to say of a text that cannot be parsed. With secrets in it, the parser's own words would show their values.
pub(super) fn not_valid(shown: &str, has_secret: bool, what: &str, error: &Error) -> String {
    if has_secret { format!("\"{shown}\" is not {what} once its secrets are in place") } else { error.one_line() }
}
