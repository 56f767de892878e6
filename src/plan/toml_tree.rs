//! TOML into a tree.

use toml::de::{DeInteger, DeTable, DeValue};

use super::tree::{Member, Node, SyntaxError, Tree};

/// Parses a TOML document.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    match DeTable::parse(text) {
        Ok(root) => Ok(Node { at: 0, value: table(root.into_inner()) }),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            Err(SyntaxError { at, message: error.message().to_owned() })
        }
    }
}

/// The parser sorts the keys of a table by name; their places tell in which order they were written.
fn table(table: DeTable<'_>) -> Tree {
    let mut members: Vec<Member> = table
        .into_iter()
        .map(|(key, value)| Member {
            key_at: key.span().start,
            key: key.into_inner().into_owned(),
            node: node(value.span().start, value.into_inner()),
        })
        .collect();
    members.sort_by_key(|member| member.key_at);
    Tree::Table(members)
}

fn node(at: usize, value: DeValue<'_>) -> Node {
    let value = match value {
        DeValue::String(text) => Tree::String(text.into_owned()),
        DeValue::Integer(number) => Tree::Integer(integer(&number)),
        DeValue::Float(number) => Tree::Float(without_plus(number.as_str())),
        DeValue::Boolean(value) => Tree::Boolean(value),
        DeValue::Datetime(date) => Tree::Date(date.to_string()),
        DeValue::Array(items) => {
            Tree::Array(items.into_iter().map(|item| node(item.span().start, item.into_inner())).collect())
        }
        DeValue::Table(members) => table(members),
    };
    Node { at, value }
}

/// Decimal digits, also of a number that was written in hexadecimal, octal or binary, unless it is beyond 128 bits.
fn integer(number: &DeInteger<'_>) -> String {
    match number.radix() {
        10 => without_plus(number.as_str()),
        radix => {
            u128::from_str_radix(number.as_str(), radix).map_or_else(|_| number.to_string(), |value| value.to_string())
        }
    }
}

fn without_plus(text: &str) -> String {
    text.strip_prefix('+').unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_in_the_form_of_json() {
        for (written, json) in [
            ("1_000", Some("1000")),
            ("+7", Some("7")),
            ("-0", Some("-0")),
            ("0xFF", Some("255")),
            ("0o17", Some("15")),
            ("0b101", Some("5")),
            ("1234567890123456789012345678901234567890", Some("1234567890123456789012345678901234567890")),
            ("0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", None),
            ("0.10", Some("0.10")),
            ("+1_0.50", Some("10.50")),
            ("6.02e+23", Some("6.02e+23")),
            ("1E400", Some("1E400")),
            ("inf", None),
            ("-nan", None),
            ("true", Some("true")),
            ("2026-01-31", Some("\"2026-01-31\"")),
        ] {
            let text = format!("v = {written}");
            let Tree::Table(members) = parse(&text).expect(written).value else { panic!("no table") };
            let found = members[0].node.value.scalar_as_json();
            assert_eq!(found.as_deref(), json, "{written}");
            if let Some(json) = json {
                serde_json::from_str::<&serde_json::value::RawValue>(json).expect("it is JSON");
            }
        }
    }

    #[test]
    fn tables_keep_the_order_in_which_they_were_written() {
        let text = "z = 1\na.y = 1\nb = { q = 1, c = { x = 1, d = 1 } }\na.b = 1\n[m.k]\n[m.a]\n[e]\n";
        fn keys(tree: &Tree) -> String {
            let Tree::Table(members) = tree else { return String::new() };
            let members: Vec<String> = members.iter().map(|m| m.key.clone() + &keys(&m.node.value)).collect();
            format!("({})", members.join(" "))
        }
        assert_eq!(keys(&parse(text).expect("TOML").value), "(z a(y b) b(q c(x d)) m(k() a()) e())");
    }
}
