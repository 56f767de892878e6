//! Cache-Control of requests and of responses (RFC 9111, section 5.2).

/// The most that a number of seconds counts (RFC 9111, section 1.2.2).
const MOST_SECONDS: u64 = 1 << 31;

/// What Cache-Control says. Of directives that stand there twice, the stricter counts; those that are not known are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Nothing of it may be kept.
    pub no_store: bool,
    /// It has to be asked for each time, also if the field names single fields.
    pub no_cache: bool,
    /// When it is not fresh any more, it has to be asked for, whatever happens.
    pub must_revalidate: bool,
    /// For how many seconds it is fresh; of a request, how old the response may be.
    pub max_age: Option<u64>,
    /// Of a request: for how many seconds more the response has to be fresh.
    pub min_fresh: Option<u64>,
    /// Of a request: for how many seconds the response may have been stale; no matter how long if no number is given.
    pub max_stale: Option<u64>,
}

impl Directives {
    /// Reads the fields of a request or of a response. `Pragma: no-cache` counts if there is no Cache-Control, as in requests
    /// of old (RFC 9111, section 5.4); responses have no Pragma that means something.
    pub fn read<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Directives {
        let (mut all, mut is_said, mut pragma) = (Directives::default(), false, false);
        for (name, value) in fields {
            if name.eq_ignore_ascii_case("cache-control") {
                is_said = true;
                elements(value).for_each(|element| all.add(element));
            }
            pragma |= name.eq_ignore_ascii_case("pragma")
                && elements(value).any(|element| element.eq_ignore_ascii_case(b"no-cache"));
        }
        Directives { no_cache: all.no_cache || (pragma && !is_said), ..all }
    }

    fn add(&mut self, element: &[u8]) {
        let (name, value) = match element.iter().position(|byte| *byte == b'=') {
            Some(at) => (&element[..at], Some(&element[at + 1..])),
            None => (element, None),
        };
        let is = |wanted: &str| name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes());
        let least = |old: Option<u64>| Some(seconds(value).min(old.unwrap_or(u64::MAX)));
        if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("must-revalidate") {
            self.must_revalidate = true;
        } else if is("max-age") {
            self.max_age = least(self.max_age);
        } else if is("min-fresh") {
            self.min_fresh = Some(seconds(value).max(self.min_fresh.unwrap_or(0)));
        } else if is("max-stale") {
            let most = if value.is_none() { u64::MAX } else { seconds(value) };
            self.max_stale = Some(most.min(self.max_stale.unwrap_or(u64::MAX)));
        }
    }
}

/// The elements of a list, which may have commas in quotes.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let is_comma = move |byte: &u8| {
        let is_plain = !std::mem::take(&mut escaped);
        match byte {
            b'\\' if quoted && is_plain => escaped = true,
            b'"' if is_plain => quoted = !quoted,
            b',' => return !quoted,
            _ => {}
        }
        false
    };
    value.split(is_comma).map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// A number of seconds, in quotes or not. What is none counts as 0, so that nothing is fresh by mistake.
fn seconds(value: Option<&[u8]>) -> u64 {
    let value = value.unwrap_or_default().trim_ascii();
    let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    read_seconds(value).unwrap_or(0)
}

/// Digits alone; a number that is too large for anything is the largest.
pub(super) fn read_seconds(digits: &[u8]) -> Option<u64> {
    let are_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let add = |sum: u64, digit: &u8| (sum * 10 + u64::from(digit - b'0')).min(MOST_SECONDS);
    are_digits.then(|| digits.iter().fold(0, add))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Directives {
        Directives::read([("CACHE-control", value.as_bytes())].into_iter())
    }

    #[test]
    fn what_servers_write() {
        let none = Directives::default();
        for (value, expected) in [
            ("", none),
            ("private, max-age=60", Directives { max_age: Some(60), ..none }),
            ("MAX-AGE=\"60\" ,, No-Store", Directives { max_age: Some(60), no_store: true, ..none }),
            ("max-age=0, private, must-revalidate", Directives { max_age: Some(0), must_revalidate: true, ..none }),
            ("no-cache=\"set-cookie, max-age=5\"", Directives { no_cache: true, ..none }),
            ("x=\"a\\\", no-store\", no-cache", Directives { no_cache: true, ..none }),
            ("max-age=60, max-age=5", Directives { max_age: Some(5), ..none }),
            ("max-stale", Directives { max_stale: Some(u64::MAX), ..none }),
            ("max-stale=5, min-fresh=7", Directives { max_stale: Some(5), min_fresh: Some(7), ..none }),
            ("no-storefront, s-maxage=9, immutable", none),
            ("max-age=99999999999999999999999", Directives { max_age: Some(MOST_SECONDS), ..none }),
        ] {
            assert_eq!(of(value), expected, "{value}");
        }
        for bad in ["max-age", "max-age=", "max-age=-1", "max-age=+5", "max-age=1.5", "max-age=soon", "max-age=\"5"] {
            assert_eq!(of(bad).max_age, Some(0), "{bad}");
        }
    }

    #[test]
    fn pragma_counts_alone() {
        let pragma = ("Pragma", &b"no-cache"[..]);
        assert!(Directives::read([pragma].into_iter()).no_cache);
        assert!(!Directives::read([pragma, ("Cache-Control", b"max-age=5")].into_iter()).no_cache);
    }
}
