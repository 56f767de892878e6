//! Refuses runs that would write over a file that they read, or over one that they write as well.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::Path;

use roundup::report::Output;
use roundup::{FileId, Redactor};

use super::config::OutputConfig;
use super::error::CommandError;
use super::input;
use super::jobs::JobSet;

/// The files of a run, and what they are to it.
#[derive(Default)]
struct FileUses {
    uses: HashMap<FileId, String>,
    /// The names of the files, without their folders and in lower case.
    names: HashSet<OsString>,
}

impl FileUses {
    fn take(&mut self, path: &Path, what: String) {
        if let Some(id) = FileId::of(path) {
            self.names.extend(path.file_name().map(OsStr::to_ascii_lowercase));
            self.uses.entry(id).or_insert(what);
        }
    }

    /// What the file at this path is already, if it is something.
    fn of(&self, path: &Path) -> Option<&str> {
        self.uses.get(&FileId::of(path)?).map(String::as_str)
    }

    /// Whether a path is worth a look: there may be a hundred thousand, and most are new names in one folder.
    fn may_have(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| self.names.contains(&name.to_ascii_lowercase()))
            || path.symlink_metadata().is_ok()
    }
}

/// Called when all inputs have been read and nothing has been opened to be written.
///
/// # Errors
/// A report or a content would take the place of an input or of another report; exit code 1.
pub(crate) fn check(
    reports: &[Output],
    state: Option<&Path>,
    jobs: &JobSet,
    config: &OutputConfig,
) -> Result<(), CommandError> {
    let mut files = FileUses::default();
    for (path, what) in input::files() {
        files.take(&path, what);
    }
    if let Some(state) = state {
        files.take(state, "the state".to_owned());
    }
    let outputs = || reports.iter().flat_map(|report| report.files().into_iter().map(move |path| (report, path)));
    for (report, path) in outputs() {
        if let Some(what) = files.of(&path) {
            let error = refusal(&jobs.redactor, &format!("the {} report", report.format), &path, what);
            return Err(config.located(report, error));
        }
    }
    // That they are not the same among themselves is looked at when they are opened.
    outputs().for_each(|(report, path)| files.take(&path, format!("the {} report", report.format)));
    for job in &jobs.jobs {
        let Some(path) = job.output().filter(|path| files.may_have(path)) else { continue };
        if let Some(what) = files.of(path) {
            return Err(refusal(&jobs.redactor, &format!("the content of {:?}", job.name()), path, what));
        }
    }
    Ok(())
}

fn refusal(redactor: &Redactor, new: &str, path: &Path, old: &str) -> CommandError {
    let line = format!("{new} would be written over {old}, {path:?}: name another file");
    CommandError::usage(redactor.redact(&line))
}
