//! One request and its response on one connection.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, FutureExt};

use super::connection::{Connection, WriteEnd};
use super::head_log;
use super::message::{ContentReader, Message};
use super::progress::{Progress, add};
use super::send::ConnectionUse;
use super::shared::Shared;
use super::tls::{self, CertRequest};
use super::unanswered::Unanswered;
use super::unauthorized::Unauthorized;
use crate::error::{Error, Kind, Phase, Result};
use crate::event_loop::sleep;
use crate::h1::{BodyDecoder, Framing, Head, Parsed, RequestBody, ResponseParser, encode_chunk, encode_last_chunk};

/// How much of a long content is sent at once.
const PIECE: usize = 32 * 1024;

/// A response whose head has come.
pub(super) struct ReceivedHead {
    pub(super) connection: Box<Connection>,
    pub(super) head: Head,
    pub(super) framing: Framing,
    pub(super) body: BodyDecoder,
    /// Whether the connection can serve another request once the content is read.
    pub(super) keep: bool,
    sent: SentExtent,
}

/// Why there is no response, and whether the peer can have acted on the request.
struct ExchangeError {
    error: Error,
    nothing_came: bool,
    sent: SentExtent,
}

/// How much of a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SentExtent {
    /// All of it.
    Whole,
    /// Less.
    Part,
    /// The head, and nothing of the content that it announces.
    Head,
}

impl SentExtent {
    /// Whether the message may be sent once more though its peer may have had as much of it. No server acts on a request
    /// that it has not had whole, whatever its method.
    fn may_be_repeated(self, message: &Message<'_>) -> bool {
        match self {
            SentExtent::Head => true,
            SentExtent::Part => message.can_be_read_again(),
            SentExtent::Whole => message.may_be_repeated(),
        }
    }
}

impl Shared {
    /// As [`exchange`](Self::exchange). A proxy that has refused its user and password is not asked again with them.
    pub(super) async fn admitted_exchange(
        self: &Arc<Shared>,
        message: &mut Message<'_>,
        connect_timeout: Option<Duration>,
        progress: &Progress,
    ) -> Result<ReceivedHead> {
        let test = match &message.route.proxy {
            Some(proxy) => Box::pin(self.admissions.ask(proxy)).await?,
            None => None,
        };
        let forwarded = message.route.is_forwarded();
        let received = self.exchange(message, connect_timeout, progress).await;
        if let Some(test) = test {
            match &received {
                Ok(received) if received.head.status() == 407 && forwarded => {
                    test.failed("it does not accept this user and password (status 407)".to_owned());
                }
                Err(error) => match Unauthorized::cause_of(error) {
                    Some(cause) => test.failed(cause.to_string()),
                    None => test.passed(),
                },
                Ok(_) => test.passed(),
            }
        }
        received
    }

    /// Sends a message and reads the head of the response.
    ///
    /// A server may close an idle connection at the moment when a request is sent on it. If not one byte of a response
    /// came on a reused connection, the request is sent once more on a new one, if it may be repeated at all. A request
    /// whose content was still held back may be, because no server acts on a head alone. Who counts what is sent does that
    /// itself: see [`ConnectionUse::KeptOnce`].
    ///
    /// A server that refuses to be asked for the content (417) is sent the request once more without (RFC 9110,
    /// section 10.1.1).
    pub(super) async fn exchange(
        self: &Arc<Shared>,
        message: &mut Message<'_>,
        connect_timeout: Option<Duration>,
        progress: &Progress,
    ) -> Result<ReceivedHead> {
        let mut fresh = message.connection == ConnectionUse::New;
        let tells = message.connection != ConnectionUse::Kept;
        loop {
            let (connection, ready) = self.connection(message, fresh, connect_timeout, progress).await?;
            let reused = connection.served > 0;
            progress.sends_to(&connection.peer, reused);
            let result = self.converse(connection, ready, message, progress).await;
            if let Some(request) = &message.logged {
                head_log::log(request, result.as_ref().ok().map(|received| &received.head));
            }
            match result {
                Ok(received)
                    if received.head.status() == 417
                        && (received.sent == SentExtent::Head || message.can_be_read_again())
                        && message.drop_expectation() =>
                {
                    if tells {
                        return Err(unanswered(Some(received.head), true));
                    }
                    log::debug!("{}: 417, the request is sent again without Expect", message.route.origin);
                }
                // A server that gave up waiting for a request says so on the idle connection just before it closes it: that
                // is no answer to this one (RFC 9110, section 15.5.9).
                Ok(received)
                    if received.head.status() == 408
                        && reused
                        && !fresh
                        && !received.keep
                        && message.can_be_read_again() =>
                {
                    if tells {
                        return Err(unanswered(Some(received.head), false));
                    }
                    log::debug!("{}: 408 on an idle connection, a new one is made", message.route.origin);
                    fresh = true;
                }
                Ok(received) => return Ok(received),
                Err(failed) if reused && !fresh && failed.nothing_came && failed.sent.may_be_repeated(message) => {
                    if tells {
                        return Err(unanswered(None, false));
                    }
                    log::debug!("{}: the idle connection was closed, a new one is made", message.route.origin);
                    fresh = true;
                }
                Err(ExchangeError { error, nothing_came, .. }) => {
                    progress.update(|snapshot| snapshot.nothing_came = nothing_came);
                    return Err(progress.blames(error));
                }
            }
            message.rewind();
        }
    }

    async fn converse(
        &self,
        mut connection: Box<Connection>,
        ready: Instant,
        message: &mut Message<'_>,
        progress: &Progress,
    ) -> Result<ReceivedHead, ExchangeError> {
        let parser = ResponseParser::new(message.method, self.config.head_limits);
        let mut exchange = Exchange {
            connection: &mut connection,
            parser,
            interim: false,
            asked_for: false,
            head: None,
            broken: None,
        };
        let sent = match exchange.send(message, self.config.expect100_timeout, progress).await {
            Ok(sent) => sent,
            // Even after a failed write there may be a response that says why. A broken pipe only says that the connection
            // has ended, which the reader finds too, and not that it was reset.
            Err(SendError::Socket(error)) => {
                exchange.broken = Some(error).filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
                SentExtent::Part
            }
            Err(SendError::HeldBack(error)) => return Err(exchange.failed(exchange.lost(error), SentExtent::Head)),
            Err(SendError::Error(error)) => {
                return Err(ExchangeError { error, nothing_came: false, sent: SentExtent::Part });
            }
        };
        progress.enter(Phase::Head);
        let (head, framing) = exchange.receive(sent).await?;
        let now = Instant::now();
        connection.heard_at = Some(now);
        progress.update(|snapshot| {
            add(&mut snapshot.first_byte, now.saturating_duration_since(ready));
            snapshot.head_at = Some(now);
            snapshot.phase = Phase::Body;
        });
        let keep = sent == SentExtent::Whole && head.keep_alive() && !message.closes && framing != Framing::UntilClose;
        let body = BodyDecoder::with_limits(framing, self.config.head_limits);
        Ok(ReceivedHead { connection, head, framing, body, keep, sent })
    }
}

/// The error of a request that may be sent once more.
fn unanswered(head: Option<Head>, without_expect: bool) -> Error {
    let text = "the kept connection ended before it was answered";
    Error::new(Kind::Io, text).in_phase(Phase::Head).with_source(Unanswered { head, without_expect })
}

/// Why a request was not sent whole.
enum SendError {
    /// The socket failed; a response may have come before.
    Socket(io::Error),
    /// The socket failed while the content was held back until the server asks for it.
    HeldBack(io::Error),
    /// The content cannot be read, or what came meanwhile is not HTTP.
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
    /// Why the request could not be sent whole. The socket reports it once, so it is kept until the response is read.
    broken: Option<io::Error>,
}

impl Exchange<'_> {
    /// Sends the message; resolves to how much of it was sent.
    async fn send(
        &mut self,
        message: &mut Message<'_>,
        patience: Duration,
        progress: &Progress,
    ) -> Result<SentExtent, SendError> {
        let rest = match message.expecting() {
            Some((head, content)) => {
                match self.write(head).await {
                    Ok(true) => {}
                    Ok(false) | Err(SendError::Socket(_)) => return Ok(SentExtent::Head),
                    Err(error) => return Err(error),
                }
                progress.enter(Phase::Head);
                // Boxed, as is long content, so that requests without it are not larger for it.
                let wanted = Box::pin(self.is_asked_for(patience)).await?;
                progress.enter(Phase::Send);
                if !wanted {
                    return Ok(SentExtent::Head);
                }
                content
            }
            None => &message.bytes,
        };
        let mut whole = self.write(rest).await?;
        if let (true, Some((body, framing))) = (whole, &mut message.stream) {
            whole = Box::pin(self.send_content(body, *framing)).await?;
        }
        Ok(if whole { SentExtent::Whole } else { SentExtent::Part })
    }

    /// Whether the content is to follow the head: if the server asks for it (100), or has said nothing final for so long
    /// that it may not know Expect. If it has answered or closed, it does not want the content.
    async fn is_asked_for(&mut self, patience: Duration) -> Result<bool, SendError> {
        let mut patience = sleep(patience);
        loop {
            self.parse().map_err(SendError::Error)?;
            if self.asked_for || self.head.is_some() {
                return Ok(self.head.is_none());
            }
            let heard = async { Some(self.connection.fill().await) };
            let waited = async {
                (&mut patience).await;
                None
            };
            match heard.or(waited).await {
                Some(Ok(0)) => return Ok(false),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(SendError::HeldBack(error)),
                None => return Ok(true),
            }
        }
    }

    async fn send_content(&mut self, body: &mut ContentReader<'_>, framing: RequestBody) -> Result<bool, SendError> {
        let unreadable = |error: io::Error| {
            let text = "the request's content cannot be read";
            SendError::Error(Error::new(Kind::Io, text).in_phase(Phase::Send).with_source(error))
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
    /// listens. Interim responses (100 and 102 may come unasked) and success do not stop it, because such a server
    /// wants the rest.
    async fn write(&mut self, bytes: &[u8]) -> Result<bool, SendError> {
        let mut written = 0;
        loop {
            let listen = self.head.is_none();
            match self.connection.write(bytes, &mut written, listen).await.map_err(SendError::Socket)? {
                WriteEnd::All => return Ok(true),
                WriteEnd::Closed => return Ok(false),
                WriteEnd::Interrupted => self.parse().map_err(SendError::Error)?,
            }
            if self.head.as_ref().is_some_and(|(head, _)| head.status() >= 300) {
                return Ok(false);
            }
        }
    }

    /// Reads until the head of the final response is there.
    async fn receive(&mut self, sent: SentExtent) -> Result<(Head, Framing), ExchangeError> {
        loop {
            self.parse().map_err(|error| ExchangeError { error, nothing_came: false, sent })?;
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

    /// What a socket error in place of a response means. Only before the first response of a connection can it be about a
    /// client certificate.
    fn lost(&self, error: io::Error) -> Error {
        lost(error, if self.connection.served == 0 { self.connection.cert_request } else { CertRequest::None })
    }

    /// The error if the connection is gone before there was a response.
    fn failed(&self, error: Error, sent: SentExtent) -> ExchangeError {
        let nothing_came = !self.interim && self.parser.nothing_came(self.connection.buffered());
        let error = match sent {
            SentExtent::Whole | SentExtent::Head => error.in_phase(Phase::Head),
            SentExtent::Part => Error::new(error.kind(), "the connection ended before the request was sent whole")
                .in_phase(Phase::Send)
                .with_source(error),
        };
        ExchangeError { error, nothing_came, sent }
    }

    /// Consumes the complete heads at the front of what has come.
    fn parse(&mut self) -> Result<()> {
        while self.head.is_none() {
            match self.parser.parse(self.connection.buffered())? {
                Parsed::Final { consumed, head, framing } => {
                    self.connection.consume(consumed);
                    self.head = Some((head, framing));
                }
                Parsed::Interim { consumed, status } => {
                    self.connection.consume(consumed);
                    self.interim = true;
                    self.asked_for |= status == 100;
                }
                Parsed::Partial => break,
            }
        }
        Ok(())
    }
}

fn lost(error: io::Error, asked: CertRequest) -> Error {
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
