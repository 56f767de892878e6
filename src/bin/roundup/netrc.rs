//! The netrc file: who to be on which host. Pure: text in, entries out.

/// The entries of a netrc file. Has no `Debug`, so that none can be derived around it.
pub(crate) struct Netrc {
    entries: Vec<Entry>,
}

#[derive(Default)]
struct Entry {
    /// The host; none for `default`.
    machine: Option<String>,
    login: Option<String>,
    password: Option<String>,
}

impl Netrc {
    /// Reads `machine HOST`, `default`, `login NAME`, `password TEXT`, `account TEXT` and `macdef NAME`, parted by white
    /// space. As in curl, a value may stand in double quotes, with `\"`, `\\`, `\n`, `\r` and `\t` in it, and `#` before
    /// a word starts a comment. Macros and accounts are skipped.
    ///
    /// # Errors
    /// The line and what would be right; no word of the file is repeated, for any of them may be a password.
    pub(crate) fn parse(text: &str) -> Result<Netrc, String> {
        let mut words = Words { rest: text, line: 1 };
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(word) = words.keyword() {
            let line = words.line;
            let mut value = || words.value().map_err(|why| format!("line {line}: {word} {why}"));
            let of_none = format!("line {line}: {word} stands before the first machine or default");
            match word {
                "machine" => entries.push(Entry { machine: Some(value()?), ..Entry::default() }),
                "default" => entries.push(Entry::default()),
                "login" => {
                    let login = value()?;
                    if login.contains(':') {
                        return Err(format!("line {line}: a login cannot contain a colon (RFC 7617, section 2)"));
                    }
                    entries.last_mut().ok_or(of_none)?.login = Some(login);
                }
                "password" => {
                    let password = value()?;
                    entries.last_mut().ok_or(of_none)?.password = Some(password);
                }
                "account" => drop(value()?),
                "macdef" => {
                    value()?;
                    words.skip_macro();
                }
                _ => {
                    let known = "machine, default, login, password, account or macdef";
                    return Err(format!("line {line}: a word is none of those that may stand there: write {known}"));
                }
            }
        }
        Ok(Netrc { entries })
    }

    /// Login and password for a host: those of its own entry, or else those of `default`. Of several, the first counts.
    pub(crate) fn find(&self, host: &str) -> Option<(&str, &str)> {
        let own = |entry: &&Entry| entry.machine.as_deref().is_some_and(|machine| machine.eq_ignore_ascii_case(host));
        let entry = self.entries.iter().find(own);
        let entry = entry.or_else(|| self.entries.iter().find(|entry| entry.machine.is_none()))?;
        Some((entry.login.as_deref()?, entry.password.as_deref().unwrap_or_default()))
    }
}

struct Words<'a> {
    rest: &'a str,
    /// The line where the last word began.
    line: usize,
}

impl<'a> Words<'a> {
    fn keyword(&mut self) -> Option<&'a str> {
        loop {
            self.skip_blanks();
            if !self.rest.starts_with('#') {
                break;
            }
            self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
        let word = self.take(self.rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(self.rest.len()));
        (!word.is_empty()).then_some(word)
    }

    fn value(&mut self) -> Result<String, &'static str> {
        self.skip_blanks();
        if !self.rest.starts_with('"') {
            let word = self.take(self.rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(self.rest.len()));
            return if word.is_empty() { Err("has no value behind it") } else { Ok(word.to_owned()) };
        }
        let mut value = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.take(at + 1);
                    return Ok(value);
                }
                '\\' => match letters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, other)) => value.push(other),
                    None => break,
                },
                '\n' => break,
                other => value.push(other),
            }
        }
        Err("has a value whose closing quote is missing in its line")
    }

    /// A macro ends at an empty line.
    fn skip_macro(&mut self) {
        self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
        while !self.rest.is_empty() {
            self.take(1);
            let line = self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            if line.trim().is_empty() {
                return;
            }
        }
    }

    fn skip_blanks(&mut self) {
        self.take(self.rest.len() - self.rest.trim_ascii_start().len());
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let text = "# mine\nmachine a.example login me password #pw\n\
                    machine B.example\n\tlogin \"you \\\"x\\\\\"\n\tpassword \"p w\\n\\t\" # not secret\n\
                    machine m macdef init\nmachine evil login x\npassword y\n\nlogin late password z account w\n\
                    machine bare\ndefault login anonymous\r\npassword me@here";
        let netrc = Netrc::parse(text).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(netrc.find("a.example"), Some(("me", "#pw")));
        assert_eq!(netrc.find("b.EXAMPLE"), Some(("you \"x\\", "p w\n\t")));
        assert_eq!(netrc.find("m"), Some(("late", "z")));
        // An entry of its own goes before default even where it says nothing.
        assert_eq!(netrc.find("bare"), None);
        assert_eq!(netrc.find("evil"), Some(("anonymous", "me@here")));
        assert_eq!(Netrc::parse("machine a login b").ok().and_then(|n| n.find("a").map(|p| p.1.len())), Some(0));
        assert!(Netrc::parse(" \n\n").ok().is_some_and(|netrc| netrc.find("a").is_none()));
    }

    #[test]
    fn mistakes_name_the_line_and_no_secret() {
        for (text, part) in [
            ("machine a\nlogin b\npassword", "line 3: password has no value"),
            ("machine a login b password s3cret pass s3cret", "line 1: a word is none of those"),
            ("\nlogin s3cret", "line 2: login stands before the first machine"),
            ("machine a\npassword \"s3cret\nlogin b", "line 2: password has a value whose closing quote"),
            ("machine a password \"s3cret\\", "closing quote is missing"),
            ("machine a login s3:cret", "cannot contain a colon"),
        ] {
            let wrong = Netrc::parse(text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(wrong.contains(part) && !wrong.contains("s3"), "{wrong}");
        }
    }

    #[test]
    fn nothing_makes_it_panic_or_hang() {
        let text = "machine ä login \"\\ü\" macdef x\n\n#\u{2028} default password \"é\nmacdef";
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            let _ = Netrc::parse(&text[..end]);
        }
    }
}
