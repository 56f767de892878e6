//! Texts as TOML writes them.

/// A text as a string of TOML: between the quotes that need the fewest escapes.
pub(super) fn toml_string(text: &str) -> String {
    let has_controls = |allowed: &str| text.chars().any(|c| c.is_control() && !allowed.contains(c));
    let is_plain = !text.contains(['"', '\\']);
    if !is_plain && !text.contains('\'') && !has_controls("\t") {
        return format!("'{text}'");
    }
    // The first line break behind the quotes is not part of the text.
    if text.contains('\n') && !has_controls("\n\t") && !text.contains("'''") && !text.ends_with('\'') {
        return format!("'''\n{text}'''");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A key, in quotes if it needs them.
pub(super) fn toml_key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if is_bare { key.to_owned() } else { format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_read_back() {
        let mut random = fastrand::Rng::with_seed(20);
        let letters: Vec<char> = "ab'\"\\\n\r\t\u{1}\u{7f}é#\u{85}".chars().collect();
        for _ in 0..5_000 {
            let text: String = (0..random.usize(..10)).map(|_| letters[random.usize(..letters.len())]).collect();
            let (key, value) = (toml_key(&text.replace(char::is_control, "")), toml_string(&text));
            let table: toml::Table =
                format!("{key} = {value}\n").parse().unwrap_or_else(|e| panic!("{key}={value}: {e}"));
            assert_eq!(table.values().next().and_then(toml::Value::as_str), Some(text.as_str()), "{value}");
        }
    }
}
