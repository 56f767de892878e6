//! From the wire's types to those of http-types, and what these cannot carry.

use http_client::http_types::headers::{self, HeaderName, HeaderValue};
use http_client::http_types::{self, Body, Response, StatusCode, Version};
use roundup_http::h1::{self, Head};
use roundup_http::{Error, Kind};
use roundup_transport::{Peer, Response as Received};

/// The head of a response as it came: in the `ext` of every response of a [`Backend`](crate::Backend).
///
/// http-types knows no status such as 522 and no field value that is not ASCII; here they are.
#[derive(Debug)]
pub struct WireHead {
    head: Head,
    decoded: bool,
    length: Option<u64>,
}

impl WireHead {
    /// The head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// How many bytes of content the reader will see, if the head says so: `None` for chunks, for content that ends with
    /// the connection, and if a coding is undone. The body's own `len` is `None` above 1 MiB too, because http-types
    /// reserves that much before a byte of it has come.
    pub fn content_length(&self) -> Option<u64> {
        self.length
    }

    pub(crate) fn into_parts(self) -> (Head, Option<u64>, bool) {
        (self.head, self.length, self.decoded)
    }

    /// Whether the content's coding is undone while it is read: Content-Length and Content-Encoding speak of other bytes.
    pub fn decoded(&self) -> bool {
        self.decoded
    }
}

/// `Body::into_string` of http-types reserves the announced length at once, and an allocation that fails ends the process:
/// no server may ask for more than this.
const MAX_RESERVED: u64 = 1 << 20;

/// A response of the transport in the types of http-types. `raw_head` leaves its fields in [`WireHead`] alone.
pub(crate) fn into_response(received: Received, raw_head: bool, peer: Option<&Peer>) -> Response {
    let Received { head, length, decoded, content } = received;
    let mut response = Response::new(nearest_status(head.status()));
    response.set_version(Some(match head.version() {
        h1::Version::Http10 => Version::Http1_0,
        h1::Version::Http11 => Version::Http1_1,
    }));
    response.set_peer_addr(peer.and_then(Peer::address_text));
    // Before the body, for which http-types makes a type up if there is none.
    if !raw_head {
        copy_fields(&head, decoded, &mut response);
    }
    let typed = response.header(headers::CONTENT_TYPE).is_some();
    let reserved = length.filter(|length| *length <= MAX_RESERVED).and_then(|length| usize::try_from(length).ok());
    response.set_body(match length {
        Some(0) => Body::empty(),
        _ => Body::from_reader(content, reserved),
    });
    if !typed {
        response.remove_header(headers::CONTENT_TYPE);
    }
    response.ext_mut().insert(WireHead { head, decoded, length });
    response
}

fn copy_fields(head: &Head, decoded: bool, response: &mut Response) {
    for (name, value) in head.fields() {
        // As bytes: the conversion from text panics if it is not ASCII.
        let name = HeaderName::from_bytes(name.as_bytes().to_vec());
        let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.to_vec())) else { continue };
        // These two speak of the bytes on the wire and not of those that the reader gets.
        if !(decoded && (name == headers::CONTENT_LENGTH || name == headers::CONTENT_ENCODING)) {
            response.append_header(name, value);
        }
    }
}

/// The same status, or if http-types has no name for it, the one that asks for the same treatment.
fn nearest_status(status: u16) -> StatusCode {
    StatusCode::try_from(status).unwrap_or(match status {
        ..=199 => StatusCode::Continue,
        200..=299 => StatusCode::Ok,
        300..=399 => StatusCode::MultipleChoice,
        400..=499 => StatusCode::BadRequest,
        // A CDN that cannot connect to its origin, or waited too long for it.
        522 | 524 => StatusCode::GatewayTimeout,
        520..=530 => StatusCode::BadGateway,
        _ => StatusCode::InternalServerError,
    })
}

/// An [`Error`] as surf's middleware passes it on; `downcast_ref::<roundup::Error>()` gets it back.
pub fn into_surf(error: Error) -> http_types::Error {
    let status = match error.kind() {
        Kind::Timeout => StatusCode::GatewayTimeout,
        Kind::Url | Kind::Config => StatusCode::BadRequest,
        _ => StatusCode::BadGateway,
    };
    http_types::Error::new(status, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_neighbour() {
        assert_eq!(nearest_status(404), StatusCode::NotFound);
        assert_eq!(nearest_status(522), StatusCode::GatewayTimeout);
        assert_eq!(nearest_status(499), StatusCode::BadRequest);
        for status in 100..=999 {
            let same_class = nearest_status(status) as u16 / 100 == (status / 100).min(5);
            assert!(same_class, "{status}");
        }
    }
}
