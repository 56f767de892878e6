//! From the words of the command line to arguments: what argh leaves out (`--key=value`), and mistakes explained.

use argh::{EarlyExit, FromArgs};

use crate::args::{Arguments, Fetching};
use crate::options::Options;

/// What the words came to.
#[derive(Debug)]
pub(crate) enum Typed {
    /// A command with what is its own, and the options that it shares with others.
    Arguments(Box<Arguments>, Options),
    /// Help that was asked for.
    Help(String),
    /// One line that says what is wrong and what would be right.
    Wrong(String),
}

const ALL: [&str; 6] = ["get", "run", "check", "compare", "demo", "serve"];

/// The commands, and those that this build was made without.
const COMMANDS: &[&str] = ALL.split_at(if cfg!(feature = "demo") { 6 } else { 4 }).0;
const LEFT_OUT: &[&str] = ALL.split_at(COMMANDS.len()).1;

/// Options with a value, of any command.
const VALUES: [&str; 34] = [
    "accept",
    "bearer",
    "cacert",
    "cert",
    "color",
    "concurrency",
    "connect-timeout",
    "connect-to",
    "data",
    "deadline",
    "expect100-timeout",
    "follow",
    "header",
    "input",
    "interface",
    "key",
    "max-body",
    "method",
    "output-dir",
    "per-host",
    "pinnedpubkey",
    "port",
    "proxy",
    "rate",
    "report",
    "resolve",
    "retries",
    "retry-after-max",
    "roots",
    "secrets",
    "timeout",
    "unix-socket",
    "user",
    "user-agent",
];

/// Options without a value.
const SWITCHES: [&str; 14] = [
    "body",
    "fail-fast",
    "globoff",
    "help",
    "insecure",
    "ipv4",
    "ipv6",
    "keylog",
    "netrc",
    "quiet",
    "raw",
    "retry-unsafe",
    "verbose",
    "version",
];

/// The options of a command itself, short names too; all others are those that the commands which fetch share.
const OWN: [&str; 9] = ["--globoff", "--help", "--input", "--port", "--secrets", "--version", "-V", "-h", "-i"];

/// Short names of options with a value.
const SHORT_VALUES: [char; 5] = ['H', 'X', 'd', 'i', 'u'];

/// Reads the words after the program's name.
pub(crate) fn parse(words: &[String]) -> Typed {
    if let Some(wrong) = wrong_command(words) {
        return wrong;
    }
    let sorted = match sort(words) {
        Ok(sorted) => sorted,
        Err(wrong) => return Typed::Wrong(wrong),
    };
    match parse_both(&sorted) {
        Ok(typed) => typed,
        Err(early) if early.status.is_ok() => Typed::Help(early.output),
        Err(early) => Typed::Wrong(explain(&early.output)),
    }
}

/// Has argh parse the command's own words and those of the options that it shares.
fn parse_both(Sorted { own, shared }: &Sorted) -> Result<Typed, EarlyExit> {
    let fetches = own.first().is_some_and(|command| fetches(command));
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let shared: Vec<&str> = shared.iter().map(String::as_str).collect();
    let fetching = |words: &[&str]| Fetching::from_args(&["roundup"], words);
    let arguments = Arguments::from_args(&["roundup"], &own).map_err(|mut early| {
        if early.status.is_ok() && fetches {
            early.output = joined(&early.output, &fetching(&["--help"]).err().map_or_else(String::new, |e| e.output));
        }
        early
    })?;
    Ok(Typed::Arguments(Box::new(arguments), fetching(&shared)?.options()))
}

/// Whether a command has the shared options.
fn fetches(command: &str) -> bool {
    COMMANDS.contains(&command) && command != "serve"
}

/// The help of a command with the shared options behind its own; `--help` is the last of either.
fn joined(own: &str, shared: &str) -> String {
    const OPTIONS: &str = "Options:\n";
    let (Some(end), Some(start)) = (own.rfind("  -h, --help"), shared.find(OPTIONS)) else { return own.to_owned() };
    let usage = own.find('\n').unwrap_or_default();
    format!("{} [<options>]{}{}", &own[..usage], &own[usage..end], &shared[start + OPTIONS.len()..])
}

/// The words as argh can read them.
#[derive(Debug, Default)]
struct Sorted {
    /// The command, its options with each value in a word of its own, `--`, and all that is not an option.
    own: Vec<String>,
    /// The options that commands share, in the same form.
    shared: Vec<String>,
}

/// The first word must be a command.
fn wrong_command(words: &[String]) -> Option<Typed> {
    let first = words.first()?;
    if COMMANDS.contains(&first.as_str()) {
        return None;
    }
    if LEFT_OUT.contains(&first.as_str()) {
        let line = format!("this build was made without {first}: take one with the cargo feature \"demo\"");
        return Some(Typed::Wrong(line));
    }
    if first == "help" {
        // `roundup help get` is `roundup get --help`, which `sort` makes of it.
        return words
            .get(1)
            .filter(|word| !word.starts_with('-'))
            .and_then(|word| wrong_command(std::slice::from_ref(word)));
    }
    if first.starts_with('-') {
        let known = ["-h", "--help", "-V", "--version"].contains(&first.as_str());
        let command = words.iter().find(|word| COMMANDS.contains(&word.as_str()));
        // What follows the `=` may be long, or a secret.
        let first = first.split('=').next().unwrap_or_default();
        let wrong = match command {
            Some(command) => format!("options go after the command: roundup {command} {first} ..."),
            None => format!("a command is missing before {first}: one of {}", COMMANDS.join(", ")),
        };
        return (!known).then_some(Typed::Wrong(wrong));
    }
    let wrong = if first.contains("://") || first.contains('.') {
        let command = if first.ends_with(".toml") { "run" } else { "get" };
        format!("\"{}\" is not a command: did you mean roundup {command} {first}?", roundup::without_password(first))
    } else {
        match nearest(first, COMMANDS) {
            Some(command) => format!("\"{first}\" is not a command: did you mean {command}?"),
            None => format!("\"{first}\" is not a command: write one of {}", COMMANDS.join(", ")),
        }
    };
    Some(Typed::Wrong(wrong))
}

/// Puts all that is not an option behind `--`, so that `-` for stdin may stand there. Unknown options are found here, where
/// the nearest can be named.
fn sort(words: &[String]) -> Result<Sorted, String> {
    let mut words = words.iter();
    let mut sorted = Sorted::default();
    let mut others = Vec::new();
    let command = words.next().map_or("", String::as_str);
    match command {
        "" => return Ok(sorted),
        "help" => {
            sorted.own = words.next().cloned().into_iter().chain(["--help".to_owned()]).collect();
            return Ok(sorted);
        }
        command => sorted.own.push(command.to_owned()),
    }
    let shares = fetches(command);
    while let Some(word) = words.next() {
        if word == "--" {
            others.extend(words.cloned());
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let takes_value = VALUES.contains(&name);
            if !takes_value && !SWITCHES.contains(&name) {
                return Err(unknown(name));
            }
            let options = sorted.options(format!("--{name}"), shares);
            match (takes_value, value) {
                (true, Some(value)) => options.push(value.to_owned()),
                (true, None) => options.push(words.next().ok_or_else(|| format!("--{name} needs a value"))?.clone()),
                (false, Some(_)) => return Err(format!("--{name} takes no value")),
                (false, None) => {}
            }
            continue;
        }
        let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) else {
            others.push(word.clone());
            continue;
        };
        // Switches may stand together, and a value may follow its letter: -qv, -qHName:value.
        let mut letters = short.chars();
        while let Some(letter) = letters.next() {
            let options = sorted.options(format!("-{letter}"), shares);
            if SHORT_VALUES.contains(&letter) {
                options.push(match letters.as_str() {
                    "" => words.next().ok_or_else(|| format!("-{letter} needs a value"))?.clone(),
                    value => value.to_owned(),
                });
                break;
            }
        }
    }
    if !others.is_empty() {
        sorted.own.push("--".to_owned());
        sorted.own.append(&mut others);
    }
    Ok(sorted)
}

impl Sorted {
    /// Takes the name of an option; its value goes where this returns.
    fn options(&mut self, name: String, shares: bool) -> &mut Vec<String> {
        let options = if !shares || OWN.contains(&name.as_str()) { &mut self.own } else { &mut self.shared };
        options.push(name);
        options
    }
}

fn unknown(name: &str) -> String {
    let all: Vec<&str> = VALUES.iter().chain(&SWITCHES).copied().collect();
    match nearest(name, &all) {
        Some(near) => format!("unknown option --{name}: did you mean --{near}?"),
        None => format!("unknown option --{name}: --help lists all"),
    }
}

/// argh's message on one line, in our words where they are better.
fn explain(output: &str) -> String {
    let one_line = output.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(name) = one_line.strip_prefix("Unrecognized argument: ") {
        if !name.starts_with('-') {
            return format!("\"{}\" is one argument too many", roundup::without_password(name));
        }
        return format!("{name} is not an option of this command: --help lists those that are");
    }
    if let Some(rest) = one_line.strip_prefix("Required positional arguments not provided: ") {
        return format!("{rest} is missing: --help shows what to write");
    }
    let mut letters = one_line.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The candidate within two edits, or a third of the word where that is more.
fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(2);
    let near = candidates.iter().map(|candidate| (distance(word, candidate), *candidate)).min()?;
    (near.0 <= limit).then_some(near.1)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Command;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    fn wrong(line: &str) -> String {
        match parse(&words(line)) {
            Typed::Wrong(text) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_option_is_known_to_argh_and_the_other_way_round() {
        for command in COMMANDS {
            let Typed::Help(help) = parse(&words(&format!("{command} --help"))) else {
                panic!("{command} has no help")
            };
            let long = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
            for name in long.map(|word| word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())) {
                assert!(VALUES.contains(&name) || SWITCHES.contains(&name), "--{name} of {command}");
            }
        }
        let Typed::Help(help) = parse(&words("compare --help")) else { panic!("no help") };
        for name in VALUES.iter().chain(&SWITCHES).filter(|name| !["version", "port"].contains(*name)) {
            assert!(help.contains(&format!("--{name}")), "--{name}");
        }
    }

    #[test]
    fn values_join_in_every_form() {
        let line = "get --retries=3 - --header A:b=c -HB:d -qvHC:e http://a/ -- --not-an-option --help -";
        let Typed::Arguments(arguments, options) = parse(&words(line)) else { panic!("{line}") };
        let Some(Command::Get(get)) = arguments.command else { panic!("{line}") };
        assert_eq!(get.urls, ["-", "http://a/", "--not-an-option", "--help", "-"]);
        assert_eq!(options.one("retries").map(|given| given.text).as_deref(), Some("3"));
        assert_eq!(
            options.all("header").into_iter().map(|given| given.text).collect::<Vec<_>>(),
            ["A:b=c", "B:d", "C:e"]
        );
        assert!(options.on("quiet").expect("a switch") && options.on("verbose").expect("a switch"));
    }

    #[test]
    fn mistakes_are_explained() {
        for (line, text) in [
            ("gte http://a/", "\"gte\" is not a command: did you mean get?"),
            ("http://a/", "\"http://a/\" is not a command: did you mean roundup get http://a/?"),
            ("plan.toml", "\"plan.toml\" is not a command: did you mean roundup run plan.toml?"),
            ("get --timout 5s http://a/", "unknown option --timout: did you mean --timeout?"),
            ("get --timeout", "--timeout needs a value"),
            ("get --quiet=1 http://a/", "--quiet takes no value"),
            ("--quiet get http://a/", "options go after the command: roundup get --quiet ..."),
            ("--quiet", &format!("a command is missing before --quiet: one of {}", COMMANDS.join(", "))),
            ("serve --retries 3", "--retries is not an option of this command: --help lists those that are"),
            ("run a.toml b.toml", "\"b.toml\" is one argument too many"),
            ("help gte", "\"gte\" is not a command: did you mean get?"),
            ("get -qz http://a/", "-z is not an option of this command: --help lists those that are"),
            ("--header=A:s3cret get", "options go after the command: roundup get --header ..."),
            ("run", "plan.toml is missing: --help shows what to write"),
        ] {
            if !line.starts_with("serve") || COMMANDS.contains(&"serve") {
                assert_eq!(wrong(line), text, "{line}");
            }
        }
    }

    #[test]
    fn help_in_every_form() {
        for line in ["help", "--help", "-h", "help get", "get --help", "get -h"] {
            assert!(matches!(parse(&words(line)), Typed::Help(_)), "{line}");
        }
    }
}
