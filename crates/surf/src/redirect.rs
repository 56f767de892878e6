//! Redirects, followed by a surf middleware that sends each request once.

use async_trait::async_trait;
use futures_lite::AsyncReadExt;
use roundup_transport::{Hop, RedirectChain, drain};
use surf::http::headers;
use surf::http::{Method, Url};
use surf::middleware::{Middleware, Next};
use surf::{Body, Client, Request, Response};

use crate::convert::{WireHead, into_surf};
use crate::options::RequestOptions;

/// How many redirects are followed unless the request says otherwise.
const FOLLOW: u32 = 10;

/// Content up to this size is kept, to be sent again if a redirect asks for it.
const REPLAY: usize = 256 * 1024;

/// Follows redirects (RFC 9110, section 15.4).
///
/// The rules are those of [`roundup_transport::follow`], which lists them.
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
        let mut content = ReplayContent::take(&mut request).await?;
        let mut chain = RedirectChain::new(follow);
        loop {
            let mut hop = copy(&request);
            content.put_into(&mut hop);
            let mut response = next.run(hop, client.clone()).await?;
            let (status, location) = redirection(&response);
            let step = chain.step(request.url(), request.method().as_ref(), status, location.as_deref());
            let Some(step) = step.map_err(into_surf)? else { return Ok(finished(response, chain.into_urls())) };
            if step.becomes_get {
                content = ReplayContent::None;
                AsMut::<surf::http::Request>::as_mut(&mut request).set_method(Method::Get);
            } else if matches!(content, ReplayContent::Sent) {
                return Err(into_surf(chain.content_is_gone()));
            }
            keep_fields(&mut request, step);
            // In a box: it is large, and few requests are redirected.
            Box::pin(drain(response.take_body())).await;
            if let Some(target) = chain.last() {
                *AsMut::<surf::http::Request>::as_mut(&mut request).url_mut() = target.clone();
            }
        }
    }
}

/// Removes the fields that are not sent with the next request.
fn keep_fields(request: &mut Request, hop: Hop) {
    let names: Vec<_> = request.header_names().filter(|name| !hop.keeps_field(name.as_str())).cloned().collect();
    for name in names {
        request.remove_header(name);
    }
    let head: &mut surf::http::Request = request.as_mut();
    if let Some(options) = head.ext_mut().get_mut::<RequestOptions>() {
        options.fields.retain(|field| hop.keeps_field(field.name()));
    }
}

/// The content of the request that is redirected.
enum ReplayContent {
    None,
    Kept(Vec<u8>),
    Stream(Body),
    /// A stream that was sent with an earlier request.
    Sent,
}

impl ReplayContent {
    async fn take(request: &mut Request) -> surf::Result<ReplayContent> {
        if request.len() == Some(0) {
            return Ok(ReplayContent::None);
        }
        let mime = request.header(headers::CONTENT_TYPE).is_some();
        let mut body = request.take_body();
        if !mime {
            // surf makes one up from the body it leaves behind.
            request.remove_header(headers::CONTENT_TYPE);
        }
        match body.len() {
            Some(0) => Ok(ReplayContent::None),
            Some(length) if length <= REPLAY => {
                let mut bytes = Vec::with_capacity(length);
                body.read_to_end(&mut bytes).await?;
                Ok(ReplayContent::Kept(bytes))
            }
            _ => Ok(ReplayContent::Stream(body)),
        }
    }

    fn put_into(&mut self, request: &mut Request) {
        match std::mem::replace(self, ReplayContent::Sent) {
            ReplayContent::None => *self = ReplayContent::None,
            ReplayContent::Kept(bytes) => {
                request.set_body(bytes.clone());
                *self = ReplayContent::Kept(bytes);
            }
            ReplayContent::Stream(body) => request.set_body(body),
            ReplayContent::Sent => {}
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

/// Status and Location of a response.
fn redirection(response: &Response) -> (u16, Option<Vec<u8>>) {
    match response.ext::<WireHead>().map(WireHead::head) {
        Some(head) => (head.status(), head.get("location").map(<[u8]>::to_vec)),
        None => {
            let location = response.header(headers::LOCATION).map(|values| values.last().as_str().as_bytes().to_vec());
            (response.status() as u16, location)
        }
    }
}

fn finished(mut response: Response, chain: Vec<Url>) -> Response {
    if !chain.is_empty() {
        response.insert_ext(Redirected(chain));
    }
    response
}
