//! The head of a response, owned: its bytes once, and where in them the fields are.

use std::fmt;

use super::is_value;
use crate::token::is_token;
use crate::{REDACTED, is_credential};

/// The protocol version a response claims (RFC 9112, section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/1.0: the connection closes after the response unless both sides say `keep-alive`.
    Http10,
    /// HTTP/1.1, and HTTP/1.2 to 1.9, which are handled as if they were 1.1.
    Http11,
}

/// The head of a final response: status, reason and fields as the server sent them.
///
/// It holds the head's bytes once and the place of each field in them. Folded field lines are joined by a space
/// (RFC 9112, section 5.2); nothing else is changed.
#[derive(Clone)]
pub struct Head {
    bytes: Box<[u8]>,
    fields: Box<[FieldSpan]>,
    reason: (u32, u32),
    status: u16,
    version: Version,
    keep_alive: bool,
}

/// Where a field is in the head's bytes. `u32` because a head is bounded far below 4 GiB.
#[derive(Clone, Copy)]
struct FieldSpan {
    name: u32,
    name_end: u32,
    value: u32,
    value_end: u32,
}

impl Head {
    /// A head that did not come over a connection of this crate: the response of another client as it tells it. What is
    /// no token or has a control character in its value is left out.
    pub fn from_fields<'a>(status: u16, fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Head {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        for (name, value) in fields {
            let end = bytes.len() + name.len() + value.len();
            if !is_token(name) || !is_value(value) || u32::try_from(end).is_err() {
                continue;
            }
            let start = bytes.len() as u32;
            bytes.extend_from_slice(name);
            let name_end = bytes.len() as u32;
            bytes.extend_from_slice(value);
            spans.push(FieldSpan { name: start, name_end, value: name_end, value_end: bytes.len() as u32 });
        }
        let (bytes, fields) = (bytes.into_boxed_slice(), spans.into_boxed_slice());
        Head { bytes, fields, reason: (0, 0), status, version: Version::Http11, keep_alive: false }
    }

    /// Copies a head out of `bytes`, of which httparse made `fields`, the status and the reason. `folded` says that a
    /// value may hold line ends. `note` is called with name and value of each field.
    pub(super) fn copy(
        bytes: &[u8],
        fields: &[httparse::Header<'_>],
        (status, reason): (u16, Option<&str>),
        version: Version,
        folded: bool,
        mut note: impl FnMut(&[u8], &[u8]),
    ) -> Head {
        let start = bytes.as_ptr().addr();
        let mut copy: Box<[u8]> = bytes.into();
        let spans = fields.iter().map(|field| {
            let name = (field.name.as_ptr().addr() - start) as u32;
            let value = (field.value.as_ptr().addr() - start) as u32;
            let (name_end, value_end) = (name + field.name.len() as u32, value + field.value.len() as u32);
            let mut span = FieldSpan { name, name_end, value, value_end };
            if folded {
                unfold(&mut copy, &mut span);
            }
            note(field.name.as_bytes(), &copy[span.value as usize..span.value_end as usize]);
            span
        });
        let fields = spans.collect();
        let reason = match reason {
            Some(reason) if !reason.is_empty() => {
                let at = (reason.as_ptr().addr() - start) as u32;
                (at, at + reason.len() as u32)
            }
            _ => find_reason(bytes),
        };
        Head { bytes: copy, fields, reason, status, version, keep_alive: false }
    }

    pub(super) fn set_keep_alive(&mut self, keep_alive: bool) {
        self.keep_alive = keep_alive;
    }

    /// The status code, 100 to 999; not all of them have a meaning.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The version the server claims to speak.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The reason phrase, empty if there is none. Any bytes but control characters.
    pub fn reason(&self) -> &[u8] {
        self.slice(self.reason.0, self.reason.1)
    }

    /// All fields in the order and spelling in which they came. Values can hold any bytes but control characters.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> + Clone {
        self.fields.iter().map(|span| {
            // Names are tokens, so this cannot fail.
            let name = std::str::from_utf8(self.slice(span.name, span.name_end)).unwrap_or_default();
            (name, self.slice(span.value, span.value_end))
        })
    }

    /// The first field of this name, whatever its case. A list may be split over several fields: use [`Head::get_all`]
    /// for those.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// All fields of this name, whatever its case, in the order in which they came.
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = self
            .fields
            .iter()
            .filter(move |span| self.slice(span.name, span.name_end).eq_ignore_ascii_case(name.as_bytes()));
        named.map(|span| self.slice(span.value, span.value_end))
    }

    /// Whether the connection may carry another request once the content has been read to its end.
    ///
    /// False if the server closes (RFC 9112, section 9.3), if the content ends with the connection, and where
    /// the framing is such that the two sides might disagree on the response's end: Transfer-Encoding beside
    /// Content-Length or in HTTP/1.0, content announced with a 204. After a successful CONNECT it has no meaning: the
    /// connection is a tunnel then.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    fn slice(&self, start: u32, end: u32) -> &[u8] {
        &self.bytes[start as usize..end as usize]
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Fields<'a>(&'a Head);
        impl fmt::Debug for Fields<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut map = f.debug_map();
                for (name, value) in self.0.fields() {
                    if is_credential(name) {
                        map.entry(&name, &REDACTED);
                    } else {
                        map.entry(&name, &value.escape_ascii().to_string());
                    }
                }
                map.finish()
            }
        }
        f.debug_struct("Head")
            .field("version", &self.version)
            .field("status", &self.status)
            .field("reason", &self.reason().escape_ascii().to_string())
            .field("fields", &Fields(self))
            .field("keep_alive", &self.keep_alive)
            .finish()
    }
}

/// The bytes after `HTTP/1.1 200 `. httparse gives none if one of them is above 127.
fn find_reason(raw: &[u8]) -> (u32, u32) {
    const START: usize = 13;
    let line = raw.get(START - 1..).unwrap_or_default();
    let end = line.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(line.len());
    // If the space after the status is missing, the line ends right here.
    if end == 0 { (0, 0) } else { (START as u32, (START - 1 + end) as u32) }
}

/// Joins the lines of a folded value by a space each: the line end and all white space around it becomes one.
fn unfold(raw: &mut [u8], span: &mut FieldSpan) {
    let value = &mut raw[span.value as usize..span.value_end as usize];
    if !value.contains(&b'\n') {
        return;
    }
    let (mut read, mut write) = (0, 0);
    while read < value.len() {
        if !matches!(value[read], b'\r' | b'\n') {
            value[write] = value[read];
            read += 1;
            write += 1;
            continue;
        }
        while write > 0 && matches!(value[write - 1], b' ' | b'\t') {
            write -= 1;
        }
        while read < value.len() && matches!(value[read], b'\r' | b'\n' | b' ' | b'\t') {
            read += 1;
        }
        value[write] = b' ';
        write += 1;
    }
    span.value_end = span.value + write as u32;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfolded(value: &str) -> String {
        let mut raw = value.as_bytes().to_vec();
        let mut span = FieldSpan { name: 0, name_end: 0, value: 0, value_end: raw.len() as u32 };
        unfold(&mut raw, &mut span);
        String::from_utf8_lossy(&raw[..span.value_end as usize]).into_owned()
    }

    #[test]
    fn folds_become_one_space_each() {
        assert_eq!(unfolded("plain  value"), "plain  value");
        assert_eq!(unfolded("a\r\n b"), "a b");
        assert_eq!(unfolded("a \t\r\n\t  b\n c"), "a b c");
        assert_eq!(unfolded("a\r\n \r\n b"), "a b");
    }

    #[test]
    fn reasons_are_found_by_their_place() {
        let reason_of = |line: &str| {
            let (start, end) = find_reason(line.as_bytes());
            line[start as usize..end as usize].to_owned()
        };
        assert_eq!(reason_of("HTTP/1.1 404 Not Found\r\n"), "Not Found");
        assert_eq!(reason_of("HTTP/1.1 404 \r\n"), "");
        assert_eq!(reason_of("HTTP/1.1 404\r\n"), "");
        assert_eq!(reason_of("HTTP/1.1 404\n"), "");
    }

    #[test]
    fn debug_hides_what_lets_its_reader_in() {
        let bytes = b"HTTP/1.1 200 OK\r\nSet-Cookie: id=hunter2\r\nX: \xff\r\n\r\n";
        let mut room = [httparse::EMPTY_HEADER; 2];
        let mut response = httparse::Response::new(&mut room);
        response.parse(bytes).expect("a good head");
        let head = Head::copy(bytes, response.headers, (200, response.reason), Version::Http11, false, |_, _| {});
        let shown = format!("{head:?}");
        assert!(shown.contains(REDACTED) && !shown.contains("hunter2"), "{shown}");
        assert!(shown.contains(r"\\xff"), "{shown}");
        assert_eq!(head.get("set-cookie"), Some(&b"id=hunter2"[..]));
    }
}
