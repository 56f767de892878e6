//! Whether a server asked for the client's certificate, and what it got: only then is a refusal about that.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;

use super::CertRequest;

thread_local! {
    /// What was asked while the handshake that is polled now was polled. One configuration serves many connections, some
    /// of them at once, and rustls tells the resolver nothing of them; but it asks while it is polled.
    static LAST: Cell<CertRequest> = const { Cell::new(CertRequest::None) };
}

/// Shows the certificate, if there is one, and notes that it was asked for.
#[derive(Debug)]
pub(super) struct RecordingResolver(pub(super) Option<Arc<dyn ResolvesClientCert>>);

impl ResolvesClientCert for RecordingResolver {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.as_ref().and_then(|inner| inner.resolve(hints, schemes));
        LAST.set(if shown.is_some() { CertRequest::Answered } else { CertRequest::Unanswered });
        shown
    }

    fn has_certs(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.has_certs())
    }
}

/// The handshake's result and what was asked for in it.
pub(super) async fn with_cert_request<T>(handshake: impl Future<Output = T>) -> (T, CertRequest) {
    let mut handshake = pin!(handshake);
    let mut asked = CertRequest::None;
    let result = poll_fn(|cx| {
        LAST.set(CertRequest::None);
        let poll = handshake.as_mut().poll(cx);
        if LAST.get() != CertRequest::None {
            asked = LAST.get();
        }
        poll
    });
    (result.await, asked)
}
