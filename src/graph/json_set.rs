//! Puts a value into a JSON text and leaves all else as it was written.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::json_members::RawMembers;

/// The text with this value at the place that the steps lead to. Keys that are not there are added; `None` if the text is
/// not JSON, or the way leads through something that has no keys.
pub(super) fn json_set(text: &str, steps: &[String], value: &str) -> Option<String> {
    let Some((step, rest)) = steps.split_first() else { return Some(value.to_owned()) };
    let text = text.trim();
    if text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        let at: usize = step.parse().ok().filter(|at| *at < items.len())?;
        let mut written = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            written.push(if index == at { json_set(item.get(), rest, value)? } else { item.get().to_owned() });
        }
        return Some(format!("[{}]", written.join(",")));
    }
    // Where nothing is yet, an object is made.
    let members =
        if text == "null" { Vec::new() } else { serde_json::from_str::<RawMembers<'_, String>>(text).ok()?.0 };
    let mut written = Vec::with_capacity(members.len() + 1);
    let mut found = false;
    for (key, member) in members {
        let is_it = key == *step;
        found |= is_it;
        let member = if is_it { json_set(member.get(), rest, value)? } else { member.get().to_owned() };
        written.push(format!("{}:{member}", Value::from(key)));
    }
    if !found {
        written.push(format!("{}:{}", Value::from(step.as_str()), json_set("null", rest, value)?));
    }
    Some(format!("{{{}}}", written.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_put_in_and_all_else_stays() {
        for (text, place, expected) in [
            (r#"{"q":"{a}","n":1.10}"#, "variables/after", Some(r#"{"q":"{a}","n":1.10,"variables":{"after":"x"}}"#)),
            (
                r#"{"variables":{"after":null,"b":[1, 2]}}"#,
                "variables/after",
                Some(r#"{"variables":{"after":"x","b":[1, 2]}}"#),
            ),
            (r#"[{"a":1}, 2]"#, "0/a", Some(r#"[{"a":"x"},2]"#)),
            (r#"{"a":null}"#, "a/b", Some(r#"{"a":{"b":"x"}}"#)),
            ("[1]", "1", None),
            (r#"{"a":1}"#, "a/b", None),
            ("{", "a", None),
        ] {
            let steps: Vec<String> = place.split('/').map(str::to_owned).collect();
            assert_eq!(json_set(text, &steps, "\"x\"").as_deref(), expected, "{text}");
        }
    }
}
