//! Any text as a plan writes it, so that it is read as that text and nothing in it as a value.

use super::template::value_name_len;

/// The variable that stands for a brace where no other way is left to write one: `{open_brace}`.
pub(crate) const OPEN_BRACE: &str = "open_brace";

/// The text with `$${` for `${`, `{{name}}` for `{name}`, and `{open_brace}` for each of several braces in a row before a
/// name: such a plan needs that variable.
pub(crate) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let is_secret = rest[..at].ends_with('$');
        out.push_str(&rest[..at]);
        let opened = rest[at..].len() - rest[at..].trim_start_matches('{').len();
        let after = &rest[at + opened..];
        let name = &after[..value_name_len(after)];
        let closed = after[name.len()..].len() - after[name.len()..].trim_start_matches('}').len();
        rest = after;
        // `${` is looked for before any other brace; behind it, its brace belongs to no value.
        let braces = if is_secret {
            out.push_str("${");
            opened - 1
        } else {
            opened
        };
        if braces == 0 || closed == 0 || name.is_empty() {
            out.push_str(&"{".repeat(braces));
            continue;
        }
        if braces > 1 && closed > 1 {
            out.push_str(&format!("{{{OPEN_BRACE}}}").repeat(braces));
            continue;
        }
        out.push_str(&"{".repeat(braces + 1));
        out.push_str(name);
        out.push_str(&"}".repeat(closed + 1));
        rest = &after[name.len() + closed..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::template::{Names, PlainValue, Show, Template};
    use super::*;

    /// Knows the brace and nothing else.
    struct OnlyBrace;

    impl Names for OnlyBrace {
        fn secret(&mut self, _: &str) -> Arc<str> {
            "<secret>".into()
        }

        fn value(&mut self, name: &str) -> Option<Arc<PlainValue>> {
            Some(Arc::new(PlainValue::of_text(if name == OPEN_BRACE { "{" } else { "<value>" }.to_owned())))
        }
    }

    fn read_back(text: &str) -> String {
        let template = Template::parse(&literal(text), &mut OnlyBrace).expect(text);
        template.fill(&[], Show::Values)
    }

    #[test]
    fn any_text_is_read_as_it_was() {
        for (text, written) in [
            ("a", "a"),
            ("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"),
            ("query{me{id}}", "query{me{{id}}}"),
            ("{id}", "{{id}}"),
            ("${X}", "$${X}"),
            ("{{id}}", "{open_brace}{open_brace}id}}"),
        ] {
            assert_eq!(literal(text), written);
            assert_eq!(read_back(text), text);
        }
        let mut random = fastrand::Rng::with_seed(20);
        let letters: Vec<char> = "{{{}}}$$a.-\"".chars().collect();
        for _ in 0..20_000 {
            let text: String = (0..random.usize(..12)).map(|_| letters[random.usize(..letters.len())]).collect();
            assert_eq!(read_back(&text), text, "{}", literal(&text));
        }
    }
}
