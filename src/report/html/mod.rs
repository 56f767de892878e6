//! The report as one HTML page for people: verdict and figures, the report's tables, when each source was fetched, and the
//! sources with what went wrong.
//!
//! ```text
//! head ──> verdict ──> tables ──> timeline ──> sources
//! ```
//!
//! The page asks for nothing from anywhere, and its Content-Security-Policy allows nothing but its own script and style,
//! told by their hashes. It can be read without the script, which sorts and filters. Long tables and long lists are bounded,
//! so that a page of 100,000 sources stays below 10 MB; what is left out is said.

mod markup;
mod segments;
mod sources;
mod tables;
mod timeline;
mod verdict;

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::format::{Needs, Report};
use super::run_info::RunInfo;
use crate::outcome::{Outcome, Summary};
use markup::Markup;

/// One HTML page with everything that people want to know of a run.
#[derive(Clone, Copy, Debug)]
pub struct HtmlPage;

impl Report for HtmlPage {
    fn needs(&self) -> Needs {
        Needs { contents: true, ..Needs::default() }
    }

    fn finish(
        &mut self,
        out: &mut dyn Write,
        run: &RunInfo,
        summary: &Summary,
        outcomes: &[Outcome],
    ) -> io::Result<()> {
        let mut page = Markup::new(out, &run.redactor);
        head(&mut page, run)?;
        verdict::write(&mut page, run, summary, outcomes)?;
        page.raw("<main>\n")?;
        for (number, table) in run.tables.iter().enumerate() {
            tables::write(&mut page, number + 1, table)?;
        }
        if !outcomes.is_empty() {
            timeline::write(&mut page, run, outcomes)?;
            sources::write(&mut page, outcomes)?;
        }
        page.raw("</main>\n<footer><p>Made by roundup ")?;
        page.raw(env!("CARGO_PKG_VERSION"))?;
        page.raw(". Times are UTC.</p></footer>\n<script>")?;
        page.raw(SCRIPT)?;
        page.raw("</script>\n</body>\n</html>\n")
    }
}

fn head(page: &mut Markup<'_>, run: &RunInfo) -> io::Result<()> {
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")?;
    page.raw(format_args!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src '{}'; style-src '{}'; \
         img-src data:; base-uri 'none'; form-action 'none'\">\n",
        source_hash(SCRIPT),
        source_hash(STYLE)
    ))?;
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")?;
    page.raw("<meta name=\"referrer\" content=\"no-referrer\">\n<title>")?;
    page.own(title(run))?;
    page.raw("</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>")?;
    page.raw(STYLE)?;
    page.raw("</style>\n</head>\n<body>\n")
}

fn title(run: &RunInfo) -> &str {
    run.title.as_deref().unwrap_or("Report")
}

/// How a policy names a script or a style by its content (Content Security Policy Level 3, section 2.3.1).
fn source_hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(hmac_sha256::Hash::hash(text.as_bytes())))
}

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
