//! JSON text in which everything that is not printable is escaped: what a terminal, an editor or a reader of lines would
//! take for a command.

use std::io::{self, BufWriter, IntoInnerError, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::http::{is_printable, is_visible_ascii};

/// What JSON is written to. It comes in many small pieces, and to copy one costs less than to call a `dyn Write`.
pub(super) type JsonBuffer<'w> = BufWriter<&'w mut dyn Write>;

const BUFFER_BYTES: usize = 4096;

/// Lets `write` write JSON through a buffer, whose bytes are all in `out` at the end.
pub(super) fn buffered(
    out: &mut dyn Write,
    write: impl FnOnce(&mut JsonBuffer<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = BufWriter::with_capacity(BUFFER_BYTES, out);
    let written = write(&mut buffer);
    // Its bytes go to `out`, which is not flushed: what has come together is written with one call. Dropped whole, it would
    // try once more to write what is left after an error.
    let emptied = match written {
        Ok(()) => buffer.into_inner().map_err(IntoInnerError::into_parts),
        Err(error) => Err((error, buffer)),
    };
    emptied.map(drop).map_err(|(error, buffer)| {
        drop(buffer.into_parts());
        error
    })
}

/// Writes a value as compact JSON in which all that is not printable is escaped.
pub(super) fn json<T: Serialize + ?Sized>(out: &mut JsonBuffer<'_>, value: &T) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Escaping)).map_err(io::Error::from)
}

/// Writes text as a JSON string in which all that is not printable is escaped: the same as [`json`], in larger steps.
pub(super) fn string(out: &mut JsonBuffer<'_>, text: &str) -> io::Result<()> {
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
            // It is in the basic plane, so one escape is enough.
            c if !is_printable(c) => write!(out, "\\u{:04x}", u32::from(c))?,
            _ => {
                // Text in another script is written a word at a time.
                let run = after.find(|c: char| c.is_ascii() || !is_printable(c)).unwrap_or(after.len());
                out.write_all(&after.as_bytes()[..run])?;
                rest = &after[run..];
                continue;
            }
        }
        rest = &after[c.len_utf8()..];
    }
    out.write_all(b"\"")
}

/// How many bytes at the start stand for themselves in JSON and everywhere else: visible ASCII and spaces without
/// quotation marks and backslashes. Most text is nothing else.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let is_other = |byte: u8| u8::from(!matches!(byte, b' '..=b'~')) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    let mut length = 0;
    // Each block is looked at whole, without an early exit, so that the compiler uses vector instructions.
    while let Some(block) = bytes[length..].first_chunk::<16>() {
        if block.iter().fold(0, |any, byte| any | is_other(*byte)) != 0 {
            break;
        }
        length += block.len();
    }
    length + bytes[length..].iter().take_while(|byte| is_other(**byte) == 0).count()
}

/// Writes part of a JSON string, escaping what JSON itself would leave as it is and what is not printable.
pub(super) fn fragment<W: Write + ?Sized>(out: &mut W, text: &str) -> io::Result<()> {
    if is_visible_ascii(text) {
        return out.write_all(text.as_bytes());
    }
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| !is_printable(*c)) {
        out.write_all(&rest.as_bytes()[..at])?;
        // It is in the basic plane, so one escape is enough.
        write!(out, "\\u{:04x}", u32::from(c))?;
        rest = &rest[at + c.len_utf8()..];
    }
    out.write_all(rest.as_bytes())
}

/// serde_json's compact format with [`fragment`] for the parts of strings that need no escape in JSON.
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
        for byte in 0..=u8::MAX {
            let is_plain = (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
            for at in 0..8 {
                let mut bytes = *b"plain so";
                bytes[at] = byte;
                assert_eq!(plain_len(&bytes), if is_plain { 8 } else { at }, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn json_reads_back_the_same_and_holds_no_command() {
        let text: String = ('\0'..'\u{3000}').collect();
        let (mut out, mut same) = (Vec::new(), Vec::new());
        buffered(&mut out, |out| json(out, &text)).expect("a Vec takes everything");
        buffered(&mut same, |out| string(out, &text)).expect("a Vec takes everything");
        assert!(same == out, "two ways to write a string");
        let written = String::from_utf8(out).expect("JSON is UTF-8");
        assert!(written.chars().all(is_printable));
        assert_eq!(serde_json::from_str::<String>(&written).expect("valid"), text);
    }
}
