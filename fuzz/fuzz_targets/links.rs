//! Link fields (RFC 8288): any text, and links that are put together from parts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roundup::graph::fuzzing::next_link;

/// A quoted string (RFC 9110, section 5.6.4).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fuzz_target!(|input: (&str, Vec<(&str, Vec<(u8, &str)>)>)| {
    let (any, links) = input;
    if let Some(target) = next_link(any) {
        assert!(any.contains(target) && any.to_ascii_lowercase().contains("next"), "{any:?}");
    }
    let mut field = String::new();
    let mut expected = None;
    for (target, parameters) in &links {
        let target = target.replace(['<', '>'], "");
        let mut relation = None;
        field.push_str(&format!("{}<{target}>", if field.is_empty() { "" } else { " , " }));
        for (kind, value) in parameters {
            // An escape within a relation is no way to write one.
            let plain: String = value.chars().filter(|c| !matches!(c, '"' | '\\')).collect();
            let (name, value) = match kind % 4 {
                0 => ("rel", "next".to_owned()),
                1 => ("Rel", quoted(&plain)),
                2 => ("title", quoted(value)),
                _ => ("anchor", "x".to_owned()),
            };
            if name.eq_ignore_ascii_case("rel") {
                relation.get_or_insert_with(|| value.trim_matches('"').to_ascii_lowercase());
            }
            field.push_str(&format!("; {name}={value}"));
        }
        if expected.is_none() && relation.is_some_and(|one| one.split_ascii_whitespace().any(|word| word == "next")) {
            expected = Some(target.trim().to_owned());
        }
    }
    assert_eq!(next_link(&field), expected.as_deref(), "{field:?}");
});
