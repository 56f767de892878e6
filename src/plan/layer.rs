//! The keys of a job, as `[defaults]`, `[hosts]` and `[[job]]` may set them, and how one goes over the other.

use std::time::Duration;

use toml::de::DeValue;

use super::body::Json;
use super::reader::{Entry, Place, Reader};
use super::template::{EachValue, Into, Show, Template};
use crate::job::{Expect, Field, Method, Pointer, Settings};
use crate::statuses::StatusSet;

/// The keys that all three tables know.
pub(super) const KEYS: [&str; 16] = [
    "method",
    "headers",
    "data",
    "json",
    "timeout",
    "connect_timeout",
    "retries",
    "retry_unsafe",
    "retry_after_max",
    "follow",
    "max_body",
    "accept",
    "raw",
    "output",
    "select",
    "expect",
];

/// The most header fields in one table: as many as a head may have that comes back.
const MAX_HEADERS: usize = 256;

/// What one table says; `None` where it is silent.
#[derive(Clone, Default)]
pub(super) struct Layer {
    method: Option<Method>,
    headers: Vec<Header>,
    content: Option<(Place, Content)>,
    timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    retries: Option<u32>,
    retry_unsafe: Option<bool>,
    retry_after_max: Option<Duration>,
    follow: Option<u32>,
    max_body: Option<u64>,
    accept: Option<StatusSet>,
    raw: Option<bool>,
    pub(super) output: Option<(Place, Template)>,
    select: Option<Vec<(String, Pointer)>>,
    status: Option<StatusSet>,
    json: Option<(Place, Vec<(Pointer, Json)>)>,
    max_ms: Option<u64>,
    /// Whether any key was read.
    says_something: bool,
}

#[derive(Clone)]
struct Header {
    place: Place,
    name: Box<str>,
    value: Template,
}

#[derive(Clone)]
enum Content {
    Data(Template),
    Json(Json),
}

impl Layer {
    /// Reads an entry, if its key is one of [`KEYS`].
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, entry: &Entry<'_>) -> bool {
        let (place, value) = (&entry.place, entry.value);
        match entry.key {
            "method" => self.method = reader.parsed(place, value, ("a method that can be sent", "POST"), str::parse),
            "headers" => self.read_headers(reader, place, value),
            "data" => {
                let data = reader.string(place, value, "a string").map(Content::Data);
                self.set_content(reader, place, data);
            }
            "json" => {
                let json = Json::read(reader, place, value).map(Content::Json);
                self.set_content(reader, place, json);
            }
            "timeout" => self.timeout = reader.span(place, value),
            "connect_timeout" => self.connect_timeout = reader.span(place, value),
            "retries" => self.retries = reader.count(place, value, 0, 100),
            "retry_unsafe" => self.retry_unsafe = reader.boolean(place, value),
            "retry_after_max" => self.retry_after_max = reader.duration(place, value),
            "follow" => self.follow = reader.count(place, value, 0, 100),
            "max_body" => self.max_body = reader.size(place, value),
            "accept" => self.accept = reader.statuses(place, value),
            "raw" => self.raw = reader.boolean(place, value),
            "output" => {
                self.output = reader.string(place, value, "a file name").map(|file| (place.clone(), file));
            }
            "select" => self.read_select(reader, place, value),
            "expect" => self.read_expect(reader, place, value),
            _ => return false,
        }
        self.says_something = true;
        true
    }

    /// Whether the table has none of these keys.
    pub(super) fn is_empty(&self) -> bool {
        !self.says_something
    }

    /// Puts `upper` over this one: what it says replaces what was said; headers are joined by name.
    pub(super) fn cover(&mut self, upper: &Layer) {
        fn over<T: Clone>(lower: &mut Option<T>, upper: &Option<T>) {
            if upper.is_some() {
                lower.clone_from(upper);
            }
        }
        over(&mut self.method, &upper.method);
        for header in &upper.headers {
            self.headers.retain(|old| !old.name.eq_ignore_ascii_case(&header.name));
            self.headers.push(header.clone());
        }
        over(&mut self.content, &upper.content);
        over(&mut self.timeout, &upper.timeout);
        over(&mut self.connect_timeout, &upper.connect_timeout);
        over(&mut self.retries, &upper.retries);
        over(&mut self.retry_unsafe, &upper.retry_unsafe);
        over(&mut self.retry_after_max, &upper.retry_after_max);
        over(&mut self.follow, &upper.follow);
        over(&mut self.max_body, &upper.max_body);
        over(&mut self.accept, &upper.accept);
        over(&mut self.raw, &upper.raw);
        over(&mut self.output, &upper.output);
        over(&mut self.select, &upper.select);
        over(&mut self.status, &upper.status);
        over(&mut self.json, &upper.json);
        over(&mut self.max_ms, &upper.max_ms);
        self.says_something |= upper.says_something;
    }

    /// Finds the `each` variables of a job in all strings.
    pub(super) fn bind(&mut self, names: &[String], used: &mut [bool]) {
        let mut bind = |template: &mut Template| {
            // Only a strict binding can fail.
            if let Ok(bound) = template.bind(names, used, false) {
                *template = bound;
            }
        };
        self.headers.iter_mut().for_each(|header| bind(&mut header.value));
        match &mut self.content {
            Some((_, Content::Data(data))) => bind(data),
            Some((_, Content::Json(json))) => json.for_each(&mut bind),
            None => {}
        }
        if let Some((_, output)) = &mut self.output {
            bind(output);
        }
        for (_, json) in self.json.iter_mut().flat_map(|(_, list)| list) {
            json.for_each(&mut bind);
        }
    }

    /// Whether the settings differ from one `each` value to the next. The file they are saved to is not part of them.
    pub(super) fn varies(&self) -> bool {
        self.headers.iter().any(|header| header.value.has_each())
            || match &self.content {
                Some((_, Content::Data(data))) => data.has_each(),
                Some((_, Content::Json(json))) => json.has_each(),
                None => false,
            }
            || self.json.iter().flat_map(|(_, list)| list).any(|(_, json)| json.has_each())
    }

    /// The settings for one row of `each` values, over those of `base`; `None` where something was wrong, which is noted.
    pub(super) fn settings(&self, reader: &mut Reader<'_>, base: &Settings, row: &[&EachValue]) -> Option<Settings> {
        let replaced = |old: &Field| self.headers.iter().any(|new| new.name.eq_ignore_ascii_case(old.name()));
        let mut headers: Vec<Field> = base.headers.iter().filter(|old| !replaced(old)).cloned().collect();
        for header in &self.headers {
            if !reader.charge(&header.place, header.value.max_len(row)) {
                return None;
            }
            match Field::new(&header.name, header.value.render(row, Show::Values, Into::Text)) {
                Ok(field) => headers.push(field),
                Err(error) => {
                    reader.error(&header.place, error.one_line());
                    return None;
                }
            }
        }
        let mut data = None;
        if let Some((place, content)) = &self.content {
            let bytes = match content {
                Content::Data(template) => {
                    let fits = reader.charge(place, template.max_len(row));
                    fits.then(|| template.render(row, Show::Values, Into::Text).into_bytes())
                }
                Content::Json(json) => {
                    let fits = reader.charge(place, json.max_len(row));
                    if !headers.iter().any(|field| field.name().eq_ignore_ascii_case("content-type")) {
                        headers.extend(Field::new("Content-Type", "application/json"));
                    }
                    fits.then(|| json.value(row).to_string().into_bytes())
                }
            };
            data = Some(bytes?.into());
        }
        let mut expected = Vec::new();
        if let Some((place, list)) = &self.json {
            for (pointer, json) in list {
                if !reader.charge(place, json.max_len(row)) {
                    return None;
                }
                expected.push((pointer.clone(), json.value(row)));
            }
        }
        // Content without a method is sent the way curl sends it.
        let posts = data.is_some() && base.method == Method::GET;
        let method = self.method.unwrap_or(if posts { Method::POST } else { base.method });
        Some(Settings {
            method,
            headers,
            data: data.or_else(|| base.data.clone()),
            timeout: self.timeout.unwrap_or(base.timeout),
            connect_timeout: self.connect_timeout.unwrap_or(base.connect_timeout),
            retries: self.retries.unwrap_or(base.retries),
            retry_unsafe: self.retry_unsafe.unwrap_or(base.retry_unsafe),
            retry_after_max: self.retry_after_max.unwrap_or(base.retry_after_max),
            follow: self.follow.unwrap_or(base.follow),
            max_body: self.max_body.or(base.max_body),
            accept: self.accept.clone().unwrap_or_else(|| base.accept.clone()),
            raw: self.raw.unwrap_or(base.raw),
            select: self.select.clone().unwrap_or_else(|| base.select.clone()),
            expect: Expect {
                status: self.status.clone().or_else(|| base.expect.status.clone()),
                json: if self.json.is_some() { expected } else { base.expect.json.clone() },
                max_ms: self.max_ms.or(base.expect.max_ms),
            },
        })
    }

    fn set_content(&mut self, reader: &mut Reader<'_>, place: &Place, content: Option<Content>) {
        if self.content.is_some() {
            reader.error(place, "\"data\" and \"json\" are both given: a request has one content");
        }
        self.content = content.map(|content| (place.clone(), content));
    }

    fn read_headers(&mut self, reader: &mut Reader<'_>, place: &Place, value: &DeValue<'_>) {
        let entries = reader.table(place, value).unwrap_or_default();
        if entries.len() > MAX_HEADERS {
            return reader.error(place, format!("a request has at most {MAX_HEADERS} headers"));
        }
        for entry in entries {
            let Some(template) = reader.string(&entry.place, entry.value, "a string") else { continue };
            if self.headers.iter().any(|old| old.name.eq_ignore_ascii_case(entry.key)) {
                reader.error(&entry.place, format!("the header {} is there twice", entry.key));
            }
            // Checked here, so that a mistake in the defaults is shown once and not with every job.
            match Field::new(entry.key, template.plain(Show::Values)) {
                Ok(_) => {
                    self.headers.push(Header { place: entry.place, name: entry.key.into(), value: template });
                }
                Err(error) => reader.error(&entry.place, error.one_line()),
            }
        }
    }

    fn read_select(&mut self, reader: &mut Reader<'_>, place: &Place, value: &DeValue<'_>) {
        let Some(entries) = reader.table(place, value) else { return };
        let mut select = Vec::new();
        for entry in entries {
            let pointer = reader.parsed(&entry.place, entry.value, ("a JSON Pointer", "/current/temp"), str::parse);
            select.extend(pointer.map(|pointer| (entry.key.to_owned(), pointer)));
        }
        self.select = Some(select);
    }

    fn read_expect(&mut self, reader: &mut Reader<'_>, place: &Place, value: &DeValue<'_>) {
        for entry in reader.table(place, value).unwrap_or_default() {
            match entry.key {
                "status" => self.status = reader.statuses(&entry.place, entry.value),
                "max_ms" => self.max_ms = reader.count(&entry.place, entry.value, 1, u32::MAX).map(u64::from),
                "json" => {
                    let Some(entries) = reader.table(&entry.place, entry.value) else { continue };
                    let mut list = Vec::new();
                    for entry in entries {
                        match entry.key.parse::<Pointer>() {
                            Ok(pointer) => {
                                let json = Json::read(reader, &entry.place, entry.value);
                                list.extend(json.map(|json| (pointer, json)));
                            }
                            Err(error) => reader.error(&entry.place, error.one_line()),
                        }
                    }
                    self.json = Some((entry.place, list));
                }
                _ => reader.unknown(&entry, &["status", "json", "max_ms"]),
            }
        }
    }
}
