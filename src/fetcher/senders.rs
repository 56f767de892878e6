//! What jobs are sent through: the fetcher's own sender, and for jobs that say something of their connections a transport
//! of their own for each way.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_lock::OnceCell;

#[cfg(feature = "fleet")]
use super::elsewhere::Courier;
use crate::error::{Error, Kind, Phase, Result};
use crate::event_loop::unblock;
use crate::proxy_url::ProxyUrl;
use crate::settings::Settings;
use crate::transport::{PoolLimits, Proxy, Roots, SendRequest, Transport};

/// The most ways to connect in one run: each has connections of its own.
const MOST_WAYS: usize = 1000;

/// The most idle connections of each of these ways, so that many of them do not take all descriptors.
const MOST_IDLE: usize = 8;

/// How connections are made in place of the fetcher's own way. Jobs that differ in it share no connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct ConnectionSettings {
    proxy: Option<ProxyUrl>,
    cacert: Option<PathBuf>,
    cert: Option<PathBuf>,
    cert_key: Option<PathBuf>,
    insecure: bool,
}

impl ConnectionSettings {
    /// What a job says of connections; `None` if nothing.
    fn of(settings: &Settings) -> Option<ConnectionSettings> {
        let Settings { proxy, cacert, cert, cert_key, insecure, .. } = settings;
        let says_nothing = proxy.is_none() && cacert.is_none() && cert.is_none() && cert_key.is_none() && !insecure;
        (!says_nothing).then(|| ConnectionSettings {
            proxy: proxy.clone(),
            cacert: cacert.clone(),
            cert: cert.clone(),
            cert_key: cert_key.clone(),
            insecure: *insecure,
        })
    }
}

/// The sender of one way to connect, when it is made.
type Way = Arc<OnceCell<Arc<dyn SendRequest>>>;

/// The senders of a fetcher.
#[derive(Clone, Debug)]
pub(super) struct Senders {
    own: Arc<dyn SendRequest>,
    /// What other ways are derived from; `None` if it is the client of another library.
    transport: Option<Transport>,
    /// Who carries the jobs to others, if nothing is sent from here.
    #[cfg(feature = "fleet")]
    courier: Option<Arc<dyn Courier>>,
}

/// The senders of one run.
#[derive(Debug)]
pub(super) struct RunSenders {
    senders: Senders,
    ways: Mutex<HashMap<ConnectionSettings, Way>>,
}

impl Senders {
    /// A transport, of which others can be made.
    pub(super) fn of_transport(transport: Transport) -> Senders {
        Senders {
            own: Arc::new(transport.clone()),
            transport: Some(transport),
            #[cfg(feature = "fleet")]
            courier: None,
        }
    }

    /// Any other sender.
    pub(super) fn of(sender: impl SendRequest + 'static) -> Senders {
        Senders {
            own: Arc::new(sender),
            transport: None,
            #[cfg(feature = "fleet")]
            courier: None,
        }
    }

    /// The same with a courier.
    #[cfg(feature = "fleet")]
    pub(super) fn by(self, courier: Arc<dyn Courier>) -> Senders {
        Senders { courier: Some(courier), ..self }
    }

    /// Who carries the jobs to others, if nothing is sent from here.
    #[cfg(feature = "fleet")]
    pub(super) fn courier(&self) -> Option<&Arc<dyn Courier>> {
        self.courier.as_ref()
    }
}

impl RunSenders {
    pub(super) fn new(senders: Senders) -> RunSenders {
        RunSenders { senders, ways: Mutex::default() }
    }

    /// What a job of these settings is sent through.
    ///
    /// # Errors
    /// [`Kind::Connect`]: its proxy is none, or the fetcher sends through another client; [`Kind::Tls`]: a file cannot be used.
    pub(super) async fn of(&self, settings: &Settings) -> Result<Arc<dyn SendRequest>> {
        match ConnectionSettings::of(settings) {
            None => Ok(self.senders.own.clone()),
            // In a box: few jobs have one.
            Some(way) => Box::pin(self.by(way)).await,
        }
    }

    async fn by(&self, way: ConnectionSettings) -> Result<Arc<dyn SendRequest>> {
        let wrong = |text: String| Err(failed(Kind::Connect, Phase::Connect, &text));
        let Some(transport) = &self.senders.transport else {
            return wrong(
                "proxy, cacert, cert and insecure of a job have no effect on a client that was given".to_owned(),
            );
        };
        let cell = {
            let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
            if ways.len() >= MOST_WAYS && !ways.contains_key(&way) {
                return wrong(format!("the jobs of a run may connect in at most {MOST_WAYS} ways"));
            }
            ways.entry(way.clone()).or_default().clone()
        };
        let transport = transport.clone();
        let made = cell.get_or_try_init(|| unblock(move || made_of(&transport, &way)));
        made.await.cloned()
    }
}

/// A transport that connects in this way, and is like this one in all else. Reads files.
fn made_of(transport: &Transport, way: &ConnectionSettings) -> Result<Arc<dyn SendRequest>> {
    let ConnectionSettings { proxy, cacert, cert, cert_key, insecure } = way;
    let pool = transport.pool_limits();
    let mut builder = transport.to_builder().pool(PoolLimits { total: pool.total.min(MOST_IDLE), ..pool });
    if let Some(proxy) = proxy {
        let proxy = proxy.as_str().parse::<Proxy>();
        builder = builder.proxy(proxy.map_err(|error| failed(Kind::Connect, Phase::Proxy, &error.one_line()))?);
    }
    if let Some(file) = cacert {
        builder = builder.roots(Roots::File(file.clone()));
    }
    match (cert, cert_key) {
        (Some(cert), key) => builder = builder.client_certificate(cert.clone(), key.clone()),
        (None, Some(_)) => return Err(failed(Kind::Tls, Phase::Tls, "cert_key has no effect without cert")),
        (None, None) => {}
    }
    if *insecure {
        builder = builder.danger_accept_invalid_certs(true);
    }
    let transport = builder.build().map_err(|error| failed(Kind::Tls, Phase::Tls, &error.one_line()))?;
    Ok(Arc::new(transport))
}

/// A failure of a source, which no further attempt mends.
fn failed(kind: Kind, phase: Phase, text: &str) -> Error {
    Error::new(kind, text).in_phase(phase).passing(false)
}
