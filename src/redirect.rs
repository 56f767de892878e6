//! Redirects, followed by a surf middleware that sends each request once, and in the same way for the fetcher.

use std::time::Duration;

use async_trait::async_trait;
use futures_lite::{AsyncRead, AsyncReadExt};
use surf::http::headers;
use surf::http::{Method, Url};
use surf::middleware::{Middleware, Next};
use surf::{Body, Client, Request, Response};

use crate::error::{Error, Kind, Phase};
use crate::event_loop::timeout;
use crate::origin::{self, Origin, without_password};
use crate::transport::{RequestOptions, WireHead, into_surf, is_redirect};

#[cfg(feature = "fetcher")]
mod direct;

#[cfg(feature = "fetcher")]
pub(crate) use self::direct::{First, Way, fetch};

/// How many redirects are followed unless the request says otherwise.
const FOLLOW: u32 = 10;

/// Content up to this size is kept, to be sent again where a redirect asks for it.
const REPLAY: usize = 256 * 1024;

/// How much of a redirect's own content is read so that its connection can serve the next request.
const DRAIN: u64 = 16 * 1024;

/// How long that may take: a new connection costs about as much.
const PATIENCE: Duration = Duration::from_millis(250);

/// Follows redirects (RFC 9110, section 15.4).
///
/// 301, 302 and 303 turn POST into GET, 307 and 308 keep the method. Authorization, Cookie and Proxy-Authorization do not
/// cross origins. From https to http, to another scheme, to a unix-domain socket that it does not come from, in a loop, or
/// too often: an error of [`Kind::Redirect`] that lists the way. A response whose status is a redirect but that names no
/// Location is handed on as it is.
///
/// Unlike surf's own `Redirect`, it does not probe: every request is sent once.
#[derive(Clone, Copy, Debug)]
pub struct Redirect {
    follow: u32,
}

impl Redirect {
    /// Follows at most this many redirects in a row; 0 hands every redirect on.
    pub fn new(follow: u32) -> Redirect {
        Redirect { follow }
    }
}

/// Follows at most 10.
impl Default for Redirect {
    fn default() -> Redirect {
        Redirect::new(FOLLOW)
    }
}

/// In the `ext` of a request: how many redirects to follow, whatever the middleware's own limit is.
#[derive(Clone, Copy, Debug)]
pub struct Follow(pub u32);

/// In the `ext` of a response that redirects led to: the URLs on the way, from the first that was asked to the one that
/// answered.
#[derive(Clone, Debug)]
pub struct Redirected(pub Vec<Url>);

#[async_trait]
impl Middleware for Redirect {
    async fn handle(&self, mut request: Request, client: Client, next: Next<'_>) -> surf::Result<Response> {
        let follow = request.ext::<Follow>().map_or(self.follow, |follow| follow.0);
        if follow == 0 {
            return next.run(request, client).await;
        }
        let mut content = Content::take(&mut request).await?;
        let mut trail = Trail::new(follow);
        loop {
            let mut hop = copy(&request);
            content.put_into(&mut hop);
            let response = next.run(hop, client.clone()).await?;
            let Some((status, location)) = redirection(&response) else {
                return Ok(finished(response, trail.urls));
            };
            let step = trail.step(request.url(), request.method().as_ref(), status, &location).map_err(into_surf)?;
            if step.becomes_get {
                content = Content::None;
                let head: &mut surf::http::Request = request.as_mut();
                head.set_method(Method::Get);
                for name in OF_CONTENT {
                    head.remove_header(name);
                }
            } else if matches!(content, Content::Sent) {
                let target = without_password(trail.urls.last().map_or("", Url::as_str));
                let text =
                    format!("the redirect to {target} asks for the content again, which was streamed and is gone");
                return Err(into_surf(Error::new(Kind::Redirect, text).in_phase(Phase::Head)));
            }
            if step.leaves_origin {
                for name in NOT_ACROSS_ORIGINS {
                    request.remove_header(name);
                }
                let head: &mut surf::http::Request = request.as_mut();
                if let Some(options) = head.ext_mut().get_mut::<RequestOptions>() {
                    options.fields.retain(|field| !is_one_of(field.name(), &NOT_ACROSS_ORIGINS));
                }
            }
            // In a box, for it is large, and few requests are redirected.
            Box::pin(drain(response)).await;
            if let Some(target) = trail.urls.last() {
                *AsMut::<surf::http::Request>::as_mut(&mut request).url_mut() = target.clone();
            }
        }
    }
}

/// The way that redirects have led.
struct Trail {
    /// From the first that was asked; empty until there is a redirect.
    urls: Vec<Url>,
    /// From where on they were asked for with the present method: a POST that leads to a GET of the same URL is no circle.
    same_method_from: usize,
    follow: u32,
}

/// What has to change for the next request, beside its URL.
struct Step {
    becomes_get: bool,
    leaves_origin: bool,
}

impl Trail {
    fn new(follow: u32) -> Trail {
        Trail { urls: Vec::new(), same_method_from: 0, follow }
    }

    /// Where the redirect leads, if it may be followed, is then the last of the URLs.
    fn step(&mut self, from: &Url, method: &str, status: u16, location: &str) -> Result<Step, Error> {
        if self.urls.is_empty() {
            self.urls.push(from.clone());
        }
        let becomes_get = becomes_get(status, method);
        if becomes_get {
            self.same_method_from = self.urls.len();
        }
        let target = check(from, location, &self.urls, self.same_method_from, self.follow)?;
        let leaves_origin = !same_origin(from, &target);
        self.urls.push(target);
        Ok(Step { becomes_get, leaves_origin })
    }
}

/// Credentials, and the name that was given to the first host.
const NOT_ACROSS_ORIGINS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "host"];

/// What speaks of content, of which a GET has none.
const OF_CONTENT: [&str; 3] = ["content-type", "content-encoding", "content-length"];

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// The content of the request that is redirected.
enum Content {
    None,
    Kept(Vec<u8>),
    Stream(Body),
    /// A stream that was sent with an earlier request.
    Sent,
}

impl Content {
    async fn take(request: &mut Request) -> surf::Result<Content> {
        if request.len() == Some(0) {
            return Ok(Content::None);
        }
        let mime = request.header(headers::CONTENT_TYPE).is_some();
        let mut body = request.take_body();
        if !mime {
            // surf makes one up from the body it leaves behind.
            request.remove_header(headers::CONTENT_TYPE);
        }
        match body.len() {
            Some(0) => Ok(Content::None),
            Some(length) if length <= REPLAY => {
                let mut bytes = Vec::with_capacity(length);
                body.read_to_end(&mut bytes).await?;
                Ok(Content::Kept(bytes))
            }
            _ => Ok(Content::Stream(body)),
        }
    }

    fn put_into(&mut self, request: &mut Request) {
        match std::mem::replace(self, Content::Sent) {
            Content::None => *self = Content::None,
            Content::Kept(bytes) => {
                request.set_body(bytes.clone());
                *self = Content::Kept(bytes);
            }
            Content::Stream(body) => request.set_body(body),
            Content::Sent => {}
        }
    }
}

/// The same request to send: a clone has neither content nor extensions.
fn copy(request: &Request) -> Request {
    let mut copy = request.clone();
    if let Some(options) = request.ext::<RequestOptions>() {
        copy.set_ext(options.clone());
    }
    copy
}

/// Reads the content of a redirect, only to free the connection: what is long, slow or broken is dropped with it.
async fn drain(mut response: Response) {
    drain_content(response.take_body()).await;
}

async fn drain_content(content: impl AsyncRead + Unpin) {
    let mut content = content.take(DRAIN);
    let mut sink = Vec::new();
    let read = async {
        let _ = content.read_to_end(&mut sink).await;
    };
    // In vain is as good.
    let _ = timeout(PATIENCE, read).await;
}

/// Status and Location, where the response is a redirect that can be followed.
fn redirection(response: &Response) -> Option<(u16, String)> {
    let wire = response.ext::<WireHead>().map(WireHead::head);
    let status = wire.map_or(response.status() as u16, |head| head.status());
    if !is_redirect(status) {
        return None;
    }
    let location = match wire {
        Some(head) => String::from_utf8_lossy(head.get("location")?).into_owned(),
        None => response.header(headers::LOCATION)?.last().as_str().to_owned(),
    };
    Some((status, location))
}

fn becomes_get(status: u16, method: &str) -> bool {
    match status {
        301 | 302 => method == "POST",
        303 => !matches!(method, "GET" | "HEAD"),
        _ => false,
    }
}

/// Where the redirect leads, if it may be followed.
fn check(from: &Url, location: &str, chain: &[Url], same_method_from: usize, follow: u32) -> Result<Url, Error> {
    let wrong = |text: String| Error::new(Kind::Redirect, text).in_phase(Phase::Head);
    let way = || {
        let hops: Vec<_> = chain.iter().map(|url| without_password(url.as_str())).collect();
        hops.join(" -> ")
    };
    let shown = || without_password(&location.chars().take(200).collect::<String>()).into_owned();
    let target = origin::join(from, location).map_err(|(error, what)| {
        let from = without_password(from.as_str());
        wrong(format!("the redirect from {from} leads to \"{}\", {what}", shown())).with_source(error)
    })?;
    if target.scheme() == "http+unix" {
        // Whoever answers from elsewhere must not choose what is said to a service of this machine.
        if !same_origin(from, &target) {
            return Err(wrong(format!(
                "the redirect {} -> {} leads to another socket of this machine",
                way(),
                shown()
            )));
        }
    } else if !matches!(target.scheme(), "http" | "https") || target.host_str().is_none_or(str::is_empty) {
        return Err(wrong(format!("the redirect {} -> {} leads out of http and https", way(), shown())));
    }
    if from.scheme() == "https" && target.scheme() == "http" {
        return Err(wrong(format!("the redirect {} -> {} leads from https to http", way(), shown())));
    }
    // A fragment is never sent: with another one it is the same request.
    let same = |url: &&Url| url[..url::Position::AfterQuery] == target[..url::Position::AfterQuery];
    if chain[same_method_from..].iter().any(|url| same(&url)) {
        return Err(wrong(format!("the redirects go in a circle: {} -> {}", way(), without_password(target.as_str()))));
    }
    if chain.len() > follow as usize {
        return Err(wrong(format!("more than {follow} redirects: {} -> {}", way(), without_password(target.as_str()))));
    }
    Ok(target)
}

fn same_origin(a: &Url, b: &Url) -> bool {
    matches!((Origin::of(a), Origin::of(b)), (Ok(a), Ok(b)) if a == b)
}

fn finished(mut response: Response, chain: Vec<Url>) -> Response {
    if !chain.is_empty() {
        response.insert_ext(Redirected(chain));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect(text)
    }

    #[test]
    fn where_a_redirect_may_lead() {
        let https = url("https://a/x");
        let ok = |from: &Url, to: &str| check(from, to, std::slice::from_ref(from), 0, 10).map(|url| url.to_string());
        assert_eq!(ok(&https, "/y").ok().as_deref(), Some("https://a/y"));
        assert_eq!(ok(&https, "//b/y").ok().as_deref(), Some("https://b/y"));
        assert_eq!(ok(&url("http://me:pw@a/x"), "y").ok().as_deref(), Some("http://me:pw@a/y"));
        for (to, part) in [
            ("http://a/y", "https to http"),
            ("ftp://a/y", "out of http"),
            ("javascript:alert(1)", "out of http"),
            ("https://a/x#again", "in a circle"),
            ("https://[", "not a URL"),
        ] {
            let error = ok(&https, to).expect_err(to);
            assert!(error.one_line().contains(part), "{}", error.one_line());
            assert_eq!(error.kind(), Kind::Redirect);
        }
        #[cfg(unix)]
        {
            let socket = url("http+unix://%2Frun%2Fa.sock");
            for (to, leads) in [
                ("/y?z", "http+unix://%2Frun%2Fa.sock/y?z"),
                ("y", "http+unix://%2Frun%2Fa.sock/y"),
                ("http+unix://%2frun%2Fa%2Esock/y", "http+unix://%2frun%2Fa%2Esock/y"),
                ("http://a/", "http://a/"),
                ("https://a/", "https://a/"),
            ] {
                assert_eq!(ok(&socket, to).ok().as_deref(), Some(leads), "{to}");
            }
            for (from, to) in [
                (&socket, "http+unix://%2Frun%2Fb.sock/"),
                (&socket, "//%2Frun%2Fb.sock/"),
                (&socket, "http+unix:///run/a.sock"),
                (&https, "http+unix://%2Frun%2Fa.sock/"),
                (&url("http://a/x"), "http+unix://%2Frun%2Fa.sock/"),
            ] {
                let error = ok(from, to).expect_err(to);
                assert!(error.one_line().contains("leads to another socket"), "{}", error.one_line());
                assert_eq!(error.kind(), Kind::Redirect);
            }
        }
        let chain = [url("https://a/1"), url("https://u:secret@a/2")];
        let error = check(&chain[1], "/3", &chain, 0, 1).expect_err("too many");
        assert_eq!(error.one_line(), "more than 1 redirects: https://a/1 -> https://u:***@a/2 -> https://u:***@a/3");
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
}
