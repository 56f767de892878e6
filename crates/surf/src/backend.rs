//! The transport as a backend of surf clients.

use std::pin::Pin;
use std::time::Instant;

use http_client::http_types::{self, headers};
use http_client::{Config, HttpClient};
use roundup_http::Field;
use roundup_transport::{ConnectionUse, PoolLimits, Request, RequestContent, SendRequest, Transport};

use crate::convert::{into_response, into_surf};
use crate::options::RequestOptions;

/// A surf client over this transport.
pub fn client(transport: Transport) -> surf::Client {
    surf::Client::with_http_client(Backend::new(transport))
}

/// A [`Transport`] as surf's [`HttpClient`](trait@surf::HttpClient). Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Backend {
    transport: Transport,
    config: Config,
}

impl Backend {
    /// A backend without a time limit of its own: the caller's timeout decides.
    pub fn new(transport: Transport) -> Backend {
        Backend { transport, config: Config::new().set_timeout(None).set_tcp_no_delay(true) }
    }

    async fn exchange(&self, mut request: http_types::Request) -> Result<http_types::Response, http_types::Error> {
        let mut options = request.ext_mut().remove::<RequestOptions>().unwrap_or_default();
        let progress = options.progress.take().unwrap_or_default();
        let in_time = |limit| Instant::now().checked_add(limit).map(|at| (at, limit));
        let deadline = options.deadline.or_else(|| self.config.timeout.and_then(in_time));
        let content = take_content(&mut request);
        let method = request.method();
        let (omitted, others): (Vec<Field>, Vec<Field>) = options.fields.into_iter().partition(Field::is_omitted);
        let omitted: Vec<&str> = omitted.iter().map(Field::name).collect();
        let request = Request {
            method: method.as_ref(),
            url: request.url(),
            fields: &fields(&request, &others),
            omitted: &omitted,
            content,
            is_secret: None,
            shown_url: None,
            raw: options.raw,
            connect_timeout: options.connect_timeout,
            deadline,
            connection: ConnectionUse::Kept,
            progress: &progress,
        };
        let response = self.transport.send(request).await.map_err(into_surf)?;
        Ok(into_response(response, options.raw_head, progress.peer().as_ref()))
    }
}

impl From<Transport> for Backend {
    fn from(transport: Transport) -> Backend {
        Backend::new(transport)
    }
}

impl HttpClient for Backend {
    // What async_trait makes of an `async fn`, but that the request stands in the future once.
    fn send<'a, 'b>(
        &'a self,
        request: http_types::Request,
    ) -> Pin<Box<dyn Future<Output = Result<http_types::Response, http_types::Error>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.exchange(request))
    }

    /// `timeout` bounds a whole exchange, from the call to the last byte of content. `max_connections_per_host` bounds the
    /// idle connections that are kept (0: none), and `http_keep_alive` says whether any are. Connections are always made
    /// with TCP_NODELAY.
    fn set_config(&mut self, config: Config) -> http_types::Result<()> {
        let per_origin = if config.http_keep_alive { config.max_connections_per_host } else { 0 };
        self.transport = self.transport.with_pool_limits(PoolLimits { per_origin, ..self.transport.pool_limits() });
        self.config = config;
        Ok(())
    }

    fn config(&self) -> &Config {
        &self.config
    }
}

/// The content of a request, if it has any.
fn take_content(request: &mut http_types::Request) -> RequestContent<'static> {
    if request.len() == Some(0) {
        return RequestContent::None;
    }
    let typed = request.header(headers::CONTENT_TYPE).is_some();
    let body = request.take_body();
    if !typed {
        // http-types makes one up from the body it leaves behind.
        request.remove_header(headers::CONTENT_TYPE);
    }
    let length = body.len().map(|length| length as u64);
    RequestContent::Stream(Box::new(body), length)
}

/// The fields of a request, and those that http-types cannot carry.
fn fields<'a>(request: &'a http_types::Request, others: &'a [Field]) -> Vec<(&'a str, &'a [u8])> {
    let mut fields: Vec<(&str, &[u8])> = Vec::new();
    for (name, values) in request.iter() {
        fields.extend(values.iter().map(|value| (name.as_str(), value.as_str().as_bytes())));
    }
    fields.extend(others.iter().map(|field| (field.name(), field.value())));
    // http-types keeps fields in a hash map: without an order of ours, every run would send another one.
    fields.sort_by(|a, b| a.0.cmp(b.0));
    fields
}
