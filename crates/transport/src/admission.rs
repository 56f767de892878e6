//! Asks a proxy once whether it lets a client in: a password that it has refused is not sent again and again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::{Duration, Instant};

use async_lock::{Mutex, MutexGuardArc};

use crate::error::{Error, Kind, Phase, Result};
use crate::proxy::Proxy;

/// For so long a refusal counts: a run that goes on for days finds out that the password was mended.
const REMEMBERED: Duration = Duration::from_secs(300);

/// What is known of each proxy with credentials.
#[derive(Debug, Default)]
pub(crate) struct Admissions(SyncMutex<HashMap<Arc<Proxy>, Arc<Admission>>>);

/// What is known of one.
#[derive(Debug, Default)]
struct Admission {
    /// Whether it is asked without further ado.
    settled: AtomicBool,
    /// Held by the request that asks; the others wait for what it finds out. When it was refused, and how.
    refused: Arc<Mutex<Option<(Instant, String)>>>,
}

/// The right to find out whether a proxy lets this client in. Dropped before that, another request does.
pub(crate) struct AdmissionTest {
    admission: Arc<Admission>,
    refused: MutexGuardArc<Option<(Instant, String)>>,
}

impl Admissions {
    /// Waits if another request is finding out. `None` if the proxy is known to let this client in, or can be asked without
    /// a password.
    ///
    /// # Errors
    /// [`Kind::Connect`] if it has refused these credentials.
    pub(crate) async fn ask(&self, proxy: &Arc<Proxy>) -> Result<Option<AdmissionTest>> {
        if !proxy.has_credentials() {
            return Ok(None);
        }
        let admission = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(proxy.clone()).or_default().clone()
        };
        if admission.settled.load(Ordering::Acquire) {
            return Ok(None);
        }
        let mut refused = admission.refused.lock_arc().await;
        if admission.settled.load(Ordering::Acquire) {
            return Ok(None);
        }
        if let Some((_, text)) = refused.as_ref().filter(|(at, _)| at.elapsed() < REMEMBERED) {
            let text = format!("the proxy {proxy} is not asked again: {text}");
            return Err(Error::new(Kind::Connect, text).in_phase(Phase::Proxy).passing(false));
        }
        *refused = None;
        Ok(Some(AdmissionTest { admission, refused }))
    }
}

impl AdmissionTest {
    /// The proxy has not refused the credentials. If it could not be asked, the others find out for themselves, all at once.
    pub(crate) fn passed(self) {
        self.admission.settled.store(true, Ordering::Release);
    }

    /// The proxy has refused the credentials.
    pub(crate) fn failed(mut self, text: String) {
        *self.refused = Some((Instant::now(), text));
    }
}
