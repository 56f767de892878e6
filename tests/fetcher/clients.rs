//! Clients that are not roundup's: scripted ones without a socket, and what they may do wrong.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures_lite::{AsyncBufRead, AsyncRead, future};
use http_client::{Config, HttpClient, Request, Response};
use roundup::{Fetcher, Job, Kind, Outcome, Phase, Transport};
use surf::http::{Body, Error, StatusCode};
use surf::middleware::{Middleware, Next};
use surf::{Client, http};

use super::{assert_failed, at_once, collect, failure, job, once};

/// Roundup's client, holding something as long as it lives.
pub(super) fn holding(witness: Arc<()>) -> Client {
    #[derive(Debug)]
    struct Holding(Arc<()>);
    #[async_trait]
    impl Middleware for Holding {
        async fn handle(&self, request: surf::Request, client: Client, next: Next<'_>) -> surf::Result<surf::Response> {
            assert!(Arc::strong_count(&self.0) > 0);
            next.run(request, client).await
        }
    }
    roundup::surf::client(Transport::new()).with(Holding(witness))
}

/// Answers by the path, without a socket. Has no configuration, as a backend may.
#[derive(Debug, Default)]
struct Scripted {
    sent: Arc<AtomicUsize>,
}

#[async_trait]
impl HttpClient for Scripted {
    async fn send(&self, request: Request) -> Result<Response, Error> {
        let nth = self.sent.fetch_add(1, Ordering::SeqCst);
        let answer = |status: StatusCode, body: Body| {
            let mut response = Response::new(status);
            response.set_body(body);
            Ok(response)
        };
        match request.url().path() {
            "/ok" => answer(StatusCode::Ok, "hello".into()),
            "/error" => Err(Error::from_str(StatusCode::BadGateway, "no such luck")),
            "/timeout" => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            "/never" => future::pending().await,
            "/body-never" => answer(StatusCode::Ok, Body::from_reader(Odd::Never, None)),
            "/body-fails" => answer(StatusCode::Ok, Body::from_reader(Odd::Fails, None)),
            "/body-short" => answer(StatusCode::Ok, Body::from_reader(Odd::Short, Some(100))),
            "/endless" => answer(StatusCode::Ok, Body::from_reader(Odd::Endless, None)),
            "/later" if nth == 0 => {
                let mut response = Response::new(StatusCode::ServiceUnavailable);
                response.insert_header("retry-after", "0");
                Ok(response)
            }
            _ => answer(StatusCode::NotFound, Body::empty()),
        }
    }

    fn set_config(&mut self, _: Config) -> http::Result<()> {
        unreachable!("a client is not asked for this")
    }

    fn config(&self) -> &Config {
        unreachable!("a client is not asked for this")
    }
}

enum Odd {
    Never,
    Fails,
    Short,
    Endless,
}

impl AsyncRead for Odd {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        unreachable!("the fetcher reads by fill_buf")
    }
}

impl AsyncBufRead for Odd {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        match self.get_mut() {
            Odd::Never => Poll::Pending,
            Odd::Fails => Poll::Ready(Err(io::Error::other("the backend broke"))),
            Odd::Short => Poll::Ready(Ok(&[])),
            Odd::Endless => Poll::Ready(Ok(&[0; 4096])),
        }
    }
    fn consume(self: Pin<&mut Self>, _: usize) {}
}

fn fetch(jobs: Vec<Job>) -> (Vec<Outcome>, usize) {
    let sent = Arc::<AtomicUsize>::default();
    let client = Client::with_http_client(Scripted { sent: sent.clone() });
    let outcomes = collect(&Fetcher::with_client(client).limits(at_once(3)), jobs);
    (outcomes, sent.load(Ordering::SeqCst))
}

#[test]
fn a_client_of_ones_own_is_enough() {
    let (outcomes, sent) =
        fetch((0..20).map(|n| job(format!("http://scripted.test/{}", ["ok", "none"][n % 2]))).collect());
    assert_eq!(sent, 20);
    for (n, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.status, Some([200, 404][n % 2]));
        assert_eq!(outcome.ok(), n % 2 == 0);
    }
    assert_eq!(outcomes[0].body.as_ref().and_then(roundup::Body::in_memory), Some(&b"hello"[..]));
    let timings = outcomes[0].timings;
    assert!(timings.first_byte.is_some() && timings.body.is_some() && timings.connect.is_none());
}

#[test]
fn what_a_client_says_went_wrong_is_passed_on() {
    let (outcomes, sent) = fetch(vec![once("http://scripted.test/error"), once("http://scripted.test/timeout")]);
    assert_eq!(sent, 2);
    for (outcome, text) in outcomes.iter().zip(["no such luck", "timed out"]) {
        assert_eq!(failure(outcome).kind, Kind::Io);
        assert!(failure(outcome).message.contains(text), "{}", failure(outcome).message);
    }
}

#[test]
fn a_client_that_keeps_no_limit_is_cut_off() {
    let limit = |path: &str| {
        once(format!("http://scripted.test{path}")).with(|settings| settings.timeout = Duration::from_millis(300))
    };
    // The endless one is always ready: it must let go of the thread, otherwise no limit of time holds.
    let endless = limit("/endless").with(|settings| settings.max_body = Some(u64::MAX));
    let fetcher = Fetcher::with_client(Client::with_http_client(Scripted::default())).keep_bodies(false);
    let outcomes = collect(&fetcher, vec![limit("/never"), limit("/body-never"), endless]);
    assert_eq!(failure(&outcomes[0]).kind, Kind::Timeout);
    assert_failed(&outcomes[1], Kind::Timeout, Phase::Body);
    assert_failed(&outcomes[2], Kind::Timeout, Phase::Body);
    assert!(outcomes[2].body_bytes.is_some_and(|bytes| bytes > 0));
}

#[test]
fn content_that_a_client_loses_is_an_error() {
    let (outcomes, _) = fetch(vec![once("http://scripted.test/body-fails"), once("http://scripted.test/body-short")]);
    assert_failed(&outcomes[0], Kind::Io, Phase::Body);
    let message = &failure(&outcomes[0]).message;
    assert!(message.contains("the backend broke") && !message.contains("compressed"), "{message}");
    assert_failed(&outcomes[1], Kind::Body, Phase::Body);
}

#[test]
fn what_a_server_asks_for_is_heeded_with_any_client() {
    let (outcomes, sent) = fetch(vec![job("http://scripted.test/later")]);
    assert_eq!((sent, outcomes[0].attempts.len()), (2, 2));
    assert!(outcomes[0].attempts[1].waited.is_some_and(|waited| waited >= Duration::from_millis(100)));
}
