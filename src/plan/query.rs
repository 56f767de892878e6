//! `query` and `form`: names with values, which are encoded where they are put in.

use super::node_reader::{NodeReader, Place, TableEntry};
use super::template::{Row, Show, Template};
use super::tree::{Node, Tree};
use crate::http::percent::{COMPONENT, encode};

/// The most values in one table.
const MAX_VALUES: usize = 1000;

/// A name and its values, of which there may be several.
#[derive(Clone)]
pub(super) struct QueryParam {
    pub(super) place: Place,
    pub(super) name: Box<str>,
    values: Vec<Template>,
}

/// Reads a table of names and values: texts, numbers, booleans, and arrays of these for a name that is there several
/// times.
pub(super) fn read_params(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Vec<QueryParam>> {
    let entries = reader.table(place, node)?;
    let mut params = Vec::with_capacity(entries.len());
    let mut count = 0;
    for entry in entries {
        let TableEntry { key, place, node, .. } = entry;
        let values = match &node.value {
            Tree::Array(items) => items.iter().map(|item| read_value(reader, &place, item)).collect::<Option<_>>()?,
            _ => vec![read_value(reader, &place, node)?],
        };
        count += values.len();
        params.push(QueryParam { place, name: key.into(), values });
    }
    if count > MAX_VALUES {
        reader.error(place, format!("a request has at most {MAX_VALUES} of these values"));
        return None;
    }
    Some(params)
}

fn read_value(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<Template> {
    match &node.value {
        Tree::Boolean(value) => Some(Template::of_text(&value.to_string())),
        Tree::Integer(text) | Tree::Float(text) | Tree::Date(text) => Some(Template::of_text(text)),
        _ => reader.string(place, node, "a string, a number, a boolean, or an array of these"),
    }
}

impl QueryParam {
    /// A name with one value.
    pub(super) fn new(place: Place, name: &str, value: Template) -> QueryParam {
        QueryParam { place, name: name.into(), values: vec![value] }
    }

    /// Calls `look` with each template.
    pub(super) fn for_each<'t>(&'t self, look: &mut dyn FnMut(&'t Template)) {
        self.values.iter().for_each(look);
    }

    /// How many bytes it takes at most.
    pub(super) fn max_len(&self, row: &Row<'_>) -> u64 {
        let values: u64 = self.values.iter().map(|value| 3 * (value.max_len(row, 3) + self.name.len() as u64)).sum();
        values + self.values.len() as u64 * 2
    }

    /// Appends `name=value` to a query, with `&` before it if something is there; and to the same as it may be shown.
    pub(super) fn append(&self, row: &Row<'_>, space: &str, query: &mut String, shown: &mut String) {
        let encoded = |text: &str| encode(text.as_bytes(), COMPONENT).replace("%20", space);
        for value in &self.values {
            let (text, as_shown) = (value.fill(row, Show::Values), value.fill(row, Show::Names));
            // `${NAME}` is to be seen as it was written.
            let as_shown = if text == as_shown { encoded(&as_shown) } else { as_shown };
            for (out, value) in [(&mut *query, encoded(&text)), (&mut *shown, as_shown)] {
                if !out.is_empty() && !out.ends_with(['?', '&']) {
                    out.push('&');
                }
                out.push_str(&encoded(&self.name));
                out.push('=');
                out.push_str(&value);
            }
        }
    }

    /// The content of a form (application/x-www-form-urlencoded).
    pub(super) fn form(params: &[QueryParam], row: &Row<'_>) -> String {
        let (mut form, mut shown) = (String::new(), String::new());
        params.iter().for_each(|param| param.append(row, "+", &mut form, &mut shown));
        form
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::PlainValue;
    use super::super::template::tests::Known;
    use super::*;

    #[test]
    fn values_are_encoded_in_a_query_and_in_a_form() {
        let value = PlainValue::of_text("a b&c=d/\u{e9}+".to_owned());
        let values = ["{v}", "x{v}", "${A}"].map(|text| Template::parse(text, &mut Known).expect("good")).to_vec();
        let param = QueryParam { place: Place::top(), name: "n m".into(), values };
        let (mut query, mut shown) = ("k=1".to_owned(), String::new());
        param.append(&[("v", &value)], "%20", &mut query, &mut shown);
        let encoded = "a%20b%26c%3Dd%2F%C3%A9%2B";
        assert_eq!(query, format!("k=1&n%20m={encoded}&n%20m=x{encoded}&n%20m=%3CA%3E%24%7BX%7D%7Bcity%7D"));
        assert_eq!(shown, format!("n%20m={encoded}&n%20m=x{encoded}&n%20m=${{A}}"));
        let form = QueryParam::form(&[param], &[("v", &value)]);
        assert!(form.starts_with("n+m=a+b%26c%3Dd%2F%C3%A9%2B&"), "{form}");
    }
}
