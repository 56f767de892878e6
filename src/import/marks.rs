//! Marks that stand for secrets and variables in texts while these are taken apart.

use std::collections::HashMap;

/// Names and values for which marks stand in texts. A mark is a word of lower-case letters and digits that is nowhere in
/// the input, so it goes unchanged through everything that is done with a text.
pub(super) struct Marks {
    prefix: String,
    list: Vec<(String, Option<String>)>,
    /// The last number behind a name that several values want, so that it need not be looked for from the first one.
    numbers: HashMap<String, usize>,
}

impl Default for Marks {
    fn default() -> Marks {
        Marks::new("")
    }
}

/// A part of a text with marks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MarkedPart<'t> {
    Text(&'t str),
    /// The name for which a mark stands.
    Name(&'t str),
}

/// What marks begin with.
pub(super) const BEGINNING: &str = "roundupmark";
/// The end of a mark, behind its number.
const END: char = 'z';

impl Marks {
    pub(super) fn new(input: &str) -> Marks {
        let input = input.to_ascii_lowercase();
        let mut prefix = BEGINNING.to_owned();
        while input.contains(&prefix) {
            prefix.push('q');
        }
        Marks { prefix, list: Vec::new(), numbers: HashMap::new() }
    }

    /// The mark of a variable, which keeps its name.
    pub(super) fn variable(&mut self, name: &str) -> String {
        let known = self.list.iter().position(|(known, value)| known == name && value.is_none());
        let index = known.unwrap_or_else(|| {
            self.list.push((name.to_owned(), None));
            self.list.len() - 1
        });
        self.mark(index)
    }

    /// Gives a variable its value.
    pub(super) fn assign(&mut self, name: &str, value: &str) {
        match self.list.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = Some(value.to_owned()),
            None => self.list.push((name.to_owned(), Some(value.to_owned()))),
        }
    }

    /// The mark of a secret: a name like this one, and the same one for the same value.
    pub(super) fn secret(&mut self, like: &str, value: &str) -> String {
        let index = self.index_of(&as_name(like), value);
        self.mark(index)
    }

    /// The name of a secret: this one, unless another value has it.
    pub(super) fn name(&mut self, name: &str, value: &str) -> &str {
        let index = self.index_of(name, value);
        &self.list[index].0
    }

    /// Names and values.
    pub(super) fn list(&self) -> &[(String, Option<String>)] {
        &self.list
    }

    fn index_of(&mut self, name: &str, value: &str) -> usize {
        let known = self.list.iter().position(|(_, known)| known.as_deref() == Some(value));
        known.unwrap_or_else(|| {
            let name = self.free_name(name);
            self.list.push((name, Some(value.to_owned())));
            self.list.len() - 1
        })
    }

    /// Names and values in the order in which they were found.
    pub(super) fn into_list(self) -> Vec<(String, Option<String>)> {
        self.list
    }

    /// Whether nothing was marked.
    pub(super) fn are_none(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether there is a mark in the text.
    pub(super) fn are_in(&self, text: &str) -> bool {
        self.parts(text).iter().any(|part| matches!(part, MarkedPart::Name(_)))
    }

    /// The parts of a text.
    pub(super) fn parts<'t>(&'t self, text: &'t str) -> Vec<MarkedPart<'t>> {
        let mut parts = Vec::new();
        let (mut rest, mut from) = (text, 0);
        while let Some(at) = rest[from..].find(&self.prefix) {
            let at = from + at;
            let digits = &rest[at + self.prefix.len()..];
            let len = digits.bytes().take_while(u8::is_ascii_digit).count();
            let entry = digits[..len].parse::<usize>().ok().and_then(|index| self.list.get(index));
            match entry.filter(|_| digits[len..].starts_with(END)) {
                Some((name, _)) => {
                    if at > 0 {
                        parts.push(MarkedPart::Text(&rest[..at]));
                    }
                    parts.push(MarkedPart::Name(name));
                    rest = &digits[len + END.len_utf8()..];
                    from = 0;
                }
                None => from = at + self.prefix.len(),
            }
        }
        if !rest.is_empty() {
            parts.push(MarkedPart::Text(rest));
        }
        parts
    }

    /// The text as people may see it: with `${NAME}` for each mark.
    pub(super) fn shown(&self, text: &str) -> String {
        let part = |part: MarkedPart<'_>| match part {
            MarkedPart::Text(text) => text.to_owned(),
            MarkedPart::Name(name) => format!("${{{name}}}"),
        };
        self.parts(text).into_iter().map(part).collect()
    }

    fn mark(&self, index: usize) -> String {
        format!("{}{index}{END}", self.prefix)
    }

    fn free_name(&mut self, name: &str) -> String {
        let is_taken = |name: &str| self.list.iter().any(|(known, _)| known == name);
        let number = self.numbers.entry(name.to_owned()).or_insert(0);
        loop {
            *number += 1;
            let wanted = if *number == 1 { name.to_owned() } else { format!("{name}_{number}") };
            if !is_taken(&wanted) {
                return wanted;
            }
        }
    }
}

/// A text as the name of a secret: letters, digits and `_`.
pub(super) fn as_name(text: &str) -> String {
    let mut name = String::new();
    let mut before_lower = false;
    for c in text.chars() {
        // accessToken is ACCESS_TOKEN.
        if c.is_ascii_uppercase() && before_lower {
            name.push('_');
        }
        before_lower = c.is_ascii_lowercase();
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c.to_ascii_uppercase()),
            _ if !name.ends_with('_') && !name.is_empty() => name.push('_'),
            _ => {}
        }
    }
    let name = name.trim_end_matches('_');
    match name.chars().next() {
        None => "SECRET".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("SECRET_{name}"),
        Some(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_as_the_names_they_stand_for() {
        let mut marks = Marks::new("a roundupmark in the input");
        let (token, key) = (marks.variable("TOKEN"), marks.secret("api-key", "k1"));
        assert_eq!((marks.secret("other", "k1"), marks.variable("TOKEN")), (key.clone(), token.clone()));
        let second = marks.secret("apiKey", "k2");
        let text = format!("{token}a roundupmark0z {key}{second}");
        assert_eq!(marks.shown(&text), "${TOKEN}a roundupmark0z ${API_KEY}${API_KEY_2}");
        assert!(marks.are_in(&text) && !marks.are_in("roundupmark0z"));
        assert_eq!(["x-2fa", "2fa", "--"].map(as_name), ["X_2FA", "SECRET_2FA", "SECRET"]);
    }
}
