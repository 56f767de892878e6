//! Files with something on each line: lists of URLs, and secrets.

use std::collections::BTreeMap;

use super::bounds::{MAX_JOBS, MAX_PLAN_BYTES};
use super::diagnostic::{Errors, Log};
use super::template::secret_name_len;

/// One line of a list of URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The line, counted from 1.
    pub line: usize,
    /// What stands before the URL.
    pub name: Option<String>,
    /// The URL, taken as it is: brackets and braces are no patterns here, and [`Job::get`](crate::Job::get) says whether it
    /// can be fetched, so that one bad URL costs no other source its result. On a bad line, everything after the name.
    pub url: String,
    /// What is wrong with the line, if it is no name and URL: file, line, and what would be right.
    pub error: Option<String>,
}

/// Reads a list of URLs: one a line, perhaps with a name and blanks before it. Empty lines and lines that begin with
/// `#` are skipped, as is a ` # comment` after the URL; a byte order mark and CRLF are allowed. URLs may be there twice.
///
/// ```
/// let list = roundup::plan::parse_list("urls.txt", "# mine\nhttp://a.example/\nnews http://b.example/x#y # good\n")?;
/// assert_eq!((list[0].line, list[0].url.as_str()), (2, "http://a.example/"));
/// assert_eq!((list[1].name.as_deref(), list[1].url.as_str()), (Some("news"), "http://b.example/x#y"));
/// # Ok::<(), roundup::plan::Errors>(())
/// ```
///
/// # Errors
/// A list without any URL, with more than [`MAX_JOBS`], or longer than [`MAX_PLAN_BYTES`]. A bad line is no error of the
/// list: its [`Listed::error`] says what is wrong.
pub fn parse_list(file_name: &str, text: &str) -> Result<Vec<Listed>, Errors> {
    let mut log = Log::new(file_name, text);
    let mut list = Vec::new();
    for (line, text) in lines(&mut log, text) {
        if list.len() == MAX_JOBS {
            log.on_line(line, format!("a list has at most {MAX_JOBS} URLs"));
            break;
        }
        list.push(listed(file_name, line, text));
    }
    if list.is_empty() && log.is_empty() {
        log.whole(format!("no URL in {file_name}: write one a line"));
    }
    log.finish(list)
}

fn listed(file_name: &str, line: usize, text: &str) -> Listed {
    // The first word with a scheme is the URL; without one, the whole line was meant as a URL.
    let start = match text.split_whitespace().find(|word| word.contains("://")) {
        Some(word) => text.find(word).unwrap_or_default(),
        None => 0,
    };
    let (name, rest) = text.split_at(start);
    let (url, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
    let after = after.trim_start();
    let name = name.trim();
    let wrong = if !after.is_empty() && !after.starts_with('#') {
        Some("there is text after the URL: write one URL a line, and %20 for a space in it")
    } else if name.contains(char::is_control) {
        Some("the name before the URL contains a control character")
    } else {
        None
    };
    let name = Some(name).filter(|name| !name.is_empty() && !name.contains(char::is_control));
    Listed {
        line,
        name: name.map(str::to_owned),
        url: if wrong.is_some() { rest } else { url }.to_owned(),
        error: wrong.map(|wrong| format!("{file_name}:{line}: {wrong}")),
    }
}

/// Reads secrets: `NAME=value` a line. Empty lines and lines that begin with `#` are skipped; a byte order mark and CRLF
/// are allowed. Blanks around name and value are dropped, as is a ` # comment` after the value; a value in `"` or `'` is
/// taken as it stands between them, without escapes. Every value is a secret: hand them to [`Redactor::new`](crate::Redactor::new).
///
/// ```
/// let secrets = roundup::plan::parse_secrets("secrets", "# mine\nTOKEN=abc= # of May\nPHRASE=' a # b '\n")?;
/// assert_eq!((secrets["TOKEN"].as_str(), secrets["PHRASE"].as_str()), ("abc=", " a # b "));
/// # Ok::<(), roundup::plan::Errors>(())
/// ```
///
/// # Errors
/// All lines that are not of this form, a name that is there twice, a file longer than [`MAX_PLAN_BYTES`]. No error shows
/// a value, nor a line that has none.
pub fn parse_secrets(file_name: &str, text: &str) -> Result<BTreeMap<String, String>, Errors> {
    let mut log = Log::new(file_name, text);
    let mut secrets = BTreeMap::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (line, text) in lines(&mut log, text) {
        // A line that is not of the form may be a secret as a whole: nothing of it is shown.
        let Some((name, value)) = text.split_once('=') else {
            log.on_line(line, "no \"=\" on the line: write NAME=value");
            continue;
        };
        let (name, value) = (name.trim_end(), value.trim());
        if name.is_empty() || secret_name_len(name) != name.len() {
            log.on_line(line, "no name before \"=\": write letters, digits and _, not beginning with a digit");
            continue;
        }
        let Some(value) = unquote(value) else {
            log.on_line(line, format!("the quotes around the value of {name} do not match"));
            continue;
        };
        if value.contains('\0') {
            log.on_line(line, format!("the value of {name} contains NUL"));
            continue;
        }
        if let Some(before) = seen.insert(name, line) {
            log.on_line(line, format!("{name} is there twice, see line {before}"));
            continue;
        }
        secrets.insert(name.to_owned(), value.to_owned());
    }
    log.finish(secrets)
}

/// The value without the quotes around it and without the comment after it; `None` if the quotes do not match.
fn unquote(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inner, after) = rest.split_once(quote)?;
            let is_comment = after.starts_with(char::is_whitespace) && after.trim_start().starts_with('#');
            return (after.is_empty() || is_comment).then_some(inner);
        }
    }
    let comment =
        value.match_indices('#').find(|(at, _)| value[..*at].is_empty() || value[..*at].ends_with(char::is_whitespace));
    Some(comment.map_or(value, |(at, _)| value[..at].trim_end()))
}

/// The lines that say something, blanks around them dropped, and their numbers.
fn lines<'t>(log: &mut Log, text: &'t str) -> impl Iterator<Item = (usize, &'t str)> + use<'t> {
    let fits = text.len() as u64 <= MAX_PLAN_BYTES;
    if !fits {
        log.whole(format!("the file is longer than {} MiB", MAX_PLAN_BYTES >> 20));
    }
    let text = if fits { text.strip_prefix('\u{feff}').unwrap_or(text) } else { "" };
    let lines = text.split('\n').enumerate().map(|(i, line)| (i + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_literally() {
        let text = "\u{feff}http://a/[1-2]\r\n\r\n  # x\r\nthe news\thttp://b/#c  # d\r\nhttp://a/[1-2]";
        let list = parse_list("l", text).expect("good");
        let found: Vec<_> = list.iter().map(|l| (l.line, l.name.as_deref(), l.url.as_str())).collect();
        let same = (None, "http://a/[1-2]");
        assert_eq!(found, [(1, same.0, same.1), (4, Some("the news"), "http://b/#c"), (5, same.0, same.1)]);
    }

    #[test]
    fn a_bad_line_of_a_list_is_one_entry_that_says_what_is_wrong() {
        let text = "http://a/ b\nhttp://ok/\nx\u{7}y http://ok/\nname http://a/My File.pdf\nno url\n";
        let list = parse_list("l.txt", text).expect("five");
        let found: Vec<_> = list.iter().map(|l| (l.name.as_deref(), l.url.as_str(), l.error.as_deref())).collect();
        let after = |line| {
            format!("l.txt:{line}: there is text after the URL: write one URL a line, and %20 for a space in it")
        };
        assert_eq!(
            found,
            [
                (None, "http://a/ b", Some(after(1).as_str())),
                (None, "http://ok/", None),
                (None, "http://ok/", Some("l.txt:3: the name before the URL contains a control character")),
                (Some("name"), "http://a/My File.pdf", Some(after(4).as_str())),
                (None, "no url", Some(after(5).as_str())),
            ]
        );
        // Whether it can be fetched is not for the list to say.
        assert_eq!(parse_list("l.txt", "a.example\nftp://x/\n").expect("two").len(), 2);
        for empty in ["", "\n# http://a/\n", "\u{feff}"] {
            assert_eq!(
                parse_list("l.txt", empty).expect_err("empty").to_string(),
                "l.txt: no URL in l.txt: write one a line"
            );
        }
        let many = "http://a/\n".repeat(MAX_JOBS + 1);
        assert_eq!(parse_list("l", &many).expect_err("many").list()[0].line, Some(MAX_JOBS + 1));
        assert!(
            parse_list("l", &" ".repeat(MAX_PLAN_BYTES as usize + 1)).expect_err("long").to_string().contains("16")
        );
    }

    /// The comment was taken for a part of the value.
    #[test]
    fn a_comment_after_a_secret_is_no_part_of_it() {
        let text = "TOKEN=tok\nB=abcd # a comment\nQ=\"a # b\"\nEMPTY=\nC='x' # y\nD=a#b\nE= # nothing\nF=\"\"\t# z\n";
        let secrets = parse_secrets("s", text).expect("good");
        let found: Vec<_> = secrets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("B", "abcd"),
            ("C", "x"),
            ("D", "a#b"),
            ("E", ""),
            ("EMPTY", ""),
            ("F", ""),
            ("Q", "a # b"),
            ("TOKEN", "tok"),
        ];
        assert_eq!(found, expected);
        assert!(parse_secrets("s", "A='x'# y").is_err());
    }

    #[test]
    fn secrets_are_read_and_never_shown() {
        let secrets = parse_secrets("s", "A=1\r\n#B=2\n C = x y \nD=\"\"\nE=it's\nF='say \"x\"'\n").expect("good");
        let found: Vec<_> = secrets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, [("A", "1"), ("C", "x y"), ("D", ""), ("E", "it's"), ("F", "say \"x\"")]);

        let text = "hunter2\n1A=hunter2\nB=\"hunter2\nC='hunter2'x'\nD=hunter2\nD=hunter2\nE=hunter2\0\n=hunter2";
        let errors = parse_secrets("s", text).expect_err("bad");
        assert_eq!(errors.list().iter().filter_map(|e| e.line).collect::<Vec<_>>(), [1, 2, 3, 4, 6, 7, 8]);
        assert!(!errors.to_string().contains("hunter2"), "{errors}");
    }
}
