//! Header fields that are sent (RFC 9110, section 5).

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};
use crate::token::is_token;

/// A header field that is safe to send: the name is a token, the value has no CR, LF or NUL (RFC 9110, section 5.5).
///
/// `Debug` hides the value: it is as often a credential as not.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    name: Box<str>,
    /// None for a field that is not sent.
    value: Option<Box<[u8]>>,
}

impl Field {
    /// A field of this name and value; spaces around the value are dropped.
    ///
    /// # Errors
    /// [`Kind::Config`] if the name is not a token, the value has a CR, LF, NUL or another control character but tab,
    /// or the field is one of those that say where a message ends and that only the client can set.
    pub fn new(name: &str, value: impl AsRef<[u8]>) -> Result<Field> {
        check_name(name)?;
        let blank = |b: &u8| matches!(b, b' ' | b'\t');
        let value = value.as_ref();
        let start = value.iter().position(|b| !blank(b)).unwrap_or(value.len());
        let end = value.iter().rposition(|b| !blank(b)).map_or(start, |last| last + 1);
        let value = &value[start..end];
        if value.iter().any(|&b| (b < 0x20 && b != b'\t') || b == 0x7f) {
            let text = format!("the value of the header {name} contains a line break or another control character");
            return Err(Error::new(Kind::Config, text));
        }
        Ok(Field { name: name.into(), value: Some(value.into()) })
    }

    /// Reads a field as curl's `-H` takes it: `Name: value`, `Name:` for no field of that name, `Name;` for an empty one.
    ///
    /// # Errors
    /// Those of [`Field::new`] and [`Field::omitted`], and [`Kind::Config`] if there is neither `:` nor `;`.
    pub fn from_option(text: &str) -> Result<Field> {
        match (text.split_once(':'), text.trim_end().strip_suffix(';')) {
            (Some((name, value)), _) if value.trim().is_empty() => Field::omitted(name),
            (None, Some(name)) => Field::new(name, ""),
            _ => text.parse(),
        }
    }

    /// Says that no field of this name is sent, also none that would be added: `Accept`, `User-Agent`.
    ///
    /// # Errors
    /// [`Kind::Config`] if the name is not one that can be given, or is Host, without which there is no HTTP/1.1 (RFC 9112,
    /// section 3.2).
    pub fn omitted(name: &str) -> Result<Field> {
        check_name(name)?;
        if name.eq_ignore_ascii_case("host") {
            return Err(Error::new(
                Kind::Config,
                "the header Host cannot be left out: every request of HTTP/1.1 has one",
            ));
        }
        Ok(Field { name: name.into(), value: None })
    }

    /// Whether it says that no field of its name is sent.
    pub fn is_omitted(&self) -> bool {
        self.value.is_none()
    }

    /// The name as it was written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value: bytes, because RFC 9110 does not promise that they are text. Empty if the field is not sent.
    pub fn value(&self) -> &[u8] {
        self.value.as_deref().unwrap_or_default()
    }
}

/// Refuses names that are none, and those of fields that only the client can set.
fn check_name(name: &str) -> Result<()> {
    if !is_token(name.as_bytes()) {
        return Err(Error::new(
            Kind::Config,
            format!("{name:?} is not a header name: letters, digits and - without spaces"),
        ));
    }
    if ["content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive"]
        .iter()
        .any(|reserved| name.eq_ignore_ascii_case(reserved))
    {
        return Err(Error::new(
            Kind::Config,
            format!("the header {name} is set by the client itself and cannot be given"),
        ));
    }
    Ok(())
}

/// `Name: value`, as `--header` takes it. An empty value is allowed.
impl FromStr for Field {
    type Err = Error;

    fn from_str(text: &str) -> Result<Field> {
        let (name, value) = text.split_once(':').ok_or_else(|| {
            // The text may be a secret that was meant as a value: it is not shown.
            Error::new(Kind::Config, "a header has no colon: write it as 'Name: value'")
        })?;
        Field::new(name, value)
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}: ({} bytes)", self.name, value.len()),
            None => write!(f, "no {}", self.name),
        }
    }
}

/// Whether a field of this name lets its reader act as the sender or receiver of the message: credentials, cookies, keys.
pub fn is_credential(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "auth",
        "authorization",
        "cookie",
        "cookie2",
        "credential",
        "credentials",
        "key",
        "password",
        "secret",
        "session",
        "token",
        "apikey",
    ];
    // It is made up by the client for one request, and no key to anything.
    !name.eq_ignore_ascii_case("idempotency-key")
        && (name.split(['-', '_']).any(|word| WORDS.iter().any(|other| word.eq_ignore_ascii_case(other)))
            || name.eq_ignore_ascii_case("authentication-info"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_stand_for_credentials() {
        for name in
            ["Authorization", "proxy-authorization", "Cookie", "Set-Cookie", "X-API-Key", "X_Auth_Token", "apikey"]
        {
            assert!(is_credential(name), "{name}");
        }
        for name in ["Accept", "Idempotency-Key", "X-Author", "Monkey", "ETag"] {
            assert!(!is_credential(name), "{name}");
        }
    }

    #[test]
    fn fields_cannot_smuggle() {
        assert_eq!("X-A:  b c ".parse::<Field>().map(|f| f.value().to_vec()).ok(), Some(b"b c".to_vec()));
        assert!(Field::new("X", "p\u{e4}").is_ok());
        for bad in [
            "no colon",
            ": x",
            "A B: c",
            "A\r: c",
            "A: b\r\nC: d",
            "A: \0",
            "Content-Length: 5",
            "transfer-encoding: chunked",
        ] {
            assert!(bad.parse::<Field>().is_err(), "{bad:?}");
        }
        let none = Field::omitted("Accept").expect("good");
        assert!(none.is_omitted() && none.value().is_empty() && none != Field::new("Accept", "").expect("good"));
        assert!(Field::omitted("host").is_err() && Field::omitted("A B").is_err());
        let field: Field = "Authorization: Bearer t0ps3cret".parse().expect("good");
        assert!(!format!("{field:?}").contains("t0ps3cret"));
    }

    #[test]
    fn options_are_read_as_by_curl() {
        let one = |text: &str| Field::from_option(text).expect(text);
        assert!(one("Accept:").is_omitted() && one("Accept:  ").is_omitted());
        assert!(one("X-Empty;").value().is_empty() && !one("X-Empty;").is_omitted());
        assert_eq!(one("X-A: b;").value(), b"b;");
        assert!(Field::from_option("no colon").is_err() && Field::from_option("Host:").is_err());
    }
}
