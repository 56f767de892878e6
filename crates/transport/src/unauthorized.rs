//! A proxy that refuses this client.

use std::fmt;

use crate::error::Error;

/// The answer of a proxy that does not accept its user and password. The source of the error that says so.
#[derive(Debug)]
pub(crate) struct Unauthorized(pub(crate) String);

impl Unauthorized {
    /// What the proxy has refused, if that is why this error is there.
    pub(crate) fn cause_of(error: &Error) -> Option<&Unauthorized> {
        error.cause()
    }
}

impl fmt::Display for Unauthorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unauthorized {}
