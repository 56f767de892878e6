//! Requests that got no answer and may be sent again, whatever they ask for.

use std::fmt;

use crate::error::Error;
use crate::h1::Head;

/// Why a request may be sent once more: it got no answer, because the kept connection on which it was sent had ended, or its
/// answer was none, because the server gave up waiting on an idle connection (408), or takes no Expect (417). The source of the
/// error of a request with [`ConnectionUse::KeptOnce`](crate::ConnectionUse::KeptOnce).
#[derive(Debug)]
pub struct Unanswered {
    /// What came in place of an answer.
    pub head: Option<Head>,
    /// Whether it is to be sent again without Expect.
    pub without_expect: bool,
}

impl Unanswered {
    /// Why the request may be sent again, if it may.
    pub fn cause_of(error: &Error) -> Option<&Unanswered> {
        error.cause()
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it may be sent again")
    }
}

impl std::error::Error for Unanswered {}
