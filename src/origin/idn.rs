//! Host names beyond ASCII, where the URL parser is without the tables for them.
//!
//! url maps such names by UTS 46, with tables of 125 KB for all scripts of the world. The smallest static binaries have no
//! room for them; there the scripts below are mapped by what the standard library knows anyway: their letters need lower
//! case and nothing else. A name of another script has to be written in the ASCII form that the others are turned into.

use std::ops::Range;
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

/// Whether the host of this URL is one that the parser would need tables for.
pub(super) fn needs_tables(url: &str) -> bool {
    host(url).is_some_and(|host| !url[host.clone()].is_ascii() || url[host].contains('%'))
}

/// The URL with its host in ASCII; `None` where that takes tables, or where another host would come of it.
pub(super) fn parse(url: &str) -> Option<Url> {
    let place = host(url)?;
    let ascii = to_ascii(&url[place.clone()])?;
    let parsed = Url::parse(&format!("{}{ascii}{}", &url[..place.start], &url[place.end..])).ok()?;
    (parsed.host_str() == Some(&ascii)).then_some(parsed)
}

/// [`Url::join`], as [`parse`] does what `Url::parse` does.
#[cfg(feature = "transport")]
pub(super) fn join(base: &Url, reference: &str) -> Option<Url> {
    if reference.starts_with("//") { parse(&format!("{}:{reference}", base.scheme())) } else { parse(reference) }
}

/// Where the host stands in a URL as people write it, as the URL standard parts it.
fn host(url: &str) -> Option<Range<usize>> {
    let start = url.find("://")? + 3;
    let end = url[start..].find(['/', '?', '#', '\\']).map_or(url.len(), |at| start + at);
    let start = url[start..end].rfind('@').map_or(start, |at| start + at + 1);
    Some(start..url[start..end].find(':').map_or(end, |at| start + at))
}

/// The host in ASCII (RFC 5891, section 4.4).
fn to_ascii(host: &str) -> Option<String> {
    // The full stops of East Asia part labels too (UTS 46, section 2.3).
    let labels = host.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).map(|label| {
        let lower = label.chars().map(lower).collect::<Option<Vec<char>>>()?;
        // What is encoded already may be invalid or be written from right to left, which is a matter of all labels.
        if lower.starts_with(&['x', 'n', '-', '-']) {
            return None;
        }
        if lower.iter().all(char::is_ascii) {
            return Some(lower.into_iter().collect());
        }
        let encoded = format!("xn--{}", punycode(&lower)?);
        // As the wire has it (RFC 1035, section 2.3.4).
        (encoded.len() <= 63).then_some(encoded)
    });
    Some(labels.collect::<Option<Vec<String>>>()?.join("."))
}

/// The character as it is looked up; `None` where more than this would have to be known of it. That goes for ASCII too:
/// what is no letter, digit, `-` or `_` has a meaning of its own in a URL, such as `%`, or is dropped, such as a tab, and
/// must not be counted by [`punycode`].
fn lower(c: char) -> Option<char> {
    let mut lower = c.to_lowercase();
    let first = lower.next().filter(|_| lower.next().is_none())?;
    let known = if c.is_ascii() {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
    } else {
        LETTERS.iter().any(|(from, to)| (*from..=*to).contains(&first))
    };
    known.then_some(first)
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

    /// What is accepted here must be what the parser makes of it with its tables, the whole URL: anything else would be
    /// another server. Whether it was accepted.
    fn is_as_with_tables(url: &str) -> bool {
        let Some(parsed) = parse(url) else { return false };
        assert_eq!(Ok(parsed), Url::parse(url), "{url:?}");
        true
    }

    fn accepted(host: &str) -> bool {
        is_as_with_tables(&format!("http://{host}/"))
    }

    /// Numbers that are the same in each run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % end as u64) as usize
        }
    }

    #[test]
    fn names_are_as_with_tables() {
        assert!(is_built_in(), "the tests have the tables");
        for host in [
            "münchen.example",
            "MÜNCHEN.Example",
            "straße.de",
            "STRASSE-ẞ.de",
            "日本語。jp",
            "日本語．jp｡",
            "παράδειγμα.gr",
            "ΠΑΡΆΔΕΙΓΜΑ.gr",
            "ΣΊΣΥΦΟΣ.gr",
            "пример-1.рф",
            "한국.kr",
            "việtnam.vn",
            "łódź.pl",
            "ひらがなカタカナー.jp",
            "_srv.ä--.ö",
            "a..ä.",
        ] {
            assert!(accepted(host), "{host}");
        }
    }

    #[test]
    fn what_takes_tables_is_refused() {
        for host in [
            "שלום.il",
            "ä.שלום.il",
            "ا١.ä",
            "e\u{301}.fr",                 // to be composed
            "ä\u{323}.de",                 // to be composed in another order
            "が\u{3099}.jp",               //
            "か\u{3099}.jp",               //
            "\u{1112}\u{1161}\u{11ab}.kr", // a syllable in parts
            "가\u{11a8}.kr",               // one that takes one more
            "\u{ff41}.jp",                 // wide
            "ｱ.jp",                        // half-width
            "㈱.jp",
            "ﬁ.de",
            "ŀ.cat",
            "ŉ.za",
            "ſ.de",
            "\u{212a}.example", // Kelvin, a k in lower case
            "İ.tr",             // two in lower case
            "ä\u{ad}.de",       // dropped
            "ä\u{200d}.de",
            "ä\u{200c}b.de",
            "क्\u{200d}ष.in",
            "ä\u{fe0f}.de",
            "ä\u{202e}b.de",
            "・ä.jp",
            "ا.ä.de",
            "１.ä",
            "1.２.ä.3",
            "ä.xn--4ca", // what it stands for is not known
            "ä.XN--0",
            "xn--4ca。xn--4dbrk0ce", // Hebrew: a matter of all labels
            "xn--ä.de",
            "Xn--Ä.de",
            "ä%2e.de", // decoded before it is looked up
            "ä%61b.de",
            "%C3%A4ö.de",
            "ä\tb.de", // dropped
            "ä b.de",
            "a b.ä",
            "ä\u{7f}.de",
            "ä<b.de",
            "[ä]",
            "ä\u{0}.de",
            "\u{fffd}ä.de",
            &"ä".repeat(64),
        ] {
            assert!(!accepted(host), "{host:?}");
        }
    }

    #[test]
    fn every_character_is_as_with_tables() {
        let mut letters = 0;
        for c in ('\u{80}'..=char::MAX).filter(|c| lower(*c).is_some()) {
            // Alone, among others, at an end; and beside one that it might become one with.
            let host = format!("{c}.a{c}b.1{c}.か{c}.{c}가.-{c}-");
            assert!(accepted(&host), "U+{:04X}", u32::from(c));
            letters += 1;
        }
        assert!(letters > 30_000, "{letters}");
        for c in ('\0'..='\u{7f}').chain(['\u{3002}', '\u{ff0e}', '\u{ff61}']) {
            accepted(&format!("ä{c}ö{c}.de"));
        }
    }

    #[test]
    fn random_names_are_as_with_tables() {
        let letters: Vec<char> = ('\u{80}'..='\u{ffff}').filter(|c| lower(*c).is_some()).collect();
        let (_, cased): (Vec<char>, Vec<char>) = letters.iter().partition(|c| **c >= '\u{3000}');
        let ascii: Vec<char> = "abcxyzABCXYZ0123456789--__..".chars().collect();
        // Marks, joiners, digits of others, both directions, wide and compatible forms, what is dropped, what URLs use.
        let odd: Vec<char> =
            "\u{300}\u{301}\u{308}\u{323}\u{327}\u{345}\u{3099}\u{309a}\u{200c}\u{200d}\u{200e}\u{202e}\
            \u{2060}\u{ad}\u{fe0f}\u{e0100}\u{115f}\u{1161}\u{11a8}אשاب١۱०क्ΐſŉŀǅﬁｱＡ１㈱①²½℀℡Kİıßẞς·・゠゛\
            \u{a0}\u{2024}\u{2025}\u{fffd}\u{10400}\u{1f600}\u{2f800}\u{20000}\u{fa0e}\u{1d5ba}Ꭰꭰⴀ\
            %/\\@:[]?#!$&'()*+,;=<>^`{|}~\"\t \u{1}\u{7f}。．｡"
                .chars()
                .collect();
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        let mut taken = 0;
        for round in 0..60_000 {
            let mut host = String::new();
            for _ in 0..=numbers.below(12) {
                let from = match numbers.below(16) {
                    0..=3 => &ascii,
                    4..=8 => &cased,
                    // Half of the names have nothing odd in them.
                    15 if round % 2 == 0 => &odd,
                    _ => &letters,
                };
                host.push(from[numbers.below(from.len())]);
                if numbers.below(40) == 0 {
                    host.push_str(["xn--", "%61", "。", ".xn--4ca.", "0x7f.", "..", "--"][numbers.below(7)]);
                }
            }
            let (before, after) = match numbers.below(4) {
                0 => ("https://ü@x:p%@", ":8080/ö?ö#ö"),
                1 => ("HTTP://", "?http://ö/"),
                _ => ("http://", "/"),
            };
            taken += usize::from(is_as_with_tables(&format!("{before}{host}{after}")));
        }
        assert!((20_000..50_000).contains(&taken), "{taken}");
    }

    #[test]
    fn only_the_host_of_a_url_is_changed() {
        let with = |url: &str| parse(url).map(String::from);
        assert_eq!(with("http://ü@ä.de:8080/ö?ö#ö"), Url::parse("http://ü@ä.de:8080/ö?ö#ö").ok().map(String::from));
        assert_eq!(with("https://ä").as_deref(), Some("https://xn--4ca/"));
        for url in [
            "ä.de",
            "http:/ä.de/x://ö/",
            "http:///ä.de/",
            "http:ä.de/://b/",
            "http://ä@[ö]/",
            "http://שלום.il/",
            "http://ä.de:99999/",
        ] {
            assert_eq!(with(url), None, "{url}");
        }
        for url in ["http://ä.de\\@evil.example/", "http://evil@ä.de/", "http://a@b@ä.de?@evil", "http://ä.de#@evil/"]
        {
            assert!(is_as_with_tables(url), "{url}");
        }
    }

    #[cfg(feature = "transport")]
    #[test]
    fn a_reference_with_a_host_leads_where_it_does_with_tables() {
        let base = Url::parse("https://a/b").expect("a URL");
        for reference in ["//ä.de/ö?ö", "http://Ä.de", "https://ä@ä.de:1/"] {
            let joined = join(&base, reference);
            assert!(joined.is_some(), "{reference}");
            assert_eq!(joined, base.join(reference).ok(), "{reference}");
        }
        for reference in ["//שלום.il/", "/ä", "///ä.de", "\\\\ä.de", "ä"] {
            assert_eq!(join(&base, reference), None, "{reference}");
        }
    }

    #[test]
    fn what_needs_tables_is_known() {
        for (url, needs) in [
            ("http://שלום.il/", true),
            ("http://m%C3%BCnchen.de/", true),
            ("http://xn--/ö", false),
            ("http://ö@a b/", false),
            ("ö", false),
        ] {
            assert_eq!(needs_tables(url), needs, "{url}");
        }
    }
}
