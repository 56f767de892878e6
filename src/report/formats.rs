//! The report formats that there are: a row each. A new format is a file with a [`Report`](super::Report) and a row here.

use std::path::Path;
use std::str::FromStr;

use super::csv::Csv;
use super::format::Format;
use super::har::Har;
use super::html::HtmlPage;
use super::json::JsonDocument;
use super::jsonl::JsonLines;
use super::junit::JUnit;
use super::markdown::Markdown;
use super::prometheus::Prometheus;
use super::table::Table;
use crate::error::{Error, Kind, Result};

#[rustfmt::skip]
static FORMATS: &[Format] = &[
    Format { name: "json", endings: &["json"], about: "one JSON document", report: |_| Box::new(JsonDocument) },
    Format { name: "jsonl", endings: &["jsonl", "ndjson"], about: "an object a line, as results come", report: |_| Box::new(JsonLines) },
    Format { name: "table", endings: &["txt"], about: "a table for people", report: |style| Box::new(Table::new(style.clone())) },
    Format { name: "html", endings: &["html", "htm"], about: "a page for people", report: |_| Box::new(HtmlPage) },
    Format { name: "md", endings: &["md", "markdown"], about: "Markdown for wikis and issues", report: |_| Box::new(Markdown) },
    Format { name: "csv", endings: &["csv"], about: "rows for spreadsheets", report: |_| Box::new(Csv) },
    Format { name: "har", endings: &["har"], about: "an HTTP Archive, for viewers of browsers", report: |_| Box::new(Har) },
    Format { name: "junit", endings: &["xml"], about: "JUnit XML, for CI servers", report: |_| Box::new(JUnit) },
    Format { name: "prom", endings: &["prom"], about: "gauges for Prometheus", report: |_| Box::new(Prometheus) },
    #[cfg(feature = "sql")]
    Format { name: "sqlite", endings: &["sqlite", "sqlite3", "db"], about: "a database, a table a table", report: |_| Box::new(super::sqlite_file::SqliteFile) },
    #[cfg(feature = "xlsx")]
    Format { name: "xlsx", endings: &["xlsx"], about: "a workbook of Excel, a sheet a table", report: |_| Box::new(super::xlsx::Xlsx) },
];

/// Formats that a build may lack: name, endings of their files, cargo feature.
const OF_FEATURES: &[(&str, &[&str], &str)] =
    &[("sqlite", &["sqlite", "sqlite3", "db"], "sql"), ("xlsx", &["xlsx"], "xlsx")];

/// The format that this text names or that the ending of this file is of, and its feature, if this build lacks it.
fn lacking(text: &str) -> Option<(&'static str, &'static str)> {
    let ending = Path::new(text).extension();
    let is_meant = |name: &str, endings: &[&str]| {
        text == name || ending.is_some_and(|ending| endings.iter().any(|one| ending.eq_ignore_ascii_case(one)))
    };
    let (name, _, feature) = OF_FEATURES.iter().find(|(name, endings, _)| is_meant(name, endings))?;
    (!FORMATS.iter().any(|format| format.name == *name)).then_some((name, feature))
}

impl Format {
    /// All formats that come with roundup.
    pub fn all() -> &'static [Format] {
        FORMATS
    }

    /// The format that files with this ending are in, whatever the case of its letters.
    ///
    /// ```
    /// use roundup::report::Format;
    /// assert_eq!(Format::of_file("out/report.CSV").map(|format| format.name), Some("csv"));
    /// assert_eq!(Format::of_file("csv"), None);
    /// ```
    pub fn of_file(path: impl AsRef<Path>) -> Option<Format> {
        let ending = path.as_ref().extension()?;
        FORMATS.iter().find(|format| format.endings.iter().any(|one| ending.eq_ignore_ascii_case(one))).copied()
    }
}

impl FromStr for Format {
    type Err = Error;

    /// # Errors
    /// [`Kind::Config`] with the valid names, or with the feature that this build lacks.
    fn from_str(text: &str) -> Result<Format> {
        if let Some((name, feature)) = lacking(text) {
            let text = format!("this build writes no {name}: it lacks the feature {feature}");
            return Err(Error::new(Kind::Config, text));
        }
        FORMATS.iter().find(|format| format.name == text).copied().ok_or_else(|| {
            let names = FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ");
            Error::new(Kind::Config, format!("{text:?} is not a report format: write one of {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for format in Format::all() {
            assert_eq!(format.to_string().parse::<Format>().ok(), Some(*format));
        }
        let error = "XML\n".parse::<Format>().expect_err("no such format");
        let said =
            r#""XML\n" is not a report format: write one of json, jsonl, table, html, md, csv, har, junit, prom"#;
        assert!(error.to_string().starts_with(said), "{error}");
    }

    #[test]
    fn a_format_that_the_build_lacks_names_its_feature() {
        for (name, endings, feature) in OF_FEATURES {
            let is_there = FORMATS.iter().any(|format| format.name == *name && format.endings == *endings);
            for text in [(*name).to_owned(), format!("out/a.{}", endings[0].to_uppercase())] {
                let said = format!("this build writes no {name}: it lacks the feature {feature}");
                let error = text.parse::<Format>().err().map(|error| error.to_string());
                let lacks = error.is_some_and(|error| error.contains(&said));
                assert_eq!(lacks, !is_there, "{text}");
            }
        }
    }

    #[test]
    fn rows_do_not_contradict_each_other() {
        let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        let endings: Vec<&str> = FORMATS.iter().flat_map(|format| format.endings).copied().collect();
        for list in [&names, &endings] {
            for (at, one) in list.iter().enumerate() {
                assert!(!list[..at].contains(one), "{one} stands twice");
                assert_eq!(one.to_ascii_lowercase(), *one);
            }
        }
        for format in Format::all() {
            assert_eq!(Format::of_file(format!("x.{}", format.endings[0])), Some(*format));
        }
    }
}
