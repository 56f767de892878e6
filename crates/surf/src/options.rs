//! What one request of a surf client may ask of the transport.

use std::sync::Arc;
use std::time::{Duration, Instant};

use roundup_http::Field;
use roundup_transport::Progress;

/// What one request may ask of a [`Backend`](crate::Backend): put it into the request's `ext`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RequestOptions {
    /// When the exchange must be done, to the last byte of content, and the limit to name if it is not.
    pub deadline: Option<(Instant, Duration)>,
    /// How long making a connection may take; the transport's own limit if `None`.
    pub connect_timeout: Option<Duration>,
    /// Where to note how far the request has come.
    pub progress: Option<Arc<Progress>>,
    /// Fields whose values http-types cannot carry because they are not ASCII. Sent beside the request's own.
    pub fields: Vec<Field>,
    /// Neither ask for nor undo content codings.
    pub raw: bool,
    /// Leave the head in [`WireHead`](crate::WireHead) alone and do not convert its fields into those of http-types.
    pub raw_head: bool,
}
