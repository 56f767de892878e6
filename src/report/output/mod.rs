//! Where reports go: stdout or files. Opened before the run, so that a path that cannot be written costs no request.

#[cfg(feature = "watch")]
mod appended;
mod file;
mod part;
mod path;
mod template;

use std::io::{self, Write};
use std::iter;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::csv::WITH_BOM;
use super::format::{Format, Needs, Report};
use super::run_info::RunInfo;
use super::style::Style;
use crate::atomic_file::{folder_of, remove_leftovers};
use crate::error::{Error, Kind, Result};
use crate::outcome::{Outcome, PageRows, Summary};
use crate::redact::Redactor;
use crate::shard::ShardRun;
use file::OutputFile;

/// One report to write, as `--report` names it: `json`, `json=report.json`, `table=-`, `report.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it is written.
    pub format: Format,
    /// The template by which the format `template` writes it; `None` for all other formats.
    pub template: Option<PathBuf>,
    /// Where it goes.
    pub destination: Destination,
}

/// Where a report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The standard output.
    Stdout,
    /// A file that appears when the report is whole, in place of the one that was there.
    File(PathBuf),
    /// A file that grows: the report goes behind what is there.
    #[cfg(feature = "watch")]
    Append(PathBuf),
}

impl Destination {
    /// The path of the file; none for stdout.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Destination::Stdout => None,
            Destination::File(path) => Some(path),
            #[cfg(feature = "watch")]
            Destination::Append(path) => Some(path),
        }
    }

    /// Opens the file at this path of its.
    fn open_file(&self, path: &Path, streams: bool) -> io::Result<(PathBuf, OutputFile)> {
        #[cfg(feature = "watch")]
        if let Destination::Append(_) = self {
            return OutputFile::open_to_grow(path);
        }
        OutputFile::open(path, streams)
    }

    /// The same kind of destination with another path.
    pub fn at(&self, path: PathBuf) -> Destination {
        match self {
            Destination::Stdout => Destination::Stdout,
            Destination::File(_) => Destination::File(path),
            #[cfg(feature = "watch")]
            Destination::Append(_) => Destination::Append(path),
        }
    }
}

impl Output {
    /// Reads `FORMAT`, `FORMAT=FILE`, `csv:bom=FILE`, `template:TEMPLATE=FILE`, or a `FILE` whose ending tells the format. The file `-`, `/dev/stdout`, or none at
    /// all is stdout.
    ///
    /// ```
    /// use roundup::report::{Destination, Output};
    /// assert_eq!(Output::parse("json=out/a=b.json")?.destination, Destination::File("out/a=b.json".into()));
    /// assert_eq!(Output::parse("out/report.csv")?, Output::parse("csv=out/report.csv")?);
    /// assert_eq!(Output::parse("table=-")?, Output::parse("table")?);
    /// # Ok::<(), roundup::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Kind::Config`]: not a format, or no file after the `=`.
    pub fn parse(text: &str) -> Result<Output> {
        let (format, template, file) = match (text.split_once('='), text.starts_with("template")) {
            (Some((format, file)), true) => (template::FORMAT, template::named(format)?, file),
            (None, true) => (template::FORMAT, template::named(text)?, "-"),
            (Some((format, file)), false) => (format_of(format)?, None, file),
            (None, false) => match Format::of_file(text) {
                Some(format) => (format, None, text),
                None => (format_of(text)?, None, "-"),
            },
        };
        let destination = match file {
            "" => {
                let message = format!("{text:?} names no file: write {format}=FILE, or {format} alone for stdout");
                return Err(Error::new(Kind::Config, message));
            }
            "-" => Destination::Stdout,
            // Opened by its name, it would be a second writer in the same file, with a position of its own.
            "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" if cfg!(unix) => Destination::Stdout,
            file => Destination::File(file.into()),
        };
        Ok(Output { format, template, destination })
    }

    /// A report to this file, in the format that its ending tells. The path is taken as it is: in `a=b.csv` nothing is a format.
    ///
    /// # Errors
    /// [`Kind::Config`]: no format has such an ending.
    pub fn to_file(path: &Path) -> Result<Output> {
        let format = Format::of_file(path).ok_or_else(|| {
            let text =
                "the ending of the file tells the format of the report: write report.json, report.csv or report.html";
            Error::new(Kind::Config, text)
        })?;
        Ok(Output { format, template: None, destination: Destination::File(path.to_owned()) })
    }

    /// The same report behind a byte order mark, as `csv:bom=FILE` is written.
    ///
    /// # Errors
    /// [`Kind::Config`]: it is not CSV.
    pub fn with_bom(self) -> Result<Output> {
        if self.format.name != "csv" && self.format != WITH_BOM {
            let message = format!("a byte order mark is for csv, and this is {}", self.format);
            return Err(Error::new(Kind::Config, message));
        }
        Ok(Output { format: WITH_BOM, ..self })
    }

    /// Finds out whether its template can be read and is one, if it has one.
    ///
    /// # Errors
    /// What is wrong with it, with its line.
    pub fn check_template(&self) -> Result<()> {
        self.template.as_deref().map_or(Ok(()), |file| template::read(file).map(drop))
    }

    /// Writes something else than a report of a run to its place, as [`open`] does: a file appears when it is whole. May block.
    ///
    /// # Errors
    /// [`Kind::Io`], naming the destination: it cannot be written.
    pub fn write(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let (name, mut file) = match self.destination.path() {
            None => ("stdout".to_owned(), OutputFile::stdout()),
            Some(path) => {
                let (_, file) = self.destination.open_file(path, false).map_err(|cause| cannot_open(path, cause))?;
                (quoted(path), file)
            }
        };
        file.write(write).map_err(|cause| cannot_write(&name, "", cause))?;
        file.commit().map_err(|(cause, _)| cannot_write(&name, "", cause))
    }

    /// Whether both would be written to one file, or one to where the other is before it is whole.
    fn shares_a_file_with(&self, other: &Output) -> bool {
        match (self.destination.path(), other.destination.path()) {
            (Some(_), Some(_)) => {
                let others = other.files();
                self.files().iter().any(|file| others.iter().any(|other| path::is_one_file(file, other)))
            }
            (one, two) => one == two,
        }
    }

    /// The same report behind what is in its file, if its format is made of lines that can follow others; then each run adds
    /// its own.
    #[cfg(feature = "watch")]
    pub fn appended(self) -> Output {
        match self.destination {
            Destination::File(path) if self.format.needs().streams => {
                Output { destination: Destination::Append(path), ..self }
            }
            _ => self,
        }
    }

    /// The files that it takes: the one that is named, and `FILE.part` beside it if the report streams. None for stdout.
    pub fn files(&self) -> Vec<PathBuf> {
        let Some(path) = self.destination.path() else { return Vec::new() };
        let part = match path::resolve(path) {
            Ok((path, false)) if self.format.needs().streams && matches!(self.destination, Destination::File(_)) => {
                Some(part::of(&path))
            }
            _ => None,
        };
        iter::once(path.to_owned()).chain(part).collect()
    }
}

/// The format of this name, `csv:bom` among them.
fn format_of(name: &str) -> Result<Format> {
    if name == WITH_BOM.name { Ok(WITH_BOM) } else { name.parse() }
}

impl FromStr for Output {
    type Err = Error;

    fn from_str(text: &str) -> Result<Output> {
        Output::parse(text)
    }
}

/// Opens and begins all reports, or none: nothing that exists is changed unless all can be written. May block.
///
/// A file is written beside its place under another name and put there by [`OpenReport::finish`]; one that exists keeps
/// its permissions, and a symbolic link is followed. For a report that streams, the other name is `FILE.part`, where people
/// watch it grow, and which no other run can write at the same time. One that a killed run left is kept, see
/// [`OpenReport::kept`]. Devices and pipes are written as they are. Opening a named pipe waits for its reader. Temporary
/// files that killed runs left in the folders of reports are removed.
///
/// # Errors
/// [`Kind::Config`] if two reports have one destination, [`Kind::Io`] if one cannot be written or is written by another run.
/// Both name it.
pub fn open(outputs: &[Output], style: &Style) -> Result<Vec<OpenReport>> {
    try_open(outputs, style).map_err(|failure| failure.error)
}

/// A report that cannot be opened, and why.
#[derive(Debug)]
pub struct OpenFailure {
    /// Which one of those that were to be opened, from 0.
    pub output: usize,
    /// Why.
    pub error: Error,
}

/// The same as [`open`], which also says which of them cannot be opened.
///
/// # Errors
/// As for [`open`].
pub fn try_open(outputs: &[Output], style: &Style) -> Result<Vec<OpenReport>, OpenFailure> {
    // Before one is opened, because one of them could be locked against the other.
    check_places(outputs)?;
    let mut reports: Vec<OpenReport> = Vec::with_capacity(outputs.len());
    let mut folders: Vec<PathBuf> = Vec::new();
    for (index, output) in outputs.iter().enumerate() {
        let next = OpenReport::new(output, style).map_err(|error| OpenFailure { output: index, error })?;
        folders.extend(next.place.as_deref().map(|place| folder_of(place).to_owned()));
        reports.push(next);
    }
    folders.sort();
    folders.dedup();
    folders.iter().for_each(|folder| remove_leftovers(folder));
    for (index, report) in reports.iter_mut().enumerate() {
        report.begin().map_err(|error| OpenFailure { output: index, error })?;
    }
    Ok(reports)
}

/// Whether each of these reports has a place of its own.
///
/// # Errors
/// [`Kind::Config`]: two of them have one. It names both, and is of the second.
pub fn check_places(outputs: &[Output]) -> Result<(), OpenFailure> {
    for (index, output) in outputs.iter().enumerate() {
        let Some(other) = outputs[..index].iter().find(|other| other.shares_a_file_with(output)) else { continue };
        let (one, two) = (other.format, output.format);
        let name = output.destination.path().map_or_else(|| "stdout".to_owned(), quoted);
        let message = format!("two reports, {one} and {two}, cannot both go to {name}: give one of them another file");
        return Err(OpenFailure { output: index, error: Error::new(Kind::Config, message) });
    }
    Ok(())
}

/// A report whose output is open. Dropped without [`finish`](OpenReport::finish) it leaves no new file behind, but what
/// a report that streams has written stays in `FILE.part`.
#[derive(Debug)]
pub struct OpenReport {
    report: Box<dyn Report>,
    needs: Needs,
    /// As the user wrote it, for errors.
    name: String,
    /// The true path, which no other report may have too; `None` is stdout.
    place: Option<PathBuf>,
    file: OutputFile,
    kept: Option<PathBuf>,
}

impl OpenReport {
    fn new(output: &Output, style: &Style) -> Result<OpenReport> {
        let report = match &output.template {
            Some(file) => template::read(file)?,
            None if output.destination.path().is_none() => (output.format.report)(style),
            // The style is that of the terminal.
            None => (output.format.report)(&Style { columns: style.columns.clone(), ..Style::default() }),
        };
        let needs = report.needs();
        let (name, place, file) = match output.destination.path() {
            None => ("stdout".to_owned(), None, OutputFile::stdout()),
            Some(path) => {
                let (place, file) =
                    output.destination.open_file(path, needs.streams).map_err(|cause| cannot_open(path, cause))?;
                if file.replaces() {
                    report.check_old_file(&place).map_err(|cause| cannot_open(path, cause))?;
                }
                (quoted(path), Some(place), file)
            }
        };
        Ok(OpenReport { report, needs, name, place, file, kept: None })
    }

    /// What it needs of the run.
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// Whether it is for people to read: see [`Report::is_for_people`].
    pub fn is_for_people(&self) -> bool {
        self.report.is_for_people()
    }

    /// Whether it goes to stdout, where other output may go too.
    pub fn is_stdout(&self) -> bool {
        self.place.is_none()
    }

    /// Where the unfinished report of an earlier run is, which was killed as it wrote this one: `FILE.part.1`, or with the
    /// next number that was free. It has a line for each result that the run had by then.
    pub fn kept(&self) -> Option<&Path> {
        self.kept.as_deref()
    }

    /// Says which part of its plan the run is, before the first result, if the report streams. May block.
    ///
    /// # Errors
    /// As for [`results`](OpenReport::results).
    pub fn shard(&mut self, shard: &ShardRun) -> Result<()> {
        if !self.needs.streams {
            return Ok(());
        }
        self.write(|report, out| report.shard(out, shard))
    }

    /// Writes these results, if the report streams. May block.
    ///
    /// # Errors
    /// [`Kind::Io`], naming the destination, with the [`io::Error`] as source: a closed pipe shows there.
    pub fn results(&mut self, redactor: &Redactor, outcomes: &[Outcome]) -> Result<()> {
        if !self.needs.streams {
            return Ok(());
        }
        self.write(|report, out| outcomes.iter().try_for_each(|outcome| report.result(out, redactor, outcome)))
    }

    /// Writes the rows of a page, if the report streams. May block.
    ///
    /// # Errors
    /// As for [`results`](OpenReport::results).
    pub fn rows(&mut self, redactor: &Redactor, page: &PageRows) -> Result<()> {
        if !self.needs.streams {
            return Ok(());
        }
        self.write(|report, out| report.rows(out, redactor, page))
    }

    /// Whether it is to take the place of a file when it is whole, so that dropping it leaves that file as it is.
    #[cfg(feature = "watch")]
    pub fn replaces_a_file(&self) -> bool {
        self.file.replaces()
    }

    /// Writes what comes at the end, and puts the file in its place, synced to the disk. May block.
    ///
    /// If the file cannot be renamed, as onto a mount point, its content is copied; if that fails too it is kept, and the
    /// error says where.
    ///
    /// # Errors
    /// As for [`results`](OpenReport::results).
    pub fn finish(mut self, run: &RunInfo, summary: &Summary, outcomes: &[Outcome]) -> Result<()> {
        self.write(|report, out| report.finish(out, run, summary, outcomes))?;
        self.file.commit().map_err(|(cause, kept)| {
            let hint = kept.map(|path| format!(", it is kept in {}", quoted(&path))).unwrap_or_default();
            cannot_write(&self.name, &hint, cause)
        })
    }

    fn begin(&mut self) -> Result<()> {
        self.kept = self.file.begin().map_err(|cause| cannot_write(&self.name, "", cause))?;
        self.write(|report, out| report.begin(out))
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn Report, &mut dyn Write) -> io::Result<()>) -> Result<()> {
        let report = &mut *self.report;
        self.file.write(|out| write(report, out)).map_err(|cause| cannot_write(&self.name, "", cause))
    }
}

/// Says what is wrong with the path and what would be right.
fn cannot_open(path: &Path, cause: io::Error) -> Error {
    let name = quoted(path);
    let folder = folder_of(path);
    let message = match cause.kind() {
        _ if path.is_dir() || cause.kind() == io::ErrorKind::IsADirectory => {
            format!("cannot write the report to {name}: it is a folder, name a file in it")
        }
        io::ErrorKind::ResourceBusy => format!("cannot write the report to {name}"),
        io::ErrorKind::NotFound if !folder.exists() => {
            format!(
                "cannot write the report to {name}: there is no folder {}, create it or name another",
                quoted(folder)
            )
        }
        io::ErrorKind::NotADirectory => {
            format!("cannot write the report to {name}: {} is not a folder, name another", quoted(folder))
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("cannot write the report to {name}: name a file that may be written in a folder that may be")
        }
        _ => format!("cannot write the report to {name}: name another file"),
    };
    Error::new(Kind::Io, message).with_source(cause)
}

fn cannot_write(name: &str, hint: &str, cause: io::Error) -> Error {
    Error::new(Kind::Io, format!("cannot write the report to {name}{hint}")).with_source(cause)
}

/// The path in quotes, with whatever could break a line escaped.
fn quoted(path: &Path) -> String {
    format!("{path:?}")
}
