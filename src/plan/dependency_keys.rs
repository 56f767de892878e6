//! The keys of a job that tie it to others.

use super::each::EachName;
use super::node_reader::{NodeReader, Place, TableEntry};
use super::template::Show;
use super::tree::{Node, Tree};
use crate::graph::DEFAULT_MAX_JOBS;

/// The keys of a job that have to do with others.
#[derive(Default)]
pub(super) struct DependencyKeys {
    pub(super) for_each: Option<(Place, String)>,
    pub(super) key: Option<(Place, String)>,
    pub(super) max_jobs: Option<(Place, usize)>,
    /// Where it says that it is kept out of the report, if it does.
    pub(super) unreported: Option<Place>,
    pub(super) secret: Vec<(Place, String)>,
    /// The jobs that it waits for without a value of theirs.
    pub(super) after: Vec<(Place, String)>,
}

impl DependencyKeys {
    pub(super) const KEYS: [&'static str; 6] = ["for_each", "key", "max_jobs", "report", "secret", "after"];

    /// Reads an entry, if its key is one of [`KEYS`](Self::KEYS).
    pub(super) fn read(&mut self, reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> bool {
        let (place, node) = (&entry.place, entry.node);
        match entry.key {
            "for_each" => self.for_each = reader.word(place, node, "the name of a job, such as \"items\""),
            "key" => self.key = reader.word(place, node, "a field of the rows, such as \"id\""),
            "max_jobs" => {
                let max = reader.count(place, node, 1, u32::MAX);
                self.max_jobs = max.map(|max| (place.clone(), max as usize));
            }
            "report" => {
                self.unreported = reader.boolean(place, node).filter(|shown| !shown).map(|_| place.clone());
            }
            "secret" => {
                let form = "a name in select, such as \"token\"";
                self.secret = read_words(reader, entry, "an array of names in select, such as [\"token\"]", form);
            }
            "after" => {
                let form = "the name of a job, such as \"login\"";
                self.after = match &entry.node.value {
                    Tree::Array(_) => read_words(reader, entry, "an array of names of jobs", form),
                    _ => reader.word(place, node, form).into_iter().collect(),
                };
            }
            _ => return false,
        }
        true
    }

    /// Whether the plan needs a graph for it.
    pub(super) fn is_used(&self) -> bool {
        self.for_each.is_some() || self.unreported.is_some() || !self.secret.is_empty() || !self.after.is_empty()
    }

    /// What a job has without rows to be made for is noted.
    pub(super) fn check(&self, reader: &mut NodeReader<'_>, each: &[EachName]) {
        if self.for_each.is_none() {
            const NOTHING: &str = "has no effect without \"for_each\"";
            if let Some((place, _)) = &self.key {
                reader.error(place, format!("{NOTHING}; the key of a client certificate is \"cert_key\""));
            }
            if let Some((place, _)) = &self.max_jobs {
                reader.error(place, NOTHING);
            }
        } else if let Some(each) = each.first() {
            let text = "\"each\" and \"for_each\" are both given: put one of them into a job of its own";
            reader.error(&each.place, text);
        }
    }

    /// Notes that a job that is read alone has no others.
    pub(super) fn refuse(&self, reader: &mut NodeReader<'_>) {
        if let Some((place, _)) = &self.for_each {
            reader.error(place, "a job that is read alone has no other one to be made for");
        }
        if let Some((place, _)) = self.after.first() {
            reader.error(place, "a job that is read alone has no other one to wait for");
        }
        if let Some((place, _)) = self.secret.first() {
            reader.error(
                place,
                "a job that is read alone has no other one to give secrets to: leave the value out of select",
            );
        }
        if let Some(place) = &self.unreported {
            reader.error(place, "a job that is read alone gives nothing to others: it would be run for nothing");
        }
    }

    pub(super) fn most_jobs(&self) -> usize {
        self.max_jobs.as_ref().map_or(DEFAULT_MAX_JOBS, |(_, max)| *max)
    }
}

/// Reads an array of names.
fn read_words(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>, array: &str, form: &str) -> Vec<(Place, String)> {
    let Tree::Array(items) = &entry.node.value else {
        reader.wrong_type(&entry.place, array, entry.node);
        return Vec::new();
    };
    let word = |item: &Node| {
        let place = Place { at: item.at, path: entry.place.path.clone() };
        reader.word(&place, item, form)
    };
    items.iter().filter_map(word).collect()
}

impl NodeReader<'_> {
    /// A string with all its values in place, and where it stands.
    fn word(&mut self, place: &Place, node: &Node, form: &str) -> Option<(Place, String)> {
        let template = self.string(place, node, form)?;
        let complete = self.check_names(place, &template, &[]);
        complete.then(|| (place.clone(), template.fill(&[], Show::Values)))
    }
}
