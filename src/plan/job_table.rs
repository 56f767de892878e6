//! One `[[job]]` of a plan, as written.

use super::dependency_keys::DependencyKeys;
use super::each::Each;
use super::layer::{self, Layer};
use super::node_reader::{NodeReader, Place, entries, not_valid};
use super::template::{Piece, Row, Show, Template};
use super::tree::Member;
use super::url_template::{self, FilledUrl};
use crate::origin::{Origin, parse_url, without_password};

/// One `[[job]]` as written.
pub(super) struct JobTable {
    pub(super) place: Place,
    pub(super) name: Option<(Place, Template)>,
    pub(super) url: (Place, Template),
    pub(super) each: Each,
    pub(super) layer: Layer,
    pub(super) keys: DependencyKeys,
}

impl JobTable {
    pub(super) fn read(reader: &mut NodeReader<'_>, place: &Place, members: &[Member]) -> Option<JobTable> {
        let (mut name, mut url, mut each, mut layer) = (None, None, Some(Each::default()), Layer::default());
        let (mut has_url, mut keys) = (false, DependencyKeys::default());
        for entry in entries(place, members) {
            match entry.key {
                "name" => {
                    name = reader.string(&entry.place, entry.node, "a string").map(|name| (entry.place.clone(), name));
                }
                "url" => {
                    has_url = true;
                    let text = reader.string(&entry.place, entry.node, "a string such as \"https://api.example.com/\"");
                    url = text.map(|url| (entry.place.clone(), url));
                }
                "each" => each = Each::read(reader, &entry),
                _ => {
                    if !layer.read(reader, &entry) && !keys.read(reader, &entry) {
                        let mut known = vec!["name", "url", "each"];
                        known.extend(layer::KEYS);
                        known.extend(DependencyKeys::KEYS);
                        reader.unknown(&entry, &known);
                    }
                }
            }
        }
        if !has_url {
            reader.error(place, "has no \"url\": write url = \"https://...\"");
        }
        let each = each?;
        keys.check(reader, each.names());
        Some(JobTable { place: place.clone(), name, url: url?, each, layer, keys })
    }

    /// A job of a URL alone.
    pub(super) fn of_url(url: &str) -> JobTable {
        let place = Place::top();
        let url = (place.clone(), Template::of_text(url));
        JobTable {
            place,
            name: None,
            url,
            each: Each::default(),
            layer: Layer::default(),
            keys: DependencyKeys::default(),
        }
    }

    /// Puts the base URL before the URL, if it has no scheme.
    pub(super) fn put_base(&mut self, defaults: &Layer) {
        let based = self.layer.based(&self.url.1).or_else(|| defaults.based(&self.url.1));
        self.url.1 = based.unwrap_or_else(|| self.url.1.clone());
    }

    /// Drops the columns of a file that neither the job nor these layers use.
    pub(super) fn drop_unused_columns(&mut self, defaults: &Layer, hosts: &[&Layer]) {
        let (url, name, layer) = (&self.url.1, &self.name, &self.layer);
        self.each.drop_unused(|column| {
            let layers = || [layer, defaults].into_iter().chain(hosts.iter().copied());
            url.mentions(column)
                || name.as_ref().is_some_and(|(_, name)| name.mentions(column))
                || layers().any(|layer| layer.uses(column))
        });
    }

    /// The names of its own values.
    pub(super) fn own_names(&self) -> Vec<String> {
        self.each.names().iter().map(|each| each.name.clone()).collect()
    }

    /// Whether the values of `each` stand in brackets behind the name, because they are not in it.
    pub(super) fn has_brackets(&self) -> bool {
        let names = self.each.names();
        match &self.name {
            Some((_, name)) => !names.is_empty() && !names.iter().any(|each| name.mentions(&each.name)),
            None => names.iter().any(|each| each.is_shown && !self.url.1.mentions(&each.name)),
        }
    }

    /// The name by which other jobs know it: one that holds no values.
    pub(super) fn word(&self) -> Option<String> {
        let (_, name) = self.name.as_ref()?;
        let is_text = name.pieces().iter().all(|piece| matches!(piece, Piece::Text(_)));
        is_text.then(|| name.fill(&[], Show::Names))
    }

    /// Notes what only a plan can have: other jobs, and answers that lead to further requests.
    pub(super) fn refuse(&self, reader: &mut NodeReader<'_>) {
        self.keys.refuse(reader);
        if self.layer.goes_on() {
            reader.error(&self.place, "has \"pages\", \"poll\" or \"auth\", which only jobs of a plan can have");
        }
    }

    /// What it is called in messages and in the graph: its name, or its place in the plan.
    pub(super) fn shown_name(&self) -> String {
        self.word().unwrap_or_else(|| self.place.path.clone())
    }

    /// Whether it stands for several jobs or rows.
    pub(super) fn is_many(&self) -> bool {
        !self.each.names().is_empty() || self.keys.for_each.is_some() || self.layer.has_rows()
    }

    /// Whether there is room for its URL, as it is sent and as it is shown; if not, that is noted.
    pub(super) fn charge_url(&self, reader: &mut NodeReader<'_>, row: &Row<'_>) -> bool {
        let (place, template) = &self.url;
        reader.charge(place, template.max_len(row, url_template::GROWTH).saturating_mul(2))
    }

    /// The URL with its values; `None` if it is none that can be fetched, which is noted.
    pub(super) fn fill_url(&self, reader: &mut NodeReader<'_>, row: &Row<'_>) -> Option<(url::Url, Origin, FilledUrl)> {
        let (place, template) = &self.url;
        if !self.charge_url(reader, row) {
            return None;
        }
        let filled = url_template::fill(template, row).map_err(|message| reader.error(place, message)).ok()?;
        match parse_url(&filled.text).and_then(|url| Ok((Origin::of(&url)?, url))) {
            Ok((origin, url)) => Some((url, origin, filled)),
            Err(error) => {
                let what = "a URL that can be fetched";
                reader.error(place, not_valid(&filled.shown, template.has_secret(row), what, &error));
                None
            }
        }
    }

    /// The name as given, or the URL, with `${NAME}` as written and the values of `each` behind it, unless they are in it.
    pub(super) fn fill_name(&self, shown: &str, row: &Row<'_>, brackets: bool) -> String {
        let mut name = match &self.name {
            Some((_, name)) => name.fill(row, Show::Names),
            None => without_password(shown.trim()).into_owned(),
        };
        if brackets {
            // Values of other jobs are in no name: they may change from run to run.
            let is_own = |name: &str| self.each.names().iter().any(|each| each.name == name && each.is_shown);
            name.push('[');
            for (number, (_, value)) in row.iter().filter(|(name, _)| is_own(name)).enumerate() {
                name.push_str(if number == 0 { "" } else { "," });
                name.push_str(&value.shown());
            }
            name.push(']');
        }
        name
    }
}
