//! Texts that are read as numbers or times.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::condition::ValueType;
use super::decimal::Decimal;
use super::time;

/// What a selected value is made into. Made by [`Conversion::new`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ConversionForm", into = "ConversionForm")]
pub struct Conversion {
    to: ValueType,
    format: Option<Box<str>>,
}

/// A conversion as serde writes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConversionForm {
    to: ValueType,
    #[serde(default)]
    format: Option<Box<str>>,
}

impl From<Conversion> for ConversionForm {
    fn from(Conversion { to, format }: Conversion) -> ConversionForm {
        ConversionForm { to, format }
    }
}

impl TryFrom<ConversionForm> for Conversion {
    type Error = String;

    fn try_from(ConversionForm { to, format }: ConversionForm) -> Result<Conversion, String> {
        Conversion::new(to, format.as_deref())
    }
}

impl Conversion {
    /// To a number, an integer, a text or a time.
    ///
    /// The format of a number is an example of how it is written: `"1,234.50"`, `"1.234,50"`, `"1234,50"`; without one it is
    /// written as in JSON. That of a time has the letters of strptime: `"%d.%m.%Y %H:%M"`; without one it is RFC 3339 or, if
    /// it is a number, seconds since 1970. Times come out in UTC: `2026-01-31T12:00:00Z`.
    ///
    /// # Errors
    /// What is wrong with the format, or that there is no such conversion.
    pub fn new(to: ValueType, format: Option<&str>) -> Result<Conversion, String> {
        match (to, format) {
            (ValueType::Number | ValueType::Integer, Some(format)) => {
                NumberFormat::parse(format).ok_or_else(|| {
                    format!("\"{format}\" is not a format of numbers: write an example such as \"1,234.50\"")
                })?;
            }
            (ValueType::Time, Some(format)) if !time::is_format(format) => {
                let known = time::SPECIFIERS;
                return Err(format!(
                    "\"{format}\" is not a format of times: write one such as \"%d.%m.%Y\", of {known}"
                ));
            }
            (ValueType::Text, Some(_)) => return Err("a text has no format".to_owned()),
            (ValueType::Number | ValueType::Integer | ValueType::Text | ValueType::Time, _) => {}
            _ => return Err(format!("no value is made into {}: write number, integer, text or time", to.as_str())),
        }
        Ok(Conversion { to, format: format.map(Box::from) })
    }

    /// The type that values are made into.
    pub fn to(&self) -> ValueType {
        self.to
    }

    /// The value in its new type; `None` if it cannot be read as such. null stays null.
    pub fn apply(&self, cell: &Cell) -> Option<Cell> {
        if cell.is_null() {
            return Some(Cell::Null);
        }
        match self.to {
            ValueType::Text => Some(Cell::Text(cell.as_text().into())),
            ValueType::Time => {
                let moment = match (&self.format, cell) {
                    (Some(format), Cell::Text(text) | Cell::Number(text)) => time::parse(text, format),
                    (None, Cell::Text(text)) => time::parse_rfc3339(text),
                    (None, Cell::Number(number)) => time::parse(number, "%s"),
                    _ => None,
                };
                moment.map(|moment| Cell::Text(moment.to_string().into()))
            }
            to => {
                let format = self.format.as_deref().and_then(NumberFormat::parse).unwrap_or_default();
                let number = match cell {
                    Cell::Number(number) => number.to_string(),
                    Cell::Text(text) => format.read(text)?,
                    _ => return None,
                };
                let decimal = Decimal::parse(&number)?;
                let number = if to == ValueType::Integer { decimal.to_whole()? } else { number };
                Some(Cell::Number(number.into()))
            }
        }
    }
}

/// `a number in the format "1,234.50"`.
impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = if self.to == ValueType::Integer { "an" } else { "a" };
        write!(f, "{article} {}", self.to.as_str())?;
        match &self.format {
            Some(format) => write!(f, " in the format \"{format}\""),
            None => Ok(()),
        }
    }
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NumberFormat {
    /// What stands between groups of three digits, if anything may.
    group: Option<char>,
    point: char,
}

impl Default for NumberFormat {
    /// As in JSON.
    fn default() -> NumberFormat {
        NumberFormat { group: None, point: '.' }
    }
}

impl NumberFormat {
    /// Reads an example.
    fn parse(example: &str) -> Option<NumberFormat> {
        let marks: Vec<char> = example.chars().filter(|c| !c.is_ascii_digit()).collect();
        let last_digits = example.chars().rev().take_while(char::is_ascii_digit).count();
        let is_good = |mark: &char| matches!(mark, '.' | ',' | '\'' | '’' | '_') || is_blank(*mark);
        let begins_and_ends = example.starts_with(|c: char| c.is_ascii_digit()) && last_digits > 0;
        if !begins_and_ends || !marks.iter().all(is_good) {
            return None;
        }
        let (first, last) = (marks.first().copied(), marks.last().copied());
        let format = match (first, last) {
            (None, _) | (_, None) => NumberFormat::default(),
            // One mark: it is a point, unless three digits are behind it and it can be no point or stands there twice.
            (Some(first), Some(last)) if first == last => {
                let groups = marks.len() > 1 || !matches!(first, '.' | ',') || (last_digits == 3 && first == ',');
                match groups {
                    true => NumberFormat { group: Some(first), point: if first == '.' { ',' } else { '.' } },
                    false => NumberFormat { group: None, point: first },
                }
            }
            (Some(first), Some(last)) => NumberFormat { group: Some(first), point: last },
        };
        format.read(example).map(|_| format)
    }

    /// The number in the form of JSON.
    fn read(self, text: &str) -> Option<String> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix(['-', '−']) {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, power) = match text.find(['e', 'E']) {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let (whole, fraction) = match mantissa.split_once(self.point) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        if whole.is_empty() && fraction.is_none_or(str::is_empty) {
            return None;
        }
        let whole = self.without_groups(whole)?;
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            rest => rest,
        };
        let mut number = format!("{}{whole}", if negative { "-" } else { "" });
        if let Some(fraction) = fraction.filter(|fraction| !fraction.is_empty()) {
            number.push('.');
            number.push_str(fraction);
        }
        number.push_str(power);
        Decimal::parse(&number).map(|_| number)
    }

    /// The digits, if they are in groups of three, or in none.
    fn without_groups(self, whole: &str) -> Option<String> {
        let Some(group) = self.group else { return Some(whole.to_owned()) };
        let is_mark = |c: char| c == group || (is_blank(group) && is_blank(c));
        let mut groups = whole.split(is_mark);
        let first = groups.next()?;
        let mut digits = first.to_owned();
        let mut grouped = false;
        for three in groups {
            if three.len() != 3 {
                return None;
            }
            digits.push_str(three);
            grouped = true;
        }
        (!grouped || (1..=3).contains(&first.len())).then_some(digits)
    }
}

/// A blank, or one that holds a number together.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_their_format() {
        for (format, text, expected) in [
            (Some("1,234.50"), "1,234.50", Some("1234.50")),
            (Some("1,234.50"), "-12,345,678.9", Some("-12345678.9")),
            (Some("1,234.50"), "1234.5", Some("1234.5")),
            (Some("1,234.50"), "1.234,50", None),
            (Some("1,234.50"), "12,34", None),
            (Some("1.234,50"), "1.234,50", Some("1234.50")),
            (Some("1.234,50"), "0,10000000000000000000001", Some("0.10000000000000000000001")),
            (Some("1234,50"), "007,5", Some("7.5")),
            (Some("1 234,50"), "1\u{202f}234,5", Some("1234.5")),
            (Some("1'234.50"), "1'234", Some("1234")),
            (Some("1,234"), "1,234", Some("1234")),
            (Some("1,234,567"), "1,234.5", Some("1234.5")),
            (None, " +12.50 ", Some("12.50")),
            (None, "1e3", Some("1e3")),
            (None, "1,5", None),
            (None, "", None),
            (None, "NaN", None),
            (None, "1_000", None),
            (None, "--1", None),
        ] {
            let conversion = Conversion::new(ValueType::Number, format).expect("a format");
            let found = conversion.apply(&Cell::from(text));
            assert_eq!(found, expected.map(|number| Cell::Number(number.into())), "{format:?} {text}");
        }
        for bad in ["", "x", "1,23,4.5", "1.", ",5", "$1", "1,234.50.1", "%d"] {
            assert!(Conversion::new(ValueType::Number, Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_types() {
        let apply = |to, format, cell: Cell| Conversion::new(to, format).expect("good").apply(&cell);
        let number = |text: &str| Cell::Number(text.into());
        assert_eq!(apply(ValueType::Integer, None, "12.0".into()), Some(number("12")));
        assert_eq!(apply(ValueType::Integer, None, number("1e3")), Some(number("1000")));
        assert_eq!(apply(ValueType::Integer, None, "12.5".into()), None);
        assert_eq!(apply(ValueType::Text, None, number("1.10")), Some("1.10".into()));
        assert_eq!(apply(ValueType::Number, None, Cell::Null), Some(Cell::Null));
        assert_eq!(apply(ValueType::Number, None, Cell::Bool(true)), None);
        let noon = || Some("2026-01-31T12:00:00Z".into());
        assert_eq!(apply(ValueType::Time, None, number("1769860800")), noon());
        assert_eq!(apply(ValueType::Time, Some("%d.%m.%Y %H:%M"), "31.01.2026 12:00".into()), noon());
        assert_eq!(apply(ValueType::Time, None, "yesterday".into()), None);
        assert!(Conversion::new(ValueType::Array, None).is_err());
        assert!(Conversion::new(ValueType::Time, Some("%q")).is_err());
        let conversion = Conversion::new(ValueType::Number, Some("1.234,50")).expect("good");
        let json = serde_json::to_string(&conversion).expect("data");
        assert_eq!(serde_json::from_str::<Conversion>(&json).expect("data"), conversion);
    }
}
