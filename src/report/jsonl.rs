//! The report as JSON Lines: an object a result, as results come in, one a table of the report, and a last one with the totals.
//!
//! ```text
//! {"type":"shard","shard":"3/8","plan":"0123456789abcdef0123456789abcdef"}
//! {"type":"rows","index":1,"name":"list","page":1,"rows":[{"table":"prices","columns":["sku","price"],"rows":[["A1",9.50]]}]}
//! {"type":"result","index":0,"name":"weather[oslo]",..}
//! {"type":"table","name":"prices","columns":["sku","price"],"rows":[["A1",9.50]],..}
//! {"type":"summary","roundup":"0.1.0","started":"2026-01-31T12:00:00.000Z",..,"total":50,..}
//! ```
//!
//! The line of the shard is there if the run is a part of its plan. `index` is the place in the input, from 0, because lines
//! come in the order of arrival. No line holds a raw line break
//! of any kind. A long line is written in several pieces: flush a buffered writer after each line.

use std::io::{self, Write};

use super::cells;
use super::cutoff::Cutoff;
use super::escape::buffered;
use super::format::{Needs, Report};
use super::json::{self, Object};
use super::run_info::RunInfo;
use crate::outcome::{Outcome, PageRows, Summary};
use crate::redact::Redactor;
use crate::redacted;
use crate::shard::ShardRun;

/// JSON Lines: a line a result as it comes in, contents included, and a last one with the totals, by which a reader knows
/// that nothing is missing.
#[derive(Clone, Copy, Debug)]
pub struct JsonLines;

impl Report for JsonLines {
    fn needs(&self) -> Needs {
        Needs { contents: true, streams: true, ..Needs::default() }
    }

    fn shard(&mut self, out: &mut dyn Write, shard: &ShardRun) -> io::Result<()> {
        buffered(out, |out| {
            let mut line = Object::open(out)?;
            line.field("type", "shard")?;
            json::shard(&mut line, Some(shard))?;
            line.close()?;
            out.write_all(b"\n")
        })
    }

    fn result(&mut self, out: &mut dyn Write, redactor: &Redactor, outcome: &Outcome) -> io::Result<()> {
        buffered(out, |out| {
            let mut line = Object::open(out)?;
            line.field("type", "result")?;
            line.field("index", &outcome.index)?;
            // A line is written as its result comes in, and the run goes on meanwhile.
            json::result(&mut line, redactor, outcome, &Cutoff::default())?;
            line.close()?;
            out.write_all(b"\n")
        })
    }

    fn rows(&mut self, out: &mut dyn Write, redactor: &Redactor, page: &PageRows) -> io::Result<()> {
        buffered(out, |out| {
            let mut line = Object::open(out)?;
            line.field("type", "rows")?;
            line.field("index", &page.index)?;
            line.text("name", &redacted::text(redactor, &page.name))?;
            line.field("page", &page.page)?;
            cells::write_rows(line.key("rows")?, redactor, &page.rows)?;
            line.close()?;
            out.write_all(b"\n")
        })
    }

    fn finish(&mut self, out: &mut dyn Write, run: &RunInfo, summary: &Summary, _: &[Outcome]) -> io::Result<()> {
        buffered(out, |out| {
            for table in &run.tables {
                let mut line = Object::open(out)?;
                line.field("type", "table")?;
                json::table(&mut line, &run.redactor, table)?;
                line.close()?;
                out.write_all(b"\n")?;
            }
            let mut line = Object::open(out)?;
            line.field("type", "summary")?;
            json::head(&mut line, run)?;
            json::totals(&mut line, summary)?;
            line.close()?;
            out.write_all(b"\n")
        })
    }
}
