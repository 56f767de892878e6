//! What a server can send and a reader's terminal, editor or line splitter would take for a command.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Whether a character is a command rather than text.
///
/// Control characters of ASCII and Unicode (U+0080 to U+009F start escape sequences in some terminals), the two Unicode
/// line separators (some readers of lines split there), and the bidirectional overrides (they reorder what is shown).
pub(super) fn is_command(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with every command shown as a picture: ASCII controls as their Unicode control picture, others as U+FFFD.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if is_visible_ascii(text) || !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if is_command(c) { picture(c) } else { c }).collect()
}

/// Whether all of it is visible ASCII and spaces, as most text is. To look at all bytes lets the compiler take many at once.
pub(super) fn is_visible_ascii(text: &str) -> bool {
    text.bytes().fold(true, |visible, byte| visible & matches!(byte, b' '..=b'~'))
}

/// What is shown in place of a command.
pub(super) fn picture(c: char) -> char {
    match u32::from(c) {
        code @ 0..0x20 => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7f => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// Where JSON goes: in many small pieces, so that each had better be a copy than a call of whoever takes it in the end.
pub(super) type Pieces<'w> = BufWriter<&'w mut dyn Write>;

/// What pieces are gathered to.
const PIECES: usize = 4096;

/// Has `write` write JSON in pieces, and hands all of it on.
pub(super) fn in_pieces(out: &mut dyn Write, write: impl FnOnce(&mut Pieces<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut pieces = BufWriter::with_capacity(PIECES, out);
    let result = write(&mut pieces).and_then(|()| pieces.flush());
    // What is left after an error would be tried once more.
    drop(pieces.into_parts());
    result
}

/// Writes a value as compact JSON in which every command is escaped.
pub(super) fn json<T: Serialize + ?Sized>(out: &mut Pieces<'_>, value: &T) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Escaping)).map_err(io::Error::from)
}

/// Writes text as a JSON string in which every command is escaped: what [`json`] writes for it, by larger steps.
pub(super) fn string(out: &mut Pieces<'_>, text: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    let mut rest = text;
    loop {
        let plain = plain_len(rest.as_bytes());
        let (before, after) = rest.split_at(plain);
        out.write_all(before.as_bytes())?;
        let Some(c) = after.chars().next() else { break };
        match c {
            '"' => out.write_all(b"\\\"")?,
            '\\' => out.write_all(b"\\\\")?,
            '\n' => out.write_all(b"\\n")?,
            '\r' => out.write_all(b"\\r")?,
            '\t' => out.write_all(b"\\t")?,
            '\u{8}' => out.write_all(b"\\b")?,
            '\u{c}' => out.write_all(b"\\f")?,
            // All commands are in the basic plane, so one escape is enough.
            c if is_command(c) => write!(out, "\\u{:04x}", u32::from(c))?,
            _ => {
                // Text in another script is written a word at a time.
                let run = after.find(|c: char| c.is_ascii() || is_command(c)).unwrap_or(after.len());
                out.write_all(&after.as_bytes()[..run])?;
                rest = &after[run..];
                continue;
            }
        }
        rest = &after[c.len_utf8()..];
    }
    out.write_all(b"\"")
}

/// How many bytes from the start on stand for themselves in JSON and everywhere else: visible ASCII and spaces, but for
/// quotation marks and backslashes. Most text is nothing else.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let is_other = |byte: u8| u8::from(!matches!(byte, b' '..=b'~')) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    let mut length = 0;
    // To look at all of a block, whatever its first bytes are, lets the compiler take them at once.
    while let Some(block) = bytes[length..].first_chunk::<16>() {
        if block.iter().fold(0, |any, byte| any | is_other(*byte)) != 0 {
            break;
        }
        length += block.len();
    }
    length + bytes[length..].iter().take_while(|byte| is_other(**byte) == 0).count()
}

/// Writes the inside of a JSON string, escaping the commands that JSON itself would leave as they are.
pub(super) fn fragment<W: Write + ?Sized>(out: &mut W, text: &str) -> io::Result<()> {
    if is_visible_ascii(text) {
        return out.write_all(text.as_bytes());
    }
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_command(*c)) {
        out.write_all(&rest.as_bytes()[..at])?;
        // All commands are in the basic plane, so one escape is enough.
        write!(out, "\\u{:04x}", u32::from(c))?;
        rest = &rest[at + c.len_utf8()..];
    }
    out.write_all(rest.as_bytes())
}

/// serde_json's compact format with [`fragment`] for strings. serde_json calls it for what needs no escape in JSON.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        fragment(writer, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_measured_byte_by_byte_and_in_blocks() {
        for length in 0..40 {
            let plain = "x ~!".repeat(10)[..length].to_owned();
            assert_eq!(plain_len(plain.as_bytes()), length);
            for other in ["\"", "\\", "\n", "\x7f", "\u{e9}"] {
                assert_eq!(plain_len(format!("{plain}{other}{plain}").as_bytes()), length);
            }
        }
    }

    #[test]
    fn terminals_get_pictures() {
        assert_eq!(visible("\x1b[31mred\n\u{9b}0m\u{202e}\x7f"), "␛[31mred␊\u{fffd}0m\u{fffd}␡");
        assert!(matches!(visible("Zürich 東京"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_reads_back_the_same_and_holds_no_command() {
        let text: String = ('\0'..'\u{3000}').collect();
        let (mut out, mut same) = (Vec::new(), Vec::new());
        in_pieces(&mut out, |out| json(out, &text)).expect("a Vec takes everything");
        in_pieces(&mut same, |out| string(out, &text)).expect("a Vec takes everything");
        assert!(same == out, "two ways to write a string");
        let written = String::from_utf8(out).expect("JSON is UTF-8");
        assert!(!written.contains(is_command));
        assert_eq!(serde_json::from_str::<String>(&written).expect("valid"), text);
    }
}
