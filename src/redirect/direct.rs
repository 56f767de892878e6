//! Redirects followed without surf, for the fetcher.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::{NOT_ACROSS_ORIGINS, OF_CONTENT, Trail, drain_content, is_one_of};
use crate::error::Result;
use crate::origin::{LazyUrl, path_and_query};
use crate::transport::{Outbound, Outgoing, Received, Trace, Transport, is_redirect};

/// A request to send and to follow, in plain types.
pub(crate) struct First<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a LazyUrl,
    pub(crate) fields: Vec<(&'a str, &'a [u8])>,
    pub(crate) content: Option<&'a [u8]>,
}

/// How it is to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// As [`RequestOptions::raw`](crate::transport::RequestOptions::raw).
    pub(crate) raw: bool,
    /// As [`RequestOptions::connect_timeout`](crate::transport::RequestOptions::connect_timeout).
    pub(crate) connect_timeout: Option<Duration>,
}

/// Sends a request through a transport and follows at most so many redirects, as [`Redirect`](super::Redirect) does for
/// clients of surf. Returns the URLs on the way too, where there were any.
pub(crate) async fn fetch(
    transport: &Transport,
    first: First<'_>,
    way: Way,
    follow: u32,
    trace: &Arc<Trace>,
) -> Result<(Received, Vec<Url>)> {
    let First { mut method, url: first, mut fields, content: mut sent } = first;
    let mut trail = Trail::new(follow);
    loop {
        let (url, target) = match trail.urls.last() {
            Some(url) => (url, path_and_query(url)),
            None => (first.root(), first.path_and_query()),
        };
        let content = sent.map_or(Outbound::None, Outbound::Bytes);
        let outgoing = Outgoing { method, url, target, fields: &fields, content };
        let received = {
            let mut message = transport.prepare(outgoing, way.raw)?;
            transport.fetch(&mut message, way.connect_timeout, trace).await?
        };
        // In a block, so that there is no room for what is only used in it while the rest of the content is read.
        let content = {
            let status = received.head.status();
            let follows = follow > 0 && is_redirect(status);
            let location = if follows { received.head.get("location") } else { None };
            let Some(location) = location else { return Ok((received, trail.urls)) };
            let from = trail.urls.last().unwrap_or_else(|| first.whole()).clone();
            let step = trail.step(&from, method, status, &String::from_utf8_lossy(location))?;
            if step.becomes_get {
                (method, sent) = ("GET", None);
                fields.retain(|(name, _)| !is_one_of(name, &OF_CONTENT));
            }
            if step.leaves_origin {
                fields.retain(|(name, _)| !is_one_of(name, &NOT_ACROSS_ORIGINS));
            }
            received.content
        };
        // In a box, for it is large, and few requests are redirected.
        Box::pin(drain_content(content)).await;
    }
}
