//! The keys of a job, as `[defaults]`, `[hosts]` and `[[job]]` may set them, and how one goes over the other.

use super::auth_keys::{self, LoginScheme, Logins};
use super::connection_keys;
use super::expecting::{ExpectedJson, read_expect};
use super::follow_up_keys::{read_pages, read_poll};
use super::header_template::{HeaderForm, HeaderTemplate};
use super::json_template::JsonTemplate;
use super::node_reader::{NodeReader, Place, TableEntry};
use super::picking;
use super::query::{QueryParam, read_params};
use super::template::{Row, Show, Template};
use super::tree::{Node, Tree};
use crate::authorization::Authorization;
use crate::http::{Field, Method};
use crate::settings::{Settings, SettingsPatch, over_by_name};

/// The keys that all three tables know.
pub(super) const KEYS: [&str; 39] = [
    "method",
    "headers",
    "data",
    "json",
    "timeout",
    "connect_timeout",
    "job_timeout",
    "retries",
    "retry_on",
    "retry_unsafe",
    "retry_after_max",
    "follow",
    "max_body",
    "accept",
    "priority",
    "raw",
    "cache",
    "stale_if_error",
    "output",
    "select",
    "rows",
    "table",
    "format",
    "max_rows",
    "expect",
    "pages",
    "poll",
    "base_url",
    "query",
    "form",
    "user",
    "bearer",
    "auth",
    "cookies",
    "proxy",
    "cacert",
    "cert",
    "cert_key",
    "insecure",
];

/// The most rows of one response that a plan may ask for.
const MAX_ROWS: u32 = 10_000_000;

/// The most header fields in one table: as many as a head may have that comes back.
const MAX_HEADERS: usize = 256;

/// What one table says: a patch, and what becomes part of it when the values of a job are put in.
#[derive(Clone, Default)]
pub(super) struct Layer {
    patch: SettingsPatch,
    headers: Vec<HeaderTemplate>,
    content: Option<(Place, ContentTemplate)>,
    expect_json: Option<Vec<ExpectedJson>>,
    pub(super) output: Option<(Place, Template)>,
    /// What stands before a URL that has no scheme.
    base_url: Option<Template>,
    /// What is added to the query of the URL.
    pub(super) query: Vec<QueryParam>,
    /// The login that it names.
    auth: Option<(Place, String)>,
    /// Whether any key was read.
    says_something: bool,
}

#[derive(Clone)]
enum ContentTemplate {
    Data(Template),
    Json(JsonTemplate),
    Form(Vec<QueryParam>),
}

impl Layer {
    /// Reads an entry, if its key is one of [`KEYS`].
    pub(super) fn read(&mut self, reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> bool {
        let (place, node, patch) = (&entry.place, entry.node, &mut self.patch);
        match entry.key {
            "method" => patch.method = reader.parsed(place, node, ("a method that can be sent", "POST"), str::parse),
            "headers" => self.read_headers(reader, place, node),
            "data" => {
                let data = reader.string(place, node, "a string").map(ContentTemplate::Data);
                self.set_content(reader, place, data);
            }
            "json" => {
                let json = JsonTemplate::read(reader, place, node).map(ContentTemplate::Json);
                self.set_content(reader, place, json);
            }
            "timeout" => patch.timeout = reader.span(place, node),
            "connect_timeout" => patch.connect_timeout = reader.span(place, node),
            "job_timeout" => patch.job_timeout = reader.span(place, node),
            "retry_on" => {
                patch.retry_on =
                    reader.parsed(place, node, ("what is tried again", "429,500-504,expectation"), str::parse);
            }
            "retries" => patch.retries = reader.count(place, node, 0, 100),
            "retry_unsafe" => patch.retry_unsafe = reader.boolean(place, node),
            "retry_after_max" => patch.retry_after_max = reader.duration(place, node),
            "follow" => patch.follow = reader.count(place, node, 0, 100),
            "max_body" => patch.max_body = reader.size(place, node),
            "accept" => patch.accept = reader.statuses(place, node),
            "priority" => patch.priority = reader.priority(place, node),
            "raw" => patch.raw = reader.boolean(place, node),
            "cache" => patch.cache = reader.boolean(place, node),
            "stale_if_error" => patch.stale_if_error = reader.span(place, node),
            "output" => self.output = reader.string(place, node, "a file name").map(|file| (place.clone(), file)),
            "select" => patch.select = picking::read_select(reader, place, node),
            "rows" => patch.rows = reader.parsed(place, node, ("a JSON Pointer to an array", "/items"), str::parse),
            "table" => patch.table = picking::read_table(reader, place, node),
            "format" => patch.format = picking::read_format(reader, place, node),
            "max_rows" => patch.max_rows = reader.count(place, node, 1, MAX_ROWS),
            "expect" => self.expect_json = read_expect(reader, place, node, &mut patch.expect),
            "base_url" => self.base_url = read_base_url(reader, place, node),
            "query" => self.query = read_params(reader, place, node).unwrap_or_default(),
            "form" => {
                let form = read_params(reader, place, node).map(ContentTemplate::Form);
                self.set_content(reader, place, form);
            }
            "user" => self.read_authorization(reader, entry, HeaderForm::Basic),
            "bearer" => self.read_authorization(reader, entry, HeaderForm::Bearer),
            "cookies" => patch.cookies = read_cookies(reader, place, node),
            "auth" => self.auth = auth_keys::read_auth(reader, place, node),
            "pages" => patch.pages = read_pages(reader, place, node),
            "poll" => patch.poll = read_poll(reader, place, node),
            _ if connection_keys::read(reader, entry, patch) => {}
            _ => return false,
        }
        self.says_something = true;
        true
    }

    /// Whether the table has none of these keys.
    pub(super) fn is_empty(&self) -> bool {
        !self.says_something
    }

    /// This layer over a lower one, by the rules of [`SettingsPatch::over_patch`].
    pub(super) fn over(&self, lower: &Layer) -> Layer {
        // A request has one Authorization: of a login and a header, the closer one counts.
        let mut headers = over_by_name(&self.headers, &lower.headers, |header| &header.name);
        if self.auth.is_some() && !self.names_authorization() {
            headers.retain(|header| !header.name.eq_ignore_ascii_case(Authorization::FIELD));
        }
        let auth = self.auth.clone().or_else(|| lower.auth.clone().filter(|_| !self.names_authorization()));
        Layer {
            patch: self.patch.over_patch(&lower.patch),
            headers,
            content: self.content.clone().or_else(|| lower.content.clone()),
            expect_json: self.expect_json.clone().or_else(|| lower.expect_json.clone()),
            output: self.output.clone().or_else(|| lower.output.clone()),
            base_url: self.base_url.clone().or_else(|| lower.base_url.clone()),
            query: over_by_name(&self.query, &lower.query, |param| &param.name),
            auth,
            says_something: self.says_something || lower.says_something,
        }
    }

    /// Whether every `{name}` in it has a value; what is missing is noted.
    pub(super) fn check_names(&self, reader: &mut NodeReader<'_>, own: &[String]) -> bool {
        let mut complete = true;
        self.for_each_template(&mut |place, template| complete &= reader.check_names(place, template, own));
        if let Some((place, output)) = &self.output {
            complete &= reader.check_names(place, output, own);
        }
        complete
    }

    /// Whether `{name}` is in the settings. The file that the content is saved to is not part of them.
    pub(super) fn mentions(&self, name: &str) -> bool {
        let mut found = false;
        self.for_each_template(&mut |_, template| found |= template.mentions(name));
        found
    }

    /// Whether `{name}` is in the settings or in the file name.
    pub(super) fn uses(&self, name: &str) -> bool {
        self.mentions(name) || self.output.as_ref().is_some_and(|(_, output)| output.mentions(name))
    }

    /// Whether each of its elements is a row.
    pub(super) fn has_rows(&self) -> bool {
        self.patch.rows.is_some() || self.patch.table.is_some()
    }

    /// The table that it gives rows to, if any.
    pub(super) fn table_of_rows(&self) -> Option<Box<str>> {
        self.patch.over(&Settings::default()).table_of_rows().map(Into::into)
    }

    /// The names of the values that it selects.
    pub(super) fn selected(&self) -> impl Iterator<Item = &str> {
        self.patch.select.iter().flatten().map(|(name, _)| name.as_str())
    }

    /// Whether responses are kept.
    pub(super) fn keeps_responses(&self) -> bool {
        self.patch.cache == Some(true) || self.patch.stale_if_error.is_some()
    }

    /// Whether only a graph can do what it asks for: further requests, or a login.
    pub(super) fn goes_on(&self) -> bool {
        self.patch.pages.is_some() || self.patch.poll.is_some() || self.auth.is_some()
    }

    /// Puts what its login asks for into it: a header, or the name of a login that is made in the run.
    pub(super) fn log_in(&mut self, logins: &Logins) {
        let Some((_, name)) = self.auth.take() else { return };
        match logins.get(&name) {
            Some(LoginScheme::Header(header)) => {
                let is_it = |own: &HeaderTemplate| own.name.eq_ignore_ascii_case(&header.name);
                let header = Some(header.clone()).filter(|_| !self.headers.iter().any(is_it));
                self.headers.extend(header);
            }
            Some(LoginScheme::Query(param)) => {
                let param = Some(param.clone()).filter(|param| !self.query.iter().any(|own| own.name == param.name));
                self.query.extend(param);
            }
            Some(LoginScheme::Token) => self.patch.auth = Some(name.into()),
            None => {}
        }
    }

    /// Notes a login that is not there.
    pub(super) fn check_login(&self, reader: &mut NodeReader<'_>, logins: &Logins) {
        let Some((place, name)) = self.auth.as_ref().filter(|(_, name)| logins.get(name).is_none()) else { return };
        let known = logins.names();
        let known = if known.is_empty() { "there is no [auth]".to_owned() } else { format!("the names are {known}") };
        reader.error(place, format!("there is no [auth.{name}]: {known}"));
    }

    fn names_authorization(&self) -> bool {
        self.headers.iter().any(|header| header.name.eq_ignore_ascii_case(Authorization::FIELD))
    }

    fn read_authorization(&mut self, reader: &mut NodeReader<'_>, entry: &TableEntry<'_>, form: HeaderForm) {
        let what = if form == HeaderForm::Basic { "\"NAME:PASSWORD\"" } else { "a token" };
        let Some(value) = reader.string(&entry.place, entry.node, what) else { return };
        if self.headers.iter().any(|old| old.name.eq_ignore_ascii_case(Authorization::FIELD)) {
            reader.error(&entry.place, "a request has one Authorization: it is given already");
        }
        let name = Authorization::FIELD.into();
        self.headers.push(HeaderTemplate { place: entry.place.clone(), name, value, form });
    }

    /// The method of the request, if nothing else is said below this layer.
    pub(super) fn method(&self) -> Method {
        let with_content = if self.content.is_some() { Method::POST } else { Method::GET };
        self.patch.method.unwrap_or(with_content)
    }

    /// A URL with the base before it, joined by one slash, if it has no scheme of its own and does not begin with a value.
    pub(super) fn based(&self, url: &Template) -> Option<Template> {
        self.base_url.as_ref().filter(|_| url.is_relative()).map(|base| base.joined_by_slash(url))
    }

    /// The names of the values that are taken out of responses.
    pub(super) fn columns(&self) -> Vec<String> {
        self.patch.select.iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// Calls `look` with all templates and their places.
    pub(super) fn for_each_place(&self, look: &mut dyn FnMut(&Place, &Template)) {
        self.for_each_template(look);
        self.output.iter().for_each(|(place, output)| look(place, output));
    }

    /// Calls `look` with all templates that become text, which those in JSON need not.
    pub(super) fn for_each_text(&self, look: &mut dyn FnMut(&Place, &Template)) {
        self.headers.iter().for_each(|header| look(&header.place, &header.value));
        match &self.content {
            Some((place, ContentTemplate::Data(data))) => look(place, data),
            Some((_, ContentTemplate::Form(form))) => look_into(form, look),
            Some((_, ContentTemplate::Json(_))) | None => {}
        }
        look_into(&self.query, look);
        self.output.iter().for_each(|(place, output)| look(place, output));
    }

    /// Calls `look` with all templates of the settings.
    fn for_each_template(&self, look: &mut dyn FnMut(&Place, &Template)) {
        self.headers.iter().for_each(|header| look(&header.place, &header.value));
        match &self.content {
            Some((place, ContentTemplate::Data(data))) => look(place, data),
            Some((place, ContentTemplate::Json(json))) => json.for_each(&mut |template| look(place, template)),
            Some((_, ContentTemplate::Form(form))) => look_into(form, look),
            None => {}
        }
        look_into(&self.query, look);
        for expected in self.expect_json.iter().flatten() {
            expected.for_each(&mut |template| look(&expected.place, template));
        }
    }

    /// The settings with these values, over those of `base`; `None` if something was wrong, which is noted.
    pub(super) fn settings(&self, reader: &mut NodeReader<'_>, base: &Settings, row: &Row<'_>) -> Option<Settings> {
        let mut patch = self.patch.clone();
        for header in &self.headers {
            if !reader.charge(&header.place, header.value.max_len(row, 1)) {
                return None;
            }
            match header.field(row) {
                Ok(field) => patch.headers.push(field),
                Err(error) => {
                    reader.error(&header.place, error.one_line());
                    return None;
                }
            }
        }
        match &self.content {
            Some((place, ContentTemplate::Data(data))) => {
                let fits = reader.charge(place, data.max_len(row, 1));
                patch.data = Some(fits.then(|| data.fill(row, Show::Values).into_bytes())?.into());
            }
            Some((place, ContentTemplate::Json(json))) => {
                let fits = reader.charge(place, json.max_len(row));
                patch.data = Some(fits.then(|| json.fill(row).into_bytes())?.into());
                let is_type = |field: &Field| field.name().eq_ignore_ascii_case("content-type");
                if !base.headers.iter().chain(&patch.headers).any(is_type) {
                    patch.headers.extend(Field::new("Content-Type", "application/json"));
                }
            }
            Some((place, ContentTemplate::Form(form))) => {
                let fits = reader.charge(place, form.iter().map(|param| param.max_len(row)).sum());
                patch.data = Some(fits.then(|| QueryParam::form(form, row).into_bytes())?.into());
            }
            None => {}
        }
        if let Some(list) = &self.expect_json {
            let values = list.iter().map(|expected| expected.fill(reader, row));
            patch.expect.json = Some(values.collect::<Option<_>>()?);
        }
        Some(patch.over(base))
    }

    fn set_content(&mut self, reader: &mut NodeReader<'_>, place: &Place, content: Option<ContentTemplate>) {
        if self.content.is_some() {
            reader.error(place, "of \"data\", \"json\" and \"form\" more than one is given: a request has one content");
        }
        self.content = content.map(|content| (place.clone(), content));
    }

    fn read_headers(&mut self, reader: &mut NodeReader<'_>, place: &Place, node: &Node) {
        let entries = reader.table(place, node).unwrap_or_default();
        let values = |entry: &TableEntry<'_>| if let Tree::Array(items) = &entry.node.value { items.len() } else { 1 };
        if entries.iter().map(values).sum::<usize>() > MAX_HEADERS {
            return reader.error(place, format!("a request has at most {MAX_HEADERS} headers"));
        }
        for entry in entries {
            if self.headers.iter().any(|old| old.name.eq_ignore_ascii_case(entry.key)) {
                reader.error(&entry.place, format!("the header {} is there twice", entry.key));
            }
            match &entry.node.value {
                Tree::Array(items) if !items.is_empty() => {
                    items.iter().for_each(|item| self.read_header(reader, &entry, item));
                }
                _ => self.read_header(reader, &entry, entry.node),
            }
        }
    }

    /// Reads one value of a header: a text, or false if none is to be sent.
    fn read_header(&mut self, reader: &mut NodeReader<'_>, entry: &TableEntry<'_>, node: &Node) {
        let (place, name) = (entry.place.clone(), Box::from(entry.key));
        let (value, form) = match &node.value {
            Tree::Boolean(false) => (Template::of_text(""), HeaderForm::Omitted),
            _ => match reader.string(&place, node, "a string") {
                Some(template) => (template, HeaderForm::Plain),
                None => return,
            },
        };
        let header = HeaderTemplate { place, name, value, form };
        // Checked here, so that a mistake in the defaults is shown once and not with every job.
        match header.field(&[]) {
            Ok(_) => self.headers.push(header),
            Err(error) => reader.error(&entry.place, error.one_line()),
        }
    }
}

/// A URL that others follow.
fn read_base_url(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Template> {
    let base = reader.string(place, node, "a URL such as \"https://api.example.com/v1\"")?;
    reader.check_names(place, &base, &[]).then_some(base)
}

/// Whether cookies are kept, in a build that can.
fn read_cookies(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<bool> {
    let cookies = reader.boolean(place, node)?;
    if cookies && !cfg!(feature = "cookies") {
        reader.error(place, "this build keeps no cookies: it lacks the feature cookies");
    }
    Some(cookies)
}

fn look_into(params: &[QueryParam], look: &mut dyn FnMut(&Place, &Template)) {
    for param in params {
        param.for_each(&mut |template| look(&param.place, template));
    }
}
