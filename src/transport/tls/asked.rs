//! Whether a server asked for the client's certificate, and what it got: only then is a refusal about that.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;

use super::Asked;

thread_local! {
    /// What was asked while the handshake that is polled now was polled. One configuration serves many connections, some
    /// of them at once, and rustls tells the resolver nothing of them; but it asks while it is polled.
    static LAST: Cell<Asked> = const { Cell::new(Asked::No) };
}

/// Shows the certificate, if there is one, and notes that it was asked for.
#[derive(Debug)]
pub(super) struct Noting(pub(super) Option<Arc<dyn ResolvesClientCert>>);

impl ResolvesClientCert for Noting {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.as_ref().and_then(|inner| inner.resolve(hints, schemes));
        LAST.set(if shown.is_some() { Asked::AndSeen } else { Asked::InVain });
        shown
    }

    fn has_certs(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.has_certs())
    }
}

/// The handshake's result and what was asked for in it.
pub(super) async fn noted<T>(handshake: impl Future<Output = T>) -> (T, Asked) {
    let mut handshake = pin!(handshake);
    let mut asked = Asked::No;
    let result = poll_fn(|cx| {
        LAST.set(Asked::No);
        let poll = handshake.as_mut().poll(cx);
        if LAST.get() != Asked::No {
            asked = LAST.get();
        }
        poll
    });
    (result.await, asked)
}
