//! Idle connections of a transport: taken if they are still good, put back when a response was read to its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::connection::Connection;
use crate::pool::{Pool, PoolLimits};
use crate::route::Route;

/// A handle on the pool; clones share it. Only requests with the same route share a connection.
#[derive(Clone, Debug)]
pub(crate) struct IdleConnections(Arc<Mutex<Pool<Arc<Route>, Box<Connection>>>>);

impl IdleConnections {
    pub(crate) fn new(limits: PoolLimits) -> IdleConnections {
        IdleConnections(Arc::new(Mutex::new(Pool::new(limits))))
    }

    /// A connection to send on. One that the server has closed, or on which it has sent something without being asked, is dropped.
    pub(crate) fn take(&self, route: &Arc<Route>, now: Instant) -> Option<Box<Connection>> {
        loop {
            let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner).take(route, now)?;
            if !connection.is_stale() {
                return Some(connection);
            }
        }
    }

    /// Closes the connection that has been idle longest; whether there was one.
    pub(crate) fn close_oldest(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).close_oldest()
    }

    /// Keeps a connection whose last response was read to its end for the next request.
    pub(crate) fn put(&self, route: &Arc<Route>, mut connection: Box<Connection>) {
        if !connection.buffered().is_empty() {
            // Bytes that were not asked for must not be taken for the next response.
            return;
        }
        connection.rest();
        // It is idle since the server sent its last byte, which may have been read later.
        let since = connection.heard_at.unwrap_or_else(Instant::now);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(route, connection, since);
    }
}
