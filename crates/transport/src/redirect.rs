//! Redirects (RFC 9110, section 15.4): one set of rules, and one loop that follows them over any sender.

use std::time::Duration;

use futures_lite::{AsyncRead, AsyncReadExt};
use url::Url;

use crate::error::{Error, Kind, Phase, Result};
use crate::event_loop::timeout;
use crate::h1::Head;
use crate::http::{is_credential, is_redirect};
use crate::origin::{Origin, without_password};
use crate::response::Response;
use crate::send::{ConnectionUse, Request, RequestContent, SendRequest};
use crate::unanswered::Unanswered;

/// How much of a redirect's own content is read so that its connection can serve the next request.
const DRAIN: u64 = 16 * 1024;

/// How long that may take: a new connection costs about as much.
const DRAIN_TIME: Duration = Duration::from_millis(250);

/// How many characters of a Location an error shows.
const MOST_SHOWN: usize = 200;

/// Fields that describe content, of which a GET has none.
const OF_CONTENT: [&str; 3] = ["content-type", "content-encoding", "content-length"];

/// Sends a request and follows at most `follow` redirects. Returns the last response and the URLs on the way, from the
/// first that was asked to the one that answered; none if there was no redirect.
///
/// 301, 302 and 303 turn POST into GET, 307 and 308 keep the method and the content. Host, and fields that
/// hold credentials or secrets, do not cross origins. A response whose status is a redirect but that has no Location, or
/// an empty one, is handed on as it is.
///
/// # Errors
/// [`Kind::Redirect`], which lists the way: from https to http, out of http and https, to a unix-domain socket that the
/// redirect does not come from, more than `follow` redirects, content that was streamed and is asked for again, or
/// content that holds a secret and is asked for at another origin: it is never sent without it. And what the sender answers
/// with.
pub async fn follow(sender: &dyn SendRequest, request: Request<'_>, follow: u32) -> Result<(Response, Vec<Url>)> {
    let mut followed = FollowedRequest::new(sender, request, follow);
    loop {
        if let FollowStep::Answered(response) = followed.step().await? {
            return Ok((response, followed.into_urls()));
        }
    }
}

/// A request that is followed through its redirects, one step a request: what [`follow`] does, for callers that have
/// something to do between one and the next, such as waiting for a host's leave.
pub struct FollowedRequest<'a> {
    sender: &'a dyn SendRequest,
    /// The first request. Its method and fields are those of the next; its URL stays the first.
    request: Request<'a>,
    fields: Vec<(&'a str, &'a [u8])>,
    has_content: bool,
    chain: RedirectChain,
    /// On which connection the next request may go.
    connection: ConnectionUse,
}

/// What came of one step.
#[derive(Debug)]
pub enum FollowStep {
    /// The last response: no redirect, or one that is not followed.
    Answered(Response),
    /// A redirect with this head, whose content is dealt with. The next step asks [`FollowedRequest::url`].
    Redirected(Head),
    /// No answer, but perhaps a head that is none: the kept connection had ended. The next step sends the same once more. Only
    /// for requests with [`ConnectionUse::KeptOnce`].
    Unanswered(Option<Head>),
}

impl<'a> FollowedRequest<'a> {
    /// A request of which at most `follow` redirects are followed.
    pub fn new(sender: &'a dyn SendRequest, request: Request<'a>, follow: u32) -> FollowedRequest<'a> {
        let mut chain = RedirectChain::new(follow);
        chain.shown_first = request.shown_url.map(Into::into);
        let has_content = !matches!(request.content, RequestContent::None);
        let connection = request.connection;
        FollowedRequest { sender, fields: request.fields.to_vec(), has_content, chain, request, connection }
    }

    /// The URL that the next step asks.
    pub fn url(&self) -> &Url {
        self.chain.last().unwrap_or(self.request.url)
    }

    /// The URLs on the way, from the first that was asked; none if there was no redirect.
    pub fn into_urls(self) -> Vec<Url> {
        self.chain.into_urls()
    }

    /// Sends one request.
    ///
    /// # Errors
    /// Those of [`follow`].
    pub async fn step(&mut self) -> Result<FollowStep> {
        let content = match (&mut self.request.content, self.has_content) {
            (_, false) => RequestContent::None,
            (RequestContent::Bytes(bytes), true) => RequestContent::Bytes(bytes),
            (stream @ RequestContent::Stream(..), true) => {
                // It can be sent once.
                self.connection = ConnectionUse::Kept;
                std::mem::replace(stream, RequestContent::None)
            }
            (RequestContent::None, true) => return Err(self.chain.content_is_gone()),
        };
        let (method, is_secret) = (self.request.method, self.request.is_secret);
        let url = self.chain.last().unwrap_or(self.request.url);
        let request = Request { url, connection: self.connection, ..self.request.again(&self.fields, content) };
        let response = match self.sender.send(request).await {
            Err(error) if Unanswered::cause_of(&error).is_some() => return Ok(self.unanswered(&error)),
            response => response?,
        };
        self.connection = self.request.connection;
        let (status, location) = (response.head.status(), response.head.get("location"));
        if !is_redirect(status) {
            return Ok(FollowStep::Answered(response));
        }
        let from = url.clone();
        let Some(hop) = self.chain.step(&from, method, status, location)? else {
            return Ok(FollowStep::Answered(response));
        };
        if hop.becomes_get {
            (self.request.method, self.has_content) = ("GET", false);
        }
        let holds_secret = |bytes: &[u8]| hop.leaves_origin && is_secret.is_some_and(|is_secret| is_secret(bytes));
        self.fields.retain(|(name, value)| hop.keeps_field(name) && !holds_secret(value));
        if let (true, RequestContent::Bytes(bytes)) = (self.has_content, &self.request.content) {
            if holds_secret(bytes) {
                return Err(self.chain.content_is_secret());
            }
        }
        // In a box: it is large, and few requests are redirected.
        if let Some(content) = response.content.undecoded() {
            Box::pin(drain(content)).await;
        }
        Ok(FollowStep::Redirected(response.head))
    }
}

impl FollowedRequest<'_> {
    /// Sends the same with the next step.
    fn unanswered(&mut self, error: &Error) -> FollowStep {
        let Some(Unanswered { head, without_expect }) = Unanswered::cause_of(error) else {
            return FollowStep::Unanswered(None);
        };
        if *without_expect {
            self.fields.retain(|(name, _)| !name.eq_ignore_ascii_case("expect"));
        } else {
            self.connection = ConnectionUse::New;
        }
        FollowStep::Unanswered(head.clone())
    }
}

impl std::fmt::Debug for FollowedRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FollowedRequest").field("request", &self.request).field("chain", &self.chain).finish()
    }
}

/// The URLs that redirects have led through, and how many more may be followed.
#[derive(Debug)]
pub struct RedirectChain {
    /// From the first that was asked; empty until there is a redirect.
    urls: Vec<Url>,
    follow: u32,
    /// The first URL as errors show it, if not as it is.
    shown_first: Option<Box<str>>,
}

/// What changes for the next request, beside its URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The next request is a GET without content.
    pub becomes_get: bool,
    /// The next request goes to another origin.
    pub leaves_origin: bool,
}

impl Hop {
    /// Whether a field of the request is sent with the next one, too.
    pub fn keeps_field(&self, name: &str) -> bool {
        let of_content = OF_CONTENT.iter().any(|other| name.eq_ignore_ascii_case(other));
        // The name that was given to the first host says nothing to another.
        let of_origin = name.eq_ignore_ascii_case("host") || is_credential(name);
        !(self.becomes_get && of_content || self.leaves_origin && of_origin)
    }
}

impl RedirectChain {
    /// A chain in which at most `follow` redirects are followed; 0 for none.
    pub fn new(follow: u32) -> RedirectChain {
        RedirectChain { urls: Vec::new(), follow, shown_first: None }
    }

    /// Decides about a response to a request of `from` with this method. If it is a redirect that can be followed, its
    /// target is the last URL of the chain afterwards.
    ///
    /// # Errors
    /// Those of [`follow`] that have to do with where the redirect leads.
    pub fn step(&mut self, from: &Url, method: &str, status: u16, location: Option<&[u8]>) -> Result<Option<Hop>> {
        // An empty Location would lead to the same URL again; it is no redirect (curl and browsers agree).
        let location = location.filter(|_| self.follow > 0 && is_redirect(status)).map(<[u8]>::trim_ascii);
        let Some(location) = location.filter(|location| !location.is_empty()) else { return Ok(None) };
        if self.urls.is_empty() {
            self.urls.push(from.clone());
        }
        let target = self.target(from, location)?;
        let hop = Hop { becomes_get: becomes_get(status, method), leaves_origin: !same_origin(from, &target) };
        self.urls.push(target);
        Ok(Some(hop))
    }

    /// The URL to ask next, after the first redirect.
    pub fn last(&self) -> Option<&Url> {
        self.urls.last()
    }

    /// All URLs, from the first that was asked; empty if there was no redirect.
    pub fn into_urls(self) -> Vec<Url> {
        self.urls
    }

    /// The error if content is asked for again that could be read only once.
    pub fn content_is_gone(&self) -> Error {
        let target = without_password(self.last().map_or("", Url::as_str));
        refused(format!("the redirect to {target} asks for the content again, which was streamed and is gone"))
    }

    fn content_is_secret(&self) -> Error {
        let target = without_password(self.last().map_or("", Url::as_str));
        let text = "asks for the content, which holds a secret, at another origin: it is not sent there";
        refused(format!("the redirect to {target} {text}"))
    }

    fn target(&self, from: &Url, location: &[u8]) -> Result<Url> {
        let location = as_reference(location);
        let shown = || {
            let ellipsis = if location.chars().nth(MOST_SHOWN).is_some() { "…" } else { "" };
            let cut: String = location.chars().take(MOST_SHOWN).collect();
            format!("{}{ellipsis}", without_password(&cut))
        };
        let mut target = from.join(&location).map_err(|error| {
            let first = self.shown_first.as_deref().filter(|_| self.urls.len() == 1);
            let from = first.map_or_else(|| without_password(from.as_str()), Into::into);
            refused(format!("the redirect from {from} leads to \"{}\", which is not a URL", shown())).with_source(error)
        })?;
        let same_origin = same_origin(from, &target);
        if target.scheme() == "http+unix" {
            // A server elsewhere must not choose what is said to a service of this machine.
            if !same_origin {
                let text = format!("the redirect {} -> {} leads to another socket of this machine", self, shown());
                return Err(refused(text));
            }
        } else if !matches!(target.scheme(), "http" | "https") || target.host_str().is_none_or(str::is_empty) {
            return Err(refused(format!("the redirect {} -> {} leads out of http and https", self, shown())));
        }
        if from.scheme() == "https" && target.scheme() == "http" {
            return Err(refused(format!("the redirect {} -> {} leads from https to http", self, shown())));
        }
        if self.urls.len() > self.follow as usize {
            return Err(refused(self.too_many(&target)));
        }
        if same_origin && target.username().is_empty() && target.password().is_none() {
            keep_user(from, &mut target);
        }
        Ok(target)
    }
}

impl RedirectChain {
    /// Says that there are too many redirects. A server that waits for something leads round and round until then: such a
    /// circle is shown once.
    fn too_many(&self, target: &Url) -> String {
        let target = without_password(target.as_str());
        let first = self.urls.iter().position(|url| without_password(url.as_str()) == target);
        let Some(first) = first else { return format!("more than {} redirects: {self} -> {target}", self.follow) };
        let again = self.urls[first + 1..].iter().position(|url| without_password(url.as_str()) == target);
        let end = again.map_or(self.urls.len(), |at| first + 1 + at);
        let urls = self.urls[..end].to_vec();
        let circle = RedirectChain { urls, follow: self.follow, shown_first: self.shown_first.clone() };
        format!("more than {} redirects, which go in a circle: {circle} -> {target}", self.follow)
    }
}

/// The way so far, without passwords.
impl std::fmt::Display for RedirectChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, url) in self.urls.iter().enumerate() {
            let arrow = if number == 0 { "" } else { " -> " };
            match &self.shown_first {
                Some(shown) if number == 0 => write!(f, "{arrow}{shown}")?,
                _ => write!(f, "{arrow}{}", without_password(url.as_str()))?,
            }
        }
        Ok(())
    }
}

/// Reads the content of a redirect, only to free its connection: if it is long, slow or broken, the connection is closed
/// with it.
pub async fn drain(content: impl AsyncRead + Unpin) {
    let mut content = content.take(DRAIN);
    let mut sink = Vec::new();
    let read = async {
        let _ = content.read_to_end(&mut sink).await;
    };
    let _ = timeout(DRAIN_TIME, read).await;
}

fn refused(text: String) -> Error {
    Error::new(Kind::Redirect, text).in_phase(Phase::Head)
}

/// A Location as the text of a reference. Servers send bytes beyond ASCII as UTF-8 or Latin-1; what is not UTF-8 is
/// percent-encoded byte by byte, as browsers do, so that the server gets the same bytes back.
fn as_reference(location: &[u8]) -> String {
    match std::str::from_utf8(location) {
        Ok(text) => text.to_owned(),
        Err(_) => percent_encoding::percent_encode(location, percent_encoding::CONTROLS).to_string(),
    }
}

/// Gives a target within the origin the user of the URL that led there: a relative Location keeps it, and an absolute one
/// means the same.
fn keep_user(from: &Url, target: &mut Url) {
    // Only a URL that cannot have a user refuses, and one with a host can.
    let _ = target.set_username(from.username());
    let _ = target.set_password(from.password());
}

fn becomes_get(status: u16, method: &str) -> bool {
    match status {
        301 | 302 => method == "POST",
        303 => !matches!(method, "GET" | "HEAD"),
        _ => false,
    }
}

fn same_origin(a: &Url, b: &Url) -> bool {
    matches!((Origin::of(a), Origin::of(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect(text)
    }

    /// Where a redirect from this URL leads.
    fn target(from: &Url, location: &[u8]) -> Result<String> {
        let mut chain = RedirectChain::new(10);
        chain.step(from, "GET", 302, Some(location))?;
        Ok(chain.last().map(Url::to_string).unwrap_or_default())
    }

    #[test]
    fn where_a_redirect_may_lead() {
        let https = url("https://a/x");
        let ok = |from: &Url, to: &str| target(from, to.as_bytes());
        assert_eq!(ok(&https, "/y").ok().as_deref(), Some("https://a/y"));
        assert_eq!(ok(&https, "//b/y").ok().as_deref(), Some("https://b/y"));
        assert_eq!(ok(&https, "https://a/x#again").ok().as_deref(), Some("https://a/x#again"));
        for (to, part) in [
            ("http://a/y", "https to http"),
            ("ftp://a/y", "out of http"),
            ("javascript:alert(1)", "out of http"),
            ("https://[", "not a URL"),
        ] {
            let error = ok(&https, to).expect_err(to);
            assert!(error.one_line().contains(part), "{}", error.one_line());
            assert_eq!(error.kind(), Kind::Redirect);
        }
        let urls = vec![url("https://a/1"), url("https://u:secret@a/2")];
        let mut chain = RedirectChain { urls, follow: 1, shown_first: None };
        let error = chain.step(&url("https://u:secret@a/2"), "GET", 302, Some(b"/3")).expect_err("too many");
        assert_eq!(error.one_line(), "more than 1 redirects: https://a/1 -> https://u:***@a/2 -> https://u:***@a/3");
    }

    #[cfg(unix)]
    #[test]
    fn a_redirect_stays_at_its_own_socket() {
        let socket = url("http+unix://%2Frun%2Fa.sock");
        for (to, leads) in [
            ("/y?z", "http+unix://%2Frun%2Fa.sock/y?z"),
            ("y", "http+unix://%2Frun%2Fa.sock/y"),
            ("http+unix://%2frun%2Fa%2Esock/y", "http+unix://%2frun%2Fa%2Esock/y"),
            ("http://a/", "http://a/"),
            ("https://a/", "https://a/"),
        ] {
            assert_eq!(target(&socket, to.as_bytes()).ok().as_deref(), Some(leads), "{to}");
        }
        for (from, to) in [
            (&socket, "http+unix://%2Frun%2Fb.sock/"),
            (&socket, "//%2Frun%2Fb.sock/"),
            (&socket, "http+unix:///run/a.sock"),
            (&url("https://a/x"), "http+unix://%2Frun%2Fa.sock/"),
            (&url("http://a/x"), "http+unix://%2Frun%2Fa.sock/"),
        ] {
            let error = target(from, to.as_bytes()).expect_err(to);
            assert!(error.one_line().contains("leads to another socket"), "{}", error.one_line());
            assert_eq!(error.kind(), Kind::Redirect);
        }
    }

    #[test]
    fn the_user_of_a_url_stays_within_the_origin() {
        let from = url("http://me:pw@a/x");
        for (to, leads) in [
            ("y", "http://me:pw@a/y"),
            ("/y", "http://me:pw@a/y"),
            ("http://a/y", "http://me:pw@a/y"),
            ("http://a:80/y", "http://me:pw@a/y"),
            ("//a/y", "http://me:pw@a/y"),
            ("http://you@a/y", "http://you@a/y"),
            ("http://a:81/y", "http://a:81/y"),
            ("http://b/y", "http://b/y"),
            ("https://a/y", "https://a/y"),
        ] {
            assert_eq!(target(&from, to.as_bytes()).ok().as_deref(), Some(leads), "{to}");
        }
    }

    /// Bytes that are not UTF-8 come back to the server as they were, and never as U+FFFD.
    #[test]
    fn a_location_beyond_ascii_keeps_its_bytes() {
        let from = url("http://a/x");
        for (location, leads) in [
            (&b"/caf\xe9?q=\xe4#\xff"[..], "http://a/caf%E9?q=%E4#%FF"),
            (b"/caf\xc3\xa9", "http://a/caf%C3%A9"),
            (b"  /y \t", "http://a/y"),
        ] {
            assert_eq!(target(&from, location).ok().as_deref(), Some(leads));
        }
        assert!(target(&from, b"http://caf\xe9.example/").is_err(), "a host has to be UTF-8");
    }

    #[test]
    fn what_is_no_redirect_ends_the_chain() {
        let from = url("http://a/x");
        for (follow, status, location) in [
            (10, 302, None),
            (10, 302, Some(&b""[..])),
            (10, 307, Some(b" \t")),
            (10, 300, Some(b"/y")),
            (0, 302, Some(b"/y")),
        ] {
            let mut chain = RedirectChain::new(follow);
            assert_eq!(chain.step(&from, "GET", status, location).ok(), Some(None), "{follow} {status} {location:?}");
            assert!(chain.into_urls().is_empty());
        }
    }

    #[test]
    fn methods() {
        for (status, method, get) in [
            (301, "POST", true),
            (302, "PUT", false),
            (303, "PUT", true),
            (303, "HEAD", false),
            (307, "POST", false),
            (308, "POST", false),
        ] {
            assert_eq!(becomes_get(status, method), get, "{status} {method}");
        }
    }

    #[test]
    fn fields_that_stay_behind() {
        let both = Hop { becomes_get: true, leaves_origin: true };
        for name in ["Authorization", "COOKIE", "proxy-authorization", "Host", "Content-Type"] {
            assert!(!both.keeps_field(name), "{name}");
            assert!(Hop { becomes_get: false, leaves_origin: false }.keeps_field(name), "{name}");
        }
        assert!(both.keeps_field("Accept"));
    }
}
