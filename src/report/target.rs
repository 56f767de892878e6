//! Where reports go: stdout or files. Opened before the run, so that a path that cannot be written costs no request.

mod placed;

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::format::Format;
use crate::error::{Error, Kind, Result};
use placed::Placed;

/// One report to write, as `--report` names it: `json`, `json=report.json`, `table=-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How it is written.
    pub format: Format,
    /// Where it goes.
    pub destination: Destination,
}

/// Where a report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl Target {
    /// Reads `FORMAT` or `FORMAT=FILE`, where the file `-`, `/dev/stdout`, or none at all is stdout.
    ///
    /// ```
    /// use roundup::report::{Destination, Target};
    /// assert_eq!(Target::parse("json=out/a=b.json")?.destination, Destination::File("out/a=b.json".into()));
    /// assert_eq!(Target::parse("table=-")?, Target::parse("table")?);
    /// # Ok::<(), roundup::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Kind::Config`]: not a format, or no file after the `=`.
    pub fn parse(text: &str) -> Result<Target> {
        let (format, file) = text.split_once('=').map_or((text, "-"), |(format, file)| (format, file));
        let format: Format = format.parse()?;
        let destination = match file {
            "" => {
                let message = format!("{text:?} names no file: write {format}=FILE, or {format} alone for stdout");
                return Err(Error::new(Kind::Config, message));
            }
            "-" => Destination::Stdout,
            // Opened by its name it would be a second writer with a place of its own in the same file.
            "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" if cfg!(unix) => Destination::Stdout,
            file => Destination::File(file.into()),
        };
        Ok(Target { format, destination })
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Target> {
        Target::parse(text)
    }
}

/// Opens all targets, or none: nothing that exists is changed unless all can be written.
///
/// A file is written beside its place under another name and put there by [`Opened::commit`]; one that exists keeps its
/// permissions, and a symbolic link is followed. JSON Lines are written straight to their file, for people watch it
/// grow; so are devices and pipes. Opening a named pipe waits for its reader.
///
/// # Errors
/// [`Kind::Config`] where two reports have one destination, [`Kind::Io`] where one cannot be written. Both name it.
pub fn open(targets: &[Target]) -> Result<Vec<Opened>> {
    let mut opened: Vec<Opened> = Vec::with_capacity(targets.len());
    for target in targets {
        let next = Opened::new(target)?;
        if let Some(other) = opened.iter().find(|other| other.place == next.place) {
            let (one, two, name) = (other.format, next.format, &next.name);
            let message =
                format!("two reports, {one} and {two}, cannot both go to {name}: give one of them another file");
            return Err(Error::new(Kind::Config, message));
        }
        opened.push(next);
    }
    for each in &mut opened {
        each.begin()?;
    }
    Ok(opened)
}

/// A target that can be written. Dropped without [`commit`](Opened::commit) it leaves no new file behind, but what
/// JSON Lines have written stays.
#[derive(Debug)]
pub struct Opened {
    format: Format,
    /// As the user wrote it, for errors.
    name: String,
    /// What no other target may have too; `None` is stdout.
    place: Option<PathBuf>,
    sink: Sink,
}

enum Sink {
    Stdout(io::Stdout),
    /// A device or a pipe, as it is.
    Special(BufWriter<File>),
    /// A file written in place, truncated when all targets are open.
    Direct(BufWriter<File>),
    /// A file written beside its place.
    Placed(BufWriter<Placed>),
}

impl Opened {
    fn new(target: &Target) -> Result<Opened> {
        let format = target.format;
        match &target.destination {
            Destination::Stdout => {
                Ok(Opened { format, name: "stdout".to_owned(), place: None, sink: Sink::Stdout(io::stdout()) })
            }
            Destination::File(path) => {
                let (place, sink) = open_file(path, format.streams()).map_err(|cause| cannot_open(path, cause))?;
                Ok(Opened { format, name: quoted(path), place: Some(place), sink })
            }
        }
    }

    /// How it is to be written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether it goes to stdout, where other output may go too.
    pub fn is_stdout(&self) -> bool {
        matches!(self.sink, Sink::Stdout(_))
    }

    /// Lets `write` write, buffered, then flushes. May block.
    ///
    /// # Errors
    /// [`Kind::Io`], naming the destination, with the [`io::Error`] as source: a closed pipe shows there.
    pub fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let result = match &mut self.sink {
            Sink::Stdout(stdout) => {
                let mut out = BufWriter::new(stdout.lock());
                write(&mut out).and_then(|()| out.flush())
            }
            Sink::Special(file) | Sink::Direct(file) => write(file).and_then(|()| file.flush()),
            Sink::Placed(file) => write(file).and_then(|()| file.flush()),
        };
        result.map_err(|cause| cannot_write(&self.name, "", cause))
    }

    /// Puts the file in its place, synced to the disk. May block.
    ///
    /// Where the file cannot be renamed, as onto a mount point, its content is copied; where that fails too it is kept,
    /// and the error says where.
    ///
    /// # Errors
    /// [`Kind::Io`], naming the destination.
    pub fn commit(self) -> Result<()> {
        let unbuffered = |error: io::IntoInnerError<BufWriter<File>>| error.into_error();
        let result = match self.sink {
            Sink::Stdout(mut stdout) => stdout.flush(),
            Sink::Special(file) => file.into_inner().map(drop).map_err(unbuffered),
            Sink::Direct(file) => file.into_inner().map_err(unbuffered).and_then(|file| placed::sync(&file)),
            Sink::Placed(file) => match file.into_inner() {
                Ok(placed) => {
                    return placed.commit().map_err(|(hint, cause)| cannot_write(&self.name, &hint, cause));
                }
                Err(error) => Err(error.into_error()),
            },
        };
        result.map_err(|cause| cannot_write(&self.name, "", cause))
    }

    fn begin(&mut self) -> Result<()> {
        match &self.sink {
            Sink::Direct(file) => file.get_ref().set_len(0).map_err(|cause| cannot_write(&self.name, "", cause)),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sink::Stdout(_) => "Stdout",
            Sink::Special(_) => "Special",
            Sink::Direct(_) => "Direct",
            Sink::Placed(_) => "Placed",
        })
    }
}

fn open_file(path: &Path, streams: bool) -> io::Result<(PathBuf, Sink)> {
    let (path, special) = placed::resolve(path)?;
    if special {
        // Appending does no harm to a device, and keeps what others wrote where it is a file after all (/dev/stderr).
        let file = File::options().append(true).open(&path)?;
        return Ok((path, Sink::Special(BufWriter::new(file))));
    }
    let sink = if streams {
        // Truncated later, when all other targets are known to be good.
        Sink::Direct(BufWriter::new(File::options().write(true).create(true).truncate(false).open(&path)?))
    } else {
        Sink::Placed(BufWriter::new(Placed::create(path.clone())?))
    };
    Ok((path, sink))
}

/// Says what is wrong with the path and what would be right.
fn cannot_open(path: &Path, cause: io::Error) -> Error {
    let name = quoted(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let message = match cause.kind() {
        _ if path.is_dir() || cause.kind() == io::ErrorKind::IsADirectory => {
            format!("cannot write the report to {name}: it is a folder, name a file in it")
        }
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
