//! Words as cmd.exe and PowerShell give them to a program.

use super::cursor::Cursor;
use super::marks::Marks;
use super::words::{WrittenCommand, wrong};
use crate::error::Result;

/// The commands in a text, as cmd.exe hands them over and the program takes them apart.
pub(super) fn cmd_commands(text: &str) -> Result<Vec<WrittenCommand>> {
    let mut commands = Vec::new();
    for (line, text, is_piped) in cmd_lines(text) {
        let words = program_words(&text, line)?;
        if !words.is_empty() {
            commands.push(WrittenCommand { line, words, stdin: None, is_piped });
        }
    }
    Ok(commands)
}

/// What cmd.exe makes of a text: lines for programs, without its carets; where each begins, and whether it is piped.
fn cmd_lines(text: &str) -> Vec<(usize, String, bool)> {
    let mut lines = Vec::new();
    let (mut current, mut begins, mut line) = (String::new(), 1, 1);
    let (mut is_quoted, mut is_piped) = (false, false);
    let mut chars = text.chars().filter(|c| *c != '\r').peekable();
    while let Some(c) = chars.next() {
        line += usize::from(c == '\n');
        match c {
            '^' if !is_quoted => {
                // At the end of a line it goes on with the next, whose first character stands for itself.
                if chars.next_if_eq(&'\n').is_some() {
                    line += 1;
                }
                let Some(c) = chars.next() else { break };
                line += usize::from(c == '\n');
                current.push(c);
            }
            '\n' | '&' | '|' if !is_quoted => {
                lines.push((begins, std::mem::take(&mut current), is_piped));
                (begins, is_piped) = (line, c == '|');
            }
            '"' => {
                is_quoted = !is_quoted;
                current.push(c);
            }
            // A line break ends a command of cmd.exe also between quotes.
            '\n' => {
                lines.push((begins, std::mem::take(&mut current), is_piped));
                (begins, is_piped, is_quoted) = (line, false, false);
            }
            _ => current.push(c),
        }
    }
    lines.push((begins, current, is_piped));
    lines
}

/// The arguments in a command line, by the rules of Microsoft's C library.
fn program_words(text: &str, line: usize) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' if !is_quoted => words.extend(word.take()),
            '\\' => {
                let mut count = 1;
                while chars.next_if_eq(&'\\').is_some() {
                    count += 1;
                }
                let word = word.get_or_insert_default();
                if chars.peek() == Some(&'"') {
                    // Two are one before a quote, and one that is left over makes it a character.
                    word.push_str(&"\\".repeat(count / 2));
                    if count % 2 == 1 {
                        word.extend(chars.next());
                    }
                } else {
                    word.push_str(&"\\".repeat(count));
                }
            }
            '"' if is_quoted && chars.next_if_eq(&'"').is_some() => word.get_or_insert_default().push('"'),
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    if is_quoted {
        return Err(wrong(line, "the quote \" is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// The commands in a text, as PowerShell reads them.
pub(super) fn powershell_commands(text: &str, marks: &mut Marks) -> Result<Vec<WrittenCommand>> {
    let mut reader = PowerShell { text: Cursor::new(text), marks };
    let mut commands = Vec::new();
    let mut current = WrittenCommand::default();
    while let Some(c) = reader.text.peek() {
        match c {
            ' ' | '\t' | '\r' => drop(reader.text.take()),
            '`' if reader.text.rest[1..].trim_start_matches([' ', '\r']).starts_with('\n') => {
                while reader.text.take() != Some('\n') {}
            }
            '#' => {
                let end = reader.text.rest.find('\n').unwrap_or(reader.text.rest.len());
                reader.text.rest = &reader.text.rest[end..];
            }
            '\n' | ';' | '|' | '&' => {
                reader.text.take();
                let next = WrittenCommand { is_piped: c == '|', ..WrittenCommand::default() };
                let command = std::mem::replace(&mut current, next);
                commands.extend((!command.words.is_empty()).then_some(command));
            }
            _ => {
                if current.words.is_empty() {
                    current.line = reader.text.line;
                }
                // Older versions hand quotes over as they are, so they are written with a `\` for the program.
                current.words.push(reader.word()?.replace("\\\"", "\""));
            }
        }
    }
    commands.extend((!current.words.is_empty()).then_some(current));
    Ok(commands)
}

struct PowerShell<'t, 'm> {
    text: Cursor<'t>,
    marks: &'m mut Marks,
}

impl PowerShell<'_, '_> {
    fn word(&mut self) -> Result<String> {
        let mut word = String::new();
        let line = self.text.line;
        // The quote that is open.
        let mut quote = None;
        while let Some(c) = self.text.peek() {
            match (quote, c) {
                (None, ' ' | '\t' | '\r' | '\n' | ';' | '|') => break,
                (None, '\'' | '"') => {
                    self.text.take();
                    quote = Some(c);
                }
                (Some(open), c) if c == open => {
                    self.text.take();
                    // Two of them are one.
                    match self.text.peek() == Some(open) {
                        true => word.extend(self.text.take()),
                        false => quote = None,
                    }
                }
                (None | Some('"'), '`') => {
                    self.text.take();
                    word.extend(self.text.take().map(|c| match c {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        '0' => '\0',
                        c => c,
                    }));
                }
                (None | Some('"'), '$') => self.variable(&mut word)?,
                _ => word.extend(self.text.take()),
            }
        }
        if quote.is_some() {
            return Err(wrong(line, "a quote is not closed"));
        }
        Ok(word)
    }

    /// `$NAME`, `${NAME}` and `$env:NAME`.
    fn variable(&mut self, word: &mut String) -> Result<()> {
        self.text.take();
        if self.text.peek() == Some('(') {
            return Err(wrong(
                self.text.line,
                "commands in $(...) are not run: write a variable such as $TOKEN in their place",
            ));
        }
        let is_braced = self.text.rest.starts_with('{');
        let inner = &self.text.rest[usize::from(is_braced)..];
        let inner = inner.strip_prefix("env:").unwrap_or(inner);
        let len = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let (name, after) = inner.split_at(len);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || (is_braced && !after.starts_with('}')) {
            word.push('$');
            return Ok(());
        }
        self.text.rest = &after[usize::from(is_braced)..];
        word.push_str(&self.marks.variable(name));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cmd(text: &str) -> Vec<String> {
        cmd_commands(text).expect(text).iter().map(|command| command.words.join("|")).collect()
    }

    #[test]
    fn carets_and_quotes_are_those_of_cmd() {
        for (text, expected) in [
            ("curl ^\"http://a/?b=1^&c=2^\" ^\r\n  -H ^\"x: y^\"", &["curl|http://a/?b=1&c=2|-H|x: y"][..]),
            (
                "curl \"http://a/?b=1&c=2\" ^\n -d \"{\\\"a\\\":\\\"b^c\\\"}\" \"d^e\"",
                &["curl|http://a/?b=1&c=2|-d|{\"a\":\"bc\"}|d^e"],
            ),
            (
                "curl ^\"u^\" --data-raw ^\"^{^\\^\"a^\\^\":^\\^\"50^%^\\^\"^}^\"",
                &["curl|u|--data-raw|{\"a\":\"50%\"}"],
            ),
            ("curl ^\"u^\" -d ^\"a^\n\nb^\" &\ncurl ^\"v^\"", &["curl|u|-d|a\nb", "curl|v"]),
            ("curl \"a\"\"b\" c\\d \"e\\\\\" ^\n", &["curl|a\"b|c\\d|e\\"]),
        ] {
            assert_eq!(cmd(text), expected, "{text}");
        }
        assert!(cmd_commands("curl ^\"a").is_err());
    }

    #[test]
    fn backticks_and_quotes_are_those_of_powershell() {
        let text = "curl.exe \"http://a/$env:ID`n`$x\" `\r\n  -H 'A: ''b''' -d '{\\\"a\\\":1}'\n# c\ncurl.exe -H \"T: ${T}\" u";
        let mut marks = Marks::new(text);
        let commands = powershell_commands(text, &mut marks).expect("good");
        let words: Vec<String> = commands.iter().map(|command| marks.shown(&command.words.join("|"))).collect();
        assert_eq!(words, ["curl.exe|http://a/${ID}\n$x|-H|A: 'b'|-d|{\"a\":1}", "curl.exe|-H|T: ${T}|u"]);
        for text in ["curl.exe 'a", "curl.exe $(b)"] {
            assert!(powershell_commands(text, &mut Marks::new(text)).is_err(), "{text}");
        }
    }
}
