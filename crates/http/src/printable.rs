//! Text from elsewhere, made safe to print: in tables, messages, CSV and wherever else people may read it.

use std::borrow::Cow;

/// Whether the character is text that everything shows as it is, rather than a command or nothing to see.
///
/// It is not if it is a control character of ASCII or Unicode (U+0080 to U+009F start escape sequences in some
/// terminals), a line separator (some readers of lines split there), a mark, embedding or override of direction (they
/// reorder what is shown), or takes no width and joins nothing: soft hyphen, zero-width space, word joiner, byte order
/// mark and their kind. All of these are in the basic plane.
pub fn is_printable(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'))
}

/// The text with U+FFFD for each character that is not [printable](is_printable) and not one of `keep`. With nothing to
/// keep it is one line.
///
/// The zero-width joiner and non-joiner stay after a character beyond ASCII, because emoji and the scripts of Iran and
/// India are written with them; anywhere else they only hide.
pub fn printable<'a>(text: &'a str, keep: &[char]) -> Cow<'a, str> {
    if is_visible_ascii(text) {
        return Cow::Borrowed(text);
    }
    if judged(text, keep).all(|(_, stays)| stays) {
        return Cow::Borrowed(text);
    }
    judged(text, keep).map(|(c, stays)| if stays { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// Each character of the text, and whether it may stay.
fn judged(text: &str, keep: &[char]) -> impl Iterator<Item = (char, bool)> {
    let mut before = ' ';
    text.chars().map(move |c| {
        let hides = matches!(c, '\u{200c}' | '\u{200d}') && before.is_ascii();
        before = c;
        (c, (is_printable(c) && !hides) || keep.contains(&c))
    })
}

/// Whether all of it is visible ASCII and spaces, as most text is. To look at all bytes lets the compiler take many at
/// once.
pub fn is_visible_ascii(text: &str) -> bool {
    text.bytes().fold(true, |visible, byte| visible & matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_replaced() {
        assert_eq!(
            printable("\x1b[31mred\n\u{9b}0m\u{202e}\x7f", &[]),
            "\u{fffd}[31mred\u{fffd}\u{fffd}0m\u{fffd}\u{fffd}"
        );
        assert_eq!(printable("a\tb\nc\rd", &['\n', '\t']), "a\tb\nc\u{fffd}d");
    }

    #[test]
    fn every_kind_of_command_is_known() {
        let controls = ('\0'..=' ').chain('\u{7f}'..='\u{9f}').filter(|c| *c != ' ');
        let directions =
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        let invisible = "\u{ad}\u{180e}\u{200b}\u{2060}\u{2061}\u{2064}\u{206f}\u{feff}\u{fff9}\u{fffb}";
        for c in controls.chain(directions.chars()).chain(invisible.chars()).chain(['\u{2028}', '\u{2029}']) {
            assert!(!is_printable(c), "{c:?}");
            let shown = printable(&format!("x{c}y"), &[]).into_owned();
            assert_eq!(shown.chars().count(), 3);
            assert!(shown.chars().all(is_printable), "{shown:?}");
        }
    }

    #[test]
    fn text_stays() {
        for text in ["", "Zürich 東京", "e\u{301}", "👩\u{200d}👩\u{200d}👧 ☺\u{fe0f}", "می\u{200c}خواهم", "\u{fffd}␛"]
        {
            assert!(matches!(printable(text, &[]), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn joiners_hide_nothing_between_ascii() {
        assert_eq!(printable("pay\u{200d}pal\u{200c}", &[]), "pay\u{fffd}pal\u{fffd}");
    }
}
