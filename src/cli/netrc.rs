//! The netrc file: users and passwords by host. Pure: text in, entries out.

/// The entries of a netrc file. Has no `Debug`, so that no type that holds it can derive one that shows passwords.
pub(crate) struct Netrc {
    entries: Vec<NetrcEntry>,
}

#[derive(Default)]
struct NetrcEntry {
    /// The host; none for `default`.
    machine: Option<String>,
    login: Option<String>,
    password: Option<String>,
}

impl Netrc {
    /// Reads `machine HOST`, `default`, `login NAME`, `password TEXT`, `account TEXT` and `macdef NAME`, parted by white
    /// space. As in curl, a value may stand in double quotes, with `\"`, `\\`, `\n`, `\r` and `\t` in it, and `#` before
    /// a word starts a comment. Macros and accounts are skipped, and so are words that other tools know (`port`,
    /// `protocol`, `method`), with their values.
    ///
    /// # Errors
    /// The line and what would be right. No word of the file is repeated, because any of them may be a password.
    pub(crate) fn parse(text: &str) -> Result<Netrc, String> {
        let mut words = Words { rest: text, line: 1 };
        let mut entries: Vec<NetrcEntry> = Vec::new();
        while let Some(word) = words.keyword() {
            let line = words.line;
            let mut value = || words.value().map_err(|why| format!("line {line}: {word} {why}"));
            let of_none = format!("line {line}: {word} stands before the first machine or default");
            match word {
                "machine" => entries.push(NetrcEntry { machine: Some(value()?), ..NetrcEntry::default() }),
                "default" => entries.push(NetrcEntry::default()),
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
                // A word of another tool or its value: as in curl, each is skipped for itself, because some have no value.
                _ => {}
            }
        }
        Ok(Netrc { entries })
    }

    /// Login and password for a host: those of its own entry, or else those of `default`. The first of several counts. With
    /// `login`, only entries with this login count.
    pub(crate) fn find(&self, host: &str, login: Option<&str>) -> Option<(&str, &str)> {
        let of_host =
            |entry: &&NetrcEntry| entry.machine.as_deref().is_some_and(|machine| machine.eq_ignore_ascii_case(host));
        let of_login = |entry: &&NetrcEntry| login.is_none() || entry.login.as_deref() == login;
        let own = self.entries.iter().filter(of_login).find(of_host);
        let default = || self.entries.iter().filter(of_login).find(|entry| entry.machine.is_none());
        let entry = own.or_else(default)?;
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
            // The quoted value of a word that is skipped.
            let skipped = self.rest.starts_with('"') && self.value().is_ok();
            if !skipped && !self.rest.starts_with(['#', '"']) {
                break;
            }
            if !skipped {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            }
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
        assert_eq!(netrc.find("a.example", None), Some(("me", "#pw")));
        assert_eq!(netrc.find("b.EXAMPLE", None), Some(("you \"x\\", "p w\n\t")));
        assert_eq!(netrc.find("m", None), Some(("late", "z")));
        // A host's own entry goes before default even if it is empty.
        assert_eq!(netrc.find("bare", None), None);
        assert_eq!(netrc.find("evil", None), Some(("anonymous", "me@here")));
        assert_eq!(Netrc::parse("machine a login b").ok().and_then(|n| n.find("a", None).map(|p| p.1.len())), Some(0));
        assert!(Netrc::parse(" \n\n").ok().is_some_and(|netrc| netrc.find("a", None).is_none()));
    }

    /// A word that curl skips was an error for the whole file.
    #[test]
    fn words_of_other_tools_are_skipped() {
        let text = "machine a.example port 993 login me method interactive password p1\n\
                    machine b.example\n  protocol https\n  name \"x login evil\" login you force yes password \"p2\"\n\
                    \"unclosed login evil\nmachine c.example login she password p3 port";
        let netrc = Netrc::parse(text).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(netrc.find("a.example", None), Some(("me", "p1")));
        assert_eq!(netrc.find("b.example", None), Some(("you", "p2")));
        assert_eq!(netrc.find("c.example", None), Some(("she", "p3")));
    }

    #[test]
    fn a_user_finds_its_own_password() {
        let text = "machine a login x password p1 machine a login y password p2 default login z password p3";
        let netrc = Netrc::parse(text).unwrap_or_else(|wrong| panic!("{wrong}"));
        for (host, login, found) in [
            ("a", None, Some(("x", "p1"))),
            ("a", Some("y"), Some(("y", "p2"))),
            ("a", Some("z"), Some(("z", "p3"))),
            ("a", Some("nobody"), None),
            ("b", Some("z"), Some(("z", "p3"))),
            ("b", Some("x"), None),
        ] {
            assert_eq!(netrc.find(host, login), found, "{host} {login:?}");
        }
    }

    #[test]
    fn mistakes_name_the_line_and_no_secret() {
        for (text, part) in [
            ("machine a\nlogin b\npassword", "line 3: password has no value"),
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
