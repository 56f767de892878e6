//! A report by a template of the user's, in the language of Jinja (<https://jinja.palletsprojects.com/templates/>), by
//! minijinja.
//!
//! ```text
//! # {{ title }}
//! {% for source in sources if not source.ok %}- {{ source.name }}: {{ source.error }}
//! {% endfor %}
//! ```
//!
//! | name | what it is |
//! |---|---|
//! | `title` | the title of the report, or none |
//! | `started`, `elapsed_ms`, `interrupted` | of the run |
//! | `summary` | `total`, `ok`, `failed`, `cancelled`, `skipped`, `retried`, `attempts`, `bytes`, `slowest_ms`, `tax_ms` |
//! | `tables` | of the report, by name: `tables.prices.rows` has an object a row, `.columns`, `.title` and `.notes` are beside it |
//! | `sources` | an object a source with the columns of the table `sources`; `data` has the values of `select` |
//!
//! What a template writes is escaped by the ending of its name before `.j2`: `.html`, `.htm` and `.xml` as HTML, `.json` and
//! `.yaml` as JSON. A template may take 8 million steps, and 200 more for
//! each source and row, and write 256 MiB; a step is an operation, or 64 bytes of text that it makes; it reads no other file.

use std::fmt;
use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, Value, context};
use serde_json::{Map, Number};

use super::format::Report;
use super::run_info::RunInfo;
use super::{redacted, shown};
use crate::milliseconds::whole_ms;
use crate::outcome::{Outcome, Summary};
use crate::redact::Redactor;
use crate::rows::{Cell, DataTable};
use crate::tables::sources;

/// How many steps any template may take. minijinja counts a step for each 64 bytes that a template makes, too, so this many
/// are at most 512 MiB of memory.
const STEPS: u64 = 8_000_000;
/// How many more it may take for each source and row, which take memory themselves.
const STEPS_OF_ROW: u64 = 200;
/// The most bytes that a template may write.
const MOST_BYTES: usize = 256 << 20;

/// A report by a template in the language of Jinja.
pub struct TemplateReport {
    environment: Environment<'static>,
    name: String,
}

impl TemplateReport {
    /// A report by this template. The ending of the name, before `.j2`, says how values are escaped.
    ///
    /// # Errors
    /// A template that is not in the language; it names the line.
    pub fn new(name: &str, source: &str) -> io::Result<TemplateReport> {
        let mut environment = Environment::new();
        // As Ansible has it: a line with nothing but a block on it leaves no empty line behind.
        environment.set_syntax(
            SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(|error| wrong(&error))?,
        );
        let name = name.strip_suffix(".j2").unwrap_or(name);
        environment.add_template_owned(name.to_owned(), source.to_owned()).map_err(|error| wrong(&error))?;
        Ok(TemplateReport { environment, name: name.to_owned() })
    }
}

impl fmt::Debug for TemplateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TemplateReport({})", self.name)
    }
}

impl Report for TemplateReport {
    fn finish(
        &mut self,
        out: &mut dyn Write,
        run: &RunInfo,
        summary: &Summary,
        outcomes: &[Outcome],
    ) -> io::Result<()> {
        let redactor = &run.redactor;
        let tables: Map<String, serde_json::Value> = run
            .tables
            .iter()
            .map(|one| (redacted::text(redactor, &one.name).into_owned(), table(redactor, one)))
            .collect();
        let values = context! {
            title => run.title.as_deref().map(|title| redacted::text(redactor, title)),
            started => run.start_text(),
            elapsed_ms => whole_ms(run.elapsed),
            interrupted => run.interrupted,
            summary => of(summary),
            tables => of(tables),
            sources => of(objects(redactor, &sources(outcomes))),
        };
        let rows = outcomes.len() + run.tables.iter().map(|table| table.rows.len()).sum::<usize>();
        let steps = STEPS.saturating_add((rows as u64).saturating_mul(STEPS_OF_ROW));
        self.environment.set_fuel(Some(steps));
        let template = self.environment.get_template(&self.name).map_err(|error| wrong(&error))?;
        let mut bounded = Bounded { out, room: MOST_BYTES };
        template.render_captured_to(values, &mut bounded).map(drop).map_err(|error| match error.kind() {
            ErrorKind::OutOfFuel => invalid(&error, &format!("the template takes more than {steps} steps, of which 64 bytes of text are one: make it loop over less")),
            _ => wrong(&error),
        })
    }
}

fn of(value: impl serde::Serialize) -> Value {
    Value::from(Serde(value))
}

/// What went wrong in one line, with the line of the template.
fn wrong(error: &minijinja::Error) -> io::Error {
    let what = match error.kind() {
        ErrorKind::WriteFailure => {
            format!("the template writes more than {} MiB, or its file is full", MOST_BYTES >> 20)
        }
        kind => error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
    };
    invalid(error, &what)
}

/// This, with the line of the template.
fn invalid(error: &minijinja::Error, what: &str) -> io::Error {
    let place = match (error.name(), error.line()) {
        (Some(name), Some(line)) => format!("{name}:{line}: "),
        _ => String::new(),
    };
    io::Error::new(io::ErrorKind::InvalidData, format!("{place}{what}"))
}

fn table(redactor: &Redactor, table: &DataTable) -> serde_json::Value {
    serde_json::json!({
        "title": shown::title(redactor, table),
        "columns": table.columns.iter().map(|column| redacted::text(redactor, column)).collect::<Vec<_>>(),
        "rows": objects(redactor, table),
        "notes": table.notes.iter().map(|note| redacted::text(redactor, note)).collect::<Vec<_>>(),
    })
}

/// The rows as objects.
fn objects(redactor: &Redactor, table: &DataTable) -> Vec<serde_json::Value> {
    let columns: Vec<String> =
        table.columns.iter().map(|column| redacted::text(redactor, column).into_owned()).collect();
    let object = |row: &Vec<Cell>| {
        let cells = row.iter().map(|cell| value(redactor, cell));
        serde_json::Value::Object(columns.iter().cloned().zip(cells).collect())
    };
    table.rows.iter().map(object).collect()
}

/// A value that templates can reckon with. A number whose digits do not fit is text, so that none is lost.
fn value(redactor: &Redactor, cell: &Cell) -> serde_json::Value {
    let text = shown::cell(redactor, cell);
    match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Bool(value) => (*value).into(),
        Cell::Text(_) => text.into(),
        Cell::Json(_) => serde_json::from_str(&text).unwrap_or_else(|_| text.into()),
        Cell::Number(_) => match (text.parse::<i64>(), text.parse::<f64>().ok().and_then(Number::from_f64)) {
            (Ok(integer), _) => integer.into(),
            (_, Some(number)) if text.len() <= 17 => number.into(),
            _ => text.into(),
        },
    }
}

/// Passes on what is written until there is no room.
struct Bounded<'w> {
    out: &'w mut dyn Write,
    room: usize,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room = self.room.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.out.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
