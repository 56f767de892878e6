//! Words as bash reads them: three kinds of quotes, `\` at the end of lines, variables, here-documents, comments.

use super::cursor::Cursor;
use super::marks::Marks;
use super::words::{WrittenCommand, text_of, wrong};
use crate::error::Result;

/// The commands in a text, as bash takes them apart.
pub(super) fn commands(text: &str, marks: &mut Marks) -> Result<Vec<WrittenCommand>> {
    let mut lexer = Lexer {
        text: Cursor::new(text),
        marks,
        done: Vec::new(),
        current: WrittenCommand::default(),
        ends: Vec::new(),
    };
    while lexer.step()? {}
    lexer.end_command(false);
    Ok(lexer.done)
}

struct Lexer<'t, 'm> {
    text: Cursor<'t>,
    marks: &'m mut Marks,
    done: Vec<WrittenCommand>,
    current: WrittenCommand,
    /// The words that end the here-documents which begin on the next line.
    ends: Vec<String>,
}

impl<'t> Lexer<'t, '_> {
    /// Passes the end of a line that goes on in the next; blanks behind the `\` are forgiven.
    fn passes_continuation(&mut self) -> bool {
        let Some(rest) = self.text.rest.strip_prefix('\\') else { return false };
        let end = rest.trim_start_matches([' ', '\t', '\r']);
        if end.starts_with('\n') || (end.is_empty() && !rest.is_empty()) {
            self.text.rest = end.strip_prefix('\n').unwrap_or(end);
            self.text.line += 1;
            return true;
        }
        false
    }

    /// One word, or what stands between words; false at the end.
    fn step(&mut self) -> Result<bool> {
        if self.passes_continuation() {
            return Ok(true);
        }
        let Some(c) = self.text.peek() else { return Ok(false) };
        match c {
            ' ' | '\t' | '\r' => {
                self.text.take();
            }
            '\n' => {
                self.text.take();
                self.read_documents();
                self.end_command(false);
            }
            '#' => {
                let end = self.text.rest.find('\n').unwrap_or(self.text.rest.len());
                self.text.rest = &self.text.rest[end..];
            }
            ';' | '&' | '|' | '(' | ')' => {
                let is_redirect = self.text.passes("&>");
                if is_redirect {
                    self.redirect()?;
                } else {
                    self.text.take();
                    let is_double = self.text.passes(&c.to_string());
                    self.end_command(c == '|' && !is_double);
                }
            }
            '<' | '>' => self.redirect()?,
            _ => {
                let line = self.text.line;
                let word = self.word()?;
                if self.text.peek().is_some_and(|c| matches!(c, '<' | '>')) && word.bytes().all(|b| b.is_ascii_digit())
                {
                    self.redirect()?;
                } else {
                    self.push(word, line);
                }
            }
        }
        Ok(true)
    }

    fn push(&mut self, word: String, line: usize) {
        if self.current.words.is_empty() {
            self.current.line = line;
        }
        self.current.words.push(word);
    }

    fn end_command(&mut self, is_piped: bool) {
        let next = WrittenCommand { is_piped, ..WrittenCommand::default() };
        let command = std::mem::replace(&mut self.current, next);
        if !command.words.is_empty() {
            self.done.push(command);
        }
    }

    /// `> file` and its kin are passed; `<< END` and `<<< word` give the content of stdin.
    fn redirect(&mut self) -> Result<()> {
        let line = self.text.line;
        if self.text.passes("<<<") {
            let word = self.next_word()?;
            self.current.stdin = Some(word + "\n");
        } else if self.text.passes("<<") {
            self.text.passes("-");
            let end = self.next_word()?;
            self.ends.push(end);
        } else if self.text.passes("<") {
            return Err(wrong(line, "stdin comes from a file: write --data-binary @FILE in place of < FILE"));
        } else {
            while self.text.peek().is_some_and(|c| matches!(c, '>' | '&' | '|')) {
                self.text.take();
            }
            self.next_word()?;
        }
        Ok(())
    }

    fn next_word(&mut self) -> Result<String> {
        while self.text.peek().is_some_and(|c| matches!(c, ' ' | '\t')) {
            self.text.take();
        }
        self.word()
    }

    /// Reads the here-documents that were announced on the line before.
    fn read_documents(&mut self) {
        for end in std::mem::take(&mut self.ends) {
            let mut document = String::new();
            while !self.text.rest.is_empty() {
                let len = self.text.rest.find('\n').map_or(self.text.rest.len(), |at| at + 1);
                let (line, rest) = self.text.rest.split_at(len);
                (self.text.rest, self.text.line) = (rest, self.text.line + 1);
                if line.trim() == end {
                    break;
                }
                document.push_str(line);
            }
            self.current.stdin = Some(document);
        }
    }

    /// A word up to a blank or a mark of the shell.
    fn word(&mut self) -> Result<String> {
        let line = self.text.line;
        let mut word = Vec::new();
        loop {
            if self.passes_continuation() {
                continue;
            }
            match self.text.peek() {
                None | Some(' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => break,
                Some('\'') => self.single_quoted(&mut word)?,
                Some('"') => self.double_quoted(&mut word)?,
                Some('$') if self.text.rest.starts_with("$'") => self.ansi_quoted(&mut word)?,
                Some('$') if self.text.rest.starts_with("$\"") => {
                    self.text.take();
                    self.double_quoted(&mut word)?;
                }
                Some('$') => self.variable(&mut word)?,
                Some('`') => return Err(self.not_run()),
                Some('\\') => {
                    self.text.take();
                    word.extend(self.text.take().map(String::from).unwrap_or_else(|| "\\".to_owned()).into_bytes());
                }
                Some(c) => {
                    self.text.take();
                    word.extend(c.to_string().into_bytes());
                }
            }
        }
        text_of(word, line)
    }

    fn single_quoted(&mut self, word: &mut Vec<u8>) -> Result<()> {
        let line = self.text.line;
        self.text.take();
        let end = self.text.rest.find('\'').ok_or_else(|| wrong(line, "the quote ' is not closed"))?;
        word.extend_from_slice(&self.text.rest.as_bytes()[..end]);
        self.text.line += self.text.rest[..end].matches('\n').count();
        self.text.rest = &self.text.rest[end + 1..];
        Ok(())
    }

    fn double_quoted(&mut self, word: &mut Vec<u8>) -> Result<()> {
        let line = self.text.line;
        self.text.take();
        loop {
            match self.text.peek() {
                None => return Err(wrong(line, "the quote \" is not closed")),
                Some('"') => {
                    self.text.take();
                    return Ok(());
                }
                Some('$') => self.variable(word)?,
                Some('`') => return Err(self.not_run()),
                Some('\\') => {
                    if self.text.passes("\\\n") || self.text.passes("\\\r\n") {
                        continue;
                    }
                    self.text.take();
                    if !self.text.peek().is_some_and(|c| matches!(c, '$' | '`' | '"' | '\\')) {
                        word.push(b'\\');
                    } else if let Some(c) = self.text.take() {
                        word.extend(c.to_string().into_bytes());
                    }
                }
                Some(c) => {
                    self.text.take();
                    word.extend(c.to_string().into_bytes());
                }
            }
        }
    }

    /// `$NAME` and `${NAME}`; any other `$` is itself.
    fn variable(&mut self, word: &mut Vec<u8>) -> Result<()> {
        self.text.take();
        if self.text.peek() == Some('(') {
            return Err(self.not_run());
        }
        let in_braces = self.text.passes("{");
        let len = self.text.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.text.rest.len());
        let (name, after) = self.text.rest.split_at(len);
        let is_name = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
        if !is_name || (in_braces && !after.starts_with('}')) {
            if in_braces {
                return Err(wrong(self.text.line, "only $NAME and ${NAME} are understood of the shell's variables"));
            }
            word.push(b'$');
            return Ok(());
        }
        self.text.rest = &after[usize::from(in_braces)..];
        word.extend(self.marks.variable(name).into_bytes());
        Ok(())
    }

    fn not_run(&self) -> crate::error::Error {
        wrong(
            self.text.line,
            "commands in $(...) and `...` are not run: write a variable such as $TOKEN in their place",
        )
    }

    /// `$'...'` (bash's manual, 3.1.2.4), with pairs of UTF-16 as browsers write them.
    fn ansi_quoted(&mut self, word: &mut Vec<u8>) -> Result<()> {
        let line = self.text.line;
        self.text.passes("$'");
        let mut high = None;
        loop {
            let c = self.text.take().ok_or_else(|| wrong(line, "the quote $' is not closed"))?;
            if c == '\'' {
                return Ok(());
            }
            if c != '\\' {
                word.extend(c.to_string().into_bytes());
                continue;
            }
            let c = self.text.take().ok_or_else(|| wrong(line, "the quote $' is not closed"))?;
            let simple = match c {
                'n' => b'\n',
                't' => b'\t',
                'r' => b'\r',
                'a' => 7,
                'b' => 8,
                'e' | 'E' => 27,
                'f' => 12,
                'v' => 11,
                '\\' | '\'' | '"' | '?' => c as u8,
                'x' => {
                    let code = self.digits(16, 2);
                    word.extend(code.map(|code| code as u8));
                    continue;
                }
                'u' | 'U' => {
                    let code = self.digits(16, if c == 'u' { 4 } else { 8 }).unwrap_or_default();
                    high =
                        push_unit(high, code, word).ok_or_else(|| wrong(line, "\\u in $'...' names no character"))?;
                    continue;
                }
                '0'..='7' => {
                    let (mut code, mut more) = (c.to_digit(8).unwrap_or_default(), 2);
                    while let Some(digit) = self.text.peek().and_then(|c| c.to_digit(8)).filter(|_| more > 0) {
                        self.text.take();
                        (code, more) = (code * 8 + digit, more - 1);
                    }
                    word.push(code as u8);
                    continue;
                }
                other => {
                    word.push(b'\\');
                    word.extend(other.to_string().into_bytes());
                    continue;
                }
            };
            word.push(simple);
        }
    }

    /// A number of up to so many digits.
    fn digits(&mut self, radix: u32, most: usize) -> Option<u32> {
        let len = self.text.rest.chars().take(most).take_while(|c| c.is_digit(radix)).count();
        let (digits, rest) = self.text.rest.split_at(len);
        self.text.rest = rest;
        u32::from_str_radix(digits, radix).ok()
    }
}

/// Adds the character of a code, or holds back the first half of a pair of UTF-16. `None` if it is no character.
fn push_unit(high: Option<u32>, code: u32, word: &mut Vec<u8>) -> Option<Option<u32>> {
    let code = match (high, code) {
        (_, 0xd800..=0xdbff) => return Some(Some(code)),
        (Some(high), 0xdc00..=0xdfff) => 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00),
        _ => code,
    };
    let c = char::from_u32(code).filter(|c| *c != '\0')?;
    word.extend(c.to_string().into_bytes());
    Some(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of each command, parted by `|`, with variables as `${NAME}`.
    fn words(text: &str) -> Vec<String> {
        let mut marks = Marks::new(text);
        let commands = commands(text, &mut marks).expect(text);
        commands.iter().map(|command| marks.shown(&command.words.join("|"))).collect()
    }

    #[test]
    fn words_are_those_of_bash() {
        for (text, expected) in [
            ("curl a b", &["curl|a|b"][..]),
            ("curl \\\n  a \\  \n b", &["curl|a|b"]),
            ("curl \\\r\n  a\r\ncurl b", &["curl|a", "curl|b"]),
            ("curl 'a b'\"c $d\"e\\ f", &["curl|a bc ${d}e f"]),
            ("curl \"\\\"\\$\\x\\\\\" '\\n'", &["curl|\"$\\x\\|\\n"]),
            ("curl $'a\\n\\x41\\u0021\\'\\ud83d\\ude00\\101\\xc3\\xa9'", &["curl|a\nA!'😀Aé"]),
            ("curl a; curl b && curl c | jq . # d\n# e\ncurl f#g", &["curl|a", "curl|b", "curl|c", "jq|.", "curl|f#g"]),
            ("curl a > out 2>&1 2>/dev/null", &["curl|a"]),
            ("curl \"${A}b$C$\" $ $1", &["curl|${A}b${C}$|$|$1"]),
            ("curl ''", &["curl|"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        let mut marks = Marks::new("");
        let found = commands("curl -d @- <<'END' u\na\n b\nEND\ncurl -d @- <<< 'x y'", &mut marks).expect("good");
        let stdin: Vec<_> = found.iter().map(|command| (command.line, command.stdin.as_deref())).collect();
        assert_eq!(stdin, [(1, Some("a\n b\n")), (5, Some("x y\n"))]);
        assert_eq!(found[0].words, ["curl", "-d", "@-", "u"]);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, expected) in [
            ("curl 'a", "line 1: the quote ' is not closed"),
            ("curl\ncurl \"a\n", "line 2: the quote \" is not closed"),
            ("curl $'a", "line 1: the quote $' is not closed"),
            (
                "curl $(cat key)",
                "line 1: commands in $(...) and `...` are not run: write a variable such as $TOKEN in their place",
            ),
            ("curl \"${A:-b}\"", "line 1: only $NAME and ${NAME} are understood of the shell's variables"),
            ("curl $'\\xff'", "line 1: what is not UTF-8 cannot stand in a plan"),
            ("curl -d @- < file", "line 1: stdin comes from a file: write --data-binary @FILE in place of < FILE"),
        ] {
            let mut marks = Marks::new(text);
            assert_eq!(commands(text, &mut marks).expect_err(text).one_line(), expected);
        }
    }

    #[test]
    fn any_text_is_read_or_refused() {
        let mut random = fastrand::Rng::with_seed(20);
        for _ in 0..20_000 {
            let pieces = [
                "curl", " ", "'", "\"", "$", "{", "}", "\\", "\n", "\r", "$'", "\\u", "d83d", "<<", ">", "&", "#", "é",
                "\\x", "1", "A",
            ];
            let text: String = (0..random.usize(..30)).map(|_| pieces[random.usize(..pieces.len())]).collect();
            let _ = commands(&text, &mut Marks::new(&text));
        }
    }
}
