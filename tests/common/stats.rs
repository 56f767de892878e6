//! What the server counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Request;

/// What has happened so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    /// Requests whose head was read.
    pub(crate) requests: usize,
    /// Connections accepted.
    pub(crate) connections: usize,
    /// Connections that neither side has closed.
    pub(crate) open: usize,
    /// The highest `open` was.
    pub(crate) peak_open: usize,
    /// Requests from the head read to just before the last byte of the answer is written. So a client that keeps to
    /// a limit never seems to go over it, however the threads are scheduled.
    pub(crate) in_flight: usize,
    /// The highest `in_flight` was.
    pub(crate) peak_in_flight: usize,
    /// TLS handshakes with certificates.
    pub(crate) full_handshakes: usize,
    /// TLS handshakes that resumed a session.
    pub(crate) resumed_handshakes: usize,
    /// TLS handshakes that failed, with the reason.
    pub(crate) failed_handshakes: Vec<String>,
    /// What came that was no request.
    pub(crate) malformed: Vec<String>,
    /// All requests whose body was read or left unread on purpose, in that order.
    pub(crate) seen: Vec<Arc<Request>>,
    /// Heads read (`true`) and requests done, by path.
    log: Vec<(Arc<str>, bool)>,
}

impl Stats {
    /// How many requests had a path that starts so.
    pub(crate) fn requests_under(&self, prefix: &str) -> usize {
        self.log.iter().filter(|(path, started)| *started && path.starts_with(prefix)).count()
    }

    /// The highest number of requests in flight at one time whose path starts so.
    pub(crate) fn peak_under(&self, prefix: &str) -> usize {
        let (mut now, mut peak) = (0, 0);
        for (_, started) in self.log.iter().filter(|(path, _)| path.starts_with(prefix)) {
            now = if *started { now + 1 } else { now - 1 };
            peak = peak.max(now);
        }
        peak
    }

    /// Requests by the `Host` they were for.
    pub(crate) fn hosts(&self) -> BTreeMap<String, usize> {
        let mut hosts = BTreeMap::new();
        for request in &self.seen {
            *hosts.entry(request.header("host").unwrap_or_default().to_owned()).or_default() += 1;
        }
        hosts
    }

    /// `GET /path` for each request seen, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.iter().map(|request| format!("{} {}", request.method, request.target)).collect()
    }

    pub(super) fn opened(&mut self) {
        self.connections += 1;
        self.open += 1;
        self.peak_open = self.peak_open.max(self.open);
    }

    pub(super) fn started(&mut self, path: &Arc<str>) {
        self.requests += 1;
        self.in_flight += 1;
        self.peak_in_flight = self.peak_in_flight.max(self.in_flight);
        self.log.push((path.clone(), true));
    }

    pub(super) fn done(&mut self, path: &Arc<str>) {
        self.in_flight -= 1;
        self.log.push((path.clone(), false));
    }
}
