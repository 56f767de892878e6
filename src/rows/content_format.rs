//! What content is read as.

use serde::{Deserialize, Serialize};

/// What content is read as, if values or rows are taken out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentFormat {
    /// Its form.
    pub form: ContentForm,
    /// What stands between the values of a line of CSV; a comma by default, a tab for `text/tab-separated-values`.
    pub delimiter: Option<char>,
    /// Its charset, whatever Content-Type says. By default it is UTF-8 if it can be, otherwise what Content-Type says.
    pub charset: Option<Box<str>>,
}

/// A form of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentForm {
    /// What Content-Type says, and JSON if that says none of these.
    #[default]
    Auto,
    /// One JSON document.
    Json,
    /// JSON Lines: a JSON value a line, each of which is a row.
    Ndjson,
    /// Comma-separated values (RFC 4180): a line of names, and then a row a line, all values texts.
    Csv,
    /// One XML document, whose elements are found as members of JSON: `/feed/entry`, `/feed/@version`.
    Xml,
    /// Text, in which only regular expressions look for something.
    Text,
}

impl ContentForm {
    /// All forms.
    pub const ALL: [ContentForm; 6] = [
        ContentForm::Auto,
        ContentForm::Json,
        ContentForm::Ndjson,
        ContentForm::Csv,
        ContentForm::Xml,
        ContentForm::Text,
    ];

    /// Its name in a plan.
    pub fn as_str(self) -> &'static str {
        match self {
            ContentForm::Auto => "auto",
            ContentForm::Json => "json",
            ContentForm::Ndjson => "ndjson",
            ContentForm::Csv => "csv",
            ContentForm::Xml => "xml",
            ContentForm::Text => "text",
        }
    }

    /// Whether each of its lines is a row.
    pub fn has_lines(self) -> bool {
        matches!(self, ContentForm::Ndjson | ContentForm::Csv)
    }
}

impl ContentFormat {
    /// The form of content of this type: never [`ContentForm::Auto`].
    pub fn form_of(&self, content_type: Option<&str>) -> ContentForm {
        if self.form != ContentForm::Auto {
            return self.form;
        }
        let essence = essence(content_type);
        let is_one_of = |types: &[&str]| types.iter().any(|one| essence.eq_ignore_ascii_case(one));
        let ends_with = |end: &str| {
            let start = essence.len().checked_sub(end.len());
            start.and_then(|start| essence.get(start..)).is_some_and(|it| it.eq_ignore_ascii_case(end))
        };
        if is_one_of(&NDJSON) {
            ContentForm::Ndjson
        } else if is_one_of(&["text/csv", "application/csv", TSV]) {
            ContentForm::Csv
        // RFC 7303, section 4.2.
        } else if is_one_of(&["application/xml", "text/xml"]) || ends_with("+xml") {
            ContentForm::Xml
        } else {
            ContentForm::Json
        }
    }

    /// The form of this text of this type: never [`ContentForm::Auto`]. Some servers call JSON XML, which begins with a tag.
    pub fn form_of_text(&self, content_type: Option<&str>, text: &str) -> ContentForm {
        match self.form_of(content_type) {
            ContentForm::Xml if self.form == ContentForm::Auto && !text.trim_start().starts_with('<') => {
                ContentForm::Json
            }
            form => form,
        }
    }

    /// What stands between the values of a line of CSV, as a byte.
    pub fn delimiter_of(&self, content_type: Option<&str>) -> u8 {
        let by_type = if essence(content_type).eq_ignore_ascii_case(TSV) { b'\t' } else { b',' };
        self.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()).unwrap_or(by_type)
    }
}

/// The media types of JSON Lines.
const NDJSON: [&str; 6] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/json-lines",
    "application/jsonlines",
];

/// The media type of values that are separated by tabs.
const TSV: &str = "text/tab-separated-values";

/// The media type without parameters, in the case in which it was written.
fn essence(content_type: Option<&str>) -> &str {
    content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}
