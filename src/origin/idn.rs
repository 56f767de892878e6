//! Host names beyond ASCII, where the URL parser is without the tables for them.
//!
//! url maps such names by UTS 46, with tables of 125 KB for all scripts of the world. The smallest static binaries have no
//! room for them; there the scripts below are mapped by what the standard library knows anyway: their letters need lower
//! case and nothing else. A name of another script has to be written in the ASCII form that the others are turned into.

use std::sync::OnceLock;

use url::Url;

/// Letters of which a label is in its normal form as soon as it is in lower case: none of them is composed, none is
/// compatible to others, and all are written from left to right. A test holds each against the tables.
const LETTERS: [(char, char); 14] = [
    ('\u{df}', '\u{f6}'),     // Latin-1
    ('\u{f8}', '\u{131}'),    // Latin Extended-A, as European languages use it
    ('\u{134}', '\u{13e}'),   //
    ('\u{141}', '\u{148}'),   //
    ('\u{14a}', '\u{17e}'),   //
    ('\u{3ac}', '\u{3ce}'),   // Greek
    ('\u{430}', '\u{45f}'),   // Cyrillic
    ('\u{490}', '\u{4bf}'),   //
    ('\u{1ea0}', '\u{1ef9}'), // Vietnamese
    ('\u{3041}', '\u{3096}'), // Hiragana
    ('\u{30a1}', '\u{30fa}'), // Katakana
    ('\u{30fc}', '\u{30fe}'), //
    ('\u{4e00}', '\u{9fa5}'), // the ideographs of China, Japan and Korea
    ('\u{ac00}', '\u{d7a3}'), // Hangul
];

/// Whether the parser maps such names itself.
pub(super) fn is_built_in() -> bool {
    static BUILT_IN: OnceLock<bool> = OnceLock::new();
    *BUILT_IN.get_or_init(|| Url::parse("http://\u{e4}/").is_ok())
}

/// The URL with its host in ASCII; `None` where that takes tables.
pub(super) fn with_ascii_host(url: &str) -> Option<String> {
    let start = url.find("://")? + 3;
    let end = url[start..].find(['/', '?', '#', '\\']).map_or(url.len(), |at| start + at);
    let start = url[start..end].rfind('@').map_or(start, |at| start + at + 1);
    let host_end = url[start..end].find(':').map_or(end, |at| start + at);
    let host = to_ascii(&url[start..host_end])?;
    Some(format!("{}{host}{}", &url[..start], &url[host_end..]))
}

/// The host in ASCII (RFC 5891, section 4.4).
pub(super) fn to_ascii(host: &str) -> Option<String> {
    // The full stops of East Asia part labels too (UTS 46, section 2.3).
    let labels = host.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).map(|label| {
        let lower = label.chars().map(lower).collect::<Option<Vec<char>>>()?;
        if lower.iter().all(char::is_ascii) {
            return Some(lower.into_iter().collect());
        }
        let encoded = format!("xn--{}", punycode(&lower)?);
        // As the wire has it (RFC 1035, section 2.3.4); and what claims to be encoded cannot be so twice.
        (encoded.len() <= 63 && !lower.starts_with(&['x', 'n', '-', '-'])).then_some(encoded)
    });
    Some(labels.collect::<Option<Vec<String>>>()?.join("."))
}

fn lower(c: char) -> Option<char> {
    let mut lower = c.to_lowercase();
    let first = lower.next().filter(|_| lower.next().is_none())?;
    (first.is_ascii() == c.is_ascii()
        && (first.is_ascii() || LETTERS.iter().any(|(from, to)| (*from..=*to).contains(&first))))
    .then_some(first)
}

/// The label in ASCII letters, digits and hyphens (RFC 3492, section 6.3). `None` where a number grows beyond 32 bits,
/// which no label of a length that can be sent makes it do.
fn punycode(label: &[char]) -> Option<String> {
    const BASE: u32 = 36;
    let digit = |value: u32| char::from_digit(if value < 26 { value + 10 } else { value - 26 }, BASE);
    let mut out: String = label.iter().filter(|c| c.is_ascii()).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (128u32, 0u32, 72u32, basic);
    while handled < u32::try_from(label.len()).ok()? {
        let next = label.iter().map(|c| u32::from(*c)).filter(|c| *c >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for c in label.iter().map(|c| u32::from(*c)) {
            if c < n {
                delta = delta.checked_add(1)?;
            }
            if c != n {
                continue;
            }
            let (mut q, mut k) = (delta, BASE);
            loop {
                let t = k.saturating_sub(bias).clamp(1, 26);
                if q < t {
                    break;
                }
                out.push(digit(t + (q - t) % (BASE - t))?);
                q = (q - t) / (BASE - t);
                k += BASE;
            }
            out.push(digit(q)?);
            bias = adapt(delta, handled + 1, handled == basic);
            delta = 0;
            handled += 1;
        }
        delta = delta.checked_add(1)?;
        n += 1;
    }
    Some(out)
}

/// RFC 3492, section 6.1.
fn adapt(delta: u32, count: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the parser makes of this host with its tables.
    fn by_tables(host: &str) -> Option<String> {
        Url::parse(&format!("http://{host}/")).ok()?.host_str().map(str::to_owned)
    }

    #[test]
    fn names_are_as_with_tables() {
        assert!(is_built_in(), "the tests have the tables");
        for host in [
            "münchen.example",
            "MÜNCHEN.Example",
            "straße.de",
            "日本語。jp",
            "παράδειγμα.gr",
            "ΠΑΡΆΔΕΙΓΜΑ.gr",
            "пример-1.рф",
            "한국.kr",
            "việtnam.vn",
            "łódź.pl",
            "a.xn--4ca.de",
            "ひらがなカタカナー.jp",
            "ä--.ö",
        ] {
            assert_eq!(to_ascii(host), by_tables(host), "{host}");
        }
        for host in ["שלום.il", "e\u{301}.fr", "\u{ff41}.jp", "ﬁ.de", "xn--ä.de", "a b.ä", &"ä".repeat(64), "İ.tr"]
        {
            assert!(to_ascii(host).is_none_or(|ascii| by_tables(host).is_none_or(|tables| ascii == tables)), "{host}");
        }
        assert_eq!(to_ascii("שלום.il"), None);
        assert_eq!(to_ascii("e\u{301}.fr"), None);
    }

    #[test]
    fn every_letter_is_as_with_tables() {
        for c in ('\u{80}'..='\u{ffff}').chain(['\u{1f600}']) {
            let host = format!("a{c}b.example");
            if let Some(ascii) = to_ascii(&host) {
                assert_eq!(Some(ascii), by_tables(&host), "U+{:04X}", u32::from(c));
            }
        }
    }

    #[test]
    fn only_the_host_of_a_url_is_changed() {
        let with = |url: &str| with_ascii_host(url);
        assert_eq!(with("http://ü@ä.de:8080/ö?ö#ö").as_deref(), Some("http://ü@xn--4ca.de:8080/ö?ö#ö"));
        assert_eq!(with("https://ä").as_deref(), Some("https://xn--4ca"));
        assert_eq!(with("http://שלום.il/"), None);
        assert_eq!(with("ä.de"), None);
    }
}
