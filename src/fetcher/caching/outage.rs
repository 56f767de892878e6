//! Which failures a response that was kept may hide.

use crate::error::{Error, Kind};

/// Whether a failure is one that a stale response may hide: the server could not be reached, did not answer in time, broke
/// off, or has failed itself (RFC 5861, section 4). What refuses, such as a certificate or a 4xx, is none.
pub(in crate::fetcher) fn is_outage(error: &Error, status: Option<u16>) -> bool {
    match error.kind() {
        Kind::Status => matches!(status, Some(500 | 502 | 503 | 504)),
        Kind::Timeout | Kind::Io | Kind::Body => true,
        Kind::Connect | Kind::Dns => error.may_pass() != Some(false),
        Kind::Tls => error.may_pass() == Some(true),
        // A connection that ended before the head of a response.
        Kind::Protocol => status.is_none(),
        _ => false,
    }
}
