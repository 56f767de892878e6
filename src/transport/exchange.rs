//! One request and its response on one connection.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use futures_lite::AsyncReadExt;
use http_client::http_types::Body;

use super::connection::{Connection, Written};
use super::h1::{BodyDecoder, Framing, Head, Progress, RequestBody, ResponseParser, encode_chunk, encode_last_chunk};
use super::message::Message;
use super::trace::Trace;
use super::{RequestOptions, Route, Shared};
use crate::error::{Error, Kind, Phase, Result};

/// How much of a long content is sent at once.
const PIECE: usize = 32 * 1024;

/// A response whose head has come.
pub(super) struct Answer {
    pub(super) connection: Connection,
    pub(super) head: Head,
    pub(super) framing: Framing,
    pub(super) body: BodyDecoder,
    /// Whether the connection can serve another request once the content is read.
    pub(super) keep: bool,
}

/// Why there is no answer, and whether the peer can have acted on the request.
struct Failed {
    error: Error,
    nothing_came: bool,
}

impl Shared {
    /// Sends a message and reads the head of the response.
    ///
    /// A server may close an idle connection at the moment when a request is sent on it. Where not one byte of a response
    /// came on a reused connection, the request is sent once more on a new one, if it may be repeated at all.
    pub(super) async fn exchange(
        self: &Arc<Shared>,
        message: &mut Message,
        route: &Route,
        options: &RequestOptions,
        trace: &Trace,
    ) -> Result<Answer> {
        let mut fresh = false;
        loop {
            let connection = self.connection(route, fresh, options, trace).await?;
            let reused = connection.served > 0;
            match self.converse(connection, message, trace).await {
                Ok(answer) => return Ok(answer),
                Err(failed) if reused && !fresh && failed.nothing_came && message.may_be_repeated() => {
                    log::debug!("{}: the idle connection was closed, a new one is made", route.origin);
                    fresh = true;
                }
                Err(failed) => return Err(failed.error),
            }
        }
    }

    async fn converse(
        &self,
        mut connection: Connection,
        message: &mut Message,
        trace: &Trace,
    ) -> Result<Answer, Failed> {
        trace.enter(Phase::Send);
        let sent_at = Instant::now();
        let sent = send(&mut connection, message).await;
        if let Err(Send::Content(error)) = sent {
            return Err(Failed { error, nothing_came: false });
        }
        // Even after a failed write there may be an answer that says why.
        trace.enter(Phase::Head);
        let mut parser = ResponseParser::new(message.method.as_ref(), self.settings.head_limits);
        let mut interim = false;
        let (head, framing) = loop {
            let failed = |error: Error| Failed { error, nothing_came: false };
            match parser.parse(connection.buffered()).map_err(failed)? {
                Progress::Final { consumed, head, framing } => {
                    connection.consume(consumed);
                    break (head, framing);
                }
                Progress::Interim { consumed, .. } => {
                    connection.consume(consumed);
                    interim = true;
                    continue;
                }
                Progress::Partial => {}
            }
            let nothing_came = !interim && parser.nothing_came(connection.buffered());
            let error = match connection.fill().await {
                Ok(0) => parser.end_of_input(connection.buffered()),
                Ok(_) => continue,
                Err(error) => lost(error),
            };
            return Err(Failed { error: error.in_phase(Phase::Head), nothing_came });
        };
        let now = Instant::now();
        trace.update(|progress| {
            super::trace::add(&mut progress.first_byte, now - sent_at);
            progress.head_at = Some(now);
        });
        let complete = matches!(sent, Ok(Written::All));
        let keep = complete && head.keep_alive() && !message.closes && framing != Framing::UntilClose;
        let body = BodyDecoder::with_limits(framing, self.settings.head_limits);
        Ok(Answer { connection, head, framing, body, keep })
    }
}

/// Why a request was not sent whole.
enum Send {
    /// The socket failed; an answer may have come before.
    Socket,
    /// The content that was to be sent cannot be had.
    Content(Error),
}

async fn send(connection: &mut Connection, message: &mut Message) -> Result<Written, Send> {
    let written = connection.write(&message.bytes).await.map_err(|_| Send::Socket)?;
    match &mut message.stream {
        Some((body, framing)) if written == Written::All => send_content(connection, body, *framing).await,
        _ => Ok(written),
    }
}

async fn send_content(connection: &mut Connection, body: &mut Body, framing: RequestBody) -> Result<Written, Send> {
    let unreadable = |error: io::Error| {
        let error =
            Error::new(Kind::Io, "the request's content cannot be read").in_phase(Phase::Send).with_source(error);
        Send::Content(error)
    };
    let mut left = if let RequestBody::Length(length) = framing { Some(length) } else { None };
    let mut piece = vec![0; PIECE];
    let mut chunk = Vec::new();
    loop {
        let most = left.map_or(PIECE, |left| usize::try_from(left).unwrap_or(PIECE).min(PIECE));
        let read = if most == 0 { 0 } else { body.read(&mut piece[..most]).await.map_err(unreadable)? };
        let written = match (&mut left, read) {
            (Some(0), _) => return Ok(Written::All),
            (Some(_), 0) => return Err(unreadable(io::ErrorKind::UnexpectedEof.into())),
            (Some(left), read) => {
                *left -= read as u64;
                connection.write(&piece[..read]).await
            }
            (None, 0) => {
                chunk.clear();
                encode_last_chunk(&mut chunk);
                return connection.write(&chunk).await.map_err(|_| Send::Socket);
            }
            (None, read) => {
                chunk.clear();
                encode_chunk(&mut chunk, &piece[..read]);
                connection.write(&chunk).await
            }
        };
        if written.map_err(|_| Send::Socket)? == Written::AnsweredEarly {
            return Ok(Written::AnsweredEarly);
        }
    }
}

fn lost(error: io::Error) -> Error {
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server cut the TLS connection before it answered",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            "the server reset the connection before it answered"
        }
        _ => "reading the response failed",
    };
    Error::new(Kind::Io, text).with_source(error)
}
