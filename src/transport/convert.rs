//! From the wire's types to those of http-types, and what these cannot carry.

use std::sync::Arc;

use http_client::http_types::headers::{self, HeaderName, HeaderValue};
use http_client::http_types::{self, Body, Response, StatusCode, Version};

use super::body::{Coding, WireBody};
use super::deadline::Deadline;
use super::exchange::Answer;
use super::h1::{self, Framing, Head};
use super::trace::Trace;
use super::{Route, Shared};
use crate::error::{Error, Kind};

/// The head of a response as it came: in the `ext` of every response of a [`Transport`](super::Transport).
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

    /// How many bytes of content the reader will see, where the head says so: `None` for chunks, for content that ends with
    /// the connection, and where a coding is undone. The body's own `len` is `None` above 1 MiB too, for http-types
    /// reserves that much before a byte of it has come.
    pub fn content_length(&self) -> Option<u64> {
        self.length
    }

    /// Whether the content's coding is undone while it is read: Content-Length and Content-Encoding speak of other bytes.
    pub fn decoded(&self) -> bool {
        self.decoded
    }
}

/// `Body::into_string` of http-types reserves the announced length at once, and an allocation that fails ends the process:
/// no server may ask for more than this.
const MAX_RESERVED: u64 = 1 << 20;

pub(super) fn response(
    answer: Answer,
    decodes: bool,
    raw_head: bool,
    deadline: Deadline,
    trace: Arc<Trace>,
    home: Option<(Arc<Shared>, Route)>,
) -> Response {
    let Answer { connection, head, framing, body, .. } = answer;
    let coding = match head.get("content-encoding") {
        Some(value) if decodes && framing != Framing::Empty && framing != Framing::Length(0) => Coding::of(value),
        _ => None,
    };
    let mut response = Response::new(nearest_status(head.status()));
    response.set_version(Some(match head.version() {
        h1::Version::Http10 => Version::Http1_0,
        h1::Version::Http11 => Version::Http1_1,
    }));
    response.set_peer_addr(connection.peer.address());

    let length = match framing {
        Framing::Empty => Some(0),
        Framing::Length(length) if coding.is_none() => Some(length),
        _ => None,
    };
    let reserved = length.filter(|length| *length <= MAX_RESERVED).and_then(|length| usize::try_from(length).ok());
    let wire = WireBody::new(connection, body, deadline, trace, home);
    response.set_body(match coding {
        _ if framing == Framing::Empty => Body::empty(),
        Some(coding) => Body::from_reader(coding.decode(wire), None),
        None => Body::from_reader(wire, reserved),
    });
    // http-types makes one up from the body.
    response.remove_header(headers::CONTENT_TYPE);
    if !raw_head {
        copy_fields(&head, coding.is_some(), &mut response);
    }
    response.ext_mut().insert(WireHead { head, decoded: coding.is_some(), length });
    response
}

fn copy_fields(head: &Head, decoded: bool, response: &mut Response) {
    for (name, value) in head.fields() {
        let misleads = decoded && ["content-length", "content-encoding"].iter().any(|n| name.eq_ignore_ascii_case(n));
        // As bytes: the conversion from text panics where it is not ASCII.
        let name = HeaderName::from_bytes(name.as_bytes().to_vec());
        let value = HeaderValue::from_bytes(value.to_vec());
        if let (false, Ok(name), Ok(value)) = (misleads, name, value) {
            response.append_header(name, value);
        }
    }
}

/// The same status, or where http-types has no name for it, the one that asks for the same treatment.
fn nearest_status(status: u16) -> StatusCode {
    StatusCode::try_from(status).unwrap_or(match status {
        ..=199 => StatusCode::Continue,
        200..=299 => StatusCode::Ok,
        300..=399 => StatusCode::MultipleChoice,
        400..=499 => StatusCode::BadRequest,
        // A CDN that cannot connect to its origin, or waited in vain.
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
