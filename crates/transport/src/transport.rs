//! The transport: connections and what they are made with, shared by its clones.

use std::sync::Arc;
use std::time::Duration;

use crate::body::WireBody;
use crate::byte_stream::ByteStream;
use crate::coding::Coding;
use crate::config::Config;
use crate::content::Content;
use crate::content_layer::ContentLayer;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::exchange::ReceivedHead;
use crate::h1::Framing;
use crate::http::Origin;
use crate::message::Message;
use crate::pool::PoolLimits;
use crate::progress::Progress;
use crate::response::Response;
use crate::send::{Request, SendRequest, Sending};
use crate::shared::Shared;

/// Sends requests over HTTP/1.1 on async-io sockets. Cheap to clone; clones share connections, names and TLS sessions.
///
/// A transport has one setting for TLS, and its pool is its own: no connection made with other roots, another client
/// certificate or other pins can serve its requests. For two settings, make two transports.
#[derive(Clone, Debug)]
pub struct Transport {
    shared: Arc<Shared>,
}

impl Transport {
    pub(crate) fn with_config(config: Config) -> Transport {
        Transport { shared: Arc::new(Shared::new(config)) }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    /// How many idle connections are kept, and how long.
    pub fn pool_limits(&self) -> PoolLimits {
        self.shared.config.pool
    }

    /// The same transport with other limits of its pool, which is a new one.
    pub fn with_pool_limits(&self, pool: PoolLimits) -> Transport {
        Transport::with_config(Config { pool, ..self.shared.config.clone() })
    }

    /// Opens a connection to this origin for another protocol than HTTP: encrypted if its scheme is https, and never through a
    /// proxy. It is not one of the pool.
    ///
    /// # Errors
    /// Those of connecting, as for a request.
    pub async fn open_stream(&self, origin: Origin, limit: Duration) -> Result<ByteStream> {
        self.shared.stream(origin, limit).await
    }

    /// One request and the head of its response, in the order in which it happens: the route is found, the message is
    /// made, and then [`Shared::exchange`] gets a connection, sends on it, and reads the head. The caller reads the content
    /// from the [`Response`].
    ///
    /// The message is made before the future, which would otherwise hold the request beside it.
    fn send_request<'a>(&'a self, request: Request<'a>) -> Result<impl Future<Output = Result<Response>> + Send + 'a> {
        let Request { deadline, connect_timeout, progress, raw, .. } = request;
        let shared = &self.shared;
        let route = shared.routes.of(request.url, &shared.config)?;
        let mut message = Message::new(request, &shared.config, route)?;
        let mut deadline = match deadline {
            Some((at, limit)) => Deadline::new(Some(at), limit),
            None => Deadline::never(),
        };
        Ok(async move {
            // All requests of a chain of redirects write to one progress, and this one has not been answered yet.
            progress.update(|snapshot| (snapshot.head_at, snapshot.nothing_came) = (None, false));
            let received = deadline.watch(progress, async {
                message.complete().await?;
                shared.admitted_exchange(&mut message, connect_timeout, progress).await
            });
            let received = received.await?;
            debug_assert!(!(raw && message.decodes), "a raw request asks for no content coding");
            Ok(shared.response(received, message, deadline, progress))
        })
    }
}

impl Shared {
    /// The response to a message, whose content has yet to be read.
    fn response(
        &self,
        received: ReceivedHead,
        message: Message<'_>,
        deadline: Deadline,
        progress: &Arc<Progress>,
    ) -> Response {
        let home = received.keep.then(|| (self.idle.clone(), message.route));
        let ReceivedHead { connection, head, framing, body, .. } = received;
        let codings = match framing {
            Framing::Empty | Framing::Length(0) => Vec::new(),
            _ if message.decodes => Coding::listed(head.get_all("content-encoding")),
            _ => Vec::new(),
        };
        let length = match framing {
            Framing::Empty => Some(0),
            Framing::Length(length) if codings.is_empty() => Some(length),
            _ => None,
        };
        let decoded = !codings.is_empty() && codings.iter().all(Coding::can_be_undone);
        let body = WireBody::new(connection, body, deadline, progress.clone(), home);
        Response { head, length, decoded, content: decode(body, codings, progress) }
    }
}

/// The content behind these codings. The one that was applied last is undone first.
fn decode(body: WireBody, codings: Vec<Coding>, progress: &Arc<Progress>) -> Content {
    let undo = |layer, coding: Coding| -> Box<dyn ContentLayer> { Box::new(coding.decode(layer, progress.clone())) };
    Content::new(codings.into_iter().rev().fold(Box::new(body), undo))
}

impl SendRequest for Transport {
    fn send<'a>(&'a self, request: Request<'a>) -> Sending<'a> {
        match self.send_request(request) {
            Ok(response) => Box::pin(response),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}
