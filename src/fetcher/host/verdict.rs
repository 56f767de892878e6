//! What requests show of the host that got them.

/// What a request has shown of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fetcher) enum Verdict {
    /// It was served.
    Served,
    /// The host refused it because there were too many.
    Refused,
    /// It failed, but the host had taken a connection.
    Reached,
    /// The host took no connection, or has ended a new one without a byte.
    Unreached,
    /// Nothing.
    Unclear,
}
