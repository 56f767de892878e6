//! Values of options by name, from the command line or else from the environment.

use std::collections::BTreeMap;
use std::time::Duration;

use roundup::units::{parse_count, parse_duration, parse_size};
use roundup::{Error, Kind, Result};

use super::table::{self, OptionRow, PREFIX, ValueKind};

/// What was given for options. Names are those of the table: `per_host`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    typed: BTreeMap<&'static str, Vec<String>>,
    /// The names of what was typed, in its order.
    order: Vec<&'static str>,
}

/// One value and its origin, which errors name.
#[derive(Clone, Debug)]
pub(crate) struct FlagValue {
    pub(crate) text: String,
    /// `--per-host` or `ROUNDUP_PER_HOST`.
    origin: String,
}

/// Refuses variables that would have to be ignored.
///
/// # Errors
/// [`Kind::Config`]: a variable of ours that is not UTF-8.
pub(crate) fn check_environment() -> Result<()> {
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && value.to_str().is_none() {
            return Err(Error::new(Kind::Config, format!("{name}: the value is not valid UTF-8")));
        }
    }
    Ok(())
}

impl Flags {
    /// What was typed, in its order: the names of options and their texts, 1 for a switch. Options that are not there may
    /// still be in the environment.
    pub(crate) fn typed(texts: impl IntoIterator<Item = (&'static str, String)>) -> Flags {
        let mut flags = Flags::default();
        for (name, text) in texts {
            flags.order.push(name);
            flags.typed.entry(name).or_default().push(text);
        }
        flags
    }

    /// The values of several options in the order in which they were typed, or else those of the environment, whole.
    pub(crate) fn in_order(&self, names: &[&'static str]) -> Vec<(&'static str, FlagValue)> {
        if names.iter().all(|name| !self.is_typed(name)) {
            return names.iter().filter_map(|name| Some((*name, self.one(name)?))).collect();
        }
        let mut given: BTreeMap<&str, _> = names.iter().map(|name| (*name, self.typed_values(name))).collect();
        self.order.iter().filter_map(|name| Some((*name, given.get_mut(name)?.next()?))).collect()
    }

    fn typed_values(&self, name: &'static str) -> impl Iterator<Item = FlagValue> {
        let origin = format!("--{}", row(name).long());
        let texts = self.typed.get(name).into_iter().flatten();
        texts.map(move |text| FlagValue { text: text.clone(), origin: origin.clone() })
    }

    /// The values of an option that may be given several times. In the environment they stand one a line.
    pub(crate) fn all(&self, name: &'static str) -> Vec<FlagValue> {
        if self.is_typed(name) {
            return self.typed_values(name).collect();
        }
        let Some((origin, text)) = variable(name) else { return Vec::new() };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| FlagValue { text: line.to_owned(), origin: origin.clone() }).collect()
    }

    /// The value of an option; the last one if it was given several times.
    pub(crate) fn one(&self, name: &'static str) -> Option<FlagValue> {
        if let Some(text) = self.typed.get(name).and_then(|texts| texts.last()) {
            return Some(FlagValue { text: text.clone(), origin: format!("--{}", row(name).long()) });
        }
        variable(name).map(|(origin, text)| FlagValue { text, origin })
    }

    /// The text of an option.
    pub(crate) fn text(&self, name: &'static str) -> Option<String> {
        self.one(name).map(|value| value.text)
    }

    /// Whether an option was typed, so that it counts more than one that stands in the environment.
    pub(crate) fn is_typed(&self, name: &'static str) -> bool {
        self.typed.contains_key(row(name).name)
    }

    /// The parsed value of an option.
    pub(crate) fn parsed<T>(&self, name: &'static str, parse: impl FnOnce(&str) -> Result<T>) -> Result<Option<T>> {
        self.one(name).map(|value| value.parse(parse)).transpose()
    }

    /// A whole number within the bounds of the option's row.
    pub(crate) fn count<T: TryFrom<u64>>(&self, name: &'static str) -> Result<Option<T>> {
        let ValueKind::Count(least, most) = row(name).values else { wrong_kind(name) };
        let count = self.parsed(name, |text| parse_count(text, least, most))?;
        // The bounds of a row are within its type.
        Ok(count.and_then(|count| T::try_from(count).ok()))
    }

    /// The same, or else the default of the option's row.
    #[cfg(feature = "demo")]
    pub(crate) fn count_or_default<T: TryFrom<u64> + std::str::FromStr + Default>(
        &self,
        name: &'static str,
    ) -> Result<T> {
        let default = || row(name).default.and_then(|text| text.parse().ok()).unwrap_or_default();
        Ok(self.count(name)?.unwrap_or_else(default))
    }

    /// A span of time; for a [`ValueKind::TimeLimit`] it is not 0.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<Duration>> {
        match row(name).values {
            ValueKind::Time => self.parsed(name, parse_time),
            ValueKind::TimeLimit => self.parsed(name, |text| {
                let limit = parse_time(text)?;
                if limit.is_zero() {
                    return Err(Error::new(Kind::Config, "a time limit of 0 lets nothing through: write 30s"));
                }
                Ok(limit)
            }),
            _ => wrong_kind(name),
        }
    }

    /// A number of bytes.
    pub(crate) fn size(&self, name: &'static str) -> Result<Option<u64>> {
        if row(name).values != ValueKind::Size {
            wrong_kind(name);
        }
        self.parsed(name, parse_size)
    }

    /// One of the words of the option's row.
    pub(crate) fn choice(&self, name: &'static str) -> Result<Option<&'static str>> {
        let ValueKind::Choice(words) = row(name).values else { wrong_kind(name) };
        self.parsed(name, |text| {
            let known = words.iter().find(|word| **word == text).copied();
            known.ok_or_else(|| {
                let (last, others) = words.split_last().unwrap_or((&"", &[]));
                let all = format!("{} or {last}", others.join(", "));
                Error::new(Kind::Config, format!("\"{text}\" is not valid: write {all}"))
            })
        })
    }

    /// Whether a switch is on; `None` if nothing was given.
    pub(crate) fn switch(&self, name: &'static str) -> Result<Option<bool>> {
        if row(name).values != ValueKind::Switch {
            wrong_kind(name);
        }
        self.parsed(name, |text| match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(Error::new(Kind::Config, format!("\"{text}\" is neither on nor off: write 1 or 0"))),
        })
    }

    /// How often a switch was given: 0, 1 or 2.
    pub(crate) fn level(&self, name: &'static str) -> Result<u8> {
        if self.typed.get(name).is_some_and(|texts| texts.len() > 1) {
            return Ok(2);
        }
        match self.text(name).as_deref().map(str::parse::<u8>) {
            Some(Ok(level @ 2..)) => Ok(level.min(2)),
            _ => self.on(name).map(u8::from),
        }
    }

    /// Whether a switch is on.
    pub(crate) fn on(&self, name: &'static str) -> Result<bool> {
        Ok(self.switch(name)?.unwrap_or(false))
    }

    /// Keeps one of two options that exclude each other, each with what it was parsed to: what is typed counts more than
    /// what the environment says to the contrary.
    ///
    /// # Errors
    /// [`Kind::Config`]: both are typed, or both stand in the environment.
    pub(crate) fn exclusive<A, B>(
        &self,
        (a_name, a): (&'static str, Option<A>),
        (b_name, b): (&'static str, Option<B>),
        why: &str,
    ) -> Result<(Option<A>, Option<B>)> {
        match (a.is_some() && b.is_some(), self.is_typed(a_name), self.is_typed(b_name)) {
            (false, ..) => Ok((a, b)),
            (true, true, false) => Ok((a, None)),
            (true, false, true) => Ok((None, b)),
            (true, ..) => {
                let (a, b) = (row(a_name).long(), row(b_name).long());
                Err(Error::new(Kind::Config, format!("--{a} and --{b} exclude each other: {why}")))
            }
        }
    }
}

impl FlagValue {
    /// Parses the text; errors name the option or the variable.
    pub(crate) fn parse<T>(&self, parse: impl FnOnce(&str) -> Result<T>) -> Result<T> {
        parse(&self.text).map_err(|error| Error::new(Kind::Config, format!("{}: {}", self.origin, error.one_line())))
    }
}

/// A span of time, of which a bare number is seconds, as in curl: `30`, `0.5`.
fn parse_time(text: &str) -> Result<Duration> {
    let is_bare = text.ends_with(|c: char| c.is_ascii_digit());
    if is_bare { parse_duration(&format!("{text}s")) } else { parse_duration(text) }.map_err(|error| {
        // The message of the plan's reader would show the unit that was added here.
        if is_bare { Error::new(Kind::Config, format!("\"{text}\" is not a time: write 30s")) } else { error }
    })
}

/// The row of an option.
///
/// # Panics
/// If no option has this name. Names stand in the code and nowhere else, so any test of the option finds that.
fn row(name: &'static str) -> &'static OptionRow {
    table::find(name).unwrap_or_else(|| panic!("{name} is no option"))
}

/// The option has values of another kind than the code asks for: a mistake in the code, too.
fn wrong_kind(name: &'static str) -> ! {
    panic!("{name} has values of another kind")
}

/// The variable of an option and its text; empty counts as not set.
fn variable(name: &'static str) -> Option<(String, String)> {
    let variable = row(name).variable();
    let text = std::env::var(&variable).ok().filter(|text| !text.trim().is_empty())?;
    Some((variable, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(typed: &[(&'static str, &[&str])]) -> Flags {
        Flags::typed(typed.iter().flat_map(|(name, texts)| texts.iter().map(|text| (*name, (*text).to_owned()))))
    }

    #[test]
    fn the_last_of_several_counts_and_errors_name_the_option() {
        let flags = flags(&[("retries", &["1", "x"]), ("raw", &["1"])]);
        let error = flags.count::<u32>("retries").expect_err("x");
        assert!(error.one_line().starts_with("--retries: \"x\""), "{}", error.one_line());
        assert_eq!(flags.all("retries").len(), 2);
        assert!(flags.on("raw").expect("on") && !flags.on("body").expect("off"));
    }

    #[test]
    fn values_keep_to_the_bounds_of_their_rows() {
        let wrong = |name, text: &str| flags(&[(name, &[text])]);
        for text in ["0", "100001", "+1", "x"] {
            assert!(wrong("per_host", text).count::<u32>("per_host").is_err(), "{text}");
        }
        assert!(wrong("timeout", "0s").time("timeout").is_err());
        assert_eq!(wrong("retry_after_max", "0s").time("retry_after_max").ok().flatten(), Some(Duration::ZERO));
        let color = wrong("color", "red").choice("color").expect_err("red").one_line();
        assert_eq!(color, "--color: \"red\" is not valid: write auto, always or never");
    }

    #[test]
    fn of_two_that_exclude_each_other_the_typed_one_counts() {
        let flags = flags(&[("user", &["a:b"])]);
        let kept = flags.exclusive(("user", Some(1)), ("bearer", Some(2)), "").expect("one is typed");
        assert_eq!(kept, (Some(1), None));
        let kept = flags.exclusive(("cacert", None::<u8>), ("roots", Some(2)), "").expect("one is given");
        assert_eq!(kept, (None, Some(2)));
        let error = flags.exclusive(("cacert", Some(1)), ("roots", Some(2)), "one place").expect_err("both");
        assert_eq!(error.one_line(), "--cacert and --roots exclude each other: one place");
    }
}
