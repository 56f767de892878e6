//! The one way to send: a request in plain types goes in, a head and a stream of content come out.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::AsyncRead;
use url::Url;

use crate::error::Result;
use crate::origin::without_password;
use crate::progress::Progress;
use crate::response::Response;

/// Sends one request and receives the head of its response. Redirects are not followed: [`follow`](crate::follow) does
/// that over any sender.
///
/// [`Transport`](crate::Transport) implements it. Another client can, too: a cache, a recorder, a client with middleware.
///
/// # Errors
/// A sender answers with an error if no head of a final response came: [`Kind`](crate::error::Kind) and
/// [`Phase`](crate::error::Phase) say why and how far the request had come. Any status is a response.
pub trait SendRequest: fmt::Debug + Send + Sync {
    /// Sends the request. Dropping the future cancels it.
    fn send<'a>(&'a self, request: Request<'a>) -> Sending<'a>;
}

/// What [`SendRequest::send`] returns.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

/// Tells whether bytes hold a secret.
pub type SecretTest<'a> = &'a (dyn Fn(&[u8]) -> bool + Send + Sync);

/// A request in plain types.
pub struct Request<'a> {
    /// The method as it is sent (RFC 9110, section 9): case-sensitive.
    pub method: &'a str,
    /// The target. A user and password in it are sent as Basic credentials, unless `fields` has an Authorization.
    pub url: &'a Url,
    /// Header fields in the order in which they are sent. Host, User-Agent, Accept and Accept-Encoding are added if they
    /// are not among them; what frames the content is left out.
    pub fields: &'a [(&'a str, &'a [u8])],
    /// Names of fields that are not added.
    pub omitted: &'a [&'a str],
    /// The content, if any.
    pub content: RequestContent<'a>,
    /// Tells whether bytes hold a secret; `None` if nothing does. Fields that hold one stay behind when a redirect leaves
    /// the origin, and content that holds one is not sent to another.
    pub is_secret: Option<SecretTest<'a>>,
    /// The URL as errors show it; `None` for the URL itself without its password.
    pub shown_url: Option<&'a str>,
    /// Neither ask for nor undo content codings.
    pub raw: bool,
    /// How long making a connection may take; the sender's own limit if `None`.
    pub connect_timeout: Option<Duration>,
    /// When the exchange must be done, to the last byte of content, and the limit to name if it is not; `None` if the
    /// caller sees to the time.
    pub deadline: Option<(Instant, Duration)>,
    /// On which connection it may go.
    pub connection: ConnectionUse,
    /// Where to note how far the request has come.
    pub progress: &'a Arc<Progress>,
}

/// On which connection a request may go.
///
/// A server may close an idle connection at the moment when a request is sent on it. Then the request has to be sent once more,
/// on a new connection, if it may be repeated at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectionUse {
    /// One that was kept, if there is one. The sender sends the request once more by itself.
    #[default]
    Kept,
    /// One that was kept, if there is one. The request is not sent once more: the error has [`Unanswered`](crate::Unanswered) as
    /// a source. For those who count what they send.
    KeptOnce,
    /// A new one.
    New,
}

impl<'a> Request<'a> {
    /// A GET without fields of its own.
    pub fn get(url: &'a Url, progress: &'a Arc<Progress>) -> Request<'a> {
        Request {
            method: "GET",
            url,
            fields: &[],
            omitted: &[],
            content: RequestContent::None,
            is_secret: None,
            shown_url: None,
            raw: false,
            connect_timeout: None,
            deadline: None,
            connection: ConnectionUse::Kept,
            progress,
        }
    }

    /// The same request with these fields and this content.
    pub fn again<'s>(&'s self, fields: &'s [(&'s str, &'s [u8])], content: RequestContent<'s>) -> Request<'s> {
        let Request { method, url, omitted, is_secret, shown_url, raw, connect_timeout, deadline, .. } = *self;
        let (connection, progress) = (self.connection, self.progress);
        Request {
            method,
            url,
            fields,
            omitted,
            content,
            is_secret,
            shown_url,
            raw,
            connect_timeout,
            deadline,
            connection,
            progress,
        }
    }
}

/// Values of fields are left out: they may be credentials.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.fields.iter().map(|(name, _)| *name).collect();
        let url = self.shown_url.map_or_else(|| without_password(self.url.as_str()), Into::into);
        let mut shown = f.debug_struct("Request");
        shown.field("method", &self.method).field("url", &url).field("fields", &names).field("content", &self.content);
        shown.finish_non_exhaustive()
    }
}

/// The content of a request.
pub enum RequestContent<'a> {
    /// None at all.
    None,
    /// Content in memory: can be sent again.
    Bytes(&'a [u8]),
    /// Content that is read while it is sent, and its length if that is known: it is sent in chunks otherwise. Can be sent
    /// once.
    Stream(Box<dyn AsyncRead + Send + Sync + Unpin + 'a>, Option<u64>),
}

impl fmt::Debug for RequestContent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes may hold a password.
        match self {
            RequestContent::None => f.write_str("None"),
            RequestContent::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            RequestContent::Stream(_, Some(length)) => write!(f, "Stream({length} bytes)"),
            RequestContent::Stream(_, None) => f.write_str("Stream"),
        }
    }
}
