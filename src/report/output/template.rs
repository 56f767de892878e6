//! `template:FILE`: the template of a report.

use std::path::{Path, PathBuf};

use super::super::format::{Format, Report};
use crate::error::{Error, Kind, Result};

/// The format of reports by a template. It is not in the list of formats, because its name alone is none.
pub(super) const FORMAT: Format = Format {
    name: "template",
    endings: &[],
    about: "a template of your own",
    report: |style| Box::new(super::super::table::Table::new(style.clone())),
};

/// The template that `template:FILE` names.
pub(super) fn named(text: &str) -> Result<Option<PathBuf>> {
    let file = text.strip_prefix("template:").filter(|file| !file.is_empty());
    let file = file.ok_or_else(|| {
        let message =
            format!("{text:?} names no template: write template:FILE.j2=REPORT, or template:FILE.j2 for stdout");
        Error::new(Kind::Config, message)
    })?;
    Ok(Some(file.into()))
}

/// Reads a template.
#[cfg(feature = "template")]
pub(super) fn read(file: &Path) -> Result<Box<dyn Report>> {
    use std::io::{self, Read};

    const MOST_BYTES: u64 = 16 << 20;

    let read = || {
        let mut text = String::new();
        std::fs::File::open(file)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MOST_BYTES {
            return Err(io::Error::other(format!("it is larger than {} MiB", MOST_BYTES >> 20)));
        }
        // The mark that editors of Windows put before a text is no part of it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        super::super::template::TemplateReport::new(&file.to_string_lossy(), text)
    };
    let template = read().map_err(|error| {
        Error::new(Kind::Config, format!("the template {file:?} cannot be used")).with_source(error)
    })?;
    Ok(Box::new(template))
}

#[cfg(not(feature = "template"))]
pub(super) fn read(_: &Path) -> Result<Box<dyn Report>> {
    Err(Error::new(Kind::Config, "this build cannot use templates: take one with the cargo feature \"template\""))
}
