//! Connections to proxies that end too early.

use std::io;

use crate::error::{Error, Kind};

/// What a socket error before the proxy's answer means.
pub(super) fn lost(error: io::Error) -> Error {
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            return Error::new(Kind::Connect, "the proxy closed the connection before it had answered");
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            "the proxy reset the connection before it had answered"
        }
        _ => "the connection to the proxy failed",
    };
    Error::new(Kind::Connect, text).with_source(error)
}
