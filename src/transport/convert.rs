//! From the wire's types to those of http-types, and what these cannot carry.

use std::cell::Cell;
use std::option;
use std::sync::{Arc, LazyLock};

use http_client::http_types::headers::{self, HeaderName, HeaderValue, Headers, ToHeaderValues};
use http_client::http_types::{self, Body, Response, StatusCode, Version};

use super::body::{Coding, Content, WireBody};
use super::deadline::Deadline;
use super::exchange::Answer;
use super::h1::{self, Framing, Head};
use super::peer::Peer;
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

/// A response in plain types.
pub(crate) struct Received {
    pub(crate) head: Head,
    framing: Framing,
    /// As [`WireHead::content_length`].
    pub(crate) length: Option<u64>,
    decoded: bool,
    pub(crate) content: Content,
}

impl Received {
    pub(super) fn new(
        answer: Answer,
        decodes: bool,
        deadline: Deadline,
        trace: Arc<Trace>,
        home: Option<(Arc<Shared>, Arc<Route>)>,
    ) -> Received {
        let Answer { connection, head, framing, body, .. } = answer;
        let coding = match framing {
            Framing::Empty | Framing::Length(0) => None,
            _ if !decodes => None,
            _ => head.get("content-encoding").and_then(Coding::of),
        };
        let length = match framing {
            Framing::Empty => Some(0),
            Framing::Length(length) if coding.is_none() => Some(length),
            _ => None,
        };
        let wire = WireBody::new(connection, body, deadline, trace, home);
        let content = match coding {
            Some(coding) => Content::Decoded(coding.decode(wire)),
            None => Content::Wire(wire),
        };
        Received { head, framing, length, decoded: coding.is_some(), content }
    }

    pub(super) fn into_response(self, raw_head: bool, peer: Option<&Peer>) -> Response {
        let Received { head, framing, length, decoded, content } = self;
        let mut response = Response::new(nearest_status(head.status()));
        response.set_version(Some(match head.version() {
            h1::Version::Http10 => Version::Http1_0,
            h1::Version::Http11 => Version::Http1_1,
        }));
        response.set_peer_addr(peer.and_then(Peer::address_text));
        // Before the body, for which http-types makes a type up where there is none.
        let mut typed = false;
        if !raw_head {
            typed = copy_fields(&head, decoded, &mut response);
        }
        let reserved = length.filter(|length| *length <= MAX_RESERVED).and_then(|length| usize::try_from(length).ok());
        response.set_body(match content {
            _ if framing == Framing::Empty => Body::empty(),
            Content::Wire(wire) => Body::from_reader(wire, reserved),
            Content::Decoded(decoded) => Body::from_reader(decoded, None),
        });
        if !typed {
            response.remove_header(headers::CONTENT_TYPE);
        }
        response.ext_mut().insert(WireHead { head, decoded, length });
        response
    }
}

/// An empty map with room for the fields of most responses: growing on the way, it would hash each name twice. A map's room
/// is cloned with it.
static ROOMY: LazyLock<Headers> = LazyLock::new(|| {
    let mut room = Response::new(StatusCode::Ok);
    for name in ('a'..='n').map(String::from) {
        room.insert_header(&*name, "");
    }
    for name in ('a'..='n').map(String::from) {
        room.remove_header(&*name);
    }
    AsRef::<Headers>::as_ref(&room).clone()
});

/// Says whether Content-Type was among them.
fn copy_fields(head: &Head, decoded: bool, response: &mut Response) -> bool {
    let mut typed = false;
    *AsMut::<Headers>::as_mut(response) = ROOMY.clone();
    // The names so far, a bit each: where no other had the same, none was the same.
    let mut seen = 0_u64;
    for (name, value) in head.fields_of_length(|_| true) {
        let bit = bit_of(name);
        let maybe_again = seen & bit != 0;
        seen |= bit;
        // As bytes: the conversion from text panics where it is not ASCII.
        let (Ok(name), Ok(value)) = (header_name(name), HeaderValue::from_bytes(value.to_vec())) else { continue };
        let value = Single(Cell::new(Some(value)));
        if decoded && (name == headers::CONTENT_LENGTH || name == headers::CONTENT_ENCODING) {
            // It speaks of other bytes.
            continue;
        }
        typed |= name == headers::CONTENT_TYPE;
        if maybe_again {
            response.append_header(name, value);
        } else {
            // To look for the name first, as `append_header` does, costs as much as to insert it.
            response.insert_header(name, value);
        }
    }
    typed
}

/// A bit for a name, by its length and its first letter in whatever case: seldom that of another in one response.
fn bit_of(name: &[u8]) -> u64 {
    let first = usize::from(name.first().copied().unwrap_or_default() & 0x1f);
    1 << ((name.len() + 19 * first) % 64)
}

/// A value that is moved where http-types takes it, and not copied.
struct Single(Cell<Option<HeaderValue>>);

impl ToHeaderValues for Single {
    type Iter = option::IntoIter<HeaderValue>;

    fn to_header_values(&self) -> http_types::Result<Self::Iter> {
        Ok(self.0.take().into_iter())
    }
}

/// The names that most responses have, in their usual spelling: they need not be made anew, and are compared as a whole.
fn header_name(name: &[u8]) -> http_types::Result<HeaderName> {
    let known = match name {
        b"Age" => &headers::AGE,
        b"Date" => &headers::DATE,
        b"ETag" => &headers::ETAG,
        b"Vary" => &headers::VARY,
        b"Server" => &headers::SERVER,
        b"Expires" => &headers::EXPIRES,
        b"Location" => &headers::LOCATION,
        b"Connection" => &headers::CONNECTION,
        b"Set-Cookie" => &headers::SET_COOKIE,
        b"Content-Type" => &headers::CONTENT_TYPE,
        b"Last-Modified" => &headers::LAST_MODIFIED,
        b"Cache-Control" => &headers::CACHE_CONTROL,
        b"Accept-Ranges" => &headers::ACCEPT_RANGES,
        b"Content-Length" => &headers::CONTENT_LENGTH,
        b"Content-Encoding" => &headers::CONTENT_ENCODING,
        b"Transfer-Encoding" => &headers::TRANSFER_ENCODING,
        _ => return HeaderName::from_bytes(name.to_vec()),
    };
    Ok(known.clone())
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
