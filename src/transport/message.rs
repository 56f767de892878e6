//! A request as it goes over the wire.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_lite::AsyncReadExt;
use http_client::http_types::{self, Body, headers};

use super::body::ACCEPT_ENCODING;
use super::h1::{RequestBody, encode_fields, encode_head, encode_head_with};
use super::{Route, Settings, tls};
use crate::error::{Error, Kind, Phase, Result};
use crate::job::Field;
use crate::origin::{Scheme, percent_decode};

/// Content up to this size is put behind the head, sent with it in one write, and can be sent again.
const SMALL: usize = 256 * 1024;

/// A request in plain types.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: &'a str,
    /// Where to, and as whom.
    pub(crate) url: &'a url::Url,
    /// What is asked for there: path and query.
    pub(crate) target: &'a str,
    /// The fields that the sender gives, in the order in which they are sent.
    pub(crate) fields: &'a [(&'a str, &'a [u8])],
    pub(crate) content: Outbound<'a>,
}

/// The content of a request.
pub(crate) enum Outbound<'a> {
    None,
    #[cfg_attr(not(feature = "fetcher"), expect(dead_code, reason = "the fetcher alone has it so"))]
    Bytes(&'a [u8]),
    /// In a box: it is large, and most requests have none.
    Body(Box<Body>),
}

/// The head and the content of a request.
pub(crate) struct Message<'a> {
    pub(super) method: &'a str,
    pub(super) route: Arc<Route>,
    /// The head, and the content where that is small.
    pub(super) bytes: Vec<u8>,
    /// How many of them are the head.
    head: usize,
    /// Where the content is to wait until the server asks for it: the same head without that expectation.
    unexpecting: Option<Vec<u8>>,
    /// Small content of this length that is still to be read.
    unread: Option<(Box<Body>, usize)>,
    /// Content that is read and sent piece by piece.
    pub(super) stream: Option<(Box<Body>, RequestBody)>,
    /// Whether content codings of the response are to be undone.
    pub(super) decodes: bool,
    /// Whether the sender asks that the connection be closed afterwards.
    pub(super) closes: bool,
}

impl<'a> Message<'a> {
    pub(super) fn new(
        outgoing: Outgoing<'a>,
        raw: bool,
        settings: &Settings,
        route: Arc<Route>,
    ) -> Result<Message<'a>> {
        let Outgoing { method, url, target, fields, content } = outgoing;
        let length = match &content {
            Outbound::None => None,
            Outbound::Bytes(bytes) => Some(Some(bytes.len())),
            Outbound::Body(body) => Some(body.len()),
        };
        let (framing, small) = match length {
            None => (RequestBody::None, None),
            Some(Some(length)) if length <= SMALL => (RequestBody::Length(length as u64), Some(length)),
            Some(Some(length)) => (RequestBody::Length(length as u64), None),
            Some(None) => (RequestBody::Chunked, None),
        };

        let target = on_the_wire(target, &route);
        if fields.is_empty() && framing == RequestBody::None && !raw && !has_credentials(url) {
            let plain = route.plain_fields(|| {
                let mut plain = Vec::new();
                let fields = Fields::new(url, &[], false, settings, &route, framing);
                encode_fields(&mut plain, fields.iter()).map(|()| plain)
            })?;
            let mut bytes = Vec::with_capacity(32 + target.len() + plain.len());
            encode_head_with(&mut bytes, method, &target, plain)?;
            let (head, unexpecting, unread, stream) = (bytes.len(), None, None, None);
            return Ok(Message {
                method,
                bytes,
                head,
                unexpecting,
                unread,
                stream,
                decodes: true,
                closes: false,
                route,
            });
        }
        let fields = Fields::new(url, fields, raw, settings, &route, framing);
        let mut bytes = Vec::with_capacity(fields.room() + target.len() + small.unwrap_or(0));
        encode_head(&mut bytes, method, &target, framing, fields.iter())?;
        let head = bytes.len();
        let unexpecting = if fields.given.iter().any(expects_continue) {
            let mut bytes = Vec::with_capacity(head);
            let rest = fields.iter().filter(|field| !expects_continue(field));
            encode_head(&mut bytes, method, &target, framing, rest)?;
            Some(bytes)
        } else {
            None
        };
        let (decodes, closes) = (fields.decodes, fields.closes);
        let (mut unread, mut stream) = (None, None);
        match (content, small) {
            (Outbound::None, _) => {}
            (Outbound::Bytes(content), Some(_)) => bytes.extend_from_slice(content),
            (Outbound::Bytes(content), None) => stream = Some((Box::new(content.to_vec().into()), framing)),
            (Outbound::Body(body), Some(length)) => unread = Some((body, length)),
            (Outbound::Body(body), None) => stream = Some((body, framing)),
        }
        Ok(Message { method, route, bytes, head, unexpecting, unread, stream, decodes, closes })
    }

    /// Reads content that is sent with the head and was not there yet.
    pub(super) async fn complete(&mut self) -> Result<()> {
        match self.unread.take() {
            // In a box, so that those who have none of it have no room for it.
            Some((body, length)) => Box::pin(append(&mut self.bytes, *body, length)).await,
            None => Ok(()),
        }
    }

    /// Head and small content apart, where the content is to wait until the server asks for it (RFC 9110, section 10.1.1).
    pub(super) fn expecting(&self) -> Option<(&[u8], &[u8])> {
        self.unexpecting.as_ref().map(|_| self.bytes.split_at(self.head))
    }

    /// What can be sent as soon as there is a connection: the message, but for content that comes in pieces. None of one
    /// whose content waits, nor of one that is long.
    pub(super) fn ahead(&self) -> &[u8] {
        if self.unexpecting.is_some() || self.bytes.len() > tls::AHEAD { &[] } else { &self.bytes }
    }

    /// Lets the content wait no longer; false where it did not.
    pub(super) fn drop_expectation(&mut self) -> bool {
        let Some(head) = self.unexpecting.take() else { return false };
        let length = head.len();
        self.bytes.splice(..self.head, head);
        self.head = length;
        true
    }

    /// Whether it can be sent a second time, after a connection died under the first (RFC 9110, section 9.2.2).
    pub(super) fn may_be_repeated(&self) -> bool {
        let idempotent = !matches!(self.method, "POST" | "PATCH" | "CONNECT" | "LOCK" | "LINK" | "UNLINK");
        idempotent && self.stream.is_none()
    }
}

/// Reads small content behind the head.
async fn append(bytes: &mut Vec<u8>, body: Body, length: usize) -> Result<()> {
    let before = bytes.len();
    let read = body.take(SMALL as u64).read_to_end(bytes).await;
    read.map_err(|error| content_error("the request's content cannot be read").with_source(error))?;
    if bytes.len() - before != length {
        return Err(content_error("the request's content is shorter than its announced length"));
    }
    Ok(())
}

/// The content of a request, where it has any.
pub(super) fn take_content(request: &mut http_types::Request) -> Outbound<'static> {
    if request.len() == Some(0) {
        return Outbound::None;
    }
    let typed = request.header(headers::CONTENT_TYPE).is_some();
    let body = request.take_body();
    if !typed {
        // http-types makes one up from the body it leaves behind.
        request.remove_header(headers::CONTENT_TYPE);
    }
    Outbound::Body(Box::new(body))
}

/// The fields of a request, and those that http-types cannot carry.
pub(super) fn fields<'a>(request: &'a http_types::Request, others: &'a [Field]) -> Vec<(&'a str, &'a [u8])> {
    let mut fields: Vec<(&str, &[u8])> = Vec::new();
    for (name, values) in request.iter() {
        fields.extend(values.iter().map(|value| (name.as_str(), value.as_str().as_bytes())));
    }
    fields.extend(others.iter().map(|field| (field.name(), field.value())));
    // http-types keeps fields in a hash map: without an order of ours, every run would send another one.
    fields.sort_by(|a, b| a.0.cmp(b.0));
    fields
}

fn content_error(text: &str) -> Error {
    Error::new(Kind::Io, text).in_phase(Phase::Send)
}

/// What stands between method and version: the path, or the whole URL for a proxy (RFC 9112, section 3.2).
fn on_the_wire<'a>(path: &'a str, route: &Route) -> Cow<'a, str> {
    if route.is_forwarded() {
        return format!("{}{path}", route.origin).into();
    }
    // The path of http and https has at least a slash; that of other schemes need not.
    if path.starts_with('/') { path.into() } else { format!("/{path}").into() }
}

/// The value of Host. A URL of http or https has it as it is to be sent, without the port where that is the scheme's own.
fn host<'a>(url: &'a url::Url, route: &Route) -> Cow<'a, [u8]> {
    match route.origin.scheme() {
        Scheme::Http | Scheme::Https => url[url::Position::BeforeHost..url::Position::AfterPort].as_bytes().into(),
        Scheme::HttpUnix => route.origin.authority().into_bytes().into(),
    }
}

/// A field that goes without saying.
type Own<'a> = Option<(&'static str, Cow<'a, [u8]>)>;

/// The fields of a request: those that the sender gave, and those that go without saying.
struct Fields<'f, 'a> {
    given: Cow<'f, [(&'a str, &'a [u8])]>,
    own: [Own<'a>; 6],
    decodes: bool,
    closes: bool,
}

impl<'f, 'a> Fields<'f, 'a> {
    fn new(
        url: &'a url::Url,
        given: &'f [(&'a str, &'a [u8])],
        raw: bool,
        settings: &'a Settings,
        route: &Route,
        framing: RequestBody,
    ) -> Fields<'f, 'a> {
        // Without content there is nothing that could wait (RFC 9110, section 10.1.1).
        let given: Cow<'f, [(&str, &[u8])]> = match framing {
            RequestBody::None if given.iter().any(expects_continue) => {
                given.iter().filter(|field| !expects_continue(field)).copied().collect()
            }
            _ => given.into(),
        };
        let has = |name: &str| given.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));

        // A range is one of the coded content, which nobody can decode from its middle (RFC 9110, section 14.2).
        let decodes = !raw && !has("accept-encoding") && !has("range");
        let user_agent = !settings.user_agent.is_empty() && !has("user-agent");
        let credentials = basic_credentials(url).filter(|_| !has("authorization"));
        let to_proxy = route.proxy.as_ref().filter(|_| route.is_forwarded()).and_then(|p| p.authorization());
        let own = [
            (!has("host")).then(|| ("Host", host(url, route))),
            user_agent.then(|| ("User-Agent", settings.user_agent.as_bytes().into())),
            (!has("accept")).then(|| ("Accept", b"*/*"[..].into())),
            decodes.then(|| ("Accept-Encoding", ACCEPT_ENCODING.as_bytes().into())),
            credentials.map(|credentials| ("Authorization", credentials.into_bytes().into())),
            to_proxy.map(|credentials| ("Proxy-Authorization", credentials.into_bytes().into())),
        ];
        let closes = given.iter().any(|field| lists(field, "connection", b"close"));
        Fields { given, own, decodes, closes }
    }

    /// About how many bytes a head takes without its target: what there is besides fields is added generously.
    fn room(&self) -> usize {
        let own = self.own.iter().flatten().map(|(name, value)| name.len() + value.len() + 4);
        let given = self.given.iter().map(|(name, value)| name.len() + value.len() + 4);
        64 + own.chain(given).sum::<usize>()
    }

    /// Host first, as RFC 9110, section 7.2, asks for.
    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let host = self.given.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host"));
        let rest = self.given.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
        let own = self.own.iter().flatten().map(|(name, value)| (*name, &value[..]));
        host.copied().chain(own).chain(rest.copied())
    }
}

/// Whether this field asks that the content be asked for (RFC 9110, section 10.1.1).
fn expects_continue(field: &(&str, &[u8])) -> bool {
    lists(field, "expect", b"100-continue")
}

/// Whether this is the field of that name, and the list in it has that element, in whatever case.
fn lists((name, value): &(&str, &[u8]), wanted: &str, element: &[u8]) -> bool {
    name.eq_ignore_ascii_case(wanted)
        && value.split(|b| *b == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(element))
}

fn has_credentials(url: &url::Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// `Basic` credentials from the URL's user and password (RFC 7617), if it has any.
fn basic_credentials(url: &url::Url) -> Option<String> {
    if !has_credentials(url) {
        return None;
    }
    let decoded = |text: &str| percent_decode(text.as_bytes());
    let mut pair = decoded(url.username());
    pair.push(b':');
    pair.extend(decoded(url.password().unwrap_or_default()));
    Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::path_and_query;

    /// The fields of plain requests are encoded once for a route: nothing of one request may come to be another's.
    #[test]
    fn requests_of_one_route_have_their_own_fields() {
        let (routes, settings) = (super::super::route::Routes::default(), Settings::default());
        let head = |method: &'static str, text: &str, fields: &[(&str, &[u8])], raw: bool| {
            let url: url::Url = text.parse().expect(text);
            let route = routes.of(&url, &settings).expect(text);
            let outgoing =
                Outgoing { method, url: &url, target: path_and_query(&url), fields, content: Outbound::None };
            let message = Message::new(outgoing, raw, &settings, route).expect(text);
            let flags = (message.decodes, message.closes);
            (String::from_utf8(message.bytes).expect("ASCII"), flags)
        };
        let agent = format!("User-Agent: {}\r\nAccept: */*\r\n", settings.user_agent);
        let plain = format!("Host: h:81\r\n{agent}Accept-Encoding: {ACCEPT_ENCODING}\r\n");
        for _ in 0..2 {
            let (text, flags) = head("GET", "http://h:81/a?b", &[], false);
            assert_eq!((text, flags), (format!("GET /a?b HTTP/1.1\r\n{plain}\r\n"), (true, false)));
            let (text, _) = head("POST", "http://h:81/", &[], false);
            assert_eq!(text, format!("POST / HTTP/1.1\r\n{plain}Content-Length: 0\r\n\r\n"));
            let (text, _) = head("GET", "http://me:s3cret@h:81/", &[], false);
            assert_eq!(text, format!("GET / HTTP/1.1\r\n{plain}Authorization: Basic bWU6czNjcmV0\r\n\r\n"));
            let (text, flags) = head("GET", "http://h:81/", &[], true);
            assert_eq!((text, flags), (format!("GET / HTTP/1.1\r\nHost: h:81\r\n{agent}\r\n"), (false, false)));
            let (text, flags) = head("GET", "http://h:81/", &[("Connection", b"close")], false);
            assert_eq!((text, flags), (format!("GET / HTTP/1.1\r\n{plain}Connection: close\r\n\r\n"), (true, true)));
            let (text, _) = head("GET", "http://h/", &[], false);
            assert!(text.starts_with("GET / HTTP/1.1\r\nHost: h\r\nUser-Agent"), "{text}");
        }
    }

    #[test]
    fn credentials_of_a_url() {
        let of = |text: &str| basic_credentials(&text.parse().expect(text));
        assert_eq!(of("http://h/"), None);
        // The example of RFC 7617, section 2, its space percent-encoded.
        assert_eq!(of("http://Aladdin:open%20sesame@h/").as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    }
}
