//! What a text says once the escapes in it are undone, and where in the text each part of it stands: a secret may be written
//! with some of its characters escaped and others not, in more ways than can be listed.

use std::ops::Range;

/// A way to write characters as others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escapes {
    /// Those of JSON (RFC 8259, section 7), and `\xNN`, which programs print for bytes.
    Json,
    /// `%NN` (RFC 3986, section 2.1).
    Percent,
    /// Entities of HTML: by number, and the five that have a name everywhere.
    Html,
    /// NULs between characters, as UTF-16 and UTF-32 have them around ASCII.
    Wide,
}

impl Escapes {
    const ALL: [Escapes; 4] = [Escapes::Json, Escapes::Percent, Escapes::Html, Escapes::Wide];

    /// What may stand within a text that is written so: JSON within JSON, a URL within it, a page within it.
    fn inner(self) -> &'static [Escapes] {
        match self {
            Escapes::Json => &Escapes::ALL,
            Escapes::Wide => &[Escapes::Json, Escapes::Percent, Escapes::Html],
            Escapes::Percent | Escapes::Html => &[],
        }
    }
}

/// Looks for something in a text, and adds where it stands.
type Find<'f> = &'f dyn Fn(&[u8], &mut Vec<Range<usize>>);

/// Calls `find` with each text that this one says once escapes in it are undone. Returns where in the text stands what it
/// finds: in order, and nothing twice.
pub(crate) fn find_behind_escapes(text: &[u8], find: Find<'_>) -> Vec<Range<usize>> {
    find_within(text, &Escapes::ALL, true, find)
}

fn find_within(text: &[u8], ways: &[Escapes], goes_deeper: bool, find: Find<'_>) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for way in ways {
        let Some(said) = way.undo(text) else { continue };
        let mut parts = if goes_deeper { find_within(&said, way.inner(), false, find) } else { Vec::new() };
        find(&said, &mut parts);
        places.extend(way.places(text, &merged(parts)));
    }
    merged(places)
}

/// In order, and those that overlap as one.
pub(crate) fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, before| {
        let overlaps = next.start < before.end;
        if overlaps {
            before.end = before.end.max(next.end);
        }
        overlaps
    });
    ranges
}

/// A part of a text: so many bytes of it, and what they stand for if it is something else.
struct EscapedPart {
    length: usize,
    undone: Option<Undone>,
}

/// Up to four bytes.
struct Undone {
    bytes: [u8; 4],
    length: usize,
}

impl Undone {
    fn of(c: char) -> Undone {
        let mut bytes = [0; 4];
        let length = c.encode_utf8(&mut bytes).len();
        Undone { bytes, length }
    }

    fn byte(byte: u8) -> Undone {
        Undone { bytes: [byte, 0, 0, 0], length: 1 }
    }

    fn nothing() -> Undone {
        Undone { bytes: [0; 4], length: 0 }
    }
}

impl Escapes {
    /// The byte that each escape begins with.
    fn mark(self) -> u8 {
        match self {
            Escapes::Json => b'\\',
            Escapes::Percent => b'%',
            Escapes::Html => b'&',
            Escapes::Wide => 0,
        }
    }

    /// The text with these escapes undone, or `None` if there are none.
    fn undo(self, text: &[u8]) -> Option<Vec<u8>> {
        memchr::memchr(self.mark(), text)?;
        let (mut out, mut at, mut has_any) = (Vec::with_capacity(text.len()), 0, false);
        while at < text.len() {
            let piece = self.piece(&text[at..]);
            match &piece.undone {
                Some(undone) => {
                    out.extend_from_slice(&undone.bytes[..undone.length]);
                    has_any = true;
                }
                None => out.extend_from_slice(&text[at..at + piece.length]),
            }
            at += piece.length;
        }
        has_any.then_some(out)
    }

    /// Where in the text these parts of what it says stand. They are in order and do not overlap.
    fn places(self, text: &[u8], said: &[Range<usize>]) -> Vec<Range<usize>> {
        let mut places = Vec::with_capacity(said.len());
        let mut parts = said.iter().cloned().peekable();
        let (mut at, mut at_said, mut begin) = (0, 0, None);
        while let Some(part) = parts.peek() {
            if at >= text.len() {
                break;
            }
            let EscapedPart { length, undone } = self.piece(&text[at..]);
            let said = undone.as_ref().map_or(length, |undone| undone.length);
            let (next, next_said) = (at + length, at_said + said);
            // An escape goes as a whole.
            let within = |said: usize| if undone.is_none() { at + (said - at_said) } else { at };
            if begin.is_none() && part.start < next_said {
                begin = Some(within(part.start));
            }
            match begin.filter(|_| part.end <= next_said) {
                Some(begin_at) => {
                    places.push(begin_at..if undone.is_none() { within(part.end) } else { next });
                    begin = None;
                    parts.next();
                    // The same piece may hold the next part, too.
                }
                None => (at, at_said) = (next, next_said),
            }
        }
        places
    }

    /// The first part of a text that is not empty.
    fn piece(self, text: &[u8]) -> EscapedPart {
        let plain = memchr::memchr(self.mark(), text).unwrap_or(text.len());
        if plain > 0 {
            return EscapedPart { length: plain, undone: None };
        }
        let undone = match self {
            Escapes::Json => json(text),
            Escapes::Percent => hex(text, 1, 2).map(|value| (3, Undone::byte(value as u8))),
            Escapes::Html => html(text),
            Escapes::Wide => Some((1, Undone::nothing())),
        };
        match undone {
            Some((length, undone)) => EscapedPart { length, undone: Some(undone) },
            None => EscapedPart { length: 1, undone: None },
        }
    }
}

/// The number of hexadecimal digits that stand there.
fn hex(text: &[u8], from: usize, digits: usize) -> Option<u32> {
    let digits = text.get(from..from + digits)?;
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// What a text begins with behind a backslash: how many bytes it takes, and what they stand for.
fn json(text: &[u8]) -> Option<(usize, Undone)> {
    let c = match text.get(1)? {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'x' => return Some((4, Undone::byte(hex(text, 2, 2)? as u8))),
        b'u' => {
            let unit = hex(text, 2, 4)?;
            if let Some(c) = char::from_u32(unit) {
                return Some((6, Undone::of(c)));
            }
            let low = hex(text, 8, 4).filter(|_| text.get(6..8) == Some(b"\\u"));
            let pair = [unit as u16, low? as u16];
            let c = char::decode_utf16(pair).next()?.ok()?;
            return Some((12, Undone::of(c)));
        }
        other @ (b'"' | b'\\' | b'/' | b'\'') => char::from(*other),
        _ => return None,
    };
    Some((2, Undone::of(c)))
}

/// What a text begins with as an entity: how many bytes it takes, and what they stand for.
fn html(text: &[u8]) -> Option<(usize, Undone)> {
    /// `&#x10ffff;` with zeros before it.
    const LONGEST: usize = 16;
    let end = text.iter().take(LONGEST).position(|byte| *byte == b';')?;
    let c = match &text[1..end] {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] if !digits.is_empty() => char::from_u32(hex(digits, 0, digits.len())?)?,
        [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        _ => return None,
    };
    Some((end + 1, Undone::of(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        use Escapes::{Html, Json, Percent, Wide};
        for (way, text, expected) in [
            (Json, r#"a\/b\"\\\u00e9\ud83d\ude00\x41\n"#, Some("a/b\"\\\u{e9}\u{1f600}A\n")),
            (Json, r"\q \u12 \ud800 \udc00\u0041 \x4", Some("\\q \\u12 \\ud800 \\udc00A \\x4")),
            (Json, "plain", None),
            (Json, r"\q", None),
            (Percent, "%41%2f%zz%4", Some("A/%zz%4")),
            (Html, "&amp;&#39;&#x2F;&#X2f;&nbsp;&#x110000;&#;&", Some("&'//&nbsp;&#x110000;&#;&")),
            (Wide, "a\0b\0\0\0", Some("ab")),
        ] {
            let said = way.undo(text.as_bytes()).map(|said| String::from_utf8_lossy(&said).into_owned());
            assert_eq!(said.as_deref(), expected, "{way:?} {text}");
        }
    }

    /// What stands at the places where a word is found.
    fn found<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
        let places = find_behind_escapes(text.as_bytes(), &|said, places| {
            places.extend(memchr::memmem::find_iter(said, word).map(|at| at..at + word.len()));
        });
        places.into_iter().map(|place| &text[place]).collect()
    }

    #[test]
    fn places_are_those_of_the_whole_escapes() {
        for (text, word, expected) in [
            (r"x\u0041b\/c\\y", "A", &[r"\u0041"][..]),
            (r"x\u0041b\/c\\y", "Ab/c", &[r"\u0041b\/c"]),
            (r"x\u0041b\/c\\y", "b", &["b"]),
            (r"\u0061 aa a\u0062", "a", &[r"\u0061", "a", "a", "a"]),
            (r"\\u0073\\u0033 \\u0073", "s", &[r"\\u0073", r"\\u0073"]),
            (r"a%2f\/%2Fz", "///", &[r"%2f\/%2F"]),
            (r"q=&amp;x \u0026amp;x", "&x", &["&amp;x", r"\u0026amp;x"]),
            ("a\0b\0c", "ab", &["a\0b"]),
            (r"a\u0000b\u0000c", "bc", &[r"b\u0000c"]),
            ("nothing", "nothing", &[]),
        ] {
            assert_eq!(found(text, word), expected, "{text} {word}");
        }
    }

    #[test]
    fn nothing_makes_it_panic() {
        const LETTERS: &[u8] = b"\\u%x&#;0dD841a/\0\xc3";
        let mut rng = fastrand::Rng::with_seed(15);
        for _ in 0..20_000 {
            let one = |rng: &mut fastrand::Rng| LETTERS[rng.usize(..LETTERS.len())];
            let text: Vec<u8> = (0..rng.usize(..24)).map(|_| one(&mut rng)).collect();
            let step = rng.usize(1..4);
            let places = find_behind_escapes(&text, &|said, places| {
                places.extend((0..said.len()).step_by(step).map(|at| at..at + 1));
            });
            let in_order = places.windows(2).all(|pair| pair[0].end <= pair[1].start);
            assert!(in_order && places.iter().all(|place| place.start < place.end && place.end <= text.len()));
        }
    }
}
