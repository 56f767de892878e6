//! Words as bash reads them back, with variables in them.

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WordPart {
    Bytes(Vec<u8>),
    /// `${NAME}`.
    Variable(String),
}

/// The word in quotes, as far as it needs them.
pub(super) fn shell_word(parts: &[WordPart]) -> String {
    let parts = &joined(parts)[..];
    let is_text = |part: &WordPart| match part {
        // In double quotes an interactive shell takes ! for a word of its history.
        WordPart::Bytes(bytes) => {
            std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('!') && !needs_codes(text))
        }
        WordPart::Variable(_) => true,
    };
    let has_variable = parts.iter().any(|part| matches!(part, WordPart::Variable(_)));
    if has_variable && parts.iter().all(is_text) {
        let inner = parts.iter().map(|part| match part {
            WordPart::Bytes(bytes) => in_double_quotes(&String::from_utf8_lossy(bytes)),
            WordPart::Variable(name) => format!("${{{name}}}"),
        });
        return format!("\"{}\"", inner.collect::<String>());
    }
    let quoted = parts.iter().map(|part| match part {
        WordPart::Bytes(bytes) => quoted(bytes),
        WordPart::Variable(name) => format!("\"${{{name}}}\""),
    });
    let word: String = quoted.collect();
    if word.is_empty() { "''".to_owned() } else { word }
}

/// The same with bytes that follow each other in one part.
fn joined(parts: &[WordPart]) -> Vec<WordPart> {
    let mut joined: Vec<WordPart> = Vec::with_capacity(parts.len());
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(WordPart::Bytes(before)), WordPart::Bytes(bytes)) => before.extend_from_slice(bytes),
            _ => joined.push(part.clone()),
        }
    }
    joined
}

/// A text without variables as a word.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._/:@%+=,".contains(b);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && bytes.iter().all(is_plain) => text.to_owned(),
        Ok(text) if !needs_codes(text) => format!("'{}'", text.replace('\'', "'\\''")),
        _ => in_codes(bytes),
    }
}

/// Whether characters cannot stand in a line as they are.
fn needs_codes(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && c != '\n')
}

fn in_double_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '$' | '`' | '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// `$'...'`.
fn in_codes(bytes: &[u8]) -> String {
    let mut out = String::from("$'");
    for &b in bytes {
        match b {
            b'\'' => out.push_str("\\'"),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x20..=0x7e => out.push(b as char),
            // Three digits always, so that none behind it is taken for a part of it.
            _ => out.push_str(&format!("\\{b:03o}")),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::super::marks::Marks;
    use super::super::shell::commands;
    use super::*;

    #[test]
    fn words_are_read_back() {
        let mut random = fastrand::Rng::with_seed(20);
        let letters: Vec<char> = "a '\"\\$`!\n\t\r#é\u{1}~*1".chars().collect();
        for _ in 0..5_000 {
            let mut expected = String::new();
            let part = |expected: &mut String, random: &mut fastrand::Rng| {
                if random.bool() {
                    expected.push_str("${A}");
                    return WordPart::Variable("A".to_owned());
                }
                let text: String = (0..random.usize(..6)).map(|_| letters[random.usize(..letters.len())]).collect();
                expected.push_str(&text);
                WordPart::Bytes(text.into_bytes())
            };
            let parts: Vec<WordPart> = (0..random.usize(..4)).map(|_| part(&mut expected, &mut random)).collect();
            let line = format!("curl {} b", shell_word(&parts));
            let mut marks = Marks::new(&line);
            let found = commands(&line, &mut marks).unwrap_or_else(|e| panic!("{line:?}: {}", e.one_line()));
            let words: Vec<String> = found[0].words.iter().map(|word| marks.shown(word)).collect();
            assert_eq!(words, ["curl", &expected, "b"], "{line:?}");
        }
    }
}
