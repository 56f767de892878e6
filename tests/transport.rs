//! The transport under a bare `surf::Client`, against servers that do as they are told.

mod bodies;
mod codings;
mod connect_overrides;
mod connections;
mod expect;
mod failures;
#[cfg(target_os = "linux")]
mod interface;
mod misbehaving;
mod requests;
#[cfg(unix)]
pub(crate) mod sockets;
mod stock_faults;
#[allow(dead_code, unreachable_pub, reason = "its main is for the command line")]
#[path = "../examples/surf_backend.rs"]
mod surf_backend;
mod timeouts;
mod tls;
mod trust;
mod uploads;
mod yields;

use std::future::Future;
use std::sync::Arc;

use futures_lite::AsyncReadExt;
use http_client::{Config, HttpClient};
use roundup::event_loop::{EventLoop, timeout, unblock};
use roundup::surf::{Backend, RequestOptions, WireHead};
use roundup::transport::{Progress, body_error};
use roundup::{Error, Transport};
use surf::http::{Method, Url};
use surf::{Client, Request, Response};

use crate::common::{PATIENCE, Server, Stats};

/// Runs this on a loop of its own; fails the test where it does not end.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    EventLoop::new().run(async { timeout(PATIENCE, work).await.expect("it hangs") })
}

/// Waits for the server while the loop goes on: what was dropped is closed by the loop.
pub(crate) async fn wait_for(
    server: &Arc<Server>,
    condition: impl Fn(&Stats) -> bool + Send + Sync + 'static,
) -> Stats {
    let server = server.clone();
    unblock(move || server.wait_for(condition)).await
}

/// A client with a transport of its own.
fn client() -> Client {
    roundup::surf::client(Transport::new())
}

/// A client whose transport was configured as http-client does it: surf's own `Config` leaves a given client alone.
fn configured(transport: Transport, set: impl FnOnce(Config) -> Config) -> Client {
    let mut backend = Backend::new(transport);
    backend.set_config(set(Config::new())).expect("every setting can be taken");
    Client::with_http_client(backend)
}

fn request(method: Method, url: &str) -> Request {
    Request::new(method, Url::parse(url).expect(url))
}

fn get(url: &str) -> Request {
    request(Method::Get, url)
}

/// With these options, and a progress to look at afterwards.
fn with_options(mut request: Request, set: impl FnOnce(&mut RequestOptions)) -> (Request, Arc<Progress>) {
    let progress = Arc::<Progress>::default();
    let mut options = RequestOptions::default();
    options.progress = Some(progress.clone());
    set(&mut options);
    request.set_ext(options);
    (request, progress)
}

/// The head of the response, or the transport's error.
async fn head(client: &Client, request: Request) -> Result<Response, Error> {
    client.send(request).await.map_err(|error| error.downcast::<Error>().expect("an error of roundup's"))
}

/// The whole content, or the transport's error.
async fn content(response: &mut Response) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    response.take_body().read_to_end(&mut content).await.map_err(body_error)?;
    Ok(content)
}

/// The status as it came and the whole content.
async fn fetch(client: &Client, request: Request) -> Result<(u16, Vec<u8>), Error> {
    let mut response = head(client, request).await?;
    let status = wire(&response).head().status();
    Ok((status, content(&mut response).await?))
}

fn wire(response: &Response) -> &WireHead {
    response.ext::<WireHead>().expect("every response of the transport has one")
}
