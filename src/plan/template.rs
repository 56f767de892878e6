//! Strings with `${NAME}` and `{value}` in them.

use std::rc::Rc;

use serde_json::Value;

/// A string as written, taken apart.
///
/// What is put in is never looked at again: a value that holds `${X}` or `{x}` itself stays as it is.
#[derive(Clone, Default)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone)]
enum Part {
    /// As written; `{value}` in it may still be bound.
    Text(Rc<str>),
    /// From an escape: braces in it mean nothing.
    Fixed(Rc<str>),
    /// `${NAME}` and what it stands for.
    Variable { name: Rc<str>, value: Rc<str> },
    /// `{name}`: the place of the variable in `each`.
    Each(usize),
}

/// One value of an `each` variable.
#[derive(Clone)]
pub(super) struct EachValue {
    /// The value with its variables in place.
    pub(super) text: String,
    /// The value with `${NAME}` as it was written.
    pub(super) written: String,
    /// The value with its type.
    pub(super) json: Value,
}

/// Whether a text is for the wire or for people's eyes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// Variables are replaced.
    Values,
    /// Variables stand as `${NAME}`.
    Names,
}

/// Where `each` values are put in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Into {
    /// As they are.
    Text,
    /// Percent-encoded as one component of a URL.
    Url,
}

impl Template {
    /// Takes a string apart at `${NAME}`; `$${` stands for `${` itself. `lookup` gives the value of a name, or `None`
    /// after it noted that there is none.
    ///
    /// # Errors
    /// What is wrong with a `${` that is not followed by a name and `}`; or `None` in the error place where `lookup`
    /// has said it.
    pub(super) fn parse(
        text: &str,
        mut lookup: impl FnMut(&str) -> Option<Rc<str>>,
    ) -> Result<Template, Option<String>> {
        let mut parts = Vec::new();
        let mut all_found = true;
        let mut rest = text;
        let text_part = |text: &str, parts: &mut Vec<Part>| {
            if !text.is_empty() {
                parts.push(Part::Text(text.into()));
            }
        };
        while let Some(at) = rest.find("${") {
            let escaped = rest[..at].ends_with('$');
            text_part(&rest[..at - usize::from(escaped)], &mut parts);
            rest = &rest[at + 2..];
            if escaped {
                parts.push(Part::Fixed("${".into()));
                continue;
            }
            let (name, after) = rest.split_at(name_len(rest));
            if name.is_empty() || !after.starts_with('}') {
                return Err(Some("\"${\" begins a variable: write ${NAME}, or $${ for the two characters".to_owned()));
            }
            match lookup(name) {
                Some(value) => parts.push(Part::Variable { name: name.into(), value }),
                None => all_found = false,
            }
            rest = &after[1..];
        }
        text_part(rest, &mut parts);
        if all_found { Ok(Template { parts }) } else { Err(None) }
    }

    /// Finds the `{name}` of these `each` variables and notes which are used. `{{name}}` stands for `{name}` itself;
    /// all other braces are what they are, so that JSON can be written as it is.
    ///
    /// # Errors
    /// Where `strict`: a `{name}` that is no variable of the job.
    pub(super) fn bind(&self, names: &[String], used: &mut [bool], strict: bool) -> Result<Template, String> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => bind_text(text, names, used, strict, &mut parts)?,
                other => parts.push(other.clone()),
            }
        }
        Ok(Template { parts })
    }

    /// The text with these values in place.
    pub(super) fn render(&self, row: &[&EachValue], show: Show, into: Into) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) | Part::Fixed(text) => out.push_str(text),
                Part::Variable { value, .. } if show == Show::Values => out.push_str(value),
                Part::Variable { name, .. } => out.push_str(&format!("${{{name}}}")),
                Part::Each(index) => {
                    let Some(value) = row.get(*index) else { continue };
                    match (show, into) {
                        (Show::Values, Into::Text) => out.push_str(&value.text),
                        (Show::Names, Into::Text) => out.push_str(&value.written),
                        (Show::Values, Into::Url) => percent_encode(&value.text, &mut out),
                        // A secret is not encoded by its name: `${NAME}` is to be seen.
                        (Show::Names, Into::Url) if value.written != value.text => out.push_str(&value.written),
                        (Show::Names, Into::Url) => percent_encode(&value.written, &mut out),
                    }
                }
            }
        }
        out
    }

    /// The text of a template without `each` values.
    pub(super) fn plain(&self, show: Show) -> String {
        self.render(&[], show, Into::Text)
    }

    /// At most how many bytes [`Template::render`] gives.
    pub(super) fn max_len(&self, row: &[&EachValue]) -> u64 {
        let part_len = |part: &Part| match part {
            Part::Text(text) | Part::Fixed(text) => text.len(),
            Part::Variable { name, value } => value.len().max(name.len() + 3),
            Part::Each(index) => row.get(*index).map_or(0, |v| v.text.len().max(v.written.len()).saturating_mul(3)),
        };
        self.parts.iter().map(|part| part_len(part) as u64).sum()
    }

    /// The value with its type where the template is one `{name}` and nothing else.
    pub(super) fn whole_value<'a>(&self, row: &[&'a EachValue]) -> Option<&'a Value> {
        match self.parts.as_slice() {
            [Part::Each(index)] => row.get(*index).map(|value| &value.json),
            _ => None,
        }
    }

    /// Whether there is a `${NAME}` in it.
    pub(super) fn has_variables(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Variable { .. }))
    }

    /// Whether there is a bound `{name}` in it.
    pub(super) fn has_each(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Each(_)))
    }

    /// The name of the first variable whose value has a control character.
    pub(super) fn variable_with_control(&self) -> Option<&str> {
        self.parts.iter().find_map(|part| match part {
            Part::Variable { name, value } if value.contains(char::is_control) => Some(&**name),
            _ => None,
        })
    }
}

/// How many bytes of a name `[A-Za-z_][A-Za-z0-9_]*` the text begins with.
pub(super) fn name_len(text: &str) -> usize {
    let len = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_ascii_digit()) { 0 } else { len }
}

/// Writes text as one component of a URL: all but the unreserved characters of RFC 3986, 2.3 are percent-encoded.
pub(super) fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn bind_text(
    text: &str,
    names: &[String],
    used: &mut [bool],
    strict: bool,
    parts: &mut Vec<Part>,
) -> Result<(), String> {
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        literal.push_str(&rest[..at]);
        rest = &rest[at..];
        let opened = rest.len() - rest.trim_start_matches('{').len();
        // Of a long row of braces only the last three matter.
        literal.push_str(&rest[..opened.saturating_sub(3)]);
        rest = &rest[opened.saturating_sub(3)..];
        let opened = opened.min(3);
        let name = &rest[opened..][..name_len(&rest[opened..])];
        let after = &rest[opened + name.len()..];
        let closed = (after.len() - after.trim_start_matches('}').len()).min(opened);
        let index = names.iter().position(|known| known == name);
        if closed == 0 || name.is_empty() || (index.is_none() && !strict) {
            literal.push_str(&rest[..opened]);
            rest = &rest[opened..];
            continue;
        }
        // `{name}` is the value, `{{name}}` the text `{name}`, `{{{name}}}` the value in braces. Braces that have no
        // counterpart stay before or after.
        literal.push_str(&rest[..opened - closed]);
        rest = &after[closed..];
        match (closed, index) {
            (2, _) => literal.push_str(&format!("{{{name}}}")),
            (_, Some(index)) => {
                let braces = closed == 3;
                if braces {
                    literal.push('{');
                }
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal).into()));
                }
                parts.push(Part::Each(index));
                used[index] = true;
                if braces {
                    literal.push('}');
                }
            }
            (_, None) => {
                return Err(format!(
                    "{{{name}}} has no value: the variables of \"each\" are {}; write {{{{{name}}}}} for the text itself",
                    names.join(", ")
                ));
            }
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template, Option<String>> {
        Template::parse(text, |name| (name != "NONE").then(|| format!("<{name}>${{X}}{{city}}").into()))
    }

    #[test]
    fn variables_are_put_in_once() {
        for (text, shown) in [
            ("a", "a"),
            ("", ""),
            ("${A}", "<A>${X}{city}"),
            ("x${_a1}y", "x<_a1>${X}{city}y"),
            ("$${A}", "${A}"),
            ("$$${A}", "$${A}"),
            ("$A $ {A} }", "$A $ {A} }"),
        ] {
            let template = parse(text).expect(text);
            assert_eq!(template.plain(Show::Values), shown);
            if template.has_variables() {
                assert_eq!(template.plain(Show::Names), text);
            }
            assert!(template.max_len(&[]) >= shown.len() as u64);
        }
        for bad in ["${", "${}", "${1A}", "${A", "${A B}", "${A-}", "${\u{e9}}"] {
            assert!(matches!(parse(bad), Err(Some(_))), "{bad}");
        }
        assert!(matches!(parse("${NONE}${A}"), Err(None)));
    }

    #[test]
    fn braces_are_values_only_where_they_name_one() {
        let names = ["city".to_owned(), "n".to_owned()];
        let value = |text: &str| EachValue { text: text.into(), written: text.into(), json: Value::from(text) };
        let row = [&value("a b/\u{e9}"), &value("7")];
        for (text, shown) in [
            ("{city}", "a b/\u{e9}"),
            ("{n}{n}", "77"),
            ("{{n}}", "{n}"),
            ("{{{n}}}", "{7}"),
            ("{{{{n}}}}", "{{7}}"),
            ("{{n}", "{7"),
            ("{n}}", "7}"),
            (r#"{"a":{"n":{n}}}"#, r#"{"a":{"n":7}}"#),
            ("{town} {} { n } {{x}} {", "{town} {} { n } {{x}} {"),
            ("$${n}", "${n}"),
            ("${A}{n}", "<A>${X}{city}7"),
        ] {
            let template = parse(text).expect(text).bind(&names, &mut [false; 2], false).expect(text);
            assert_eq!(template.render(&row, Show::Values, Into::Text), shown, "{text}");
        }
        let mut used = [false; 2];
        let url = parse("http://h/{city}").expect("good").bind(&names, &mut used, true).expect("good");
        assert_eq!(url.render(&row, Show::Values, Into::Url), "http://h/a%20b%2F%C3%A9");
        assert_eq!(used, [true, false]);
        assert!(parse("{town}").expect("good").bind(&names, &mut used, true).is_err());
        let escaped = parse("{{town}}").expect("good").bind(&names, &mut used, true).expect("escaped");
        assert_eq!(escaped.plain(Show::Values), "{town}");
    }
}
