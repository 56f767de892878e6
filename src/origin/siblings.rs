//! URLs of one origin, one after the other: what stands before the path is parsed once.
//!
//! To parse a URL costs some 6,000 instructions, and most of them go to the host: whether it is a number, what its name is
//! in ASCII. Lists of URLs mostly name one host many times in a row.

use std::cell::RefCell;
use std::sync::Arc;

use url::Url;

thread_local! {
    /// The origin that was parsed last, as it was written, and the URL of its root.
    static LAST: RefCell<Option<(Box<str>, Arc<Url>)>> = const { RefCell::new(None) };
}

/// The longest origin that is remembered; a host name has at most 253 bytes.
const LONGEST: usize = 300;

/// The URL, where it is of the origin that was last parsed on this thread and in plain characters: white space and
/// backslashes are not what they look like to everybody.
pub(super) fn parse(text: &str) -> Option<Url> {
    LAST.with_borrow(|last| {
        let (origin, root) = last.as_ref()?;
        let rest = text.strip_prefix(&**origin)?;
        // A reference that begins with one slash replaces path and query of its base (RFC 3986, section 5.2.2), and two
        // would begin a host.
        let is_path = rest.starts_with('/') && !rest.starts_with("//") && rest.bytes().all(is_plain);
        is_path.then(|| root.join(rest).ok()).flatten()
    })
}

/// The root of the origin, and where the path begins, of a URL that is of the origin that was last parsed on this thread and
/// whose path and query parsing would leave as they are.
pub(super) fn root_of(text: &str) -> Option<(Arc<Url>, usize)> {
    LAST.with_borrow(|last| {
        let (origin, root) = last.as_ref()?;
        let rest = text.strip_prefix(&**origin)?;
        is_final(rest.as_bytes()).then(|| (root.clone(), origin.len()))
    })
}

/// Whether a path and a query are what parsing them would give: no segment of dots, and nothing that is encoded, left out
/// or taken for something else. There is more that would be left alone.
fn is_final(rest: &[u8]) -> bool {
    if rest.first() != Some(&b'/') || rest.get(1) == Some(&b'/') {
        return false;
    }
    let mut before = b'/';
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'?' => return rest[at..].iter().all(|byte| IS_FINAL[usize::from(*byte)]),
            b'.' if before == b'/' => return false,
            b'%' => return false,
            _ if !IS_FINAL[usize::from(*byte)] => return false,
            _ => before = *byte,
        }
    }
    true
}

/// The bytes that neither path nor query of a URL of http have encoded (URL Standard, sections 1.3 and 4.4), but for some
/// that are rare.
const IS_FINAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let it = byte as u8;
        table[byte] = it.is_ascii_alphanumeric()
            || matches!(it, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'(' | b')' | b'*' | b'+' | b',')
            || matches!(it, b';' | b'=' | b':' | b'@' | b'/' | b'?' | b'%');
        byte += 1;
    }
    table
};

/// Notes the origin of a URL that was parsed, where there is nothing secret in it.
pub(super) fn remember(text: &str, url: &Url) {
    let Some(start) = text.find("://").map(|at| at + 3) else { return };
    let Some(length) = text[start..].find('/').filter(|length| (1..=LONGEST).contains(length)) else { return };
    let origin = &text[..start + length];
    if origin.bytes().all(|b| is_plain(b) && !matches!(b, b'@' | b'?' | b'#')) {
        LAST.set(url.join("/").ok().map(|root| (origin.into(), Arc::new(root))));
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_are_what_they_are_alone() {
        let rests = [
            "/",
            "/a",
            "/a/../b",
            "/a/%2e%2e/b",
            "/./",
            "/?",
            "/?q",
            "/#f",
            "/a?b#c",
            "/a?b'c|d",
            "/a?b/../c",
            "/..",
            "//",
            "//evil/x",
            "/\\evil/x",
            "/ /x",
            "/\t/evil",
            "/a b",
            "/\u{fc}",
            "/%",
            "/%zz",
            "/a:b@c",
            "/:80",
            "/^`{}",
            "/a;b",
            "/\"<>",
            "/a//b",
            "?q",
            "#f",
            "",
            "/a\u{0}",
        ];
        for origin in [
            "http://h",
            "HTTP://H:80",
            "https://h:8443",
            "http://127.1",
            "http://[::1]:9",
            "http://m\u{fc}nchen",
            "http://a@h",
            "http+unix://%2Frun%2Fx",
            "http://h?",
            "http://h#",
            "http:///h",
            "http://h\\x",
            "ftp://h",
            "http://0x7f.1",
        ] {
            for rest in rests {
                for first in ["/first?x", "/", ""] {
                    LAST.set(None);
                    let _ = crate::origin::parse_url(&format!("{origin}{first}"));
                    let text = format!("{origin}{rest}");
                    let after = crate::origin::parse_url(&text).map_err(|error| error.one_line());
                    LAST.set(None);
                    let alone = crate::origin::parse_url(&text).map_err(|error| error.one_line());
                    assert_eq!(after, alone, "{text:?} after {origin}{first}");
                }
            }
        }
    }

    #[test]
    fn an_origin_is_parsed_once_and_a_secret_not_kept() {
        LAST.set(None);
        assert!(parse("http://h/a").is_none());
        crate::origin::parse_url("http://h/a").expect("a URL");
        assert_eq!(parse("http://h/b?c").map(String::from).as_deref(), Some("http://h/b?c"));
        assert!(parse("http://h.other/b").is_none() && parse("https://h/b").is_none());
        crate::origin::parse_url("http://me:secret@h/a").expect("a URL");
        assert!(LAST.with_borrow(|last| last.as_ref().is_some_and(|(origin, _)| &**origin == "http://h")));
    }
}
