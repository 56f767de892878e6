//! A request as it goes over the wire.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_lite::{AsyncRead, AsyncReadExt};

use crate::coding::ACCEPT_ENCODING;
use crate::config::Config;
use crate::error::{Error, Kind, Phase, Result};
use crate::h1::{RequestBody, encode_head};
use crate::head_log;
use crate::http::{REDACTED, is_idempotent, percent};
use crate::origin::{Scheme, path_and_query};
use crate::route::Route;
use crate::send::{ConnectionUse, Request, RequestContent};
use crate::tls;

/// Content up to this size is put behind the head, sent with it in one write, and can be sent again.
const SMALL: usize = 256 * 1024;

/// Content that is read while it is sent.
pub(super) type ContentReader<'a> = Box<dyn AsyncRead + Send + Sync + Unpin + 'a>;

/// The head and the content of a request.
pub(crate) struct Message<'a> {
    pub(super) method: &'a str,
    pub(super) route: Arc<Route>,
    /// The head, and the content if that is small.
    pub(super) bytes: Vec<u8>,
    /// How many of them are the head.
    head: usize,
    /// If the content is to wait until the server asks for it: the same head without that expectation.
    unexpecting: Option<Vec<u8>>,
    /// Small content of this length that is still to be read.
    unread: Option<(ContentReader<'a>, usize)>,
    /// Content that is read and sent piece by piece.
    pub(super) stream: Option<(ContentReader<'a>, RequestBody)>,
    /// The same, if it is in memory, so that it can be read again.
    in_memory: Option<&'a [u8]>,
    pub(super) connection: ConnectionUse,
    /// Whether content codings of the response are to be undone.
    pub(super) decodes: bool,
    /// Whether the sender asks that the connection be closed afterwards.
    pub(super) closes: bool,
    /// The head as it is logged, if heads are.
    pub(super) logged: Option<String>,
}

impl<'a> Message<'a> {
    /// # Errors
    /// [`Kind::Config`] if the method, a field or the target cannot be sent.
    pub(super) fn new(request: Request<'a>, config: &Config, route: Arc<Route>) -> Result<Message<'a>> {
        let Request { method, url, fields, omitted, content, raw, is_secret, shown_url, connection, .. } = request;
        let length = match &content {
            RequestContent::None => None,
            RequestContent::Bytes(bytes) => Some(Some(bytes.len() as u64)),
            RequestContent::Stream(_, length) => Some(*length),
        };
        let (framing, small) = match length {
            None => (RequestBody::None, None),
            Some(Some(length)) => (RequestBody::Length(length), usize::try_from(length).ok().filter(|l| *l <= SMALL)),
            Some(None) => (RequestBody::Chunked, None),
        };
        let target = request_target(path_and_query(url), &route);
        let fields = RequestFields::new(url, (fields, omitted), raw, config, &route, framing);
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
        let is_secret = |line: &[u8]| is_secret.is_some_and(|is_secret| is_secret(line));
        let logged = head_log::is_on().then(|| head_log::request(&bytes, shown_url.unwrap_or(REDACTED), is_secret));
        let (mut unread, mut stream, mut in_memory) = (None, None, None);
        match (content, small) {
            (RequestContent::None, _) => {}
            (RequestContent::Bytes(content), Some(_)) => bytes.extend_from_slice(content),
            (RequestContent::Bytes(content), None) => {
                (stream, in_memory) = (Some((Box::new(content) as ContentReader<'a>, framing)), Some(content));
            }
            (RequestContent::Stream(reader, _), Some(length)) => unread = Some((reader, length)),
            (RequestContent::Stream(reader, _), None) => stream = Some((reader, framing)),
        }
        Ok(Message {
            method,
            route,
            bytes,
            head,
            unexpecting,
            unread,
            stream,
            in_memory,
            connection,
            decodes,
            closes,
            logged,
        })
    }

    /// Reads content that is sent with the head and was not there yet.
    pub(super) async fn complete(&mut self) -> Result<()> {
        match self.unread.take() {
            // Boxed, so that requests without it are not larger for it.
            Some((reader, length)) => Box::pin(append(&mut self.bytes, reader, length)).await,
            None => Ok(()),
        }
    }

    /// Head and small content apart, if the content is to wait until the server asks for it (RFC 9110, section 10.1.1).
    pub(super) fn expecting(&self) -> Option<(&[u8], &[u8])> {
        self.unexpecting.as_ref().map(|_| self.bytes.split_at(self.head))
    }

    /// What can be sent as soon as there is a connection: the message without content that is sent in pieces. Empty if the
    /// content waits until it is asked for, and if the message is long.
    pub(super) fn ahead(&self) -> &[u8] {
        if self.unexpecting.is_some() || self.bytes.len() > tls::AHEAD { &[] } else { &self.bytes }
    }

    /// Lets the content wait no longer; false if it did not.
    pub(super) fn drop_expectation(&mut self) -> bool {
        let Some(head) = self.unexpecting.take() else { return false };
        let length = head.len();
        self.bytes.splice(..self.head, head);
        self.head = length;
        true
    }

    /// Whether it can be sent a second time, after a connection died under the first (RFC 9110, section 9.2.2).
    pub(super) fn may_be_repeated(&self) -> bool {
        is_idempotent(self.method) && self.can_be_read_again()
    }

    /// Whether all of it is there for a second time.
    pub(super) fn can_be_read_again(&self) -> bool {
        self.stream.is_none() || self.in_memory.is_some()
    }

    /// Goes back to the beginning of its content, if that can be read again.
    pub(super) fn rewind(&mut self) {
        if let (Some(content), Some((reader, _))) = (self.in_memory, &mut self.stream) {
            *reader = Box::new(content);
        }
    }
}

/// Reads small content behind the head.
async fn append(bytes: &mut Vec<u8>, reader: ContentReader<'_>, length: usize) -> Result<()> {
    let before = bytes.len();
    let read = reader.take(SMALL as u64).read_to_end(bytes).await;
    read.map_err(|error| content_error("the request's content cannot be read").with_source(error))?;
    if bytes.len() - before != length {
        return Err(content_error("the request's content is shorter than its announced length"));
    }
    Ok(())
}

fn content_error(text: &str) -> Error {
    Error::new(Kind::Io, text).in_phase(Phase::Send)
}

/// What stands between method and version: the path, or the whole URL for a proxy (RFC 9112, section 3.2).
fn request_target<'a>(path: &'a str, route: &Route) -> Cow<'a, str> {
    if route.is_forwarded() {
        return format!("{}{path}", route.origin).into();
    }
    // A path of http and https has at least a slash; one of other schemes may be empty.
    if path.starts_with('/') { path.into() } else { format!("/{path}").into() }
}

/// The value of Host. A URL of http or https has it as it is to be sent, without the scheme's default port.
fn host<'a>(url: &'a url::Url, route: &Route) -> Cow<'a, [u8]> {
    match route.origin.scheme() {
        Scheme::Http | Scheme::Https => url[url::Position::BeforeHost..url::Position::AfterPort].as_bytes().into(),
        Scheme::HttpUnix => route.origin.authority().into_bytes().into(),
    }
}

/// A field that is added if the request does not have it.
type DefaultField<'a> = Option<(&'static str, Cow<'a, [u8]>)>;

/// The fields of a request: those that were given, and those that are added if they are not among them.
struct RequestFields<'f, 'a> {
    given: Cow<'f, [(&'a str, &'a [u8])]>,
    own: [DefaultField<'f>; 6],
    decodes: bool,
    closes: bool,
}

impl<'f, 'a> RequestFields<'f, 'a> {
    fn new(
        url: &'f url::Url,
        (given, omitted): (&'f [(&'a str, &'a [u8])], &[&str]),
        raw: bool,
        config: &'f Config,
        route: &Route,
        framing: RequestBody,
    ) -> RequestFields<'f, 'a> {
        // Without content nothing can wait (RFC 9110, section 10.1.1).
        let given: Cow<'f, [(&str, &[u8])]> = match framing {
            RequestBody::None if given.iter().any(expects_continue) => {
                given.iter().filter(|field| !expects_continue(field)).copied().collect()
            }
            _ => given.into(),
        };
        // What is left out on purpose is not added either.
        let has = |name: &str| {
            let is_it = |given: &str| given.eq_ignore_ascii_case(name);
            given.iter().any(|(given, _)| is_it(given)) || omitted.iter().any(|omitted| is_it(omitted))
        };

        // A range is a range of the coded content, which cannot be decoded from its middle (RFC 9110, section 14.2).
        let decodes = !raw && !has("accept-encoding") && !has("range");
        let user_agent = !config.user_agent.is_empty() && !has("user-agent");
        let credentials = basic_credentials(url).filter(|_| !has("authorization"));
        let to_proxy = route.proxy.as_ref().filter(|_| route.is_forwarded()).and_then(|p| p.authorization());
        let own = [
            (!has("host")).then(|| ("Host", host(url, route))),
            user_agent.then(|| ("User-Agent", config.user_agent.as_bytes().into())),
            (!has("accept")).then(|| ("Accept", b"*/*"[..].into())),
            decodes.then(|| ("Accept-Encoding", ACCEPT_ENCODING.as_bytes().into())),
            credentials.map(|credentials| ("Authorization", credentials.into_bytes().into())),
            to_proxy.map(|credentials| ("Proxy-Authorization", credentials.into_bytes().into())),
        ];
        let closes = given.iter().any(|field| lists(field, "connection", b"close"));
        RequestFields { given, own, decodes, closes }
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
    let decoded = |text: &str| percent::decode(text.as_bytes());
    let mut pair = decoded(url.username());
    pair.push(b':');
    pair.extend(decoded(url.password().unwrap_or_default()));
    Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn credentials_of_a_url() {
        let of = |text: &str| basic_credentials(&text.parse().expect(text));
        assert_eq!(of("http://h/"), None);
        // The example of RFC 7617, section 2, its space percent-encoded.
        assert_eq!(of("http://Aladdin:open%20sesame@h/").as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    }
}
