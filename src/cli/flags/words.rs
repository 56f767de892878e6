//! From the words of the command line to a command and its flags: splits what argh leaves whole (`--key=value`, `-qv`),
//! and explains mistakes.

use std::collections::BTreeSet;

use argh::{EarlyExit, FlagInfo, FromArgs, Optionality};

use super::aliases::Meaning;
use super::args::{Arguments, Command};
use super::guesses;
use super::help;
use super::plan_help;
use super::spelled::{Spelled, all_commands, find_long, find_short, is_command, named, row_for, takes_value};
use super::table;
use super::unknown::{no_such_command, no_such_topic, one_dash, unknown_letter, unknown_option, wrong_command};
use super::values::Flags;

/// What a command line asks for.
#[derive(Debug)]
pub(crate) enum CommandLine {
    /// To do something.
    Command(Command, Flags),
    /// To print the version.
    Version,
    /// To print this help.
    Help(String),
}

/// Reads the words after the program's name.
///
/// # Errors
/// One line that says what is wrong and what would be right.
pub(crate) fn parse(words: &[String]) -> Result<CommandLine, String> {
    let Some((first, rest)) = words.split_first() else { return Err(no_command()) };
    match first.as_str() {
        "-h" => Ok(CommandLine::Help(help::brief_overview())),
        "--help" => Ok(CommandLine::Help(help::overview())),
        "help" if rest.first().is_some_and(|topic| topic == "plan") => Ok(CommandLine::Help(plan_help::plan_keys())),
        "help" => match rest.first().filter(|word| !word.starts_with('-')) {
            Some(command) if is_command(command) => Ok(CommandLine::Help(help::command(command))),
            Some(other) => Err(no_such_topic(other)),
            None => Ok(CommandLine::Help(help::overview())),
        },
        "-V" | "--version" => command_of(std::slice::from_ref(first), Flags::default()),
        command if is_command(command) => parse_command(command, rest),
        option if option.starts_with('-') => command_behind_options(words),
        other => Err(no_such_command(other)),
    }
}

/// Options may stand before the command.
fn command_behind_options(words: &[String]) -> Result<CommandLine, String> {
    if let Some(meant) = words[0].strip_prefix('-').and_then(one_dash) {
        return Err(meant);
    }
    let Some(at) = first_argument(words) else {
        if words.iter().any(|word| matches!(word.as_str(), "-h" | "--help")) {
            return Ok(CommandLine::Help(help::overview()));
        }
        // What follows the `=` may be long, or a secret.
        let option = words[0].split('=').next().unwrap_or_default();
        return Err(format!("a command is missing before {option}: one of {}", all_commands()));
    };
    let (command, others) = (&words[at], [&words[..at], &words[at + 1..]].concat());
    match command.as_str() {
        known if is_command(known) => parse_command(known, &others),
        other => Err(no_such_command(other)),
    }
}

/// The place of the first word that is neither an option nor the value of one.
fn first_argument(words: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += match word.strip_prefix("--") {
            Some("") => return None,
            Some(long) => 1 + usize::from(!long.contains('=') && takes_value(find_long(long))),
            None => match word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                // A value follows its letter, in the same word or else in the next.
                Some(letters) => {
                    let valued = letters.chars().position(|letter| takes_value(find_short(letter)));
                    1 + usize::from(valued.is_some_and(|at| at + 1 == letters.chars().count()))
                }
                None => return Some(at),
            },
        };
    }
    None
}

fn parse_command(command: &str, rest: &[String]) -> Result<CommandLine, String> {
    let sorted = Sorted::new(command, rest)?;
    match sorted.asks_for_help {
        Some(HelpKind::Brief) => return Ok(CommandLine::Help(help::brief(command))),
        Some(HelpKind::Whole) => return Ok(CommandLine::Help(help::command(command))),
        None => {}
    }
    wrong_command(command, &sorted.arguments)?;
    let flags = Flags::typed(sorted.options);
    if let Some(meant) = guesses::argument(command, &sorted.arguments, &flags) {
        return Err(meant);
    }
    // Behind `--` argh takes `-`, which stands for stdin, as an argument.
    let words: Vec<String> = [command, "--"].map(str::to_owned).into_iter().chain(sorted.arguments).collect();
    command_of(&words, flags)
}

/// Has argh read the command and its arguments.
fn command_of(words: &[String], flags: Flags) -> Result<CommandLine, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match Arguments::from_args(&["roundup"], &words) {
        Ok(Arguments { version: true, .. }) => Ok(CommandLine::Version),
        Ok(Arguments { command: Some(command), .. }) => Ok(CommandLine::Command(command, flags)),
        Ok(Arguments { command: None, .. }) => Err(no_command()),
        Err(early) => Err(explain(&early, words.first().copied().unwrap_or_default())),
    }
}

fn no_command() -> String {
    let demo = if cfg!(feature = "demo") { ", roundup demo shows one run" } else { "" };
    format!("no command given: roundup --help lists the commands{demo}")
}

/// The words after a command, told apart.
#[derive(Debug, Default)]
struct Sorted {
    /// The names of options in the table, each with its value; 1 for a switch.
    options: Vec<(&'static str, String)>,
    /// What is no option.
    arguments: Vec<String>,
    /// Where the cookies of an option stand among the options, because several are one field.
    cookies: Option<usize>,
    /// Options with one value that were typed already.
    given: BTreeSet<&'static str>,
    asks_for_help: Option<HelpKind>,
}

/// How much help is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HelpKind {
    Brief,
    Whole,
}

impl Sorted {
    fn new(command: &str, words: &[String]) -> Result<Sorted, String> {
        let mut sorted = Sorted::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                sorted.arguments.extend(words.cloned());
                break;
            } else if let Some(long) = word.strip_prefix("--") {
                sorted.take_long(command, long, &mut words)?;
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                sorted.take_letters(command, letters, &mut words)?;
            } else {
                sorted.arguments.push(word.clone());
            }
        }
        Ok(sorted)
    }

    /// `key`, `key value` or `key=value`.
    fn take_long<'a>(
        &mut self,
        command: &str,
        long: &str,
        words: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        if name == "help" {
            self.asks_for_help = Some(HelpKind::Whole);
            return Ok(());
        }
        let typed = format!("--{name}");
        let option = find_long(name).ok_or_else(|| unknown_option(command, name))?;
        let value = match (takes_value(Some(option)), value) {
            (false, Some(_)) => return Err(format!("{typed} takes no value")),
            (false, None) => None,
            (true, Some(value)) => Some(value.to_owned()),
            (true, None) => Some(words.next().ok_or_else(|| format!("{typed} needs a value"))?.clone()),
        };
        self.take(command, option, &typed, value)
    }

    /// Switches may stand together, and a value may follow its letter: -qv, -qHName:value.
    fn take_letters<'a>(
        &mut self,
        command: &str,
        letters: &str,
        words: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), String> {
        if letters == "h" {
            self.asks_for_help = self.asks_for_help.or(Some(HelpKind::Brief));
            return Ok(());
        }
        if let Some(meant) = one_dash(letters) {
            return Err(meant);
        }
        let word = letters;
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let typed = format!("-{letter}");
            let option = find_short(letter).ok_or_else(|| unknown_letter(command, letter, word))?;
            if !takes_value(Some(option)) {
                self.take(command, option, &typed, None)?;
                continue;
            }
            let value = match letters.as_str() {
                "" => words.next().ok_or_else(|| format!("{typed} needs a value"))?.clone(),
                value => value.to_owned(),
            };
            return self.take(command, option, &typed, Some(value));
        }
        Ok(())
    }

    /// Takes an option, or what an alias stands for.
    fn take(&mut self, command: &str, option: Spelled, typed: &str, value: Option<String>) -> Result<(), String> {
        let alias = match option {
            Spelled::Option(flag) => {
                row_for(command, flag, typed)?;
                return self.push(flag, typed, value);
            }
            Spelled::Alias(alias) => alias,
        };
        // Commands that fetch nothing have none of what these stand for.
        row_for(command, named("method").ok_or_else(String::new)?, typed)?;
        match alias.meaning {
            Meaning::Default | Meaning::Same(_) => Ok(()),
            Meaning::Instead(text) => Err(format!("{typed} is not an option: {text}")),
            Meaning::Url => {
                self.arguments.extend(value);
                Ok(())
            }
            Meaning::Value(parts) | Meaning::Words(parts) => {
                let value = value.unwrap_or_default();
                if alias.long == "cookie" && !value.contains('=') {
                    return Err(format!("{typed}: cookies are not read from files: write 'NAME=VALUE'"));
                }
                if let Some(cookies) = self.cookies.filter(|_| alias.long == "cookie") {
                    // Without a blank, as curl joins them.
                    self.options[cookies].1.push_str(&format!(";{value}"));
                    return Ok(());
                }
                self.cookies = if alias.long == "cookie" { Some(self.options.len()) } else { self.cookies };
                parts.iter().try_for_each(|(name, template)| {
                    let flag = named(name).ok_or_else(String::new)?;
                    row_for(command, flag, typed)?;
                    if self.given.contains(flag.long) {
                        return Ok(());
                    }
                    let text = template.replace("{}", &value);
                    self.push(flag, typed, Some(text).filter(|_| !template.is_empty()))
                })
            }
        }
    }

    fn push(&mut self, flag: &FlagInfo<'static>, typed: &str, value: Option<String>) -> Result<(), String> {
        if value.is_some() && flag.optionality != Optionality::Repeating && !self.given.insert(flag.long) {
            return Err(format!("{typed} is given twice: write it once"));
        }
        let value = value.unwrap_or_else(|| "1".to_owned());
        self.options.extend(table::find(&flag.long[2..].replace('-', "_")).map(|row| (row.name, value)));
        Ok(())
    }
}

/// argh's message on one line, in our words if they are better.
fn explain(early: &EarlyExit, command: &str) -> String {
    let one_line = early.output.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(word) = one_line.strip_prefix("Unrecognized argument: ") {
        return format!("\"{}\" is one argument too many", roundup::without_password(word));
    }
    if let Some(missing) = one_line.strip_prefix("Required positional arguments not provided: ") {
        return format!("{missing} is missing: write {}", help::usage_of(command));
    }
    let mut letters = one_line.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn values_join_in_every_form() {
        let line = "get --retries=3 - --header A:b=c -HB:d -qvHC:e http://a/ -- --not-an-option --help -";
        let Ok(CommandLine::Command(Command::Get(get), flags)) = parse(&words(line)) else { panic!("{line}") };
        assert_eq!(get.urls, ["-", "http://a/", "--not-an-option", "--help", "-"]);
        assert_eq!(flags.text("retries").as_deref(), Some("3"));
        let headers: Vec<String> = flags.all("header").into_iter().map(|value| value.text).collect();
        assert_eq!(headers, ["A:b=c", "B:d", "C:e"]);
        assert!(flags.on("quiet").expect("a switch") && flags.on("verbose").expect("a switch"));
        let Ok(CommandLine::Command(_, flags)) = parse(&words("get -vqv -q http://a/")) else { panic!("switches") };
        assert_eq!((flags.level("verbose").ok(), flags.on("quiet").ok()), (Some(2), Some(true)));
    }

    #[test]
    fn mistakes_are_explained() {
        let merge = if is_command("merge") { ", merge" } else { "" };
        let fleet = if is_command("submit") { ", submit, collect" } else { "" };
        let of_jobs = format!("is not an option of serve, but of get, run, check, compare{fleet}, demo");
        for (line, text) in [
            ("gte http://a/", "\"gte\" is not a command: did you mean get?"),
            ("http://a/", "\"http://a/\" is not a command: did you mean roundup get http://a/?"),
            ("plan.toml", "\"plan.toml\" is not a command: did you mean roundup run plan.toml?"),
            ("get --timout 5s http://a/", "unknown option --timout: did you mean --timeout?"),
            ("get --timeout", "--timeout needs a value"),
            ("get --quiet=1 http://a/", "--quiet takes no value"),
            ("--quiet -H A:b http://a/", "\"http://a/\" is not a command: did you mean roundup get http://a/?"),
            ("get plan.toml", "plan.toml is a plan: write roundup run plan.toml"),
            ("run http://a/", "\"http://a/\" is a URL and no plan: write roundup get http://a/"),
            ("get --var a=b", "--var is not an option: --variable NAME=VALUE gives a value to a plan"),
            ("get --post http://a/", "--post is not an option: --method POST, or --data TEXT, which is sent with POST"),
            ("get -b jar http://a/", "-b: cookies are not read from files: write 'NAME=VALUE'"),
            ("serve -L", &format!("-L {of_jobs}")),
            ("--quiet", &format!("a command is missing before --quiet: one of {}", all_commands())),
            ("serve --retries 3", &format!("--retries {of_jobs}")),
            (
                "get --variable a=b",
                &format!("--variable is not an option of get, but of run, check, compare{fleet}{merge}"),
            ),
            ("run a.toml b.toml", "\"b.toml\" is one argument too many"),
            ("help gte", "\"gte\" is not a command: did you mean get?"),
            ("get -qW http://a/", "unknown option -W: roundup get --help lists all"),
            ("--header=A:s3cret", &format!("a command is missing before --header: one of {}", all_commands())),
            ("run", "PLAN.toml is missing: write roundup run [OPTIONS] PLAN.toml"),
            ("get --bearer s3cret --bearer s3cret http://a/", "--bearer is given twice: write it once"),
            ("get --header --retries --retries 1 --retries 1", "--retries is given twice: write it once"),
        ] {
            if !line.starts_with("serve") || is_command("serve") {
                assert_eq!(parse(&words(line)).expect_err(line), text, "{line}");
            }
        }
        assert!(parse(&[]).expect_err("nothing").starts_with("no command given: "));
    }

    #[test]
    fn options_of_curl_are_understood() {
        let line = "-sSL -H A:b get --url http://a/ -I -e http://b/ --max-time 5 --compressed -d a -d b --json {}";
        let Ok(CommandLine::Command(Command::Get(get), flags)) = parse(&words(line)) else { panic!("{line}") };
        assert_eq!(get.urls, ["http://a/"]);
        assert!(flags.on("quiet").expect("a switch") && flags.on("include").expect("a switch"));
        let headers: Vec<String> = flags.all("header").into_iter().map(|value| value.text).collect();
        assert_eq!(headers, ["A:b", "Referer: http://b/"]);
        assert_eq!(flags.time("timeout").expect("a time"), Some(std::time::Duration::from_secs(5)));
        let data: Vec<_> =
            flags.in_order(&["json", "data"]).into_iter().map(|(name, value)| (name, value.text)).collect();
        assert_eq!(data, [("data", "a".to_owned()), ("data", "b".to_owned()), ("json", "{}".to_owned())]);
    }

    #[test]
    fn help_and_version_in_every_form() {
        for line in
            ["help", "--help", "-h", "help get", "get --help", "get -h", "get -q -h", "get x --help", "run --help"]
        {
            assert!(matches!(parse(&words(line)), Ok(CommandLine::Help(_))), "{line}");
        }
        for line in ["--version", "-V"] {
            assert!(matches!(parse(&words(line)), Ok(CommandLine::Version)), "{line}");
        }
    }
}
