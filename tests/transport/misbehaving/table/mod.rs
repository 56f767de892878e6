//! The table: name, what is asked, what the server does, what comes of it.

/// A response of 200 up to here.
macro_rules! ok200 {
    ($rest:literal) => {
        concat!("HTTP/1.1 200 OK\r\n", $rest).as_bytes()
    };
}

/// The same with chunks to follow.
macro_rules! chunked {
    ($rest:literal) => {
        concat!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", $rest).as_bytes()
    };
}

/// A whole response that nobody asked for.
macro_rules! with_forged {
    ($before:literal) => {
        concat!($before, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged").as_bytes()
    };
}

mod connections;
mod contents;
mod heads;

use super::Row;
use crate::common::Reply;

/// All rows, stage by stage.
pub(super) fn rows() -> Vec<Row> {
    [heads::rows(), contents::rows(), connections::rows()].concat()
}

fn close() -> Reply {
    Reply::empty().close()
}

fn reset() -> Reply {
    Reply::empty().reset()
}
