//! One request and its response on one connection.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, FutureExt};
use http_client::http_types::Body;

use super::Shared;
use super::connection::{Connection, Written};
use super::h1::{BodyDecoder, Framing, Head, Progress, RequestBody, ResponseParser, encode_chunk, encode_last_chunk};
use super::message::Message;
use super::tls::{self, Asked};
use super::trace::Trace;
use crate::error::{Error, Kind, Phase, Result};
use crate::event_loop::sleep;

/// How much of a long content is sent at once.
const PIECE: usize = 32 * 1024;

/// A response whose head has come.
pub(super) struct Answer {
    pub(super) connection: Box<Connection>,
    pub(super) head: Head,
    pub(super) framing: Framing,
    pub(super) body: BodyDecoder,
    /// Whether the connection can serve another request once the content is read.
    pub(super) keep: bool,
    sent: Sent,
}

/// Why there is no answer, and whether the peer can have acted on the request.
struct Failed {
    error: Error,
    nothing_came: bool,
    sent: Sent,
}

/// How much of a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// All of it.
    Whole,
    /// Less, or nobody knows.
    Part,
    /// The head, and nothing of the content that it announces.
    Head,
}

impl Shared {
    /// Sends a message and reads the head of the response.
    ///
    /// A server may close an idle connection at the moment when a request is sent on it. Where not one byte of a response
    /// came on a reused connection, the request is sent once more on a new one, if it may be repeated at all. What only
    /// had its head sent, its content waiting, may be: nobody acts on that.
    ///
    /// A server that refuses to be asked for the content (417) is sent the request once more without (RFC 9110,
    /// section 10.1.1).
    pub(super) async fn exchange(
        self: &Arc<Shared>,
        message: &mut Message<'_>,
        connect_timeout: Option<Duration>,
        trace: &Trace,
    ) -> Result<Answer> {
        let mut fresh = false;
        loop {
            let (connection, ready) = self.connection(message, fresh, connect_timeout, trace).await?;
            let reused = connection.served > 0;
            trace.sends_to(&connection.peer, reused);
            match self.converse(connection, ready, message, trace).await {
                Ok(answer)
                    if answer.head.status() == 417
                        && (answer.sent == Sent::Head || message.stream.is_none())
                        && message.drop_expectation() =>
                {
                    log::debug!("{}: 417, the request is sent again without Expect", message.route.origin);
                }
                Ok(answer) => return Ok(answer),
                Err(failed)
                    if reused
                        && !fresh
                        && failed.nothing_came
                        && (failed.sent == Sent::Head || message.may_be_repeated()) =>
                {
                    log::debug!("{}: the idle connection was closed, a new one is made", message.route.origin);
                    fresh = true;
                }
                Err(Failed { error, .. }) => return Err(trace.blames(error)),
            }
        }
    }

    async fn converse(
        &self,
        mut connection: Box<Connection>,
        ready: Instant,
        message: &mut Message<'_>,
        trace: &Trace,
    ) -> Result<Answer, Failed> {
        let parser = ResponseParser::new(message.method, self.settings.head_limits);
        let mut exchange = Exchange {
            connection: &mut connection,
            parser,
            interim: false,
            asked_for: false,
            head: None,
            broken: None,
        };
        let sent = match exchange.send(message, self.settings.expect100_timeout, trace).await {
            Ok(sent) => sent,
            // Even after a failed write there may be an answer that says why. A broken pipe only says that there is an end,
            // which the reader finds too, and not that it was a reset.
            Err(Unsent::Socket(error)) => {
                exchange.broken = Some(error).filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
                Sent::Part
            }
            Err(Unsent::Unasked(error)) => return Err(exchange.failed(exchange.lost(error), Sent::Head)),
            Err(Unsent::Error(error)) => return Err(Failed { error, nothing_came: false, sent: Sent::Part }),
        };
        trace.enter(Phase::Head);
        let (head, framing) = exchange.receive(sent).await?;
        let now = Instant::now();
        connection.heard_at = Some(now);
        trace.update(|progress| {
            super::trace::add(&mut progress.first_byte, now.saturating_duration_since(ready));
            progress.head_at = Some(now);
            progress.phase = Phase::Body;
        });
        let keep = sent == Sent::Whole && head.keep_alive() && !message.closes && framing != Framing::UntilClose;
        let body = BodyDecoder::with_limits(framing, self.settings.head_limits);
        Ok(Answer { connection, head, framing, body, keep, sent })
    }
}

/// Why a request was not sent whole.
enum Unsent {
    /// The socket failed; an answer may have come before.
    Socket(io::Error),
    /// The socket failed while the content waited to be asked for.
    Unasked(io::Error),
    /// The content that was to be sent cannot be had, or what came meanwhile is no HTTP.
    Error(Error),
}

/// A request on its way out and what of the response has come meanwhile.
struct Exchange<'a> {
    connection: &'a mut Connection,
    parser: ResponseParser,
    /// Whether an interim response has come.
    interim: bool,
    /// Whether one of them was 100 (Continue).
    asked_for: bool,
    head: Option<(Head, Framing)>,
    /// Why the request could not be sent whole. Said once, it is not said again where the answer is read.
    broken: Option<io::Error>,
}

impl Exchange<'_> {
    /// Sends the message; resolves to how much of it was sent.
    async fn send(&mut self, message: &mut Message<'_>, patience: Duration, trace: &Trace) -> Result<Sent, Unsent> {
        let rest = match message.expecting() {
            Some((head, content)) => {
                match self.write(head).await {
                    Ok(true) => {}
                    Ok(false) | Err(Unsent::Socket(_)) => return Ok(Sent::Head),
                    Err(error) => return Err(error),
                }
                trace.enter(Phase::Head);
                // In boxes, this and long content, so that those who have none of it have no room for it.
                let wanted = Box::pin(self.is_asked_for(patience)).await?;
                trace.enter(Phase::Send);
                if !wanted {
                    return Ok(Sent::Head);
                }
                content
            }
            None => &message.bytes,
        };
        let mut whole = self.write(rest).await?;
        if let (true, Some((body, framing))) = (whole, &mut message.stream) {
            whole = Box::pin(self.send_content(body, *framing)).await?;
        }
        Ok(if whole { Sent::Whole } else { Sent::Part })
    }

    /// Whether the content is to follow the head: the server asks for it (100), or has said nothing final for so long that
    /// it may know nothing of such questions. Where it has answered or closed, it does not want it.
    async fn is_asked_for(&mut self, patience: Duration) -> Result<bool, Unsent> {
        let mut patience = sleep(patience);
        loop {
            self.parse().map_err(Unsent::Error)?;
            if self.asked_for || self.head.is_some() {
                return Ok(self.head.is_none());
            }
            let told = async { Some(self.connection.fill().await) };
            let not_told = async {
                (&mut patience).await;
                None
            };
            match told.or(not_told).await {
                Some(Ok(0)) => return Ok(false),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Unsent::Unasked(error)),
                None => return Ok(true),
            }
        }
    }

    async fn send_content(&mut self, body: &mut Body, framing: RequestBody) -> Result<bool, Unsent> {
        let unreadable = |error: io::Error| {
            let text = "the request's content cannot be read";
            Unsent::Error(Error::new(Kind::Io, text).in_phase(Phase::Send).with_source(error))
        };
        let mut left = if let RequestBody::Length(length) = framing { Some(length) } else { None };
        let mut piece = vec![0; PIECE];
        let mut chunk = Vec::new();
        loop {
            let most = left.map_or(PIECE, |left| usize::try_from(left).unwrap_or(PIECE).min(PIECE));
            let read = if most == 0 { 0 } else { body.read(&mut piece[..most]).await.map_err(unreadable)? };
            let sent = match (&mut left, read) {
                (Some(0), _) => return Ok(true),
                (Some(_), 0) => return Err(unreadable(io::ErrorKind::UnexpectedEof.into())),
                (Some(left), read) => {
                    *left -= read as u64;
                    self.write(&piece[..read]).await?
                }
                (None, 0) => {
                    chunk.clear();
                    encode_last_chunk(&mut chunk);
                    return self.write(&chunk).await;
                }
                (None, read) => {
                    chunk.clear();
                    encode_chunk(&mut chunk, &piece[..read]);
                    self.write(&chunk).await?
                }
            };
            if !sent {
                return Ok(false);
            }
        }
    }

    /// Writes all of it, unless the server closes or refuses the request before it has taken it all: that is why this
    /// listens. Interim responses (100 and 102 may come unasked) and success do not stop it, for such a server wants the
    /// rest.
    async fn write(&mut self, bytes: &[u8]) -> Result<bool, Unsent> {
        let mut written = 0;
        loop {
            let listen = self.head.is_none();
            match self.connection.write(bytes, &mut written, listen).await.map_err(Unsent::Socket)? {
                Written::All => return Ok(true),
                Written::Closed => return Ok(false),
                Written::Interrupted => self.parse().map_err(Unsent::Error)?,
            }
            if self.head.as_ref().is_some_and(|(head, _)| head.status() >= 300) {
                return Ok(false);
            }
        }
    }

    /// Reads until the head of the final response is there.
    async fn receive(&mut self, sent: Sent) -> Result<(Head, Framing), Failed> {
        loop {
            self.parse().map_err(|error| Failed { error, nothing_came: false, sent })?;
            if let Some(head) = self.head.take() {
                return Ok(head);
            }
            let error = match self.connection.fill().await {
                Ok(0) => {
                    let input = self.connection.buffered();
                    match self.broken.take().filter(|_| self.parser.nothing_came(input)) {
                        Some(error) => self.lost(error),
                        None => self.parser.end_of_input(input),
                    }
                }
                Ok(_) => continue,
                Err(error) => self.lost(error),
            };
            return Err(self.failed(error, sent));
        }
    }

    /// What a socket error in place of an answer means. That nothing was asked for is said of the first answer alone.
    fn lost(&self, error: io::Error) -> Error {
        lost(error, if self.connection.served == 0 { self.connection.asked } else { Asked::No })
    }

    /// The connection is gone before there was an answer.
    fn failed(&self, error: Error, sent: Sent) -> Failed {
        let nothing_came = !self.interim && self.parser.nothing_came(self.connection.buffered());
        let error = match sent {
            Sent::Whole | Sent::Head => error.in_phase(Phase::Head),
            Sent::Part => Error::new(error.kind(), "the connection ended before the request was sent whole")
                .in_phase(Phase::Send)
                .with_source(error),
        };
        Failed { error, nothing_came, sent }
    }

    /// Takes the heads that are complete out of what has come.
    fn parse(&mut self) -> Result<()> {
        while self.head.is_none() {
            match self.parser.parse(self.connection.buffered())? {
                Progress::Final { consumed, head, framing } => {
                    self.connection.consume(consumed);
                    self.head = Some((head, framing));
                }
                Progress::Interim { consumed, status } => {
                    self.connection.consume(consumed);
                    self.interim = true;
                    self.asked_for |= status == 100;
                }
                Progress::Partial => break,
            }
        }
        Ok(())
    }
}

fn lost(error: io::Error, asked: Asked) -> Error {
    if let Some(text) = tls::late(&error, asked) {
        return Error::new(Kind::Tls, text).with_source(error);
    }
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server cut the TLS connection before it answered",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            "the server reset the connection before it answered"
        }
        _ => "reading the response failed",
    };
    Error::new(Kind::Io, format!("{text}{}", tls::without_certificate(asked))).with_source(error)
}
