//! Text on its way into the page: secrets hidden, then escaped.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};

use super::super::redacted;
use crate::http::printable;
use crate::redact::Redactor;

/// The page while it is written.
pub(super) struct Markup<'p> {
    out: &'p mut dyn Write,
    pub(super) redactor: &'p Redactor,
    written: u64,
}

impl<'p> Markup<'p> {
    pub(super) fn new(out: &'p mut dyn Write, redactor: &'p Redactor) -> Markup<'p> {
        Markup { out, redactor, written: 0 }
    }

    /// How many bytes were written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Writes markup of ours, and numbers.
    pub(super) fn raw(&mut self, markup: impl Display) -> io::Result<()> {
        let markup = markup.to_string();
        self.written += markup.len() as u64;
        self.out.write_all(markup.as_bytes())
    }

    /// Writes what the user wrote or roundup says.
    pub(super) fn own(&mut self, text: &str) -> io::Result<()> {
        let text = redacted::text(self.redactor, text).into_owned();
        self.hidden(&text)
    }

    /// Writes what a server sent.
    pub(super) fn received(&mut self, text: &str) -> io::Result<()> {
        let text = redacted::received(self.redactor, text).into_owned();
        self.hidden(&text)
    }

    /// Writes text in which secrets are hidden already, cut if it is long.
    pub(super) fn hidden(&mut self, text: &str) -> io::Result<()> {
        let cut = cut(text);
        self.raw(escape(&cut))
    }

    /// Writes all of a text in which secrets are hidden already.
    pub(super) fn whole(&mut self, text: &str) -> io::Result<()> {
        self.raw(escape(text))
    }
}

/// The text, cut if it is too long to be read in a cell; the end says how long it was.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MOST_CHARACTERS) {
        // All of it would be shown in about the room that the cut takes.
        Some((at, _)) if text.len() - at > 40 => {
            format!("{}… ({} characters in all)", &text[..at], text.chars().count()).into()
        }
        _ => text.into(),
    }
}

/// The text for any place in HTML, attributes included. What no page may hold, and marks that turn the direction of what
/// follows, are replaced.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let text = printable(text, &['\n', '\t', '\r']);
    if !text.contains(|c: char| matches!(c, '&' | '<' | '>' | '"' | '\'' | '\r') || is_noncharacter(c)) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\r' => {}
            c if is_noncharacter(c) => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    escaped.into()
}

/// Whether Unicode keeps the code point from being a character, so that no page may hold it (HTML, section 13.1.2).
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// The most characters of a text in a cell.
const MOST_CHARACTERS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_its_place() {
        assert_eq!(
            escape("</script><a href='\"&\0\u{202e}\u{ffff}"),
            "&lt;/script&gt;&lt;a href=&#39;&quot;&amp;\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(escape("plain text\n"), "plain text\n");
    }

    #[test]
    fn long_texts_say_how_long_they_were() {
        let long = "é".repeat(1_000_000);
        assert!(cut(&long).ends_with("é… (1000000 characters in all)"));
        assert_eq!(cut(&long).chars().filter(|c| *c == 'é').count(), MOST_CHARACTERS);
        assert_eq!(cut("short"), "short");
    }
}
