//! How wide a text is on a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::http::is_visible_ascii;

/// How many columns of a terminal a text takes: wide characters count twice, combining marks not at all.
pub fn width_of(text: &str) -> usize {
    if is_visible_ascii(text) { text.len() } else { text.width() }
}

/// The text, cut to this many columns of a terminal with `…` at its end if it is longer.
pub fn cut(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut end = 0;
    let mut used = 1;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        end = at + c.len_utf8();
    }
    // Some sequences are wider than their characters one by one.
    while text[..end].width() >= width {
        match text[..end].char_indices().next_back() {
            Some((at, _)) => end = at,
            None => break,
        }
    }
    format!("{}…", text[..end].trim_end())
}

/// The text without its middle, if it takes more than this many columns: URLs and jobs of one plan differ at their ends.
pub fn cut_middle(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut short = cut(text, width / 3);
    let room = width.saturating_sub(width_of(&short));
    let mut ends = text.char_indices().map(|(at, _)| &text[at..]);
    short.push_str(ends.find(|end| width_of(end) <= room).unwrap_or_default());
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_counts_what_is_shown() {
        assert_eq!(cut("weather", 7), "weather");
        assert_eq!(cut("weather", 6), "weath…");
        assert_eq!(cut("東京都庁", 5), "東京…");
        assert_eq!(cut("東京都庁", 6), "東京…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut("a bcd", 3), "a…");
        for width in 1..12 {
            for text in [
                "☺\u{fe0f}☺\u{fe0f}☺\u{fe0f}☺\u{fe0f}☺\u{fe0f}☺\u{fe0f}",
                "👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦",
                "東京東京東京東京",
                "\u{301}\u{301}abcdefghijklmnop",
            ] {
                assert!(cut(text, width).width() <= width, "{text} at {width}");
            }
        }
    }
}
