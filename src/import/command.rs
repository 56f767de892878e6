//! curl commands as requests.

use std::collections::BTreeSet;

use super::curl_options::{CurlOption, DataForm, Effect, find_long, find_short};
use super::dialect::commands;
use super::marks::Marks;
use super::operation::Operation;
use super::plan_text::{Reading, plan_of};
use super::shell_word::quoted;
use super::words::{WrittenCommand, wrong};
use super::{Imported, ReadFile};
use crate::error::{Error, Kind, Result};
use crate::http::printable;

/// The plan of the curl commands in a text, as bash, cmd.exe or PowerShell read them. `from` names the text, and `read`
/// reads files that commands name with an `@`.
///
/// # Errors
/// [`Kind::Config`], in one line that names the line of the text: it has no curl command, an option that curl does not
/// know, or one that cannot be done, such as a form of several parts.
pub fn curl(text: &str, from: &str, read: &ReadFile<'_>) -> Result<Imported> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut marks = Marks::new(text);
    let mut reading = Reading { requests: Vec::new(), options: BTreeSet::new(), notes: Vec::new() };
    let mut left_out = BTreeSet::new();
    let mut others = BTreeSet::new();
    for mut command in commands(text, &mut marks)? {
        take_assignments(&mut command, &mut marks);
        let Some(program) = command.words.first() else { continue };
        let program = program.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
        if !matches!(program.trim_end_matches(".exe"), "curl") {
            if !command.is_piped {
                others.insert(program);
            }
            continue;
        }
        let mut parser = CommandParser { command: &command, marks: &mut marks, read, left_out: &mut left_out };
        for operation in parser.operations()? {
            let options = &mut reading.options;
            reading.requests.extend(operation.requests(&mut marks, options).map_err(|error| at(command.line, &error))?);
        }
    }
    if reading.requests.is_empty() {
        return Err(Error::new(Kind::Config, "there is no curl command in it: one begins with the word curl"));
    }
    let named =
        |names: BTreeSet<String>| printable(&names.into_iter().collect::<Vec<_>>().join(", "), &[]).into_owned();
    if !left_out.is_empty() {
        reading.notes.push(format!("left out, because a plan has nothing like it: {}", named(left_out)));
    }
    if !others.is_empty() {
        reading.notes.push(format!("left out, because it is not curl: {}", named(others)));
    }
    plan_of(reading, marks, from)
}

fn at(line: usize, error: &Error) -> Error {
    wrong(line, &error.one_line())
}

/// Takes what stands before a command: a prompt, `NAME=VALUE`, words such as sudo.
fn take_assignments(command: &mut WrittenCommand, marks: &mut Marks) {
    let is_before = |word: &str| matches!(word, "$" | "%" | ">" | "sudo" | "time" | "exec" | "export" | "!");
    while let Some(word) = command.words.first() {
        let assigned = word.split_once('=').filter(|(name, _)| {
            let mut bytes = name.bytes();
            bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
                && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        });
        match assigned {
            // A value that is made of others is left for the user to write.
            Some((name, value)) if !marks.are_in(value) => {
                let (name, value) = (name.to_owned(), value.to_owned());
                marks.assign(&name, &value);
            }
            Some(_) => {}
            None if is_before(word) => {}
            None => break,
        }
        command.words.remove(0);
    }
}

/// What a word of a command is, together with the one behind it that is its value.
enum CommandWord {
    Url(String),
    Option { option: &'static CurlOption, on: bool, shown: String, value: String },
}

/// Reads the words of one command.
struct CommandParser<'c, 'm> {
    command: &'c WrittenCommand,
    marks: &'m mut Marks,
    read: &'c ReadFile<'c>,
    /// Options that a plan does not have.
    left_out: &'m mut BTreeSet<String>,
}

impl CommandParser<'_, '_> {
    /// The requests of one command: `--next` begins another set of options.
    fn operations(&mut self) -> Result<Vec<Operation>> {
        let place = format!("line {}", self.command.line);
        let mut done = Vec::new();
        let mut current = Operation::at(&place);
        for word in self.sorted()? {
            match word {
                CommandWord::Url(url) => current.urls.push(url),
                CommandWord::Option { option, .. } if option.does == Effect::Next => {
                    done.push(std::mem::replace(&mut current, Operation::at(&place)));
                }
                CommandWord::Option { option, on, shown, value } => {
                    let applied = self.apply(&mut current, option, on, &shown, value);
                    applied.map_err(|error| at(self.command.line, &error))?;
                }
            }
        }
        done.push(current);
        // A server that asks for a digest is not to see the password itself.
        for operation in &mut done {
            if let Some(option) = operation.other_auth.take() {
                let user = operation.request.user.take().map(|_| "--user".to_owned());
                self.left_out.extend([option].into_iter().chain(user));
            }
        }
        done.retain(|operation| !operation.urls.is_empty());
        if done.is_empty() {
            return Err(wrong(self.command.line, "the command has no URL"));
        }
        Ok(done)
    }

    /// Options with their values, and URLs.
    fn sorted(&self) -> Result<Vec<CommandWord>> {
        let mut sorted = Vec::new();
        let mut words = self.command.words[1..].iter();
        let mut only_urls = false;
        while let Some(word) = words.next() {
            let mut add = |option: &'static CurlOption, on: bool, shown: String, value: Option<String>| {
                let value = match (option.takes_value, value) {
                    (false, _) => String::new(),
                    (true, Some(value)) => value,
                    (true, None) => match words.next() {
                        Some(value) => value.clone(),
                        None => return Err(wrong(self.command.line, &format!("{shown} needs a value"))),
                    },
                };
                sorted.push(CommandWord::Option { option, on, shown, value });
                Ok(())
            };
            if only_urls || word == "-" || !word.starts_with('-') {
                sorted.push(CommandWord::Url(word.clone()));
            } else if word == "--" {
                only_urls = true;
            } else if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                let (option, on) = find_long(name).ok_or_else(|| self.unknown(&format!("--{name}")))?;
                add(option, on, format!("--{name}"), value.map(str::to_owned))?;
            } else {
                let mut letters = word[1..].chars();
                while let Some(letter) = letters.next() {
                    let option = find_short(letter).ok_or_else(|| self.unknown(&format!("-{letter}")))?;
                    let value = Some(letters.as_str()).filter(|value| option.takes_value && !value.is_empty());
                    add(option, true, format!("-{letter}"), value.map(str::to_owned))?;
                    if option.takes_value {
                        break;
                    }
                }
            }
        }
        Ok(sorted)
    }

    fn unknown(&self, option: &str) -> Error {
        let option = printable(&self.marks.shown(option), &[]).into_owned();
        wrong(self.command.line, &format!("curl has no option {option}: correct it or leave it out"))
    }

    fn apply(
        &mut self,
        to: &mut Operation,
        option: &'static CurlOption,
        on: bool,
        shown: &str,
        value: String,
    ) -> Result<()> {
        let request = &mut to.request;
        match option.does {
            Effect::Method => request.method = Some(value.parse::<crate::http::Method>()?.as_str().to_owned()),
            Effect::Header => match value.strip_prefix('@') {
                Some(file) => {
                    let lines = String::from_utf8(self.bytes(file)?).map_err(|_| no_text(file))?;
                    lines.lines().filter(|line| !line.trim().is_empty()).try_for_each(|line| to.add_header(line))?;
                }
                None => to.add_header(&value)?,
            },
            Effect::Data(form) => {
                let content = self.content(form, &value)?;
                to.add_content(&content, "&");
            }
            Effect::Json => {
                let content = self.content(DataForm::Binary, &value)?;
                to.add_content(&content, "");
                to.is_json = true;
            }
            Effect::Query => {
                let query = match value.strip_prefix('+') {
                    Some(raw) => raw.to_owned(),
                    None => self.content(DataForm::Encoded, &value)?,
                };
                to.query.push(query);
            }
            Effect::Get => to.is_get = on,
            Effect::Head => to.is_head = on,
            Effect::User if value.contains(':') => request.user = Some(value),
            Effect::User => request.user = Some(format!("{value}:{}", self.marks.variable("PASSWORD"))),
            Effect::OtherAuth => to.other_auth = on.then(|| shown.to_owned()),
            Effect::Bearer => to.set_own("Authorization", Some(format!("Bearer {value}"))),
            Effect::Field("Cookie") if !value.contains('=') && !self.marks.are_in(&value) => {
                return Err(config(format!("{shown}: cookies are not read from files: write 'NAME=VALUE'")));
            }
            Effect::Field("Cookie") => to.add_cookie(&value),
            Effect::Field(name) => {
                let value = value.trim_end_matches(";auto");
                to.set_own(name, Some(value.to_owned()).filter(|value| !value.is_empty()));
            }
            Effect::Range => to.set_own("Range", Some(format!("bytes={value}"))),
            Effect::Url => to.urls.push(value),
            Effect::Output => to.outputs.push(value),
            Effect::RemoteName => to.is_named_by_url = on,
            Effect::Time(key) => request.set(key, time(shown, &value)?),
            Effect::Retries => request.set("retries", number(shown, &value)?.min(100).to_string()),
            Effect::MaxRedirects if value == "-1" => request.set("follow", "100".to_owned()),
            Effect::MaxRedirects => request.set("follow", number(shown, &value)?.min(100).to_string()),
            Effect::Follow if on => {}
            Effect::Follow => request.set("follow", "0".to_owned()),
            Effect::MaxSize => request.set("max_body", format!("\"{}\"", size(shown, &value)?)),
            Effect::Compressed => to.is_compressed = on,
            Effect::Globoff => to.is_globoff = on,
            Effect::Run(name) => to.options.extend(run_option(name, option.takes_value, on, &value)),
            Effect::Nothing | Effect::Next => {}
            Effect::LeftOut => drop(self.left_out.insert(shown.to_owned())),
            Effect::Refused(instead) => return Err(config(format!("{shown} cannot be imported: {instead}"))),
        }
        Ok(())
    }

    /// What an option of content gives.
    fn content(&self, form: DataForm, value: &str) -> Result<String> {
        let text = |file: &str| String::from_utf8(self.bytes(file)?).map_err(|_| no_text(file));
        match (form, value.strip_prefix('@')) {
            (DataForm::Raw, _) | (DataForm::Text | DataForm::Binary, None) => Ok(value.to_owned()),
            (DataForm::Text, Some(file)) => Ok(text(file)?.replace(['\r', '\n', '\0'], "")),
            (DataForm::Binary, Some(file)) => text(file),
            (DataForm::Encoded, _) => {
                let (name, content) = match value.find(['=', '@']) {
                    None => ("", value.to_owned()),
                    Some(at) if value.as_bytes()[at] == b'=' => (&value[..at], value[at + 1..].to_owned()),
                    Some(at) => (&value[..at], text(&value[at + 1..])?),
                };
                // Marks have no character that is encoded.
                let encoded = crate::http::percent::encode(content.as_bytes(), crate::http::percent::COMPONENT);
                let encoded = encoded.replace("%20", "+");
                Ok(if name.is_empty() { encoded } else { format!("{name}={encoded}") })
            }
        }
    }

    fn bytes(&self, file: &str) -> Result<Vec<u8>> {
        match (file, &self.command.stdin) {
            ("-", Some(stdin)) => Ok(stdin.clone().into_bytes()),
            ("-", None) => Err(config("@- reads stdin, which is not written in the command: write the content itself")),
            (file, _) => (self.read)(file),
        }
    }
}

pub(super) fn config(text: impl Into<String>) -> Error {
    Error::new(Kind::Config, text.into())
}

/// An option of `roundup run`, as it is typed.
fn run_option(name: &str, takes_value: bool, on: bool, value: &str) -> Option<String> {
    match (name, takes_value) {
        ("socks5", _) => Some(format!("--proxy {}", for_shell(&format!("socks5://{value}")))),
        ("cert", _) => Some(format!("--cert {}", for_shell(without_passphrase(value)))),
        (_, true) => Some(format!("--{name} {}", for_shell(value))),
        (_, false) => on.then(|| format!("--{name}")),
    }
}

/// The file of `--cert FILE:PASSPHRASE`; one letter before the colon is a drive.
fn without_passphrase(cert: &str) -> &str {
    cert.rsplit_once(':').filter(|(file, _)| file.len() > 1).map_or(cert, |(file, _)| file)
}

fn no_text(file: &str) -> Error {
    config(format!("{file} is not UTF-8 text, which alone can stand in a plan"))
}

/// A word for a shell, in a comment. A `~/` at its beginning is for the shell.
fn for_shell(word: &str) -> String {
    let word = crate::origin::without_password(word);
    match word.strip_prefix("~/") {
        Some(path) => format!("~/{}", quoted(path.as_bytes())),
        None => quoted(word.as_bytes()),
    }
}

/// Seconds, perhaps with a fraction, as a time of a plan.
fn time(shown: &str, value: &str) -> Result<String> {
    let seconds = value.parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && *seconds < 1e9);
    let seconds = seconds.ok_or_else(|| config(format!("{shown}: \"{value}\" is no number of seconds")))?;
    let milliseconds = (seconds * 1000.0).ceil() as u64;
    Ok(if milliseconds % 1000 == 0 { format!("\"{}s\"", milliseconds / 1000) } else { format!("\"{milliseconds}ms\"") })
}

fn number(shown: &str, value: &str) -> Result<u64> {
    value.parse().map_err(|_| config(format!("{shown}: \"{value}\" is no number")))
}

/// Bytes, perhaps in thousands as curl counts them.
fn size(shown: &str, value: &str) -> Result<u64> {
    let (digits, factor) = match value.trim_end_matches(|c: char| c.is_ascii_alphabetic()) {
        digits if digits.len() == value.len() => (digits, Some(1)),
        digits => (
            digits,
            match &value[digits.len()..] {
                "k" | "K" => Some(1 << 10),
                "m" | "M" => Some(1 << 20),
                "g" | "G" => Some(1 << 30),
                _ => None,
            },
        ),
    };
    let bytes = factor.and_then(|factor| number(shown, digits).ok()?.checked_mul(factor));
    bytes.ok_or_else(|| config(format!("{shown}: \"{value}\" is no number of bytes")))
}
