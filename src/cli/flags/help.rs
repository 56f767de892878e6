//! Help, made of what argh knows of commands and options and of the table.

use std::fmt::Write as _;

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, Optionality, PositionalInfo, SubCommandInfo};
use roundup::report::Format;

use super::aliases::{self, Alias, Meaning};
use super::args::Arguments;
use super::options::declared;
use super::table::{self, OptionRow, PlanTable};

/// How wide the text is.
const WIDTH: usize = 80;
/// The column where descriptions of options begin, and where those of the overview do.
pub(super) const COLUMN: usize = 28;
const OVERVIEW_COLUMN: usize = 17;
/// The same in the brief help, where every option has one line.
const BRIEF_COLUMN: usize = 30;

/// The help of the program itself.
pub(super) fn overview() -> String {
    let info = Arguments::get_args_info();
    let mut text =
        format!("Usage: roundup COMMAND [OPTIONS] ...\n\n{}\nCommands:\n", wrapped(&plain(info.description)));
    for (name, description) in commands() {
        entry(&mut text, OVERVIEW_COLUMN, &format!("  {name}"), first_sentence(&description));
    }
    entry(
        &mut text,
        OVERVIEW_COLUMN,
        "  help plan",
        "the keys of a plan, each with its type, its default and an example",
    );
    text.push_str("\nOptions:\n");
    for flag in info.flags.iter().filter(|flag| flag.long != "--help") {
        entry(&mut text, OVERVIEW_COLUMN, &left(flag, None), &plain(flag.description));
    }
    entry(&mut text, OVERVIEW_COLUMN, HELP, "print this help; after a command, -h its common options, --help all");
    text.push_str("\nExamples:\n");
    info.examples.iter().for_each(|example| {
        let _ = writeln!(text, "  {}", plain(example));
    });
    text.push_str("\nExit codes:\n");
    info.error_codes
        .iter()
        .for_each(|code| entry(&mut text, OVERVIEW_COLUMN, &format!("  {}", code.code), code.description));
    text
}

/// The same on a screen of 24 lines: what the commands do.
pub(super) fn brief_overview() -> String {
    let mut text = "Usage: roundup COMMAND [OPTIONS] ...\n\n".to_owned();
    let room = WIDTH - OVERVIEW_COLUMN;
    for (name, description) in commands() {
        let what = first_sentence(&description).split([';', ':', '.']).next().unwrap_or_default().to_owned();
        // The last part of one that is too long is what matters least.
        let what =
            if what.chars().count() > room { what.rsplit_once(", ").map_or(&*what, |(first, _)| first) } else { &what };
        entry(&mut text, OVERVIEW_COLUMN, &format!("  {name}"), what);
    }
    text.push_str("  help plan      the keys of a plan\nroundup COMMAND -h: its options; roundup --help: examples and exit codes too\n");
    text
}

/// The help of a command: what fits on a screen, with the options that most people use.
pub(super) fn brief(name: &str) -> String {
    let Some(command) = command_info(name) else { return String::new() };
    let description = plain(command.command.description);
    let mut text = format!("{}\n\n{}\n", usage_line(&command), wrapped(first_sentence(&description)));
    let rows = || table::ROWS.iter().filter(|row| row.commands.contains(&name));
    let common: Vec<_> = rows().filter(|row| table::COMMON.contains(&row.name)).collect();
    for row in if common.is_empty() { rows().collect() } else { common } {
        let Some(flag) = flag_of(row) else { continue };
        let what = plain(flag.description);
        let what = what.split(';').next().unwrap_or_default().replace(" ({formats})", "");
        let what = lines(&what, WIDTH - BRIEF_COLUMN - 1);
        let more = if what.len() > 1 { "\u{2026}" } else { "" };
        let what = what.first().map_or("", |line| line.trim_end_matches([',', ':']));
        entry(&mut text, BRIEF_COLUMN, &left(flag, row.values.name().as_deref()), &format!("{what}{more}"));
    }
    if let Some(example) = examples(name).first() {
        let _ = write!(text, "\nExample: {example}\n");
    }
    let count = rows().count();
    if count > 0 {
        let _ = write!(text, "\nroundup {name} --help lists all {count} options with their defaults.\n");
    }
    text
}

/// The help of a command: all options, in groups.
pub(super) fn command(name: &str) -> String {
    let Some(mut text) = head(name) else { return String::new() };
    let mut group = None;
    for row in table::ROWS.iter().filter(|row| row.commands.contains(&name)) {
        if group != Some(row.group) {
            let _ = write!(text, "\n{}:\n", row.group.title());
            group = Some(row.group);
        }
        let Some(flag) = flag_of(row) else { continue };
        entry(&mut text, COLUMN, &left(flag, row.values.name().as_deref()), &described(flag, row));
    }
    text.push_str("\nOther:\n");
    entry(&mut text, COLUMN, HELP, "print this help; -h the common options alone");
    let examples = examples(name);
    text.push_str(if examples.is_empty() { "" } else { "\nExamples:\n" });
    examples.iter().for_each(|example| {
        let _ = writeln!(text, "  {example}");
    });
    if table::ROWS.iter().any(|row| row.name == "method" && row.commands.contains(&name)) {
        let _ = write!(text, "\n{}", wrapped(&as_in_curl()));
    }
    let _ = write!(text, "\n{}", wrapped(&elsewhere(name)));
    text
}

/// What argh says of a command; `None` if there is none of this name.
fn command_info(name: &str) -> Option<SubCommandInfo> {
    Arguments::get_args_info().commands.into_iter().find(|command| command.name == name)
}

/// How a command is written: `roundup run [OPTIONS] PLAN.toml`.
pub(super) fn usage_of(command: &str) -> String {
    let line = command_info(command).map(|info| usage_line(&info)).unwrap_or_default();
    line.trim_start_matches("Usage: ").to_owned()
}

fn usage_line(command: &SubCommandInfo) -> String {
    let mut text = format!("Usage: roundup {} [OPTIONS]", command.name);
    command.command.positionals.iter().for_each(|argument| {
        let _ = write!(text, " {}", usage(argument));
    });
    text
}

/// Usage, description and arguments of a command; `None` if there is none of this name.
fn head(name: &str) -> Option<String> {
    let command = command_info(name)?;
    let mut text = usage_line(&command);
    let CommandInfoWithArgs { description, positionals, .. } = command.command;
    let _ = write!(text, "\n\n{}", wrapped(&plain(description)));
    if !positionals.is_empty() {
        text.push_str("\nArguments:\n");
    }
    for argument in positionals {
        entry(&mut text, COLUMN, &format!("  {}", argument.name), &plain(argument.description));
    }
    Some(text)
}

/// All commands and what they do.
pub(super) fn commands() -> Vec<(String, String)> {
    let commands = Arguments::get_args_info().commands.into_iter();
    commands.map(|command| (command.name.to_owned(), plain(command.command.description))).collect()
}

/// The text up to its first full stop.
pub(super) fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or_default().trim_end()
}

/// The examples of a command.
pub(super) fn examples(name: &str) -> Vec<String> {
    let examples = command_info(name).map(|command| command.command.examples.iter().map(|text| plain(text)).collect());
    examples.unwrap_or_default()
}

/// What argh says of an option.
fn flag_of(row: &OptionRow) -> Option<&'static FlagInfo<'static>> {
    let long = format!("--{}", row.long());
    declared().find(|flag| flag.long == long)
}

/// Which options of curl there are beside ours.
fn as_in_curl() -> String {
    let shown = |is: fn(Meaning) -> bool| aliases::that(is).map(Alias::shown).collect::<Vec<_>>().join(", ");
    format!(
        "Options of curl that work, too: {}. Accepted, because roundup does so anyway: {}.",
        shown(|meaning| matches!(meaning, Meaning::Same(_) | Meaning::Value(_) | Meaning::Words(_) | Meaning::Url)),
        shown(|meaning| matches!(meaning, Meaning::Default)),
    )
}

const HELP: &str = "  -h, --help";

/// `<URL>...`, `[URL]...`
fn usage(argument: &PositionalInfo<'_>) -> String {
    match argument.optionality {
        Optionality::Required => argument.name.to_owned(),
        _ => format!("[{}]...", argument.name),
    }
}

/// The names of an option and of its value.
pub(super) fn left(flag: &FlagInfo<'_>, value: Option<&str>) -> String {
    let short = flag.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
    let value = value.map_or(String::new(), |value| format!(" {value}"));
    format!("  {short}{}{value}", flag.long)
}

/// What an option does, whether it may be given several times, and what holds without it.
pub(super) fn described(flag: &FlagInfo<'_>, row: &OptionRow) -> String {
    let mut text = plain(flag.description).replace("{formats}", &format_names());
    if flag.optionality == Optionality::Repeating {
        text.push_str("; may be given several times");
    }
    match row.default {
        Some(none) if none.starts_with('(') => {
            let _ = write!(text, " {none}");
        }
        Some(default) => {
            let _ = write!(text, " (default: {default})");
        }
        None => {}
    }
    text
}

/// Where else the options of a command can be set.
pub(super) fn elsewhere(command: &str) -> String {
    let rows = || table::ROWS.iter().filter(|row| row.commands.contains(&command));
    let Some(example) = rows().find(|row| row.name.contains('_')).or_else(|| rows().next()) else {
        return String::new();
    };
    let (long, variable) = (example.long(), example.variable());
    let mut text = format!("Each option is also an environment variable: {variable} for --{long}.");
    let keys = |tables: &[PlanTable]| {
        let keys = rows().filter(|row| row.in_plan.is_some_and(|table| tables.contains(&table)));
        keys.filter_map(OptionRow::plan_key).collect::<Vec<_>>().join(", ")
    };
    let job = keys(&[PlanTable::Job, PlanTable::JobHeaders, PlanTable::JobCertKey]);
    if !job.is_empty() {
        let limits = keys(&[PlanTable::Limits]);
        let _ = write!(text, " Keys of a plan are, in [limits], {limits}; in jobs and [defaults], {job}.");
    }
    text
}

/// The names of all report formats, which stand in one table of the library.
fn format_names() -> String {
    let names: Vec<&str> = Format::all().iter().map(|format| format.name).collect();
    names.join(", ")
}

/// argh doubles braces, because its own help is a format string, and begins with the space after `///`.
pub(super) fn plain(text: &str) -> String {
    text.trim().replace("{{", "{").replace("}}", "}")
}

/// A line of two columns, the second one from this indent on and wrapped.
pub(super) fn entry(out: &mut String, indent: usize, left: &str, right: &str) {
    let mut column = left.chars().count();
    out.push_str(left);
    if column + 2 > indent {
        out.push('\n');
        column = 0;
    }
    for (number, line) in lines(right, WIDTH - indent).into_iter().enumerate() {
        let blanks = if number == 0 { indent - column } else { indent };
        let _ = writeln!(out, "{:blanks$}{line}", "");
    }
}

/// A paragraph, with a line feed at its end.
pub(super) fn wrapped(text: &str) -> String {
    lines(text, WIDTH).join("\n") + "\n"
}

/// Breaks a text between words. A word that is longer than a line is a line.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_too_long_and_every_option_of_a_command_is_in_its_help() {
        for name in table::ALL {
            let help = command(name);
            let fits = |line: &str| line.chars().count() <= WIDTH || line.starts_with("  roundup ");
            assert!(help.lines().all(fits), "{help}");
            if help.is_empty() {
                continue;
            }
            for row in table::ROWS {
                let shown = help
                    .lines()
                    .any(|line| line.trim_start().split([' ', ',']).any(|word| word == format!("--{}", row.long())));
                assert_eq!(shown, row.commands.contains(name), "{name}: {}", row.name);
            }
        }
        assert!(overview().lines().all(|line| line.chars().count() <= WIDTH || line.contains("roundup get '")));
    }

    #[test]
    fn the_brief_help_fits_a_screen_and_every_command_has_three_examples() {
        for (name, _) in commands() {
            let help = brief(&name);
            assert!(help.lines().count() <= 24, "{help}");
            let fits = |line: &str| line.chars().count() <= WIDTH || line.starts_with("Example: ");
            assert!(help.lines().all(fits), "{help}");
            assert_eq!(examples(&name).len(), 3, "{name}");
        }
        let overview = brief_overview();
        assert!(overview.lines().count() <= 24 && overview.lines().all(|line| line.len() <= WIDTH), "{overview}");
        assert!(commands().iter().all(|(name, _)| overview.contains(&format!("\n  {name} "))), "{overview}");
    }

    #[test]
    fn that_an_option_may_be_given_several_times_is_said_once() {
        for flag in declared().filter(|flag| flag.optionality == Optionality::Repeating) {
            let said = ["several", "repeat", "again"].iter().find(|word| flag.description.contains(*word));
            assert_eq!(said, None, "{}: {}", flag.long, flag.description);
        }
    }

    #[test]
    fn braces_are_as_they_were_written() {
        assert!(command("get").contains("{a,b}"));
        assert!(command("run").contains("${NAME}"));
        let scripts = super::super::completions::SHELLS.map(super::super::completions::completions);
        let texts = scripts.into_iter().flatten().chain([super::super::man::man()]);
        assert!(texts.chain(commands().iter().map(|(name, _)| command(name))).all(|text| !text.contains("{{")));
    }
}
