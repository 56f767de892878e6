//! HTTP archives (HAR 1.2), as browsers save them, as requests.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Imported;
use super::command::config;
use super::marks::Marks;
use super::plan_text::{Reading, plan_of};
use super::request::{ImportedRequest, is_of_the_connection};
use crate::error::{Error, Kind, Result};
use crate::http::{Field, Method, printable};
use crate::origin::parse_url;

/// The plan of the requests in an HTTP archive. Requests that are there twice are taken once. `from` names the archive.
///
/// # Errors
/// [`Kind::Config`], in one line: the text is no archive, or has no request that can be made.
pub fn har(text: &str, from: &str) -> Result<Imported> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let archive: Archive = serde_json::from_str(text)
        .map_err(|error| Error::new(Kind::Config, "it is no HTTP archive (HAR)").with_source(error))?;
    let mut left_out: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut requests = Vec::new();
    for (index, entry) in archive.log.entries.iter().enumerate() {
        match request(&entry.request, index + 1) {
            Ok(request) => {
                let what = (&request.method, &request.url, &request.headers, &request.content);
                if seen.insert(format!("{what:?}")) {
                    requests.push(request);
                }
            }
            Err(why) => *left_out.entry(why).or_default() += 1,
        }
    }
    if requests.is_empty() {
        let why = left_out.keys().next().map_or(String::new(), |why| format!(": {why}"));
        return Err(config(format!("no request of the archive can be made{why}")));
    }
    let count = |(why, count): (&str, usize)| format!("{count} of the archive's requests left out: {why}");
    let notes = left_out.into_iter().map(count).collect();
    let options = BTreeSet::new();
    // An archive has no variables, so nothing but what is hidden is marked.
    plan_of(Reading { requests, options, notes }, Marks::new(text), &printable(from, &[]))
}

/// One request, or why it cannot be made.
fn request(archived: &ArchivedRequest, number: usize) -> std::result::Result<ImportedRequest, &'static str> {
    let url = archived.url.split('#').next().unwrap_or_default().to_owned();
    let parsed = parse_url(&url).map_err(|_| "their URLs are not of http or https")?;
    let method: Method = archived.method.parse().map_err(|_| "their method cannot be sent")?;
    let mut headers = Vec::new();
    for pair in &archived.headers {
        let name = pair.name.trim();
        // Fields of HTTP/2 begin with a colon. roundup asks for the codings that it can undo.
        let is_own =
            name.starts_with(':') || is_of_the_connection(name) || name.eq_ignore_ascii_case("accept-encoding");
        let is_host = name.eq_ignore_ascii_case("host");
        let authority = &parsed[url::Position::BeforeHost..url::Position::AfterPort];
        if is_own || (is_host && pair.value.trim().eq_ignore_ascii_case(authority)) {
            continue;
        }
        let field = Field::new(name, &pair.value).map_err(|_| "they have fields that cannot be sent")?;
        headers.push((field.name().to_owned(), Some(pair.value.trim().to_owned())));
    }
    let mut request = ImportedRequest {
        place: format!("entry {number}"),
        method: Some(method.as_str().to_owned()),
        url,
        headers,
        ..ImportedRequest::default()
    };
    if let Some(content) = &archived.post_data {
        let is_multipart = content.mime_type.starts_with("multipart/");
        match (&content.text, &content.params[..]) {
            (Some(_), _) if content.encoding.is_some() => return Err("their content is not text"),
            (Some(text), _) if is_multipart && !text.is_empty() => return Err("multipart forms are not sent"),
            (Some(text), _) if !text.is_empty() => request.content = Some(text.clone()),
            (_, []) => {}
            (_, _) if is_multipart => return Err("multipart forms are not sent"),
            (_, params) => request.content = Some(form(params)),
        }
        if request.content.is_some() && !request.has_header("content-type") {
            let named = Some(content.mime_type.clone()).filter(|kind| !kind.is_empty());
            request.headers.push(("Content-Type".to_owned(), named));
        }
    }
    Ok(request)
}

/// Names and values as a form has them: browsers leave them encoded, others do not.
fn form(params: &[ArchivedPair]) -> String {
    let encoded = |text: &str| {
        let is_encoded = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%+*".contains(&b));
        if is_encoded {
            text.to_owned()
        } else {
            crate::http::percent::encode(text.as_bytes(), crate::http::percent::COMPONENT)
        }
    };
    let pairs = params.iter().map(|pair| format!("{}={}", encoded(&pair.name), encoded(&pair.value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[derive(Deserialize)]
struct Archive {
    log: ArchivedLog,
}

#[derive(Deserialize)]
struct ArchivedLog {
    entries: Vec<ArchivedEntry>,
}

#[derive(Deserialize)]
struct ArchivedEntry {
    request: ArchivedRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchivedRequest {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<ArchivedPair>,
    #[serde(default)]
    post_data: Option<ArchivedContent>,
}

#[derive(Deserialize)]
struct ArchivedPair {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchivedContent {
    #[serde(default)]
    mime_type: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    params: Vec<ArchivedPair>,
    /// Of content that is not text: `base64`.
    #[serde(default)]
    encoding: Option<String>,
}
