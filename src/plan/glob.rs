//! curl's URL patterns: `[1-50]`, `[001-100]`, `[0-100:10]`, `[a-z:2]` and `{a,b,c}`.

use std::fmt::Write;
use std::net::Ipv6Addr;
use std::ops::Range;

use super::bounds::{MAX_EXPANDED_BYTES, MAX_JOBS};
use crate::error::{Error, Kind, Result};
use crate::http::printable;

/// What brackets and braces in a URL mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Globs {
    /// They are patterns, as in curl.
    #[default]
    Expand,
    /// They are part of the URL, as with curl's `--globoff`.
    Keep,
}

/// All URLs of a pattern, the rightmost part changing fastest; the text itself if there is no pattern in it.
///
/// `\[`, `\]`, `\{` and `\}` stand for the characters themselves, in braces also `\,` for a comma. An IPv6 address in
/// brackets and an empty pair of brackets are no patterns. The URLs are not checked; [`Job::get`](crate::Job::get) does.
///
/// ```
/// use roundup::plan::{Globs, expand_url};
/// let urls = expand_url("http://[::1]/{a,b}/[08-10]", Globs::Expand)?;
/// assert_eq!(urls.len(), 6);
/// assert!(urls.skip(2).take(2).eq(["http://[::1]/a/10", "http://[::1]/b/08"]));
/// # Ok::<(), roundup::Error>(())
/// ```
///
/// # Errors
/// [`Kind::Url`] if the pattern is not one of these, with its column, or gives more than [`MAX_JOBS`] URLs or
/// [`MAX_EXPANDED_BYTES`].
pub fn expand_url(pattern: &str, globs: Globs) -> Result<ExpandedUrls> {
    let parts = match globs {
        Globs::Keep => vec![PatternPart::Fixed(pattern.to_owned())],
        Globs::Expand => Scanner { text: pattern, at: 0 }.parts()?,
    };
    let count = parts.iter().try_fold(1u64, |count, part| count.checked_mul(part.len()));
    let count = count.filter(|count| *count <= MAX_JOBS as u64).ok_or_else(|| {
        Error::new(Kind::Url, format!("the URL pattern gives more than {MAX_JOBS} URLs: write a smaller range"))
    })?;
    let longest: u64 = parts.iter().map(PatternPart::max_bytes).sum();
    if longest.saturating_mul(count) > MAX_EXPANDED_BYTES {
        let text = format!("the URLs of the pattern take more than {} MiB", MAX_EXPANDED_BYTES >> 20);
        return Err(Error::new(Kind::Url, text));
    }
    let longest = usize::try_from(longest).unwrap_or_default();
    Ok(ExpandedUrls { chosen: vec![0; parts.len()], parts, longest, numbers: 0..count as usize })
}

/// The URLs of a pattern, made one after the other by [`expand_url`].
#[derive(Debug)]
pub struct ExpandedUrls {
    parts: Vec<PatternPart>,
    /// The choice of each part, for the next URL.
    chosen: Vec<u64>,
    /// How many bytes the longest one has at most.
    longest: usize,
    /// Those that have not been made.
    numbers: Range<usize>,
}

impl Iterator for ExpandedUrls {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut rest = self.numbers.next()? as u64;
        for (part, choice) in self.parts.iter().zip(&mut self.chosen).rev() {
            *choice = rest % part.len();
            rest /= part.len();
        }
        let mut url = String::with_capacity(self.longest);
        for (part, choice) in self.parts.iter().zip(&self.chosen) {
            part.write(*choice, &mut url);
        }
        Some(url)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.numbers.size_hint()
    }
}

impl ExactSizeIterator for ExpandedUrls {}

/// A piece of a pattern.
#[derive(Debug)]
enum PatternPart {
    Fixed(String),
    Set(Vec<String>),
    Numbers { first: u64, len: u64, step: u64, width: usize },
    Letters { first: u8, len: u64, step: u64 },
}

impl PatternPart {
    /// How many texts the part stands for; at least one.
    fn len(&self) -> u64 {
        match self {
            PatternPart::Fixed(_) => 1,
            PatternPart::Set(items) => items.len() as u64,
            PatternPart::Numbers { len, .. } | PatternPart::Letters { len, .. } => *len,
        }
    }

    fn max_bytes(&self) -> u64 {
        match self {
            PatternPart::Fixed(text) => text.len() as u64,
            PatternPart::Set(items) => items.iter().map(String::len).max().unwrap_or_default() as u64,
            PatternPart::Numbers { width, .. } => (*width).max(20) as u64,
            PatternPart::Letters { .. } => 1,
        }
    }

    fn write(&self, choice: u64, out: &mut String) {
        match self {
            PatternPart::Fixed(text) => out.push_str(text),
            PatternPart::Set(items) => {
                out.push_str(usize::try_from(choice).ok().and_then(|i| items.get(i)).map_or("", |s| s))
            }
            PatternPart::Numbers { first, step, width, .. } => {
                // Writing to a string cannot fail.
                let _ = write!(out, "{:0width$}", first + choice * step, width = *width);
            }
            PatternPart::Letters { first, step, .. } => {
                // Choices stay within the alphabet, so the sum is a letter.
                out.push(char::from(first.saturating_add(u8::try_from(choice * step).unwrap_or_default())));
            }
        }
    }
}

/// Takes a pattern apart from left to right.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    fn parts(mut self) -> Result<Vec<PatternPart>> {
        let mut parts = Vec::new();
        let mut fixed = String::new();
        while let Some(c) = self.peek() {
            let part = match c {
                '[' => match self.literal_brackets() {
                    Some(text) => {
                        fixed.push_str(text);
                        self.at += text.len();
                        continue;
                    }
                    None => self.range()?,
                },
                '{' => self.set()?,
                ']' => return Err(self.error(self.at, "\"]\" closes nothing: write \\] for the character itself")),
                '}' => return Err(self.error(self.at, "\"}\" closes nothing: write \\} for the character itself")),
                _ => {
                    fixed.push(self.take("[]{}", c));
                    continue;
                }
            };
            if !fixed.is_empty() {
                parts.push(PatternPart::Fixed(std::mem::take(&mut fixed)));
            }
            parts.push(part);
        }
        if !fixed.is_empty() || parts.is_empty() {
            parts.push(PatternPart::Fixed(fixed));
        }
        Ok(parts)
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes this character, or the one after it if it is a backslash that escapes one of these.
    fn take(&mut self, special: &str, c: char) -> char {
        self.at += c.len_utf8();
        match self.peek() {
            Some(next) if c == '\\' && special.contains(next) => {
                self.at += next.len_utf8();
                next
            }
            _ => c,
        }
    }

    /// The brackets here and what is in them, if that is an IPv6 address, perhaps with a zone, or nothing.
    fn literal_brackets(&self) -> Option<&'t str> {
        let text = &self.rest()[..self.rest().find(']')? + 1];
        let inner = &text[1..text.len() - 1];
        let address = inner.split('%').next().unwrap_or_default();
        (inner.is_empty() || address.parse::<Ipv6Addr>().is_ok()).then_some(text)
    }

    /// `{a,b,c}`. A text may be empty, but not the whole.
    fn set(&mut self) -> Result<PatternPart> {
        let start = self.at;
        self.at += 1;
        let mut items = Vec::new();
        let mut item = String::new();
        loop {
            let Some(c) = self.peek() else {
                return Err(self.error(start, "\"{\" is not closed: write {a,b}, or \\{ for the character itself"));
            };
            match c {
                ',' => {
                    self.at += 1;
                    items.push(std::mem::take(&mut item));
                }
                '}' => {
                    self.at += 1;
                    items.push(item);
                    if items == [""] {
                        return Err(
                            self.error(start, "the braces are empty: write {a,b}, or \\{\\} for the characters")
                        );
                    }
                    return Ok(PatternPart::Set(items));
                }
                '{' | '[' | ']' => {
                    let text =
                        format!("\"{c}\" within braces: patterns cannot be nested, write \\{c} for the character");
                    return Err(self.error(self.at, &text));
                }
                _ => item.push(self.take("[]{},", c)),
            }
        }
    }

    /// `[1-50]`, `[001-100]`, `[0-100:10]`, `[a-z]` or `[a-z:2]`.
    fn range(&mut self) -> Result<PatternPart> {
        const FORMS: &str = "write [1-50], [001-100], [0-100:10] or [a-z], or \\[ for the character itself";
        let start = self.at;
        let Some(end) = self.rest().find(']') else {
            return Err(self.error(start, &format!("\"[\" is not closed: {FORMS}")));
        };
        let inner = &self.rest()[1..end];
        self.at += end + 1;
        let invalid = || self.error(start, &format!("\"[{inner}]\" is not a range: {FORMS}"));
        let (range, step) = inner.split_once(':').map_or((inner, None), |(range, step)| (range, Some(step)));
        let (first, last) = range.split_once('-').ok_or_else(invalid)?;
        let step = step.map_or(Some(1), number).ok_or_else(invalid)?;
        if step == 0 {
            return Err(self.error(start, &format!("\"[{inner}]\" has the step 0: write 1 or more")));
        }
        let letter = |text: &str| match text.as_bytes() {
            [b] if b.is_ascii_alphabetic() => Some(*b),
            _ => None,
        };
        let (low, high) = match (letter(first), letter(last)) {
            (Some(a), Some(b)) if a.is_ascii_lowercase() == b.is_ascii_lowercase() => (u64::from(a), u64::from(b)),
            (None, None) => (number(first).ok_or_else(invalid)?, number(last).ok_or_else(invalid)?),
            _ => return Err(invalid()),
        };
        let span = high
            .checked_sub(low)
            .ok_or_else(|| self.error(start, &format!("\"[{inner}]\" runs backwards: write the smaller end first")))?;
        if step > span.max(1) {
            return Err(self.error(start, &format!("\"[{inner}]\" has a step longer than the range")));
        }
        let len = (span / step).saturating_add(1);
        Ok(match letter(first) {
            Some(first) => PatternPart::Letters { first, len, step },
            // A leading zero asks for numbers of one width, as in curl.
            None => PatternPart::Numbers {
                first: low,
                len,
                step,
                width: if first.starts_with('0') { first.len() } else { 0 },
            },
        })
    }

    fn error(&self, at: usize, message: &str) -> Error {
        let column = self.text[..at].chars().count() + 1;
        let shown = printable(message, &[]);
        Error::new(Kind::Url, format!("URL pattern, column {column}: {shown}"))
    }
}

/// Decimal digits and nothing else; of a bounded length, for zeros in front make the width.
fn number(text: &str) -> Option<u64> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_expanded_as_curl_does() {
        for (pattern, urls) in [
            ("", ""),
            ("http://h/", "http://h/"),
            ("[1-3]", "1 2 3"),
            ("[08-11]", "08 09 10 11"),
            ("[0-10:5]", "0 5 10"),
            ("[0-11:5]", "0 5 10"),
            ("[1-03]", "1 2 3"),
            ("[7-7]", "7"),
            ("[a-c]x", "ax bx cx"),
            ("[A-E:2]", "A C E"),
            ("{a,b}", "a b"),
            ("{one}", "one"),
            ("x{,b}", "x xb"),
            ("x{,}", "x x"),
            ("[1-2]{a,b}[x-y]", "1ax 1ay 1bx 1by 2ax 2ay 2bx 2by"),
            ("http://[::1]/[1-2]", "http://[::1]/1 http://[::1]/2"),
            ("http://[fe80::1%25eth0]/", "http://[fe80::1%25eth0]/"),
            ("?a[]=1", "?a[]=1"),
            (r"\[1-2\]\{a\}\x\", r"[1-2]{a}\x\"),
            (r"{a\,b,\{c\}}", "a,b {c}"),
            ("\u{e9}{\u{e8},\u{fc}}", "\u{e9}\u{e8} \u{e9}\u{fc}"),
            ("[18446744073709551614-18446744073709551615]", "18446744073709551614 18446744073709551615"),
        ] {
            let expanded = expand_url(pattern, Globs::Expand).map(|urls| Vec::from_iter(urls).join(" "));
            assert_eq!(expanded.map_err(|e| e.one_line()), Ok(urls.to_owned()), "{pattern}");
            assert!(expand_url(pattern, Globs::Keep).expect("kept").eq([pattern]));
        }
    }

    #[test]
    fn mistakes_are_named_with_their_column() {
        for (pattern, message) in [
            ("\u{e9}[5-1]", "column 2: \"[5-1]\" runs backwards"),
            ("[z-a]", "column 1: \"[z-a]\" runs backwards"),
            ("[1-5:0]", "step 0"),
            ("[1-5:9]", "longer than the range"),
            ("[1-5:]", "is not a range"),
            ("[1-5", "\"[\" is not closed"),
            ("[+1-5]", "is not a range"),
            ("[-1-5]", "is not a range"),
            ("[1]", "is not a range"),
            ("[a-9]", "is not a range"),
            ("[A-z]", "is not a range"),
            ("[aa-bb]", "is not a range"),
            ("[1-99999999999999999999]", "is not a range"),
            ("ab]", "column 3: \"]\" closes nothing"),
            ("}", "\"}\" closes nothing"),
            ("{a", "\"{\" is not closed"),
            ("{}", "the braces are empty"),
            ("{a{b}}", "column 3: \"{\" within braces"),
            ("{a[1-2]}", "\"[\" within braces"),
            ("[0-18446744073709551615]", "more than 100000"),
            ("[1-1000][1-1000]", "more than 100000"),
            ("[0-18446744073709551615][0-18446744073709551615]", "more than 100000"),
        ] {
            let error = expand_url(pattern, Globs::Expand).expect_err(pattern);
            assert!(error.kind() == Kind::Url && error.one_line().contains(message), "{pattern}: {}", error.one_line());
        }
        let long = format!("{}[1-90000]", "x".repeat(10_000));
        assert!(expand_url(&long, Globs::Expand).is_err(), "more bytes than are allowed");
        assert_eq!(expand_url("[1-100000]", Globs::Expand).map(|urls| urls.len()).ok(), Some(MAX_JOBS));
    }
}
