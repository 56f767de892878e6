//! `import`: a plan of requests that were written elsewhere.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use roundup::import::{self, Imported};
use roundup::plan::{Errors, PlanReader};
use roundup::{Error, Kind, printable};

use crate::cli::console::{complain, print};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::{Flags, Import};
use crate::cli::input;

pub(crate) fn import(import: &Import, flags: &Flags) -> Result<Exit, CommandError> {
    let imported = read(import)?;
    check(&imported).map_err(|errors| CommandError::plan(&errors))?;
    // ROUNDUP_SECRETS names a file that is read.
    let typed = |name: &'static str| flags.text(name).filter(|_| flags.is_typed(name));
    let plan_file = typed("output").filter(|file| file != input::DASH);
    let secrets_file = typed("secrets");
    if plan_file.is_none() && secrets_file.as_deref() == Some(input::DASH) {
        return Err(CommandError::usage("plan and secrets would both go to stdout: write --output PLAN.toml, too"));
    }
    for file in [&plan_file, &secrets_file].into_iter().flatten().filter(|file| *file != input::DASH) {
        refuse_existing(file)?;
    }
    let mut exit = Exit::Success;
    match secrets_file.as_deref() {
        Some(input::DASH) => exit = print(&imported.secrets_file())?,
        Some(file) => write_new(file, &imported.secrets_file(), true)?,
        None => {}
    }
    match plan_file {
        Some(file) => write_new(&file, &imported.plan, false)?,
        None => exit = print(&imported.plan)?,
    }
    if !flags.on("quiet")? {
        imported.notes.iter().for_each(|note| complain(note));
        if secrets_file.is_none() && !imported.secrets.is_empty() {
            let names: Vec<&str> = imported.secrets.iter().map(|(name, _)| name.as_str()).collect();
            complain(&format!("the values of {} are not in the plan: --secrets FILE writes them", listed(&names)));
        }
    }
    Ok(exit)
}

fn read(import: &Import) -> Result<Imported, CommandError> {
    let (what, file) = (import.what.as_str(), import.file.as_str());
    let read_file = |file: &str| input::bytes(file, "the content");
    let imported = match what {
        "curl" => import::curl(&input::text(file, "the file of commands")?, input::shown(file), &read_file),
        "har" => import::har(&input::text(file, "the archive")?, input::shown(file)),
        _ => {
            let what = printable(what, &[]);
            let text =
                format!("\"{what}\" cannot be imported: write roundup import curl FILE or roundup import har FILE");
            return Err(CommandError::usage(text));
        }
    };
    // A command that cannot be imported is a mistake in a file, as one in a plan is.
    imported.map_err(|error| {
        let line = format!("{}: {}", input::shown(file), error.one_line());
        CommandError { exit: Exit::Plan, lines: vec![line] }
    })
}

/// Whether the plan is read. Where a variable of the shell has no value, the plan's user has to say.
fn check(imported: &Imported) -> Result<(), Errors> {
    if imported.secrets.iter().any(|(_, value)| value.is_none()) {
        return Ok(());
    }
    let value = |wanted: &str| imported.secrets.iter().find(|(name, _)| name == wanted)?.1.clone();
    PlanReader::new().secrets(&value).read("the imported plan", &imported.plan).map(drop)
}

/// Some names, and how many more.
fn listed(names: &[&str]) -> String {
    const MOST: usize = 5;
    let more = names.len().saturating_sub(MOST);
    let first = names[..names.len() - more].join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

/// Refuses a place that has something in it.
pub(super) fn refuse_existing(file: &str) -> Result<(), CommandError> {
    let path = Path::new(file);
    if path.is_dir() {
        return Err(CommandError::usage(format!("{file} is a folder: write a file in it, such as {file}/plan.toml")));
    }
    if path.symlink_metadata().is_ok() {
        return Err(CommandError::usage(format!("{file} is there already: write another name, or remove it first")));
    }
    Ok(())
}

/// Writes a file that was not there before; one with secrets is for its owner alone.
pub(super) fn write_new(file: &str, text: &str, is_secret: bool) -> Result<(), CommandError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = is_secret;
    let write = || -> io::Result<()> { options.open(file)?.write_all(text.as_bytes()) };
    write().map_err(|error| {
        CommandError::report(&Error::new(Kind::Io, format!("{file} cannot be written")).with_source(error))
    })
}
