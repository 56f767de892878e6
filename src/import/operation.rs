//! One set of options of a curl command and its URLs, which share them.

use std::collections::BTreeSet;

use super::command::config;
use super::marks::{BEGINNING, Marks};
use super::request::{ImportedRequest, is_of_the_connection};
use crate::error::Result;
use crate::http::Field;
use crate::plan::{Globs, expand_url, file_name};

/// The most requests that the patterns of one URL may stand for.
const MOST_OF_ONE: usize = 1000;

/// What the options of a command come to.
#[derive(Debug, Default)]
pub(super) struct Operation {
    pub(super) request: ImportedRequest,
    pub(super) urls: Vec<String>,
    /// Fields of options of their own, for which headers may be given in their place.
    own: Vec<(&'static str, Option<String>)>,
    /// What is added to the query of each.
    pub(super) query: Vec<String>,
    /// Files for the contents, in the order of the URLs.
    pub(super) outputs: Vec<String>,
    /// Options of `roundup run`.
    pub(super) options: Vec<String>,
    pub(super) is_json: bool,
    pub(super) is_get: bool,
    pub(super) is_head: bool,
    pub(super) is_compressed: bool,
    pub(super) is_globoff: bool,
    pub(super) is_named_by_url: bool,
    /// The option by which user and password are not for Basic.
    pub(super) other_auth: Option<String>,
}

impl Operation {
    pub(super) fn at(place: &str) -> Operation {
        let request = ImportedRequest { place: place.to_owned(), ..ImportedRequest::default() };
        Operation { request, ..Operation::default() }
    }

    /// Adds a header as `-H` takes it.
    pub(super) fn add_header(&mut self, line: &str) -> Result<()> {
        let name = line.split([':', ';']).next().unwrap_or_default();
        let omits_host = name.eq_ignore_ascii_case("host") && line.trim_end().ends_with(':');
        // HTTP/2's own fields, as browsers show them, have names that begin with a colon.
        if line.starts_with(':') || is_of_the_connection(name) || omits_host {
            return Ok(());
        }
        let field = Field::from_option(line)?;
        let value = (!field.is_omitted()).then(|| String::from_utf8_lossy(field.value()).into_owned());
        // What is left out once is sent where it is given as well, and so is curl's own that it replaces.
        self.request.headers.push((field.name().to_owned(), value));
        Ok(())
    }

    /// A field of an option of its own, none for one that is left out: the last one counts.
    pub(super) fn set_own(&mut self, name: &'static str, value: Option<String>) {
        self.own.retain(|(known, _)| *known != name);
        self.own.push((name, value));
    }

    pub(super) fn add_cookie(&mut self, cookie: &str) {
        // Without a blank, as curl does.
        let before = self.own.iter().find(|(name, _)| *name == "Cookie").and_then(|(_, value)| value.as_ref());
        let cookies = before.map_or_else(|| cookie.to_owned(), |before| format!("{before};{cookie}"));
        self.set_own("Cookie", Some(cookies));
    }

    pub(super) fn add_content(&mut self, piece: &str, between: &str) {
        match &mut self.request.content {
            Some(content) => {
                content.push_str(between);
                content.push_str(piece);
            }
            None => self.request.content = Some(piece.to_owned()),
        }
    }

    /// A request for each URL. The options of `roundup run` that they need are added to those that are there.
    pub(super) fn requests(
        mut self,
        marks: &mut Marks,
        options: &mut BTreeSet<String>,
    ) -> Result<Vec<ImportedRequest>> {
        options.extend(std::mem::take(&mut self.options));
        self.settle();
        let mut requests = Vec::new();
        let mut outputs = std::mem::take(&mut self.outputs).into_iter();
        for url in std::mem::take(&mut self.urls) {
            let globs = if self.is_globoff { Globs::Keep } else { Globs::Expand };
            let urls = expand_url(&url, globs)?;
            if urls.len() > MOST_OF_ONE {
                let text = format!("the URL stands for {} requests: write \"each\" into the plan yourself", urls.len());
                return Err(config(text));
            }
            let output = outputs.next();
            let count = urls.len();
            for url in urls {
                let mut request = self.request.clone();
                request.url = self.whole_url(&url);
                request.output = output.as_deref().filter(|_| count == 1).and_then(plain_file);
                if output.is_none() && self.is_named_by_url {
                    request.output = Some(file_name(&marks.shown(request.url.split('?').next().unwrap_or_default())));
                }
                check_url(&request.url, marks)?;
                requests.push(request);
            }
        }
        Ok(requests)
    }

    /// What options mean together.
    fn settle(&mut self) {
        let request = &mut self.request;
        if self.is_get {
            self.query.extend(request.content.take());
        }
        if self.is_head && request.method.is_none() {
            request.method = Some("HEAD".to_owned());
        }
        if self.is_json && !self.is_get {
            for name in ["Content-Type", "Accept"] {
                if !request.has_header(name) {
                    request.headers.push((name.to_owned(), Some("application/json".to_owned())));
                }
            }
        }
        // roundup asks for the codings that it can undo, and undoes them.
        if self.is_compressed {
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("accept-encoding"));
        }
        // A header goes before what an option says of the same name.
        for (name, value) in std::mem::take(&mut self.own) {
            if !request.has_header(name) {
                request.headers.push((name.to_owned(), value));
            }
        }
        if request.has_header("authorization") {
            request.user = None;
        }
        // A name that is left out and given is given.
        let headers = std::mem::take(&mut request.headers);
        let is_given =
            |name: &str| headers.iter().any(|(known, value)| known.eq_ignore_ascii_case(name) && value.is_some());
        let kept = headers.iter().enumerate().filter(|(at, (name, value))| match value {
            Some(_) => true,
            None => !is_given(name) && !headers[..*at].iter().any(|(known, _)| known.eq_ignore_ascii_case(name)),
        });
        request.headers = kept.map(|(_, header)| header.clone()).collect();
    }

    /// The URL with a scheme and the query that options give, without its fragment.
    fn whole_url(&self, url: &str) -> String {
        let url = url.trim();
        let mut url = url.split('#').next().unwrap_or_default().to_owned();
        let is_whole = url.contains("://");
        if !is_whole && !url.starts_with(BEGINNING) {
            url.insert_str(0, "http://");
        }
        for query in self.query.iter().filter(|query| !query.is_empty()) {
            match url.find('?') {
                None => url.push('?'),
                Some(at) if at + 1 == url.len() || url.ends_with('&') => {}
                Some(_) => url.push('&'),
            }
            url.push_str(query);
        }
        url
    }
}

/// The file of an option of output, if it is one in the folder of the plan.
fn plain_file(file: &str) -> Option<String> {
    let is_plain = file != "-" && !file.starts_with(['/', '\\', '~']) && !file.contains(':') && !file.contains("..");
    is_plain.then(|| file.trim_start_matches("./").to_owned())
}

/// Refuses what can be no URL of a plan.
fn check_url(url: &str, marks: &Marks) -> Result<()> {
    // A variable may be a host or a whole beginning.
    if marks.are_in(url) {
        return Ok(());
    }
    crate::origin::parse_url(url).map(drop)
}
