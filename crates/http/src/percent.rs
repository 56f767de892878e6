//! Percent-encoding (RFC 3986, section 2.1) by the place where a text stands.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// What is encoded in a text that is one component of a URL: all but the unreserved characters of RFC 3986, section 2.3.
pub const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes the bytes of the set; bytes beyond ASCII always.
pub fn encode(bytes: &[u8], set: &'static AsciiSet) -> String {
    percent_encoding::percent_encode(bytes, set).to_string()
}

/// Undoes percent-encoding; a `%` without two hexadecimal digits behind it stays.
pub fn decode(text: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_undone_and_what_is_none_stays() {
        assert_eq!(decode(b"a%2fb%zz%4"), b"a/b%zz%4");
        assert_eq!(decode(b"%C3%a4%"), b"\xc3\xa4%");
    }

    #[test]
    fn a_component_keeps_only_what_is_unreserved() {
        assert_eq!(encode("a-._~/?#&=+ %ä".as_bytes(), COMPONENT), "a-._~%2F%3F%23%26%3D%2B%20%25%C3%A4");
    }
}
