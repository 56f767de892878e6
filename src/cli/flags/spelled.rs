//! Names of commands and options as they are typed.

use argh::{FlagInfo, FlagInfoKind};

use super::aliases::{self, Alias, Meaning};
use super::options::declared;
use super::table::{self, ALL, FEATURES, OptionRow};

/// The cargo feature that this build lacks for the command.
pub(super) fn lacks(command: &str) -> Option<&'static str> {
    FEATURES.iter().find(|(name, _, is_there)| *name == command && !is_there).map(|(_, feature, _)| *feature)
}

/// The commands of this build.
pub(super) fn commands() -> impl Iterator<Item = &'static str> {
    ALL.iter().copied().filter(|command| lacks(command).is_none())
}

pub(super) fn is_command(word: &str) -> bool {
    commands().any(|command| command == word)
}

/// The commands of this build, for a text.
pub(super) fn all_commands() -> String {
    commands().collect::<Vec<_>>().join(", ")
}

/// An option as it was spelled.
#[derive(Clone, Copy)]
pub(super) enum Spelled {
    Option(&'static FlagInfo<'static>),
    Alias(&'static Alias),
}

pub(super) fn find_long(name: &str) -> Option<Spelled> {
    let flag = declared().find(|flag| flag.long.strip_prefix("--") == Some(name));
    let alias = || aliases::find_long(name).map(spelled);
    flag.map(Spelled::Option).or_else(alias)
}

pub(super) fn find_short(letter: char) -> Option<Spelled> {
    let flag = declared().find(|flag| flag.short == Some(letter));
    flag.map(Spelled::Option).or_else(|| aliases::find_short(letter).map(spelled))
}

/// An alias that is another name of an option is that option.
pub(super) fn spelled(alias: &'static Alias) -> Spelled {
    let Meaning::Same(name) = alias.meaning else { return Spelled::Alias(alias) };
    named(name).map_or(Spelled::Alias(alias), Spelled::Option)
}

/// What argh says of the option that has this name in the table.
pub(super) fn named(name: &str) -> Option<&'static FlagInfo<'static>> {
    declared().find(|flag| flag.long.strip_prefix("--").is_some_and(|long| long.replace('-', "_") == name))
}

pub(super) fn takes_value(option: Option<Spelled>) -> bool {
    match option {
        Some(Spelled::Option(flag)) => matches!(flag.kind, FlagInfoKind::Option { .. }),
        Some(Spelled::Alias(alias)) => alias.takes_value(),
        None => false,
    }
}

/// The row of an option that this command has.
pub(super) fn row_for(command: &str, flag: &FlagInfo<'static>, typed: &str) -> Result<&'static OptionRow, String> {
    let row = table::find(&flag.long[2..].replace('-', "_")).ok_or_else(|| format!("{typed} is not in the table"))?;
    if row.commands.contains(&command) {
        return Ok(row);
    }
    let others: Vec<&str> = row.commands.iter().copied().filter(|other| is_command(other)).collect();
    let others = if others.is_empty() { "no command of this build".to_owned() } else { others.join(", ") };
    Err(format!("{typed} is not an option of {command}, but of {others}"))
}
