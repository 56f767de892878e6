//! Cells as values of SQLite, and columns of numbers that SQLite's numbers do not hold.

use std::cmp::Ordering;

use rusqlite::types::Value;

use crate::redact::Redactor;
use crate::redacted;
use crate::rows::{Cell, Decimal};

/// The collation of such columns: by value where both are numbers, and otherwise as text.
pub(super) const NUMERIC: &str = "numeric";

/// Whether one of the numbers has digits that neither an integer of 64 bits nor a double holds.
pub(crate) fn needs_text<'a>(cells: impl Iterator<Item = &'a Cell>) -> bool {
    cells.into_iter().any(|cell| matches!(cell, Cell::Number(text) if !fits(text)))
}

fn fits(text: &str) -> bool {
    if text.parse::<i64>().is_ok() {
        return true;
    }
    let Some(number) = Decimal::parse(text) else { return false };
    let digits = number.digits();
    // What a program writes of a double has at most 17 digits, and the double gives them back.
    let real = text.parse::<f64>().ok().filter(|real| real.is_finite() && digits <= 17);
    real.is_some_and(|real| Decimal::parse(&format!("{real:.*e}", digits.saturating_sub(1))) == Some(number))
}

/// The value that SQLite keeps, without secrets: a query could take them apart. A number that holds one is 0.
pub(crate) fn to_sql(cell: &Cell, as_text: bool, redactor: &Redactor) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Bool(value) => Value::Integer(i64::from(*value)),
        Cell::Number(text) if redactor.hides_number(text) && as_text => Value::Text("0".to_owned()),
        Cell::Number(text) if redactor.hides_number(text) => Value::Integer(0),
        Cell::Number(text) if as_text => Value::Text(text.to_string()),
        Cell::Number(text) => match (text.parse(), text.parse()) {
            (Ok(integer), _) => Value::Integer(integer),
            (Err(_), Ok(real)) => Value::Real(real),
            (Err(_), Err(_)) => Value::Text(text.to_string()),
        },
        Cell::Text(text) | Cell::Json(text) => Value::Text(redacted::received(redactor, text).into_owned()),
    }
}

/// Compares by value where both are numbers.
pub(super) fn collate(one: &str, other: &str) -> Ordering {
    match (Decimal::parse(one), Decimal::parse(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => one.cmp(other),
    }
}

/// Whether the text is a number of JSON.
pub(super) fn is_number(text: &str) -> bool {
    matches!(Cell::from_json(text), Some(Cell::Number(number)) if *number == *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_a_number_of_sqlite_holds_fit() {
        for text in [
            "0",
            "-9223372036854775808",
            "1.10",
            "0.1",
            "1e3",
            "0.30000000000000004",
            "1e-7",
            "123456789012345.67",
            "1e22",
            "-0.5",
        ] {
            assert!(fits(text), "{text}");
        }
        for text in ["9223372036854775809", "0.10000000000000000001", "3.14159265358979323846", "1e999"] {
            assert!(!fits(text), "{text}");
        }
    }

    #[test]
    fn numbers_in_text_are_compared_by_value() {
        assert_eq!(collate("9", "10"), Ordering::Less);
        assert_eq!(collate("1000000000000000000001", "1000000000000000000002"), Ordering::Less);
        assert_eq!(collate("1.0", "1"), Ordering::Equal);
        assert_eq!(collate("9a", "10"), Ordering::Greater);
        assert_eq!(collate("", "1"), Ordering::Less);
    }
}
