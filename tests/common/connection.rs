//! One connection of the server, on a thread of its own.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{HandshakeKind, ServerConfig};

use super::reply::{Reply, Step, last_deed};
use super::request::{Problem, Reader};
use super::server::{Shared, Stopped};
use super::wire::Wire;

/// Counts a connection as open while it lives.
pub(super) struct Open<'a> {
    shared: &'a Shared,
    n: usize,
}

impl Open<'_> {
    pub(super) fn new(shared: &Shared, n: usize) -> Open<'_> {
        Open { shared, n }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.shared.forget(self.n);
        self.shared.change(|stats| stats.open -= 1);
    }
}

/// Counts a request as in flight while it lives.
struct Flight<'a> {
    shared: &'a Shared,
    path: Arc<str>,
    permit: Option<Box<dyn std::any::Any + Send>>,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.permit = None;
        self.shared.change(|stats| stats.done(&self.path));
    }
}

/// Plays the server on one connection until it ends.
pub(super) fn serve(shared: &Shared, n: usize, socket: Arc<TcpStream>, tls: Option<Arc<ServerConfig>>) {
    // Small pieces are to go out as they are written.
    let _ = socket.set_nodelay(true);
    let mut wire = Wire::plain(socket);
    let mut reader = Reader::default();
    if let Some(reply) = shared.on_connect.as_ref().and_then(|hook| hook(n)) {
        match play(shared, &mut wire, reply, None, false) {
            Ok(Next::Keep) => {}
            Ok(next) => return finish(shared, n, wire, &next, false),
            Err(_) => return,
        }
    }
    if let Some(config) = tls {
        match wire.handshake(config) {
            Ok((encrypted, kind)) => {
                wire = encrypted;
                shared.change(|stats| match kind {
                    Some(HandshakeKind::Resumed) => stats.resumed_handshakes += 1,
                    _ => stats.full_handshakes += 1,
                });
            }
            Err(error) => {
                shared.change(|stats| stats.failed_handshakes.push(error.to_string()));
                // The alert that says why must not be overtaken by a reset.
                return finish(shared, n, wire, &Next::Close, true);
            }
        }
    }
    for nth in 1.. {
        let mut unread = false;
        match exchange(shared, &mut wire, &mut reader, (n, nth), &mut unread) {
            Ok(Next::Keep) => {}
            Ok(next) => return finish(shared, n, wire, &next, unread || reader.has_more()),
            Err(Problem::Gone) => return,
            Err(Problem::Malformed(what)) => {
                shared.change(|stats| stats.malformed.push(what));
                let _ = wire.write_all(b"HTTP/1.1 400 \r\nConnection: close\r\n\r\n");
                return finish(shared, n, wire, &Next::Close, true);
            }
        }
    }
}

/// What becomes of the connection after a script.
enum Next {
    Keep,
    Close,
    Cut,
    Reset,
}

/// One request and its answer.
fn exchange(
    shared: &Shared,
    wire: &mut Wire,
    reader: &mut Reader,
    (connection, nth): (usize, usize),
    unread: &mut bool,
) -> Result<Next, Problem> {
    let mut request = reader.head(wire)?;
    (request.connection, request.nth, request.sni) = (connection, nth, wire.sni());
    let path: Arc<str> = request.path().into();
    request.in_flight = shared.change(|stats| {
        stats.started(&path);
        stats.in_flight
    });
    let mut flight = Flight { shared, path, permit: None };
    let framing = request.framing()?;
    let early = shared.on_head.as_ref().and_then(|hook| hook(&request));
    if early.is_some() {
        *unread = !framing.is_empty();
    } else {
        request.body = reader.body(wire, &framing)?;
    }
    let request = Arc::new(request);
    shared.change(|stats| stats.seen.push(request.clone()));
    let mut reply = early.unwrap_or_else(|| (shared.handler)(&request));
    flight.permit = reply.permit.take();
    let next = play(shared, wire, reply, Some(flight), request.method == "HEAD")?;
    Ok(match next {
        Next::Keep if *unread || !request.keeps_alive() => Next::Close,
        next => next,
    })
}

fn play(
    shared: &Shared,
    wire: &mut Wire,
    reply: Reply,
    mut flight: Option<Flight<'_>>,
    head: bool,
) -> Result<Next, Problem> {
    let deed = last_deed(&reply.steps);
    let mut next = Next::Keep;
    for (n, step) in reply.steps.into_iter().enumerate() {
        let mut done = if n == deed { flight.take() } else { None };
        let bytes = match step {
            Step::Response(response) => {
                if !response.keeps_alive() {
                    next = Next::Close;
                }
                response.bytes(head)
            }
            Step::Bytes(bytes) => bytes,
            Step::Forever(bytes) => loop {
                // Fails when somebody has gone.
                wire.write_all(&bytes)?;
                wire.flush()?;
            },
            Step::Naked(bytes) => {
                wire.flush()?;
                wire.naked(&bytes)?;
                continue;
            }
            Step::Pause(delay) => {
                shared.pause(Some(delay)).map_err(|Stopped| Problem::Gone)?;
                continue;
            }
            Step::Close => return Ok(Next::Close),
            Step::Cut => return Ok(Next::Cut),
            Step::Reset => return Ok(Next::Reset),
            Step::Hang => {
                wire.discard(None);
                return Err(Problem::Gone);
            }
            Step::Stall => {
                // Ends only when the server does.
                let _ = shared.pause(None);
                return Err(Problem::Gone);
            }
            Step::Tunnel(port) => {
                wire.tunnel(port)?;
                return Err(Problem::Gone);
            }
        };
        // So that a long write counts as in flight until its end.
        let (most, last) = bytes.split_at(bytes.len().saturating_sub(1));
        if done.is_some() && most.len() > 16 * 1024 {
            wire.write_all(most)?;
            done = None;
            wire.write_all(last)?;
        } else {
            done = None;
            wire.write_all(&bytes)?;
        }
        drop(done);
        wire.flush()?;
    }
    Ok(next)
}

/// Ends a connection. Nobody else may hold the socket then, or dropping it would not close it.
fn finish(shared: &Shared, n: usize, mut wire: Wire, next: &Next, unread: bool) {
    match next {
        Next::Keep => {}
        Next::Close => {
            wire.close();
            if unread {
                // A close with unread bytes is a reset, which can overtake the answer (RFC 9112, 9.6).
                wire.discard(Some(Duration::from_secs(2)));
            }
        }
        Next::Cut => {}
        Next::Reset => wire.linger_zero().expect("SO_LINGER on an open socket"),
    }
    shared.forget(n);
    drop(wire);
}
