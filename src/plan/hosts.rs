//! `[hosts]`: limits of single hosts, and settings for the jobs that go there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::bounds::MAX_JOBS;
use super::layer::{self, Layer};
use super::node_reader::{KnownSecrets, NodeReader, Place, TableEntry};
use super::tree::Node;
use crate::http::Origin;
use crate::limits::{HostKey, HostLimits};

/// What is said of single hosts. `Default` says nothing. Cheap to clone: a reader of single jobs takes it with each.
#[derive(Clone, Default)]
pub struct HostTables {
    pub(super) limits: Arc<BTreeMap<HostKey, HostLimits>>,
    tables: Arc<BTreeMap<HostKey, HostTable>>,
    /// The secrets in them.
    pub(super) secrets: KnownSecrets,
}

/// What is said of one host, or of all below one.
#[derive(Clone)]
struct HostTable {
    place: Place,
    layer: Layer,
}

/// The tables that fit an origin, the closest first, by their names: what tells the settings of its jobs from others.
pub(super) type FittingTables<'t> = Vec<&'t HostKey>;

impl HostTables {
    /// The limits of each host.
    pub fn limits(&self) -> &BTreeMap<HostKey, HostLimits> {
        &self.limits
    }

    /// Adds hosts; what is said of one that is there already is replaced.
    pub fn extend(&mut self, other: HostTables) {
        if self.limits.is_empty() {
            *self = other;
            return;
        }
        Arc::make_mut(&mut self.limits).extend(Arc::unwrap_or_clone(other.limits));
        Arc::make_mut(&mut self.tables).extend(Arc::unwrap_or_clone(other.tables));
        self.secrets.extend(other.secrets);
    }

    /// Whether one of them keeps responses.
    pub(super) fn keep_responses(&self) -> bool {
        self.tables.values().any(|table| table.layer.keeps_responses())
    }

    /// The tables that fit this origin.
    pub(super) fn fitting(&self, origin: &Origin) -> FittingTables<'_> {
        if self.tables.is_empty() {
            return Vec::new();
        }
        HostKey::fitting(origin).filter_map(|key| Some(self.tables.get_key_value(&key)?.0)).collect()
    }

    /// What these tables say, the closer ones over the others, over what all jobs have.
    pub(super) fn over(&self, fitting: &FittingTables<'_>, defaults: &Layer) -> Layer {
        let tables = fitting.iter().rev().filter_map(|name| self.tables.get(*name));
        tables.fold(defaults.clone(), |below, table| table.layer.over(&below))
    }

    /// Notes the tables that are not among these, with what they are good for all the same.
    pub(super) fn warn_of_unused(&self, reader: &mut NodeReader<'_>, used: &BTreeSet<&HostKey>) {
        for (name, table) in self.tables.iter().filter(|(name, _)| !used.contains(name)) {
            // Redirects and pages are counted where they lead, but sent with the settings of their job.
            let rest = if table.layer.is_empty() { "" } else { ", and what else is said of it has no effect" };
            let limits = "per_host and rate hold for redirects and pages that lead there";
            reader.warn(&table.place, format!("no job names {}: {limits}{rest}", name.as_str()));
        }
    }

    /// What is said of all of them.
    pub(super) fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.tables.values().map(|table| &table.layer)
    }

    /// Reads the entries of `[hosts]`; what is wrong is noted.
    pub(super) fn read(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> HostTables {
        let mut tables = HostTables::default();
        for entry in reader.table(place, node).unwrap_or_default() {
            match HostKey::new(entry.key) {
                Ok(key) => tables.read_one(reader, &entry, key),
                Err(error) => reader.error(&entry.place, error.one_line()),
            }
        }
        tables
    }

    fn read_one(&mut self, reader: &mut NodeReader<'_>, entry: &TableEntry<'_>, key: HostKey) {
        let (mut layer, mut host) = (Layer::default(), HostLimits::default());
        for entry in reader.table(&entry.place, entry.node).unwrap_or_default() {
            match entry.key {
                "per_host" => host.per_host = at_once(reader, &entry.place, entry.node),
                "rate" => host.rate = reader.parsed(&entry.place, entry.node, ("a rate", "20/s"), str::parse),
                _ => {
                    if !layer.read(reader, &entry) {
                        let mut known = vec!["per_host", "rate"];
                        known.extend(layer::KEYS);
                        reader.unknown(&entry, &known);
                    }
                }
            }
        }
        Arc::make_mut(&mut self.limits).insert(key.clone(), host);
        let name = key.as_str().to_owned();
        let table = HostTable { place: entry.place.clone(), layer };
        if Arc::make_mut(&mut self.tables).insert(key, table).is_some() {
            reader.error(&entry.place, format!("the host {name} is there twice"));
        }
    }
}

/// Shows the names of the hosts alone: settings may hold credentials.
impl fmt::Debug for HostTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostTables").field(&self.tables.keys()).finish()
    }
}

/// How many at once; more than there can be jobs is a mistake.
pub(super) fn at_once(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<NonZeroU32> {
    reader.count(place, node, 1, MAX_JOBS as u32).and_then(NonZeroU32::new)
}
