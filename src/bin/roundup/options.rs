//! Options by name, from the command line or else from the environment.

use std::collections::BTreeMap;

use roundup::{Error, Kind, Result};

/// What was given on the command line, by option name without dashes.
#[derive(Debug, Default)]
pub(crate) struct Options {
    given: BTreeMap<&'static str, Vec<String>>,
}

/// One value and where it was given, so that errors can say which to mend.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) text: String,
    /// Whether it stands on the command line, and not in the environment.
    pub(crate) typed: bool,
    from: String,
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

impl Options {
    /// Notes what was typed for an option, if anything was.
    pub(crate) fn give(&mut self, name: &'static str, value: impl Typed) {
        let texts = value.texts();
        if !texts.is_empty() {
            self.given.insert(name, texts);
        }
    }

    /// The values of an option that may be given several times. In the environment they stand one a line.
    pub(crate) fn all(&self, name: &str) -> Vec<Given> {
        if let Some(texts) = self.given.get(name) {
            return texts
                .iter()
                .map(|text| Given { text: text.clone(), typed: true, from: format!("--{name}") })
                .collect();
        }
        let Some((variable, text)) = variable(name) else { return Vec::new() };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| Given { text: line.to_owned(), typed: false, from: variable.clone() }).collect()
    }

    /// The value of an option; the last one where it was given several times.
    pub(crate) fn one(&self, name: &str) -> Option<Given> {
        if let Some(text) = self.given.get(name).and_then(|texts| texts.last()) {
            return Some(Given { text: text.clone(), typed: true, from: format!("--{name}") });
        }
        variable(name).map(|(from, text)| Given { text, typed: false, from })
    }

    /// The parsed value of an option.
    pub(crate) fn parsed<T>(&self, name: &str, parse: impl FnOnce(&str) -> Result<T>) -> Result<Option<T>> {
        self.one(name).map(|given| given.parse(parse)).transpose()
    }

    /// The value of an option if it was typed.
    pub(crate) fn typed(&self, name: &str) -> Option<Given> {
        self.one(name).filter(|given| given.typed)
    }

    /// Whether a switch is on.
    pub(crate) fn on(&self, name: &str) -> Result<bool> {
        let Some(given) = self.one(name) else { return Ok(false) };
        given.parse(|text| match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(Error::new(Kind::Config, format!("\"{text}\" is neither on nor off: write 1 or 0"))),
        })
    }
}

impl Given {
    /// Parses the text; errors name where it was given.
    pub(crate) fn parse<T>(&self, parse: impl FnOnce(&str) -> Result<T>) -> Result<T> {
        parse(&self.text).map_err(|error| Error::new(Kind::Config, format!("{}: {}", self.from, error.one_line())))
    }
}

/// `ROUNDUP_PER_HOST` for `per-host`; empty counts as not set.
fn variable(name: &str) -> Option<(String, String)> {
    let variable = format!("{PREFIX}{}", name.to_ascii_uppercase().replace('-', "_"));
    let text = std::env::var(&variable).ok().filter(|text| !text.trim().is_empty())?;
    Some((variable, text))
}

const PREFIX: &str = "ROUNDUP_";

/// A field of the typed command line.
pub(crate) trait Typed {
    /// The texts that were typed.
    fn texts(self) -> Vec<String>;
}

impl Typed for Option<String> {
    fn texts(self) -> Vec<String> {
        self.into_iter().collect()
    }
}

impl Typed for Vec<String> {
    fn texts(self) -> Vec<String> {
        self
    }
}

impl Typed for bool {
    fn texts(self) -> Vec<String> {
        if self { vec!["1".to_owned()] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_counts_and_errors_name_the_option() {
        let mut options = Options::default();
        options.give("retries", vec!["1".to_owned(), "x".to_owned()]);
        options.give("raw", true);
        options.give("body", false);
        let error = options.parsed("retries", |text| roundup::units::parse_count(text, 0, 9)).expect_err("x");
        assert!(error.one_line().starts_with("--retries: \"x\""), "{}", error.one_line());
        assert_eq!(options.all("retries").len(), 2);
        assert!(options.on("raw").expect("on") && !options.on("body").expect("off"));
    }
}
