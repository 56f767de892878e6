//! Numbers of JSON, compared by all their digits.

use std::cmp::Ordering;

/// A number as its digits: 0.`digits` times ten to the power of `exponent`. Zero has no digits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads a number by the grammar of RFC 8259, section 6; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Decimal> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, parse_power(power)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let no_fraction = mantissa.contains('.') && fraction.is_empty();
        if whole.is_empty() || no_fraction || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = all.iter().take_while(|digit| **digit == b'0').count();
        let trailing = all[leading..].iter().rev().take_while(|digit| **digit == b'0').count();
        let digits = all[leading..all.len() - trailing].to_vec();
        if digits.is_empty() {
            return Some(Decimal { negative: false, digits, exponent: 0 });
        }
        let exponent = power.saturating_add(whole.len() as i64).saturating_sub(leading as i64);
        Some(Decimal { negative, digits, exponent })
    }

    /// How many digits count: without zeros at either end.
    #[cfg(feature = "sql")]
    pub(crate) fn digits(&self) -> usize {
        self.digits.len()
    }

    /// Whether there is nothing behind its point.
    pub(crate) fn is_whole(&self) -> bool {
        self.digits.is_empty() || self.exponent >= self.digits.len() as i64
    }

    /// The whole number without point and exponent; `None` if it is not whole, or has more than 1,000 digits.
    pub(crate) fn to_whole(&self) -> Option<String> {
        const MOST: i64 = 1000;
        if !self.is_whole() || self.exponent > MOST {
            return None;
        }
        if self.digits.is_empty() {
            return Some("0".to_owned());
        }
        let digits = self.digits.iter().map(|digit| char::from(*digit));
        let zeros = self.exponent as usize - self.digits.len();
        let sign = if self.negative { "-" } else { "" };
        Some(sign.chars().chain(digits).chain(std::iter::repeat_n('0', zeros)).collect())
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let sign = |number: &Decimal| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let by_sign = sign(self).cmp(&sign(other));
        let by_size = self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        by_sign.then(if self.negative { by_size.reverse() } else { by_size })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The power of ten; one that no i64 holds is the largest or the smallest that it does.
fn parse_power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    Some(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    #[test]
    fn numbers_are_in_order_to_the_last_digit() {
        let ascending = [
            "-1e999999999999999999999",
            "-18446744073709551616",
            "-18446744073709551615.5",
            "-10",
            "-9.99",
            "-1e-5",
            "0",
            "1e-999999999999999999999",
            "0.1",
            "0.10000000000000000000001",
            "1",
            "2.5",
            "10",
            "1e3",
            "7163309881222824984",
            "7163309881222824985",
            "1000000000000000000001",
            "1E+22",
        ];
        for (at, low) in ascending.iter().enumerate() {
            for high in &ascending[at + 1..] {
                assert!(decimal(low) < decimal(high), "{low} {high}");
                assert!(decimal(high) > decimal(low), "{high} {low}");
            }
        }
        for (a, b) in
            [("1", "1.0"), ("1e3", "1000"), ("0.5", "0.50"), ("-0", "0.0e9"), ("12e-1", "1.2"), ("0010", "1e1")]
        {
            assert_eq!(decimal(a), decimal(b), "{a} {b}");
            assert_eq!(decimal(a).cmp(&decimal(b)), Ordering::Equal, "{a} {b}");
        }
        for bad in ["", "-", "1.", ".5", "+1", "1e", "1e+", "1 ", "NaN", "0x1", "1.2.3", "1e5e5"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn whole_numbers_are_written_out() {
        for (text, whole) in [
            ("1.0", Some("1")),
            ("12e2", Some("1200")),
            ("-0.0", Some("0")),
            ("-1000000000000000000001", Some("-1000000000000000000001")),
            ("1.5", None),
            ("1e-1", None),
            ("1e999999999", None),
        ] {
            assert_eq!(decimal(text).to_whole().as_deref(), whole, "{text}");
        }
    }
}
