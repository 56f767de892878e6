//! Where the Redis of a fleet is: `redis://user:password@host:port/number`, or `rediss://` over TLS.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::error::{Error, Kind, Result};
use crate::http::percent::decode;
use crate::origin::{Origin, parse_url};

/// The port of Redis, with and without TLS.
const PORT: u16 = 6379;

/// Where a Redis or Valkey is, and who asks: `redis://host`, with `user:password@`, a port (6379) and the number of a database
/// if they are needed; `rediss://` over TLS. `Display` and `Debug` leave the password out.
///
/// ```
/// use roundup::fleet::FleetAddress;
///
/// let address: FleetAddress = "rediss://fleet:s3cret@redis.example.com/2".parse()?;
/// assert_eq!(address.to_string(), "rediss://redis.example.com:6379/2");
/// # Ok::<(), roundup::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FleetAddress {
    pub(super) origin: Origin,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: u32,
}

impl FleetAddress {
    /// What must not be shown.
    pub fn secrets(&self) -> impl Iterator<Item = String> {
        self.password.clone().into_iter()
    }

    fn is_encrypted(&self) -> bool {
        self.origin.scheme() == crate::http::Scheme::Https
    }
}

impl FromStr for FleetAddress {
    type Err = Error;

    /// # Errors
    /// [`Kind::Config`], with what would be right. The text is not repeated, as it may hold a password.
    fn from_str(text: &str) -> Result<FleetAddress> {
        let wrong = |why: &str| {
            let right = "write redis://host, redis://user:password@host:6379/0, or rediss:// over TLS";
            Error::new(Kind::Config, format!("the address of a Redis {why}: {right}"))
        };
        let url = Url::parse(text.trim()).map_err(|_| wrong("is no URL"))?;
        let scheme = match url.scheme() {
            "redis" => "http",
            "rediss" => "https",
            _ => return Err(wrong("begins otherwise")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has something behind the database"));
        }
        let number = url.path().trim_matches('/');
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let database = if number.is_empty() { Ok(0) } else { number.parse() };
        let database = database.ok().filter(|_| is_number).ok_or_else(|| wrong("has a database that is no number"))?;
        let port = url.port().unwrap_or(PORT);
        let origin = parse_url(&format!("{scheme}://{host}:{port}/")).and_then(|url| Origin::of(&url));
        let origin = origin.map_err(|_| wrong("names no host that can be"))?;
        let text = |text: &str| {
            let text = decode(text.as_bytes());
            (!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned())
        };
        let (user, password) = (text(url.username()), url.password().and_then(text));
        if user.is_some() && password.is_none() {
            return Err(wrong("has a user without a password"));
        }
        Ok(FleetAddress { origin, user, password, database })
    }
}

impl fmt::Display for FleetAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted() { "rediss" } else { "redis" };
        write!(f, "{scheme}://{}:{}", self.origin.host(), self.origin.port())?;
        if self.database > 0 { write!(f, "/{}", self.database) } else { Ok(()) }
    }
}

impl fmt::Debug for FleetAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_passwords() {
        for (text, shown, user, password, database) in [
            ("redis://h", "redis://h:6379", None, None, 0),
            ("redis://h:80/", "redis://h:80", None, None, 0),
            ("rediss://h:443/15", "rediss://h:443/15", None, None, 15),
            ("redis://:p%40w@[::1]:7000/1", "redis://[::1]:7000/1", None, Some("p@w"), 1),
            (" redis://me:pw@127.0.0.1 ", "redis://127.0.0.1:6379", Some("me"), Some("pw"), 0),
        ] {
            let address: FleetAddress = text.parse().expect(text);
            assert_eq!((address.to_string(), format!("{address:?}")), (shown.to_owned(), shown.to_owned()));
            assert_eq!((address.user.as_deref(), address.password.as_deref()), (user, password), "{text}");
            assert_eq!(address.database, database, "{text}");
        }
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        for (text, why) in [
            ("", "is no URL"),
            ("localhost", "is no URL"),
            ("localhost:6379", "begins otherwise"),
            ("http://h/", "begins otherwise"),
            ("redis:///1", "names no host"),
            ("redis://h/x", "has a database that is no number"),
            ("redis://h/+1", "has a database that is no number"),
            ("redis://h/99999999999", "has a database that is no number"),
            ("redis://h/1/2", "has a database that is no number"),
            ("redis://h/?a=b", "has something behind the database"),
            ("redis://me@h", "has a user without a password"),
        ] {
            let line = text.parse::<FleetAddress>().expect_err(text).one_line();
            assert!(line.starts_with(&format!("the address of a Redis {why}: write redis://")), "{text}: {line}");
        }
    }
}
