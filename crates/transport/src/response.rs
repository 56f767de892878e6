//! A response in plain types: its head, and its content as a reader.

use crate::content::Content;
use crate::h1::Head;

/// A response whose head has come and whose content is still to be read.
#[derive(Debug)]
pub struct Response {
    /// Status and fields as the server sent them.
    pub head: Head,
    /// How many bytes of content the reader will see, if the head says so: `None` for chunks, for content that ends with
    /// the connection, and if a coding is undone. In a coding that is not known, reading it is an error.
    pub length: Option<u64>,
    /// Whether the content's codings are undone while it is read: Content-Length and Content-Encoding speak of other bytes.
    pub decoded: bool,
    /// The content. Read to its end, the connection serves the next request; dropped before, it is closed.
    pub content: Content,
}
