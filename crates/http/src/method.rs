//! Request methods and what may be done with them (RFC 9110, section 9).

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};

/// A request method (RFC 9110, section 9): one of those that the client API knows, in upper case.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Method(&'static str);

impl Method {
    /// Transfer a representation of the target.
    pub const GET: Method = Method("GET");
    /// The same as GET, without content.
    pub const HEAD: Method = Method("HEAD");
    /// Process the content that is sent.
    pub const POST: Method = Method("POST");

    /// The registered methods that can be sent; CONNECT and the protocol's own PRI are not for users.
    const ALL: [&'static str; 15] = [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "OPTIONS",
        "PATCH",
        "TRACE",
        "REPORT",
        "SEARCH",
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
    ];

    /// The method as it is sent.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether a request with it may be repeated; see [`is_idempotent`].
    pub fn is_idempotent(self) -> bool {
        is_idempotent(self.0)
    }
}

impl Default for Method {
    fn default() -> Method {
        Method::GET
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(text: &str) -> Result<Method> {
        let upper = text.to_ascii_uppercase();
        Method::ALL.iter().find(|method| **method == upper).map(|method| Method(method)).ok_or_else(|| {
            Error::new(
                Kind::Config,
                format!("\"{text}\" is not a method that can be sent: write one of {}", Method::ALL.join(", ")),
            )
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Whether a request with a method of this name may be repeated: to do it twice is to do it once (RFC 9110,
/// section 9.2.2).
///
/// Names are case-sensitive (RFC 9110, section 9.1). The registered methods answer as IANA's registry says; a method
/// that is not registered may not be repeated.
pub fn is_idempotent(name: &str) -> bool {
    matches!(
        name,
        "GET"
            | "HEAD"
            | "PUT"
            | "DELETE"
            | "OPTIONS"
            | "TRACE"
            | "ACL"
            | "BASELINE-CONTROL"
            | "BIND"
            | "CHECKIN"
            | "CHECKOUT"
            | "COPY"
            | "LABEL"
            | "LINK"
            | "MERGE"
            | "MKACTIVITY"
            | "MKCALENDAR"
            | "MKCOL"
            | "MKREDIRECTREF"
            | "MKWORKSPACE"
            | "MOVE"
            | "ORDERPATCH"
            | "PROPFIND"
            | "PROPPATCH"
            | "REBIND"
            | "REPORT"
            | "SEARCH"
            | "UNBIND"
            | "UNCHECKOUT"
            | "UNLINK"
            | "UNLOCK"
            | "UPDATE"
            | "UPDATEREDIRECTREF"
            | "VERSION-CONTROL"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_read_in_any_case_and_only_those_that_users_send() {
        assert_eq!("post".parse::<Method>().ok(), Some(Method::POST));
        assert!("CONNECT".parse::<Method>().is_err() && "GE T".parse::<Method>().is_err());
    }

    /// IANA's registry of methods: a retry of MOVE or PROPPATCH is allowed, one of LOCK or of an unknown method is not.
    #[test]
    fn idempotent_methods_are_those_of_the_registry() {
        for name in Method::ALL {
            let method: Method = name.parse().expect(name);
            assert_eq!(method.is_idempotent(), !matches!(name, "POST" | "PATCH"), "{name}");
        }
        for name in ["CONNECT", "LOCK", "get", "FETCH", ""] {
            assert!(!is_idempotent(name), "{name}");
        }
        for name in ["MOVE", "PROPPATCH", "COPY", "MKCOL", "LINK", "UNLINK"] {
            assert!(is_idempotent(name), "{name}");
        }
    }
}
