//! The fields of a request on which a response depends (RFC 9111, section 4.1).

/// What Vary names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vary {
    /// Something that is in no request: the response serves no other one.
    Anything,
    /// The fields of these names, in lower case and in alphabetical order; mostly there are none.
    Fields(Vec<Box<str>>),
}

impl Vary {
    /// Reads the fields of a response.
    pub fn read<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vary {
        let mut names = Vec::new();
        for (_, value) in fields.filter(|(name, _)| name.eq_ignore_ascii_case("vary")) {
            for name in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty()) {
                match std::str::from_utf8(name) {
                    Ok(name) if name != "*" => names.push(name.to_ascii_lowercase().into_boxed_str()),
                    _ => return Vary::Anything,
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        Vary::Fields(names)
    }

    /// The names, with commas between them; `None` if there are none.
    pub fn joined(&self) -> Option<Box<str>> {
        match self {
            Vary::Fields(names) if !names.is_empty() => Some(names.join(",").into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_response_depends_on() {
        let read = |values: &[&'static str]| Vary::read(values.iter().map(|value| ("VARY", value.as_bytes())));
        assert_eq!(read(&[]), Vary::Fields(Vec::new()));
        assert_eq!(read(&["Cookie , ,accept", "ACCEPT"]).joined().as_deref(), Some("accept,cookie"));
        assert_eq!(read(&["accept, *"]), Vary::Anything);
        assert_eq!(read(&["accept", "\u{e9}, *"]), Vary::Anything);
    }
}
