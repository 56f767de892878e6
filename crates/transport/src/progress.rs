//! How far a request has come and where its time went, to be looked at from outside.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::peer::Peer;
use crate::error::{Error, Phase};

/// Written by the transport while it works on a request, and read by the sender of the request at any time: also after a
/// failure or a cancellation, when there is no response to carry the figures.
///
/// Put one in a request through [`Request::progress`](crate::Request::progress). The requests of a chain of redirects add up.
#[derive(Debug, Default)]
pub struct Progress(Mutex<ProgressRecord>);

#[derive(Debug, Default)]
struct ProgressRecord {
    snapshot: ProgressSnapshot,
    /// The peer that was connected to, or tried last.
    peer: Option<Peer>,
}

/// What a [`Progress`] holds at one moment.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ProgressSnapshot {
    /// What the request is doing, or was doing when it ended.
    pub phase: Phase,
    /// Resolving the host name; `None` if that was not needed.
    pub dns: Option<Duration>,
    /// Making the connection, proxy included; `None` if one was reused.
    pub connect: Option<Duration>,
    /// The TLS handshake; `None` without TLS or on a reused connection.
    pub tls: Option<Duration>,
    /// From the first byte sent to the head of the response.
    pub first_byte: Option<Duration>,
    /// When the head of the last response had come.
    pub head_at: Option<Instant>,
    /// The address that was connected to, or tried last; `None` if that was a unix-domain socket.
    pub address: Option<SocketAddr>,
    /// Whether the connection had served a request before.
    pub reused: bool,
    /// Whether the connection has ended before a byte of a response.
    pub nothing_came: bool,
}

impl Progress {
    /// What is known now.
    pub fn snapshot(&self) -> ProgressSnapshot {
        self.lock().snapshot
    }

    /// The peer that was connected to, or tried last.
    pub fn peer(&self) -> Option<Peer> {
        self.lock().peer.clone()
    }

    /// What is known in the end, and the peer that was connected to, or tried last. The peer is moved out.
    pub fn close(&self) -> (ProgressSnapshot, Option<Peer>) {
        let mut record = self.lock();
        (record.snapshot, record.peer.take())
    }

    /// Notes that the head of a response has come to a sender that notes nothing itself; `started` is when it began.
    pub fn note_head(&self, started: Instant) {
        let mut record = self.lock();
        if record.snapshot.head_at.is_none() {
            record.snapshot.head_at = Some(Instant::now());
            record.snapshot.first_byte = Some(started.elapsed());
        }
        record.snapshot.phase = Phase::Body;
    }

    /// The error with the peer named, if a peer is known.
    pub(crate) fn blames(&self, error: Error) -> Error {
        match self.peer() {
            Some(peer) => peer.blamed_for(error),
            None => error,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.lock().snapshot.phase = phase;
    }

    pub(crate) fn tries(&self, peer: &Peer) {
        self.lock().tries(peer);
    }

    /// There is a connection to send on now.
    pub(crate) fn sends_to(&self, peer: &Peer, reused: bool) {
        let mut record = self.lock();
        record.snapshot.phase = Phase::Send;
        record.snapshot.reused = reused;
        record.tries(peer);
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut ProgressSnapshot)) {
        change(&mut self.lock().snapshot);
    }

    fn lock(&self) -> MutexGuard<'_, ProgressRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProgressRecord {
    fn tries(&mut self, peer: &Peer) {
        self.snapshot.address = peer.address();
        self.peer = Some(peer.clone());
    }
}

/// Adds to a sum that starts with nothing.
pub(crate) fn add(sum: &mut Option<Duration>, more: Duration) {
    *sum = Some(sum.unwrap_or_default() + more);
}
