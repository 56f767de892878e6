//! What people mean who give a command the wrong argument: one line that says what to write.

use std::path::Path;

use roundup::report::Format;
use roundup::{Method, printable, without_password};

use super::values::Flags;

/// What is meant, if an argument of this command is not what it takes.
pub(super) fn argument(command: &str, arguments: &[String], flags: &Flags) -> Option<String> {
    if let (["help"], false) =
        (&arguments.iter().map(String::as_str).collect::<Vec<_>>()[..], Path::new("help").exists())
    {
        return Some(format!("help is asked for before the command: write roundup help {command}"));
    }
    let of = |guess: fn(&str) -> Option<String>| arguments.iter().find_map(|word| guess(word));
    match command {
        "get" | "compare" => of(of_quotes)
            .or_else(|| of(of_dash))
            .or_else(|| of_report(arguments, flags))
            .or_else(|| of(of_url)),
        "run" | "check" => {
            let variable = arguments.get(1..)?.iter().find(|word| word.contains('='));
            variable
                .map(|word| format!("\"{}\" is a value for the plan: write --variable {0}", shown(word)))
                .or_else(|| of(of_quotes))
                .or_else(|| of(of_dash))
                .or_else(|| of(of_plan))
        }
        "serve" => {
            let port = arguments.iter().find(|word| word.parse::<u16>().is_ok())?;
            Some(format!("{port} is a port: write roundup serve --port {port}"))
        }
        "import" if of_command(arguments) => Some(
            "a curl command is read from a file or from stdin: write roundup import curl -, paste the command, and end \
             it with Ctrl-D on a line of its own (Ctrl-Z on Windows)"
                .to_owned(),
        ),
        "import" if arguments.len() == 1 => {
            let word = arguments.first()?;
            let kind = if word.ends_with(".har") { "har" } else { "curl" };
            match word.as_str() {
                "curl" | "har" => None,
                file => Some(format!("what {} is must be said: write roundup import {kind} {0}", shown(file))),
            }
        }
        _ => None,
    }
}

/// Whether a curl command is there where the file of one is to stand.
fn of_command(arguments: &[String]) -> bool {
    let is_command = |word: &String| word.trim_start().starts_with("curl ");
    match arguments {
        [first, rest @ ..] if first == "curl" => {
            rest.iter().any(is_command) || rest.first().is_some_and(|word| word == "curl")
        }
        all => all.iter().any(is_command),
    }
}

/// What to write in place of an option that does not exist here: one of curl's has nothing here that does the same.
pub(super) fn option(name: &str) -> Option<String> {
    roundup::import::is_curl_option(name).then(|| of_curl(&format!("--{name}")))
}

/// The same for a letter.
pub(super) fn letter(letter: char) -> Option<String> {
    roundup::import::is_curl_letter(letter).then(|| of_curl(&format!("-{letter}")))
}

fn of_curl(typed: &str) -> String {
    format!("{typed} is an option of curl, and roundup has nothing like it: leave it out")
}

/// What is meant by a word where a command is to stand.
pub(super) fn command(word: &str) -> Option<String> {
    let upper = word.to_ascii_uppercase();
    let is_method = upper.parse::<Method>().is_ok();
    match word.to_ascii_lowercase().as_str() {
        "curl" | "wget" | "fetch" | "http" | "https" | "request" | "download" => {
            Some(format!("\"{word}\" is not a command: write roundup get URL"))
        }
        "get" | "run" | "check" => {
            Some(format!("\"{word}\" is not a command: did you mean {}?", word.to_ascii_lowercase()))
        }
        "init" | "create" => {
            Some(format!("\"{word}\" is not a command: write roundup new, which writes a plan to begin with"))
        }
        "validate" | "lint" => Some(format!("\"{word}\" is not a command: write roundup check PLAN.toml")),
        "version" => Some("\"version\" is not a command: write roundup --version".to_owned()),
        "server" => Some("\"server\" is not a command: did you mean serve?".to_owned()),
        _ if is_method => Some(format!("\"{word}\" is not a command: write roundup get -X {upper} URL")),
        _ => None,
    }
}

/// A word as it may be shown.
fn shown(word: &str) -> String {
    printable(&without_password(word), &[]).into_owned()
}

/// Quotes that the shell has not taken away: those of another shell, or typographic ones.
fn of_quotes(word: &str) -> Option<String> {
    let quotes = ['\'', '"', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}', '\u{ab}', '`'];
    let inner = word.trim_matches(quotes);
    let is_quoted = inner.len() < word.len() && word.starts_with(quotes);
    is_quoted
        .then(|| format!("{} has quotes in it, which this shell leaves there: write \"{}\"", shown(word), shown(inner)))
}

/// A dash that an editor has made longer.
fn of_dash(word: &str) -> Option<String> {
    let is_long = |c: char| matches!(c, '\u{2010}'..='\u{2014}' | '\u{2212}');
    // An editor may have made only one of two longer.
    let rest = word.trim_start_matches(|c| is_long(c) || c == '-');
    word.starts_with(is_long).then(|| {
        let dashes = if rest.chars().count() > 1 { "--" } else { "-" };
        format!("\"{}\" begins with a long dash, which is no option: write {dashes}{}", shown(word), shown(rest))
    })
}

/// The file of a report whose format alone was given.
fn of_report(arguments: &[String], flags: &Flags) -> Option<String> {
    let mut formats = flags.all("report").into_iter().filter_map(|report| report.text.parse::<Format>().ok());
    formats.find_map(|format| {
        let file = arguments.iter().find(|word| !word.contains("://") && Format::of_file(word) == Some(format))?;
        Some(format!("{} is a file and no URL: write --report {format}={0}", shown(file)))
    })
}

/// Several URLs in one word, as a list is pasted.
fn of_several(word: &str) -> Option<String> {
    let begins = |at: usize| ["http://", "https://"].iter().any(|scheme| word[at..].starts_with(scheme));
    let before_query = word.find('?').unwrap_or(word.len());
    let is_next = |(at, c): (usize, char)| {
        let next = at + c.len_utf8();
        let next = next + word[next..].len() - word[next..].trim_start().len();
        (c.is_whitespace() || (matches!(c, ',' | ';') && at < before_query)) && begins(next)
    };
    word.trim().char_indices().any(is_next).then(|| {
        format!("{} are several URLs in one word: write blanks between them, and no quotes around all", shown(word))
    })
}

/// What is given for a URL and is none.
fn of_url(word: &str) -> Option<String> {
    let drive = matches!(word.as_bytes(), [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    let path = Path::new(word);
    let name = shown(word);
    if word.trim().is_empty() {
        return Some("a URL is empty: is a variable of the shell not set?".to_owned());
    }
    if let Some(file) = word.strip_prefix('@') {
        return Some(format!("URLs are not read from @: write --input {}", printable(file, &[])));
    }
    if word.bytes().all(|b| b.is_ascii_uppercase()) && word.parse::<Method>().is_ok() {
        return Some(format!("{name} is a method and no URL: write -X {name}"));
    }
    if word.contains("://") {
        return of_several(word);
    }
    if word == "curl" {
        return Some("curl is no URL: roundup import curl - reads a curl command from stdin".to_owned());
    }
    // Behind a switch, or between an option's number and its unit.
    let units = [
        "b", "kb", "mb", "gb", "kib", "mib", "gib", "ms", "s", "sec", "secs", "second", "seconds", "m", "min", "mins",
        "minute", "minutes", "h", "hour", "hours", "d", "day", "days",
    ];
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return Some(format!(
            "{word} is a number and no URL: write it behind the option it is for, as in --concurrency {word}"
        ));
    }
    if units.contains(&word.to_ascii_lowercase().as_str()) {
        return Some(format!("{word} is a unit and no URL: write it to its number, as in 10{word}"));
    }
    // A host may have the name of a file that lies here; one with such an ending or such a beginning has not.
    let is_list = [".txt", ".csv", ".tsv", ".lst", ".list", ".urls", ".json", ".jsonl"]
        .iter()
        .any(|ending| word.ends_with(ending));
    let is_path = drive || word.starts_with(['/', '.', '~', '\\']);
    if path.is_dir() && (is_path || !word.contains('.')) {
        return Some(format!("{name} is a folder and no URL: write --input FILE for a file with URLs, a line each"));
    }
    if drive || (path.is_file() && (is_list || is_path)) {
        return Some(format!("{name} is a file and no URL: write --input {name} for the URLs in it, a line each"));
    }
    None
}

/// What is given for a plan and is none.
fn of_plan(word: &str) -> Option<String> {
    if word.is_empty() {
        return Some("the name of the plan is empty: is a variable of the shell not set?".to_owned());
    }
    match word.rsplit('.').next().filter(|_| Path::new(word).is_file()) {
        Some("har") => Some(format!("{} is an HTTP archive: write roundup import har {0}", shown(word))),
        Some("txt" | "lst" | "list" | "urls") => {
            Some(format!("{} is no plan: write roundup get --input {0}", shown(word)))
        }
        _ => None,
    }
}

/// What is meant by the name of a plan that cannot be read: a plan in that folder, or one of nearly that name.
pub(crate) fn unreadable_plan(word: &str) -> Option<String> {
    let path = Path::new(word);
    if path.is_dir() {
        let plan = plans_in(path).into_iter().next().unwrap_or_else(|| "plan.toml".to_owned());
        return Some(format!(
            "the plan {} cannot be read: it is a folder; write a plan in it, such as {}",
            shown(word),
            path.join(plan).display()
        ));
    }
    let name = path.file_name()?.to_str().filter(|_| !path.exists())?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let plans = plans_in(folder);
    // All end alike, so that the endings are no likeness, and that of the word may be mistyped.
    let stem = |name: &str| {
        let name = name.to_ascii_lowercase();
        Path::new(&name).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let stems: Vec<String> = plans.iter().map(|plan| stem(plan)).collect();
    let near = super::nearest::nearest(&stem(name), stems.iter().map(String::as_str))?;
    let plan = plans.iter().find(|plan| stem(plan) == near)?;
    let plan = if folder == Path::new(".") { plan.into() } else { folder.join(plan) };
    Some(format!("the plan {} cannot be read: there is no such file; did you mean {}?", shown(word), plan.display()))
}

/// The names of the plans in a folder; not of thousands.
fn plans_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().take(1000).flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.ends_with(".toml") && !name.contains(char::is_control));
    names.sort();
    names
}
