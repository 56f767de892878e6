//! `[[job]]` tables into jobs: names, `each`, and the layers of settings.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::MAX_JOBS;
use super::file_name::check_relative;
use super::layer::{self, Layer};
use super::reader::{Entry, Place, Reader, entries, not_valid, scalar};
use super::template::{EachValue, Into, Show, Template, name_len};
use crate::job::{Job, Settings};
use crate::origin::{Origin, parse_url, without_password};

/// The most variables in one `each`.
const MAX_EACH: usize = 16;

/// What stands below all jobs.
pub(super) struct Base {
    pub(super) defaults: Layer,
    /// By the normalized name of [`HostKey`](crate::HostKey).
    pub(super) hosts: BTreeMap<String, Layer>,
    settings: Settings,
}

impl Base {
    /// Nothing but these settings.
    pub(super) fn over(settings: &Settings) -> Base {
        Base { defaults: Layer::default(), hosts: BTreeMap::new(), settings: settings.clone() }
    }

    /// The entry of this origin: the one that names the port goes before the one that does not.
    fn host(&self, origin: &Origin) -> Option<(&'_ str, &'_ Layer)> {
        let with_port = self.hosts.get_key_value(&format!("{}:{}", origin.host(), origin.port()));
        let found = with_port.or_else(|| self.hosts.get_key_value(origin.host()));
        found.map(|(name, layer)| (name.as_str(), layer))
    }
}

/// Turns tables into jobs, one after the other.
pub(super) struct Builder<'b> {
    base: &'b Base,
    jobs: Vec<Job>,
    /// Each name, and the byte where it was given.
    names: HashMap<Arc<str>, usize>,
    /// Each file that is saved to, in lower case, and the byte where it was named, or its job where that was elsewhere.
    files: HashMap<String, usize>,
    /// The settings of tables that say nothing themselves, by host.
    plain: HashMap<Option<&'b str>, Arc<Settings>>,
    /// Whether it was noted that there are too many jobs.
    too_many: bool,
}

/// One `[[job]]` as written.
struct Written {
    place: Place,
    name: Option<(Place, Template)>,
    url: (Place, Template),
    each: Vec<Variable>,
    layer: Layer,
}

/// A variable of `each`.
struct Variable {
    place: Place,
    name: String,
    values: Vec<EachValue>,
}

/// What the rows of one table share while they become jobs.
struct Rows<'b> {
    /// The names of the `each` variables.
    names: Vec<String>,
    /// Which of them were met.
    used: Vec<bool>,
    /// By host.
    prepared: HashMap<Option<&'b str>, Prepared>,
}

/// The layers of one job table for one host.
struct Prepared {
    layer: Layer,
    /// The settings, where they are the same for all rows.
    shared: Option<Arc<Settings>>,
}

impl<'b> Builder<'b> {
    pub(super) fn new(base: &'b Base) -> Builder<'b> {
        Builder {
            base,
            jobs: Vec::new(),
            names: HashMap::new(),
            files: HashMap::new(),
            plain: HashMap::new(),
            too_many: false,
        }
    }

    pub(super) fn finish(self) -> Vec<Job> {
        self.jobs
    }

    /// Adds the jobs of one table; what is wrong is noted.
    pub(super) fn add(&mut self, reader: &mut Reader<'_>, place: &Place, table: &DeTable<'_>) {
        let Some(mut job) = read(reader, place, table) else { return };
        let names: Vec<String> = job.each.iter().map(|variable| variable.name.clone()).collect();
        let mut used = vec![false; names.len()];
        if !names.is_empty() {
            match job.url.1.bind(&names, &mut used, true) {
                Ok(url) => job.url.1 = url,
                Err(message) => return reader.error(&job.url.0, message),
            }
        }
        let all_in_url = used.iter().all(|used| *used);
        let mut name_has_each = false;
        if let Some((_, name)) = &mut job.name {
            let mut in_name = vec![false; names.len()];
            if let Ok(bound) = name.bind(&names, &mut in_name, false) {
                *name = bound;
            }
            name_has_each = name.has_each();
        }
        let count = job.each.iter().try_fold(1usize, |count, variable| count.checked_mul(variable.values.len()));
        if count.and_then(|count| count.checked_add(self.jobs.len())).is_none_or(|total| total > MAX_JOBS) {
            if !std::mem::replace(&mut self.too_many, true) {
                reader.error(&job.place, format!("a plan has at most {MAX_JOBS} jobs, each value counted"));
            }
            return;
        }
        let mut rows = Rows { names, used, prepared: HashMap::new() };
        let brackets = match &job.name {
            Some(_) => !name_has_each,
            None => !all_in_url,
        };
        for number in 0..count.unwrap_or_default() {
            let row = row(&job.each, number);
            let name = job_name(&job, &row, brackets && !row.is_empty());
            if self.add_one(reader, &job, &row, name, &mut rows).is_none() {
                // The next values would fail in the same way; one line says it.
                return;
            }
        }
        for (variable, used) in job.each.iter().zip(rows.used) {
            if !used {
                let name = &variable.name;
                let text = format!("\"{name}\" is used nowhere: write {{{name}}} in the url, a header or the content");
                reader.error(&variable.place, text);
            }
        }
    }

    fn add_one(
        &mut self,
        reader: &mut Reader<'_>,
        job: &Written,
        row: &[&EachValue],
        name: String,
        rows: &mut Rows<'b>,
    ) -> Option<()> {
        let (url_place, url) = &job.url;
        if !reader.charge(url_place, url.max_len(row).saturating_mul(2) + name.len() as u64) {
            return None;
        }
        let text = url.render(row, Show::Values, Into::Url);
        let written = url.render(row, Show::Names, Into::Url);
        if text.contains(char::is_control) {
            reader.error(url_place, "contains a line break or another control character, which no URL can");
            return None;
        }
        let parsed = parse_url(&text).and_then(|url| Ok((Origin::of(&url)?, url)));
        let (origin, parsed) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                let has_secret = url.has_variables() || written != text;
                let message = not_valid(&written, has_secret, "a URL that can be fetched", &error);
                reader.error(url_place, message);
                return None;
            }
        };
        let base = self.base;
        let (host, host_layer) = base.host(&origin).unzip();
        let (names, used) = (&rows.names, &mut rows.used);
        let ready = rows.prepared.entry(host).or_insert_with(|| {
            let mut layer = base.defaults.clone();
            if let Some(host_layer) = host_layer {
                layer.cover(host_layer);
            }
            layer.cover(&job.layer);
            if !names.is_empty() {
                layer.bind(names, used);
            }
            Prepared { layer, shared: None }
        });
        let settings = match (&ready.shared, self.plain.get(&host)) {
            (Some(shared), _) => shared.clone(),
            (None, Some(plain)) if job.layer.is_empty() && names.is_empty() => plain.clone(),
            _ => {
                let settings = Arc::new(ready.layer.settings(reader, &base.settings, row)?);
                if !ready.layer.varies() {
                    ready.shared = Some(settings.clone());
                    // A template with braces in it is another text where these are bound.
                    if job.layer.is_empty() && names.is_empty() {
                        self.plain.insert(host, settings.clone());
                    }
                }
                settings
            }
        };
        let name_place = job.name.as_ref().map_or(&job.place, |(place, _)| place);
        let name = self.take_name(reader, name_place, name, job.name.is_some())?;
        let mut made = Job::of(parsed, written.trim(), settings).named(name);
        if let Some((place, output)) = &ready.layer.output {
            if !reader.charge(place, output.max_len(row)) {
                return None;
            }
            let file = output.render(row, Show::Values, Into::Text);
            let place = match job.layer.output {
                Some(_) => place.clone(),
                None => job.place.child("output", job.place.at),
            };
            self.take_file(reader, &place, &file, &output.render(row, Show::Names, Into::Text))?;
            made = made.saved_to(file);
        }
        self.jobs.push(made);
        Some(())
    }

    fn take_name(&mut self, reader: &mut Reader<'_>, place: &Place, name: String, given: bool) -> Option<Arc<str>> {
        if name.trim().is_empty() || name.contains(char::is_control) {
            reader.error(place, "a name must not be empty or contain control characters");
            return None;
        }
        let name: Arc<str> = name.into();
        if let Some(before) = self.names.insert(name.clone(), place.at) {
            let line = reader.log.line(before);
            let hint = if given { "give each job its own" } else { "give each job a \"name\"" };
            reader.error(place, format!("the name \"{name}\" is taken by the job of line {line}: {hint}"));
            return None;
        }
        Some(name)
    }

    fn take_file(&mut self, reader: &mut Reader<'_>, place: &Place, file: &str, written: &str) -> Option<()> {
        if let Err(reason) = check_relative(file) {
            reader.error(place, format!("\"{written}\" {reason}"));
            return None;
        }
        if let Some(before) = self.files.insert(file.to_lowercase(), place.at) {
            let line = reader.log.line(before);
            reader.error(
                place,
                format!("\"{written}\" is written by another job too, see line {line}: give each its own file"),
            );
            return None;
        }
        Some(())
    }
}

/// The name of a job: as given or the URL, with `${NAME}` as written and the values after it, unless they are in it.
fn job_name(job: &Written, row: &[&EachValue], brackets: bool) -> String {
    let mut name = match &job.name {
        Some((_, name)) => name.render(row, Show::Names, Into::Text),
        None => without_password(job.url.1.render(row, Show::Names, Into::Url).trim()).into_owned(),
    };
    if brackets {
        let values: Vec<&str> = row.iter().map(|value| value.written.as_str()).collect();
        name.push_str(&format!("[{}]", values.join(",")));
    }
    name
}

/// The values of the `number`th job: the last variable changes fastest.
fn row(each: &[Variable], mut number: usize) -> Vec<&EachValue> {
    let mut row = Vec::with_capacity(each.len());
    for variable in each.iter().rev() {
        let len = variable.values.len().max(1);
        row.extend(variable.values.get(number % len));
        number /= len;
    }
    row.reverse();
    row
}

fn read(reader: &mut Reader<'_>, place: &Place, table: &DeTable<'_>) -> Option<Written> {
    let (mut name, mut url, mut each, mut layer) = (None, None, Some(Vec::new()), Layer::default());
    let mut has_url = false;
    for entry in entries(place, table) {
        match entry.key {
            "name" => {
                name = reader.string(&entry.place, entry.value, "a string").map(|name| (entry.place.clone(), name));
            }
            "url" => {
                has_url = true;
                url = read_url(reader, &entry).map(|url| (entry.place.clone(), url));
            }
            "each" => each = read_each(reader, &entry),
            _ => {
                if !layer.read(reader, &entry) {
                    let mut known = vec!["name", "url", "each"];
                    known.extend(layer::KEYS);
                    reader.unknown(&entry, &known);
                }
            }
        }
    }
    if !has_url {
        reader.error(place, "has no \"url\": write url = \"https://...\"");
    }
    Some(Written { place: place.clone(), name, url: url?, each: each?, layer })
}

fn read_url(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Option<Template> {
    let url = reader.string(&entry.place, entry.value, "a string such as \"https://api.example.com/\"")?;
    if let Some(name) = url.variable_with_control() {
        // The URL standard drops some of them silently and trims others; what was meant is not known.
        let text = format!("the value of {name} has a line break or another control character, which no URL can");
        reader.error(&entry.place, text);
        return None;
    }
    Some(url)
}

fn read_each(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Option<Vec<Variable>> {
    let mut each = Vec::new();
    let entries = reader.table(&entry.place, entry.value)?;
    if entries.is_empty() {
        reader.error(&entry.place, "is empty: write each = { city = [\"berlin\", \"oslo\"] }");
        return None;
    }
    if entries.len() > MAX_EACH {
        reader.error(&entry.place, format!("a job has at most {MAX_EACH} variables"));
        return None;
    }
    for entry in entries {
        if entry.key.is_empty() || name_len(entry.key) != entry.key.len() {
            let text = format!("\"{}\" is not a name: letters, digits and _, not beginning with a digit", entry.key);
            reader.error(&entry.place, text);
            each.push(None);
            continue;
        }
        let values = read_values(reader, &entry);
        each.push(values.map(|values| Variable { place: entry.place, name: entry.key.to_owned(), values }));
    }
    each.into_iter().collect()
}

fn read_values(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Option<Vec<EachValue>> {
    let DeValue::Array(array) = entry.value else {
        reader.wrong_type(&entry.place, "an array of values", entry.value);
        return None;
    };
    if array.is_empty() {
        reader.error(&entry.place, "the array is empty: write at least one value");
        return None;
    }
    let mut seen: HashMap<String, ()> = HashMap::new();
    let mut values = Vec::with_capacity(array.len());
    for item in array.iter() {
        let place = Place { at: item.span().start, path: entry.place.path.clone() };
        let value = match (item.get_ref(), scalar(item.get_ref())) {
            (string @ DeValue::String(_), _) => reader.string(&place, string, "a string").map(|template| {
                let text = template.plain(Show::Values);
                EachValue { written: template.plain(Show::Names), json: text.clone().into(), text }
            }),
            (_, Some(json)) => {
                let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
                Some(EachValue { written: text.clone(), text, json })
            }
            (DeValue::Integer(_) | DeValue::Float(_), None) => {
                reader.error(&place, "the number does not fit 64 bits, or is inf or nan");
                None
            }
            (other, None) => {
                reader.wrong_type(&place, "strings, numbers or booleans", other);
                None
            }
        };
        if let Some(value) = &value {
            if seen.insert(value.written.clone(), ()).is_some() {
                reader.error(&place, format!("\"{}\" is there twice", value.written));
            }
        }
        values.push(value);
    }
    values.into_iter().collect()
}
