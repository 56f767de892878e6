//! What every report format is: a [`Report`] to write, and a [`Format`] by which it is named and made.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use super::run_info::RunInfo;
use super::style::Style;
use crate::outcome::{Outcome, PageRows, Summary};
use crate::redact::Redactor;
use crate::shard::ShardRun;

/// A report in one format.
///
/// Calls come in this order: [`needs`](Report::needs) and [`check_old_file`](Report::check_old_file) before the run, [`begin`](Report::begin),
/// [`shard`](Report::shard) if the run is a part of its plan, [`result`](Report::result) for each result if the report streams, [`finish`](Report::finish). All but `needs` may
/// block. What is written to `out` is buffered by the caller, who also flushes it after each call.
///
/// Secrets are hidden by the report: everything that it takes from an outcome has to pass the redactor.
pub trait Report: fmt::Debug + Send {
    /// What it needs of the run.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Whether it is for people to read and shows every failure. Messages for people may then stand beside it, and
    /// failures need not be repeated elsewhere.
    fn is_for_people(&self) -> bool {
        false
    }

    /// Whether the file that is there already may make place for this report. By default any may.
    ///
    /// # Errors
    /// Why it has to stay.
    fn check_old_file(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Starts the report, before the first request.
    ///
    /// # Errors
    /// What `out` returns, or any other reason why the report cannot be written.
    fn begin(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// Says before the first result which part of its plan the run is, so that it can be told of a report that was cut, too.
    /// Called only if the report [streams](Needs::streams).
    ///
    /// # Errors
    /// As for [`begin`](Report::begin).
    fn shard(&mut self, _out: &mut dyn Write, _shard: &ShardRun) -> io::Result<()> {
        Ok(())
    }

    /// Takes one result as it comes in, in no order. Called only if the report [streams](Needs::streams).
    ///
    /// # Errors
    /// As for [`begin`](Report::begin).
    fn result(&mut self, _out: &mut dyn Write, _redactor: &Redactor, _outcome: &Outcome) -> io::Result<()> {
        Ok(())
    }

    /// Takes the rows of one page of a source as they come in, whose result comes later without them. Called only if the
    /// report [streams](Needs::streams).
    ///
    /// # Errors
    /// As for [`begin`](Report::begin).
    fn rows(&mut self, _out: &mut dyn Write, _redactor: &Redactor, _page: &PageRows) -> io::Result<()> {
        Ok(())
    }

    /// Ends the report. `outcomes` are all results in input order; if the report streams it has had each of them before,
    /// and they may have lost their contents since.
    ///
    /// # Errors
    /// As for [`begin`](Report::begin).
    fn finish(&mut self, out: &mut dyn Write, run: &RunInfo, summary: &Summary, outcomes: &[Outcome])
    -> io::Result<()>;

    /// Writes the whole report of a run that is over, results in the order given. Use a buffered writer.
    ///
    /// # Errors
    /// What `out` returns.
    fn write(&mut self, out: &mut dyn Write, run: &RunInfo, outcomes: &[Outcome]) -> io::Result<()> {
        self.begin(out)?;
        if self.needs().streams {
            for outcome in outcomes {
                self.result(out, &run.redactor, outcome)?;
            }
        }
        self.finish(out, run, &run.summary(outcomes), outcomes)
    }
}

/// What a report needs of the run. The default needs nothing: it gets outcomes without contents, all at the end.
///
/// Build it with `..Needs::default()`: formats to come will need more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The content of responses, which is kept in memory for it.
    pub contents: bool,
    /// Results one by one as they come in. Otherwise it gets all of them at the end.
    pub streams: bool,
    /// A report of its own for each table, because it can hold one table alone.
    pub one_table: bool,
    /// The fields of responses, which the run then keeps.
    pub fields: bool,
}

/// A report format: what it is called and how a report in it is made. [`Format::all`] lists those that come with roundup;
/// others are made by filling in the fields.
#[derive(Clone, Copy)]
pub struct Format {
    /// Its name on the command line and in plans, in lower case.
    pub name: &'static str,
    /// How names of files in this format end, without the dot, the usual ending first.
    pub endings: &'static [&'static str],
    /// What it is, in a few words for people.
    pub about: &'static str,
    /// Makes a report in it.
    pub report: fn(&Style) -> Box<dyn Report>,
}

impl Format {
    /// What a report in this format needs of the run.
    pub fn needs(&self) -> Needs {
        (self.report)(&Style::default()).needs()
    }

    /// Whether a report in this format is for people to read: see [`Report::is_for_people`].
    pub fn is_for_people(&self) -> bool {
        (self.report)(&Style::default()).is_for_people()
    }
}

impl PartialEq for Format {
    /// Formats are one if they have one name.
    fn eq(&self, other: &Format) -> bool {
        self.name == other.name
    }
}

impl Eq for Format {}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Format({})", self.name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
