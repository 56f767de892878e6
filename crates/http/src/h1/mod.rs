//! HTTP/1.1 as a client speaks it: bytes in, decisions out. No socket, no clock and no `async` is in here.
//!
//! The caller owns the buffers and the connection. It writes what [`encode_head`] made, gives what it reads to a
//! [`ResponseParser`] until that says [`Parsed::Final`], and what follows to a [`BodyDecoder`] until that says
//! [`BodyEvent::End`]. "Not enough yet" is a value and never an error; if the peer closes, `end_of_input` says what
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
//!      └─ End: the connection is free again if `Head::keep_alive` says so and no byte is left over
//! ```
//!
//! One exchange, from the request to the last byte:
//!
//! ```
//! use roundup_http::h1::{BodyDecoder, BodyEvent, HeadLimits, Parsed, RequestBody, ResponseParser, encode_head};
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
//!         Parsed::Partial => match reads.next() {
//!             Some(more) => input.extend_from_slice(more),
//!             None => return Err(parser.end_of_input(&input)),
//!         },
//!         Parsed::Interim { consumed, .. } => drop(input.drain(..consumed)),
//!         Parsed::Final { consumed, head, framing } => {
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
//! # Ok::<(), roundup_http::Error>(())
//! ```

mod body;
mod body_event;
mod chunked;
mod diagnose;
mod framing;
mod head;
mod request;
mod response;

pub use body::BodyDecoder;
pub use body_event::BodyEvent;
pub use framing::Framing;
pub use head::{Head, Version};
pub use request::{RequestBody, encode_chunk, encode_fields, encode_head, encode_head_with, encode_last_chunk};
pub use response::{Parsed, ResponseParser};

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

/// Whether all bytes may stand in a field value: RFC 9110, section 5.5, with all bytes above 127.
fn is_value(bytes: &[u8]) -> bool {
    !bytes.iter().any(|byte| is_control(*byte))
}

/// Whether all bytes may stand in a request target: visible characters of ASCII.
fn is_target(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_graphic)
}

/// A control character other than the tab.
const fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::is_token;

    /// The two definitions here and those in httparse have to agree, because one explains what the other has refused.
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
    }
}
