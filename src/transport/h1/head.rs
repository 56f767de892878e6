//! The head of a response, owned: its bytes once, and where in them the fields are.

use std::fmt;

use crate::redact::REDACTED;

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
/// It holds the head's bytes and a list of offsets in one allocation, whatever the number of fields. Folded field lines are
/// joined by a space (RFC 9112, section 5.2); nothing else is changed.
#[derive(Clone)]
pub struct Head {
    /// The bytes of the head, and behind them a [`Span`] for each field.
    bytes: Box<[u8]>,
    /// How many of them are the head.
    length: u32,
    reason: (u32, u32),
    /// Which lengths the names have, a bit each: what is looked for is mostly not there, and then no field need be looked at.
    lengths: u64,
    status: u16,
    version: Version,
    keep_alive: bool,
}

/// The bit of a name of this length in [`Head::lengths`]; all that are longer share the last.
fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

/// The bits of `Connection`, `Content-Length` and `Transfer-Encoding`.
const OF_FRAMING: u64 = 1 << 10 | 1 << 14 | 1 << 17;

/// Where a field is in the head's bytes. `u32` because a head is bounded far below 4 GiB.
#[derive(Clone, Copy)]
struct Span {
    name: u32,
    name_end: u32,
    value: u32,
    value_end: u32,
}

impl Span {
    const SIZE: usize = 16;

    fn to_bytes(self) -> [u8; Span::SIZE] {
        let numbers = [self.name, self.name_end, self.value, self.value_end];
        let mut bytes = [0; Span::SIZE];
        for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        bytes
    }

    /// From [`Span::SIZE`] bytes.
    fn from_bytes(bytes: &[u8]) -> Span {
        let number = |n: usize| bytes[4 * n..].first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
        Span { name: number(0), name_end: number(1), value: number(2), value_end: number(3) }
    }
}

impl Head {
    /// Copies a head out of `bytes`, of which httparse made `fields`, the status and the reason. `folded` where a value can
    /// hold line ends. `note` is called with name and value of each field that may speak of framing or of the connection.
    pub(super) fn copy(
        bytes: &[u8],
        fields: &[httparse::Header<'_>],
        (status, reason): (u16, Option<&str>),
        version: Version,
        folded: bool,
        mut note: impl FnMut(&[u8], &[u8]),
    ) -> Head {
        let start = bytes.as_ptr().addr();
        let length = bytes.len();
        let mut all: Vec<u8> = Vec::with_capacity(length + fields.len() * Span::SIZE);
        all.extend_from_slice(bytes);
        all.resize(length + fields.len() * Span::SIZE, 0);
        let (text, places) = all.split_at_mut(length);
        let mut lengths = 0;
        for (field, place) in fields.iter().zip(places.chunks_exact_mut(Span::SIZE)) {
            let bit = length_bit(field.name.len());
            lengths |= bit;
            let name = (field.name.as_ptr().addr() - start) as u32;
            let value = (field.value.as_ptr().addr() - start) as u32;
            let (name_end, value_end) = (name + field.name.len() as u32, value + field.value.len() as u32);
            let mut span = Span { name, name_end, value, value_end };
            if folded {
                unfold(text, &mut span);
            }
            if bit & OF_FRAMING != 0 {
                note(field.name.as_bytes(), &text[span.value as usize..span.value_end as usize]);
            }
            place.copy_from_slice(&span.to_bytes());
        }
        let reason = match reason {
            Some(reason) if !reason.is_empty() => {
                let at = (reason.as_ptr().addr() - start) as u32;
                (at, at + reason.len() as u32)
            }
            _ => find_reason(bytes),
        };
        // A head is bounded far below 4 GiB.
        let (bytes, length) = (all.into_boxed_slice(), length as u32);
        Head { bytes, length, reason, lengths, status, version, keep_alive: false }
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

    /// The reason phrase, empty where there is none. Any bytes but control characters.
    pub fn reason(&self) -> &[u8] {
        self.slice(self.reason.0, self.reason.1)
    }

    /// All fields in the order and spelling in which they came. Values can hold any bytes but control characters.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.spans().map(|span| {
            // Names are tokens, so this cannot fail.
            let name = std::str::from_utf8(self.slice(span.name, span.name_end)).unwrap_or_default();
            (name, self.slice(span.value, span.value_end))
        })
    }

    /// The first field of this name, whatever its case. Where a list may be split over fields, use [`Head::get_all`].
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let length = name.len();
        if self.lengths & length_bit(length) == 0 {
            return None;
        }
        let mut fields = self.fields_of_length(|other| other == length);
        fields.find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// All fields of this name, whatever its case, in the order in which they came.
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let length = name.len();
        let maybe = self.lengths & length_bit(length) != 0;
        let fields = maybe.then(|| self.fields_of_length(move |other| other == length)).into_iter().flatten();
        fields.filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Whether the connection may carry another request once the content has been read to its end.
    ///
    /// False where the server closes (RFC 9112, section 9.3), where the content ends with the connection, and where
    /// the framing is such that the two sides might disagree on the response's end: Transfer-Encoding beside
    /// Content-Length or in HTTP/1.0, content announced with a 204. After a successful CONNECT it has no meaning: the
    /// connection is a tunnel then.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// The fields whose names are of such a length: most are told apart by that alone, without a look at their bytes.
    pub(in crate::transport) fn fields_of_length(
        &self,
        such: impl Fn(usize) -> bool,
    ) -> impl Iterator<Item = (&[u8], &[u8])> {
        let found = self.spans().filter(move |span| such((span.name_end - span.name) as usize));
        found.map(|span| (self.slice(span.name, span.name_end), self.slice(span.value, span.value_end)))
    }

    fn spans(&self) -> impl ExactSizeIterator<Item = Span> {
        self.bytes[self.length as usize..].chunks_exact(Span::SIZE).map(Span::from_bytes)
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
                    if is_secret(name) {
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

/// Fields of a response whose value lets its reader act as the user.
fn is_secret(name: &str) -> bool {
    ["set-cookie", "set-cookie2", "authorization", "proxy-authorization", "authentication-info"]
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
}

/// The bytes after `HTTP/1.1 200 `. httparse gives none where one of them is above 127.
fn find_reason(raw: &[u8]) -> (u32, u32) {
    const START: usize = 13;
    let line = raw.get(START - 1..).unwrap_or_default();
    let end = line.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(line.len());
    // Where the space after the status is missing, the line ends right here.
    if end == 0 { (0, 0) } else { (START as u32, (START - 1 + end) as u32) }
}

/// Joins the lines of a folded value by a space each: the line end and all white space around it becomes one.
fn unfold(raw: &mut [u8], span: &mut Span) {
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
        let mut span = Span { name: 0, name_end: 0, value: 0, value_end: raw.len() as u32 };
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
