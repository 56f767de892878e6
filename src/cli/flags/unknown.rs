//! Words that are no command and no option: one line that says what was meant.

use super::aliases::{self, Meaning};
use super::guesses;
use super::nearest::nearest;
use super::spelled::{Spelled, all_commands, commands, find_long, lacks};
use super::table::{self, OptionRow};

pub(super) fn no_such_command(word: &str) -> String {
    if let Some(feature) = lacks(word) {
        return format!("this build was made without {word}: take one with the cargo feature \"{feature}\"");
    }
    if word.contains("://") || word.contains('.') {
        let command = if word.ends_with(".toml") { "run" } else { "get" };
        return format!(
            "\"{word}\" is not a command: did you mean roundup {command} {word}?",
            word = roundup::without_password(word)
        );
    }
    if let Some(meant) = guesses::command(word) {
        return meant;
    }
    if word == "plan" || word == "plans" {
        return format!("\"{word}\" is not a command: write roundup run PLAN.toml, or roundup help plan for its keys");
    }
    match nearest(word, commands()) {
        Some(command) => format!("\"{word}\" is not a command: did you mean {command}?"),
        None => format!("\"{word}\" is not a command: write one of {}", all_commands()),
    }
}

/// A plan that is to be fetched, or a URL that is to be read as a plan.
pub(super) fn wrong_command(command: &str, arguments: &[String]) -> Result<(), String> {
    let is_url = |word: &str| word.contains("://") || word.starts_with("localhost:");
    let is_plan = |word: &str| {
        word.ends_with(".toml") && !is_url(word) && (!word.contains('/') || std::path::Path::new(word).is_file())
    };
    let find = |is: &dyn Fn(&str) -> bool| arguments.iter().find(|word| is(word));
    match command {
        "get" => find(&is_plan).map_or(Ok(()), |plan| Err(format!("{plan} is a plan: write roundup run {plan}"))),
        "run" | "check" => find(&is_url).map_or(Ok(()), |url| {
            let url = roundup::without_password(url);
            Err(format!("\"{url}\" is a URL and no plan: write roundup get {url}"))
        }),
        _ => Ok(()),
    }
}

pub(super) fn unknown_option(command: &str, name: &str) -> String {
    if let Some(meant) = guesses::option(name) {
        return meant;
    }
    let known: Vec<String> =
        table::ROWS.iter().filter(|row| row.commands.contains(&command)).map(OptionRow::long).collect();
    let others = aliases::that(|meaning| !matches!(meaning, Meaning::Instead(_))).map(|alias| alias.long);
    // An option is told by its beginning, if no more than a few begin so.
    let mut begun: Vec<&str> = known.iter().map(String::as_str).filter(|long| long.starts_with(name)).collect();
    if name.len() >= 2 && (1..=3).contains(&begun.len()) {
        let last = begun.pop().unwrap_or_default();
        let others: String = begun.iter().map(|long| format!("--{long}, ")).collect();
        let others = others.trim_end_matches(", ");
        let or = if others.is_empty() { "" } else { " or " };
        return format!("unknown option --{name}: did you mean {others}{or}--{last}?");
    }
    match nearest(name, known.iter().map(String::as_str).chain(["help"]).chain(others)) {
        Some(near) => {
            // Of two names of an option, ours is the one to learn.
            let option = match find_long(near) {
                Some(Spelled::Option(flag)) => flag.long.to_owned(),
                _ => format!("--{near}"),
            };
            format!("unknown option --{name}: did you mean {option}?")
        }
        None => format!("unknown option --{name}: roundup {command} --help lists all"),
    }
}

/// A topic that `help` does not know.
pub(super) fn no_such_topic(topic: &str) -> String {
    match nearest(topic, commands().chain(["plan"])) {
        Some("plan") => format!("\"{topic}\" is not a command: did you mean roundup help plan?"),
        _ => no_such_command(topic),
    }
}

/// An option whose name is a word behind one dash, which would be taken for letters: `-header`.
pub(super) fn one_dash(letters: &str) -> Option<String> {
    let name = letters.split('=').next().unwrap_or_default();
    let is_word = name.chars().count() > 2 && (find_long(name).is_some() || ["help", "version"].contains(&name));
    is_word.then(|| format!("-{name} is not an option: did you mean --{name}?"))
}

/// A letter in this word that is no option.
pub(super) fn unknown_letter(command: &str, letter: char, word: &str) -> String {
    if letter == 'h' {
        return format!("-h stands alone: write roundup {command} -h");
    }
    if letter == 'p' && command == "serve" {
        return "-p is not an option of serve: did you mean --port?".to_owned();
    }
    let name = word.split('=').next().unwrap_or_default();
    let own: Vec<String> =
        table::ROWS.iter().filter(|row| row.commands.contains(&command)).map(OptionRow::long).collect();
    let near = nearest(name, own.iter().map(String::as_str)).filter(|_| name.chars().count() > 3);
    near.map(|near| format!("-{name} is not an option: did you mean --{near}?"))
        .or_else(|| guesses::letter(letter))
        .unwrap_or_else(|| format!("unknown option -{letter}: roundup {command} --help lists all"))
}
