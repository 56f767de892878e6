//! The forms in which a secret may stand in a text: what sends it back may have encoded it.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use roundup_http::percent::{COMPONENT, encode};

/// A form that is shorter than this many bytes is looked for only if it is the value itself: few letters of base64 or a few
/// hexadecimal digits stand in many texts by chance.
const MIN_ENCODED: usize = 8;

/// The forms of one secret.
pub(crate) struct Forms {
    /// What is looked for behind escapes, too: the value, and what is made of its bytes and not of its characters.
    pub(crate) plain: Vec<Vec<u8>>,
    /// With the escapes of headers, JSON strings, URLs, forms, pages of HTML and dumps.
    pub(crate) escaped: Vec<Vec<u8>>,
}

pub(crate) fn forms_of(value: &str) -> Forms {
    let mut plain: Vec<Vec<u8>> = vec![value.into(), value.trim().into()];
    let is_long = |form: &Vec<u8>| form.len() >= MIN_ENCODED;
    let encoded = in_base64(value.as_bytes()).into_iter().chain(in_hex(value)).map(String::into_bytes);
    plain.extend(encoded.chain(in_wide_units(value)).filter(is_long));
    let in_json_of_value: BTreeSet<String> = in_json(value).into_iter().collect();
    let mut escaped: Vec<String> = in_json_of_value.iter().cloned().collect();
    escaped.extend(in_urls(value));
    escaped.extend(in_messages(value));
    // JSON within JSON, and a cell of CSV in quotes (RFC 4180).
    escaped.extend(in_json_of_value.iter().flat_map(|form| in_json(form)));
    escaped.push(value.replace('"', "\"\""));
    let mut escaped: BTreeSet<Vec<u8>> = escaped.into_iter().map(String::into_bytes).collect();
    escaped.extend(in_html(value).into_iter().map(String::into_bytes).filter(is_long));
    let escaped = escaped.into_iter().filter(|form| !plain.contains(form)).collect();
    Forms { plain, escaped }
}

/// The secret as it stands inside a JSON string, if that differs.
pub(crate) fn escaped(secret: &str) -> Option<Box<str>> {
    let quoted = serde_json::to_string(secret).ok()?;
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    (inner != secret).then(|| inner.into())
}

/// As JSON writers have it: some escape `/`, some everything beyond ASCII (RFC 8259, section 7).
fn in_json(value: &str) -> Vec<String> {
    let plain = escaped(value).map_or_else(|| value.to_owned(), String::from);
    let ascii = |digit: fn(u32) -> char| {
        let mut out = String::new();
        for c in plain.chars() {
            if c.is_ascii() {
                out.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str("\\u");
                out.extend((0..4).rev().map(|nibble| digit(u32::from(*unit) >> (4 * nibble) & 15)));
            }
        }
        out
    };
    let mut forms = vec![ascii(lower_digit), ascii(upper_digit), plain];
    // As Go and others write what HTML has a meaning for.
    let for_html: Vec<String> = forms.iter().map(|form| escape_for_html(form)).collect();
    forms.extend(for_html);
    let with_slashes: Vec<String> = forms.iter().map(|form| form.replace('/', "\\/")).collect();
    forms.extend(with_slashes);
    forms
}

fn escape_for_html(json: &str) -> String {
    let escapes = [('&', "\\u0026"), ('<', "\\u003c"), ('>', "\\u003e"), ('\'', "\\u0027")];
    escapes.iter().fold(json.to_owned(), |text, (c, escape)| text.replace(*c, escape))
}

/// As URLs and forms have it, the digits of percent-encoding in both cases.
fn in_urls(value: &str) -> Vec<String> {
    let component = encode(value.as_bytes(), COMPONENT);
    let form = component.replace("%20", "+");
    // Python's `quote` leaves the slash, and JavaScript's `encodeURIComponent` a few marks.
    let with_slashes = component.replace("%2F", "/");
    let marks = [("%21", "!"), ("%27", "'"), ("%28", "("), ("%29", ")"), ("%2A", "*")];
    let with_marks = marks.iter().fold(component.clone(), |text, (encoded, mark)| text.replace(encoded, mark));
    let mut forms: Vec<String> =
        [component, form, with_slashes, with_marks].into_iter().flat_map(|text| [lower_hex(&text), text]).collect();
    // In a path and in a query, the URL standard leaves some characters as they are.
    if let Ok(mut url) = url::Url::parse("http://h/") {
        url.set_path(value);
        url.set_query(Some(value));
        forms.push(url.path().trim_start_matches('/').to_owned());
        forms.extend(url.query().map(str::to_owned));
    }
    forms
}

/// As our own messages and those of other programs show bytes and text that need not be printable.
fn in_messages(value: &str) -> [String; 2] {
    [value.as_bytes().escape_ascii().to_string(), value.escape_debug().to_string()]
}

/// With the entities of HTML: quotes have a name, a decimal and a hexadecimal number.
fn in_html(value: &str) -> Vec<String> {
    const QUOTES: [(&str, &str); 4] =
        [("&quot;", "&apos;"), ("&quot;", "&#39;"), ("&#34;", "&#39;"), ("&#x22;", "&#x27;")];
    if !value.contains(['&', '<', '>', '"', '\'', '/']) {
        return Vec::new();
    }
    let text = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // Between tags, quotes may stand as they are.
    let quoted = QUOTES.map(|(double, single)| text.replace('"', double).replace('\'', single));
    // By number: some do so for these alone, some for the slash, too.
    let numbered = |write: fn(u32) -> String, also: &str| -> String {
        let is_numbered = |c: char| "&<>\"'".contains(c) || also.contains(c);
        value.chars().map(|c| if is_numbered(c) { write(u32::from(c)) } else { c.to_string() }).collect()
    };
    let writes: [fn(u32) -> String; 3] = [|c| format!("&#{c};"), |c| format!("&#x{c:x};"), |c| format!("&#x{c:X};")];
    let numbered = writes.iter().flat_map(|write| ["", "/"].map(|also| numbered(*write, also)));
    quoted.into_iter().chain([text]).chain(numbered).collect()
}

/// Within a longer text that is in base64 (RFC 4648), in both alphabets: what stands there depends on how many bytes stand
/// before it, and on its borders some bits belong to its neighbours.
fn in_base64(value: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let bytes = [&[0; 2][..before], value].concat();
        // The first letters hold bits of what stands before, the last one perhaps of what follows.
        let (from, to) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for engine in [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD] {
            forms.extend(engine.encode(&bytes).get(from..to).map(str::to_owned));
        }
    }
    forms
}

/// In hexadecimal digits of both cases.
fn in_hex(value: &str) -> [String; 2] {
    [lower_digit, upper_digit].map(|digit: fn(u32) -> char| {
        value.bytes().flat_map(|byte| [digit(u32::from(byte >> 4)), digit(u32::from(byte & 15))]).collect()
    })
}

/// In UTF-16 and UTF-32 with either byte first, if it is not ASCII: of that the NULs are passed over.
fn in_wide_units(value: &str) -> Vec<Vec<u8>> {
    if value.is_ascii() {
        return Vec::new();
    }
    let (units, chars) = (|| value.encode_utf16(), || value.chars().map(u32::from));
    vec![
        units().flat_map(u16::to_le_bytes).collect(),
        units().flat_map(u16::to_be_bytes).collect(),
        chars().flat_map(u32::to_le_bytes).collect(),
        chars().flat_map(u32::to_be_bytes).collect(),
    ]
}

fn lower_digit(value: u32) -> char {
    char::from_digit(value, 16).unwrap_or_default()
}

fn upper_digit(value: u32) -> char {
    lower_digit(value).to_ascii_uppercase()
}

/// The same with the digits of percent-encoding in lower case.
fn lower_hex(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut digits = 0;
    for c in text.chars() {
        out.push(if digits > 0 { c.to_ascii_lowercase() } else { c });
        digits = if c == '%' { 2 } else { u32::saturating_sub(digits, 1) };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Redactor;

    /// A server that sends a secret back in an encoding of its own.
    #[test]
    fn a_secret_is_found_as_other_programs_encode_it() {
        let secret = "s3/cr\"t<&'\u{fc}-12";
        let redactor = Redactor::new([secret.to_owned()]);
        for text in [
            "s3\\/cr\\\"t<&'\\u00fc-12",
            "s3/cr\\\"t<&'\\u00FC-12",
            "s3/cr&quot;t&lt;&amp;&#39;\u{fc}-12",
            "s3/cr&#34;t&lt;&amp;&#39;\u{fc}-12",
            "s3/cr\"t&lt;&amp;'\u{fc}-12",
            "73332f637222743c2627c3bc2d3132",
            "73332F637222743C2627C3BC2D3132",
        ] {
            assert_eq!(redactor.redact_received(&format!("a {text} b")), "a [redacted] b", "{text}");
        }
    }

    /// Python's `quote` keeps the slash, and JavaScript's `encodeURIComponent` keeps `!'()*`.
    #[test]
    fn a_secret_is_found_however_much_of_it_is_percent_encoded() {
        let redactor = Redactor::new(["wJalr/nFEMI+K7MDENG==".to_owned(), "it's(a)!secret*+".to_owned()]);
        for text in [
            "wJalr/nFEMI%2BK7MDENG%3D%3D",
            "wJalr/nFEMI%2bK7MDENG%3d%3d",
            "wJalr%2FnFEMI%2BK7MDENG%3D%3D",
            "it's(a)!secret*%2B",
            "it%27s%28a%29%21secret%2A%2B",
        ] {
            assert_eq!(redactor.redact_received(&format!("a {text} b")), "a [redacted] b", "{text}");
        }
    }

    /// A field that is not as it should be is shown in a message with escapes: `Content-Length is "it\'s..."`.
    #[test]
    fn a_secret_is_found_in_messages_that_escape_it() {
        let redactor = Redactor::new(["it's'secret99".to_owned(), "p\u{e4}ssw\u{f6}rd1234".to_owned()]);
        for secret in ["it's'secret99", "p\u{e4}ssw\u{f6}rd1234"] {
            let shown = format!("Content-Length is \"{}\"", secret.as_bytes().escape_ascii());
            assert_eq!(redactor.redact(&shown), "Content-Length is \"[redacted]\"");
        }
    }

    #[test]
    fn a_secret_is_found_within_base64_wherever_it_stands() {
        let redactor = Redactor::new(["t0p-s3cret??~~>>".to_owned()]);
        for before in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "x", "xy", "xyz"] {
                let text = format!("{before}t0p-s3cret??~~>>{after}");
                for engine in [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD] {
                    let shown = redactor.redact_received(&engine.encode(&text)).into_owned();
                    // At most two letters at either end belong to its neighbours, too.
                    let kept: usize = shown.split("[redacted]").map(str::len).sum();
                    assert!(shown.contains("[redacted]"), "{text}");
                    assert!(kept <= (before.len() + after.len()) * 8 / 6 + 4, "{text}: {shown}");
                }
            }
        }
    }

    #[test]
    fn a_secret_is_found_in_utf_16_and_utf_32() {
        let redactor = Redactor::new(["t0p-s3cret".to_owned(), "gehe\u{ef}m-\u{1f511}-w\u{f6}rd".to_owned()]);
        for secret in ["t0p-s3cret", "gehe\u{ef}m-\u{1f511}-w\u{f6}rd"] {
            let text = format!("a {secret} b");
            let (units, chars) = (|| text.encode_utf16(), || text.chars().map(u32::from));
            for bytes in [
                units().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
                units().flat_map(u16::to_be_bytes).collect(),
                chars().flat_map(u32::to_le_bytes).collect(),
                chars().flat_map(u32::to_be_bytes).collect(),
            ] {
                let shown = redactor.redact_bytes(&bytes);
                assert!(shown.windows(10).any(|window| window == b"[redacted]"), "{secret} {bytes:?}");
                assert!(shown.len() <= 10 + 6 * 4 && shown.starts_with(&bytes[..4]), "{secret} {bytes:?}");
            }
        }
    }

    /// With any of its characters escaped, and others not: there are too many ways to list them.
    #[test]
    fn a_secret_is_found_behind_escapes_of_any_of_its_characters() {
        let redactor = Redactor::new(["s3/cr\"t-12".to_owned()]);
        for (text, rest) in [
            (r#"{"k":"\u0073\u0033\u002f\u0063\u0072\u0022\u0074\u002d\u0031\u0032"}"#, r#"{"k":"[redacted]"}"#),
            (r#"{"k":"s\u0033\/cr\u0022t-12!"}"#, r#"{"k":"[redacted]!"}"#),
            // UTF-16 in a text of JSON, as programs write bytes that they take for Latin-1.
            (
                r#"{"k":"s\u00003\u0000/\u0000c\u0000r\u0000\"\u0000t\u0000-\u00001\u00002\u0000"}"#,
                r#"{"k":"[redacted]\u0000"}"#,
            ),
            (r#""{\"k\":\"\\u0073\\u0033\\/cr\\\"t-12\"}""#, r#""{\"k\":\"[redacted]\"}""#),
            (r"b'\x733/cr\x22t-12'", "b'[redacted]'"),
            ("?k=%733%2Fcr%22t%2d12&x=%41", "?k=[redacted]&x=%41"),
            (r"{'u':'?k=%733\/cr%22t-12'}", "{'u':'?k=[redacted]'}"),
            ("<p>s3&#x2F;cr&quot;t&#45;12</p>", "<p>[redacted]</p>"),
            (r#""<p>s3&#x2F;cr\u0026quot;t-12""#, r#""<p>[redacted]""#),
        ] {
            assert_eq!(redactor.redact_received(text), rest, "{text}");
            assert_eq!(redactor.redact(text), rest, "{text}");
            assert_eq!(redactor.redact_bytes(text.as_bytes()), rest.as_bytes(), "{text}");
        }
        for text in [r#"{"k":"\u0073\u0034"}"#, "%73%33", "&#115;3/cr"] {
            assert!(matches!(redactor.redact_received(text), std::borrow::Cow::Borrowed(_)), "{text}");
        }
    }

    /// A value of four bytes has six letters of base64, which stand in many texts.
    #[test]
    fn short_encoded_forms_are_not_looked_for() {
        let Forms { plain, escaped } = forms_of("abcd");
        assert!(plain.iter().chain(&escaped).all(|form| form.len() >= MIN_ENCODED || form == b"abcd"));
    }
}
