//! HTTP/1.1 as a client speaks it: bytes in, decisions out. No socket, no clock and no `async` is in here.
//!
//! The caller owns the buffers and the connection. It writes what [`encode_head`] made, gives what it reads to a
//! [`ResponseParser`] until that says [`Progress::Final`], and what follows to a [`BodyDecoder`] until that says
//! [`BodyEvent::End`]. "Not enough yet" is a value and never an error; where the peer closes, `end_of_input` says what
//! that means at this point. Nothing is copied but the head, once, into a [`Head`] of two allocations.
//!
//! ```text
//! encode_head ─> bytes ─> server
//!                            │
//!   ResponseParser::parse <──┘   Partial: read more, call again with all of it
//!      │  Interim: drop `consumed`, go on (100, 102, 103)
//!      └─ Final: drop `consumed`; head, framing
//!                                    │
//!   BodyDecoder::poll <──────────────┘   Framing(n): drop n bytes   Content(n): take up to n bytes, say so
//!      │  NeedMore: read more
//!      └─ End: the connection is free again where `Head::keep_alive` says so and no byte is left over
//! ```
//!
//! One exchange, from the request to the last byte:
//!
//! ```
//! use roundup::transport::h1::{BodyDecoder, BodyEvent, HeadLimits, Progress, RequestBody, ResponseParser, encode_head};
//!
//! let mut request = Vec::new();
//! encode_head(&mut request, "GET", "/now", RequestBody::None, [("Host", &b"api.example.com"[..])])?;
//! assert_eq!(request, b"GET /now HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
//!
//! // What a server answered, in two reads.
//! let reads: [&[u8]; 2] = [
//!     b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Enc",
//!     b"oding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
//! ];
//! let mut reads = reads.into_iter();
//! let mut input = reads.next().unwrap_or_default().to_vec();
//!
//! let mut parser = ResponseParser::new("GET", HeadLimits::default());
//! let (head, framing) = loop {
//!     match parser.parse(&input)? {
//!         Progress::Partial => match reads.next() {
//!             Some(more) => input.extend_from_slice(more),
//!             None => return Err(parser.end_of_input(&input)),
//!         },
//!         Progress::Interim { consumed, .. } => drop(input.drain(..consumed)),
//!         Progress::Final { consumed, head, framing } => {
//!             input.drain(..consumed);
//!             break (head, framing);
//!         }
//!     }
//! };
//! assert_eq!(head.status(), 200);
//! assert!(head.keep_alive());
//!
//! let mut content = Vec::new();
//! let mut body = BodyDecoder::new(framing);
//! loop {
//!     match body.poll(&input)? {
//!         BodyEvent::Framing(n) => drop(input.drain(..n)),
//!         BodyEvent::Content(n) => {
//!             content.extend(input.drain(..n));
//!             body.consume_content(n);
//!         }
//!         BodyEvent::NeedMore => match reads.next() {
//!             Some(more) => input.extend_from_slice(more),
//!             None => body.end_of_input()?,
//!         },
//!         BodyEvent::End => break,
//!     }
//! }
//! assert_eq!(content, b"hello");
//! assert!(input.is_empty(), "a byte after the end would forbid to use the connection again");
//! # Ok::<(), roundup::Error>(())
//! ```

mod body;
mod chunked;
mod diagnose;
mod framing;
mod head;
mod request;
mod response;

pub use body::{BodyDecoder, BodyEvent};
pub use framing::Framing;
pub use head::{Head, Version};
pub use request::{RequestBody, encode_chunk, encode_head, encode_last_chunk};
pub(crate) use request::{encode_fields, encode_head_with};
pub use response::{Progress, ResponseParser};

/// How large the head of a response may be, and how many interim responses may come before the final one.
///
/// The trailers of a chunked body are held to the same bytes and fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes from the status line to the empty line. Default [`HeadLimits::MAX_BYTES`].
    pub max_bytes: usize,
    /// Field lines. Default [`HeadLimits::MAX_FIELDS`].
    pub max_fields: usize,
    /// Responses with a status of 1xx before the final one. Default [`HeadLimits::MAX_INTERIM`].
    pub max_interim: u32,
}

impl HeadLimits {
    /// The default of [`HeadLimits::max_bytes`]: 128 KiB.
    pub const MAX_BYTES: usize = 128 * 1024;
    /// The default of [`HeadLimits::max_fields`].
    pub const MAX_FIELDS: usize = 256;
    /// The default of [`HeadLimits::max_interim`].
    pub const MAX_INTERIM: u32 = 32;
}

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits {
            max_bytes: HeadLimits::MAX_BYTES,
            max_fields: HeadLimits::MAX_FIELDS,
            max_interim: HeadLimits::MAX_INTERIM,
        }
    }
}

/// Whether all bytes may stand in a name or a method: `token` of RFC 9110, section 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && all_are(bytes, IN_TOKEN)
}

/// Whether a byte may stand in one.
fn in_token(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & IN_TOKEN != 0
}

/// Whether all bytes may stand in a field value: RFC 9110, section 5.5, with all bytes above 127.
fn is_value(bytes: &[u8]) -> bool {
    no_word(bytes, |word| has_below(word, b' ') | has(word, 0x7f)) || all_are(bytes, IN_VALUE)
}

/// Whether all bytes may stand in a request target: visible characters of ASCII.
fn is_target(bytes: &[u8]) -> bool {
    no_word(bytes, |word| has_below(word, b'!') | has(word, 0x7f) | word & HIGH_BITS) || all_are(bytes, IN_TARGET)
}

const LOW_BITS: u64 = u64::MAX / 0xff;
const HIGH_BITS: u64 = LOW_BITS << 7;

/// Not 0 where one of eight bytes is below this, which is at most 128.
fn has_below(word: u64, byte: u8) -> u64 {
    word.wrapping_sub(LOW_BITS * u64::from(byte)) & !word & HIGH_BITS
}

/// Not 0 where one of eight bytes is this.
fn has(word: u64, byte: u8) -> u64 {
    has_below(word ^ (LOW_BITS * u64::from(byte)), 1)
}

/// Whether `bad` finds nothing in any eight bytes in a row; false where there are fewer. Eight at a time, for values and
/// targets are looked at in every request.
fn no_word(bytes: &[u8], bad: impl Fn(u64) -> u64) -> bool {
    // The last ones once more, where they are not a multiple of eight.
    let Some(last) = bytes.last_chunk() else { return false };
    let words = bytes.chunks_exact(8).filter_map(|word| word.first_chunk()).chain([last]);
    words.fold(0, |found, word| found | bad(u64::from_ne_bytes(*word))) == 0
}

/// Whether it is this word in whatever case. The usual spelling is compared first, as a whole.
fn is_word<const N: usize>(bytes: &[u8], usual: &[u8; N]) -> bool {
    bytes == usual || bytes.eq_ignore_ascii_case(usual)
}

/// To go on after the first bad byte takes no decision at each, and there is mostly no bad one.
fn all_are(bytes: &[u8], class: u8) -> bool {
    let of = |byte: &u8| CLASSES[usize::from(*byte)];
    let fours = bytes.chunks_exact(4);
    let rest = fours.remainder().iter().fold(class, |all, byte| all & of(byte));
    let fours = fours.filter_map(|four| four.first_chunk());
    fours.fold(rest, |all, [a, b, c, d]| all & of(a) & of(b) & of(c) & of(d)) != 0
}

/// A control character other than the tab.
const fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

/// What a byte can be a part of.
const IN_TOKEN: u8 = 1;
const IN_VALUE: u8 = 2;
/// A visible character of ASCII.
const IN_TARGET: u8 = 4;

/// A table, for names and values are checked byte by byte in every request.
static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut number = 0;
    while number < table.len() {
        let byte = number as u8;
        let token = byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.')
            || matches!(byte, b'^' | b'_' | b'`' | b'|' | b'~');
        table[number] = (token as u8 * IN_TOKEN)
            | (!is_control(byte) as u8 * IN_VALUE)
            | (byte.is_ascii_graphic() as u8 * IN_TARGET);
        number += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The two definitions here and those in httparse have to agree, for one says what the other has refused.
    #[test]
    fn bytes_are_classed_as_httparse_does() {
        for byte in 0..=255 {
            let name = [b"A", &[byte][..], b": b\r\n\r\n"].concat();
            let accepted = httparse::parse_headers(&name, &mut [httparse::EMPTY_HEADER; 1]).is_ok();
            assert_eq!(accepted, is_token(&[byte]) || byte == b':', "{byte:#04x} in a name");
            let value = [b"A: b", &[byte][..], b"c\r\n\r\n"].concat();
            let mut room = [httparse::EMPTY_HEADER; 1];
            let accepted = httparse::parse_headers(&value, &mut room);
            let one_value = matches!(accepted, Ok(httparse::Status::Complete((_, [field]))) if field.value.len() == 3);
            assert_eq!(one_value, is_value(&[byte]), "{byte:#04x} in a value");
        }
        assert!(!is_token(b""));
        assert!(is_value(b""));
        // Eight at a time as one at a time, wherever the byte stands.
        for byte in 0..=255 {
            for (length, at) in [(8, 0), (8, 7), (9, 8), (15, 7), (16, 8), (23, 22), (7, 3)] {
                let mut bytes = vec![b'a'; length];
                bytes[at] = byte;
                assert_eq!(is_value(&bytes), is_value(&[byte]), "{byte:#04x} at {at} of {length}");
                assert_eq!(is_target(&bytes), byte.is_ascii_graphic(), "{byte:#04x} at {at} of {length}");
            }
        }
    }
}
