//! What went wrong, where, and why: one error type for the whole library.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::printable::printable;

/// Shorthand for results of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What class of thing went wrong. The exit code, the retry logic and the report count by it; no text is ever matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// The URL cannot be fetched: no scheme, a scheme that is not HTTP, no host.
    Url,
    /// The host name could not be resolved.
    Dns,
    /// No connection could be made.
    Connect,
    /// The TLS handshake failed, or a certificate was not accepted.
    Tls,
    /// A time limit passed; the phase says while waiting for what.
    Timeout,
    /// The peer does not speak HTTP/1.1 as RFC 9110 and RFC 9112 describe it.
    Protocol,
    /// The content was cut short, its coding is corrupt, or it is not what it claims to be.
    Body,
    /// The response has a status that does not count as success.
    Status,
    /// The response is larger than its limit.
    TooLarge,
    /// A redirect that must not be followed, a loop of them, or too many.
    Redirect,
    /// A socket or a file failed in some other way.
    Io,
    /// The attempt was under way when the run ended.
    Cancelled,
    /// The job was never started.
    Skipped,
    /// The response came in well but is not what the job expects.
    Expectation,
    /// A setting is wrong: found before anything is sent, never part of an outcome.
    Config,
}

impl Kind {
    /// All kinds, in the order of their documentation.
    pub const ALL: [Kind; 15] = [
        Kind::Url,
        Kind::Dns,
        Kind::Connect,
        Kind::Tls,
        Kind::Timeout,
        Kind::Protocol,
        Kind::Body,
        Kind::Status,
        Kind::TooLarge,
        Kind::Redirect,
        Kind::Io,
        Kind::Cancelled,
        Kind::Skipped,
        Kind::Expectation,
        Kind::Config,
    ];

    /// The name that reports use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Url => "url",
            Kind::Dns => "dns",
            Kind::Connect => "connect",
            Kind::Tls => "tls",
            Kind::Timeout => "timeout",
            Kind::Protocol => "protocol",
            Kind::Body => "body",
            Kind::Status => "status",
            Kind::TooLarge => "too_large",
            Kind::Redirect => "redirect",
            Kind::Io => "io",
            Kind::Cancelled => "cancelled",
            Kind::Skipped => "skipped",
            Kind::Expectation => "expectation",
            Kind::Config => "config",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a request had come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for a permit: nothing was sent.
    #[default]
    Queue,
    /// Resolving the host name.
    Dns,
    /// Making the TCP connection.
    Connect,
    /// Talking to a proxy.
    Proxy,
    /// In the TLS handshake.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the response's head, or reading it.
    Head,
    /// Reading the content.
    Body,
}

impl Phase {
    /// All phases in the order a request goes through them.
    pub const ALL: [Phase; 8] =
        [Phase::Queue, Phase::Dns, Phase::Connect, Phase::Proxy, Phase::Tls, Phase::Send, Phase::Head, Phase::Body];

    /// The name that reports use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Queue => "queue",
            Phase::Dns => "dns",
            Phase::Connect => "connect",
            Phase::Proxy => "proxy",
            Phase::Tls => "tls",
            Phase::Send => "send",
            Phase::Head => "head",
            Phase::Body => "body",
        }
    }

    /// What was going on, to follow "while".
    pub const fn doing(self) -> &'static str {
        match self {
            Phase::Queue => "waiting to start",
            Phase::Dns => "resolving the host name",
            Phase::Connect => "connecting",
            Phase::Proxy => "talking to the proxy",
            Phase::Tls => "in the TLS handshake",
            Phase::Send => "sending the request",
            Phase::Head => "waiting for the response's head",
            Phase::Body => "reading the body",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
mod with_serde {
    use serde::de::{Deserialize, Deserializer, Error, Unexpected};
    use serde::ser::{Serialize, Serializer};

    use super::{Kind, Phase};

    impl Serialize for Kind {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(self.as_str())
        }
    }

    impl<'de> Deserialize<'de> for Kind {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
            let name = String::deserialize(deserializer)?;
            let known = Kind::ALL.into_iter().find(|kind| kind.as_str() == name);
            known.ok_or_else(|| {
                D::Error::invalid_value(Unexpected::Str(&name), &"the kind of an error, such as timeout")
            })
        }
    }

    impl Serialize for Phase {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(self.as_str())
        }
    }

    impl<'de> Deserialize<'de> for Phase {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Phase, D::Error> {
            let name = String::deserialize(deserializer)?;
            let known = Phase::ALL.into_iter().find(|phase| phase.as_str() == name);
            known.ok_or_else(|| {
                D::Error::invalid_value(Unexpected::Str(&name), &"the phase of a request, such as connect")
            })
        }
    }
}

/// An error: its [`Kind`], the [`Phase`] it happened in, one line of text, and its cause.
///
/// `Display` prints this layer alone and [`source`](StdError::source) gives the next; [`Error::one_line`] joins them.
/// The size of one pointer, so that a `Result` stays small.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    phase: Option<Phase>,
    message: String,
    may_pass: Option<bool>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind. The message is lower-case, without a full stop, and names the thing and what would be right.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, phase: None, message: message.into(), may_pass: None, source: None }))
    }

    /// Says in which phase it happened, unless a deeper layer has said so before.
    pub fn in_phase(mut self, phase: Phase) -> Error {
        self.0.phase.get_or_insert(phase);
        self
    }

    /// Names whom it happened with, in brackets behind the text.
    pub fn with_peer(mut self, peer: impl fmt::Display) -> Error {
        self.0.message.push_str(&format!(" ({peer})"));
        self
    }

    /// Names the cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// The first of its causes, and of theirs, that is of this type.
    pub fn cause<T: StdError + 'static>(&self) -> Option<&T> {
        let mut cause = StdError::source(self);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    /// Says whether the cause may pass with time, where that is known and the kind alone does not tell.
    pub fn passing(mut self, may_pass: bool) -> Error {
        self.0.may_pass = Some(may_pass);
        self
    }

    /// Whether the cause may pass with time: a name server that was too busy and a handshake that was reset may, the refusal
    /// of a proxy does not. `None` if only the kind tells. A cause that knows it speaks for the layers above it.
    pub fn may_pass(&self) -> Option<bool> {
        let mut error: &(dyn StdError + 'static) = self;
        loop {
            let known = error.downcast_ref::<Error>().and_then(|error| error.0.may_pass);
            if known.is_some() {
                return known;
            }
            error = error.source()?;
        }
    }

    /// The class of the error.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// How far the request had come, if there was one.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// This error and all its causes on one line, joined by `: `.
    pub fn one_line(&self) -> String {
        let mut line = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Some crates print their cause and also return it as source.
            if !line.ends_with(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            source = cause.source();
        }
        // A cause may come from anywhere; a report line must stay one line.
        printable(&line.replace(['\t', '\n', '\r'], " "), &[]).into_owned()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

/// What to do if no file descriptor is left.
pub const RAISE_DESCRIPTORS: &str = "raise RLIMIT_NOFILE (ulimit -n) or lower the concurrency";

/// EMFILE or ENFILE: the process or the machine has no file descriptor left. The standard library has no stable
/// [`io::ErrorKind`] for them.
pub fn out_of_descriptors(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// A failed system call as a cause, with what to do about it if that is known.
pub fn system_cause(error: io::Error) -> Box<dyn StdError + Send + Sync> {
    if out_of_descriptors(&error) {
        return Error::new(Kind::Io, format!("no descriptor is left: {RAISE_DESCRIPTORS}")).with_source(error).into();
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_joins_the_chain_once() {
        let inner = Error::new(Kind::Io, "connection\nreset");
        let outer = Error::new(Kind::Connect, "127.0.0.1:1 refused").with_source(inner).in_phase(Phase::Connect);
        assert_eq!(outer.one_line(), "127.0.0.1:1 refused: connection reset");
        assert_eq!(outer.in_phase(Phase::Body).phase(), Some(Phase::Connect));
    }

    #[test]
    fn a_cause_says_whether_it_may_pass() {
        let plain = Error::new(Kind::Connect, "no tunnel");
        assert_eq!(plain.may_pass(), None);
        let refused = Error::new(Kind::Connect, "status 407").passing(false);
        assert_eq!(plain.with_source(refused).may_pass(), Some(false));
        assert_eq!(Error::new(Kind::Dns, "x").passing(true).with_source(io::Error::other("y")).may_pass(), Some(true));
    }

    #[cfg(unix)]
    #[test]
    fn a_lack_of_descriptors_says_what_to_do() {
        for number in [23, 24] {
            let cause = system_cause(io::Error::from_raw_os_error(number));
            let error = Error::new(Kind::Io, "x cannot be made").with_source(cause);
            assert!(error.one_line().starts_with("x cannot be made: no descriptor is left: raise RLIMIT_NOFILE"));
        }
        let other = system_cause(io::Error::from_raw_os_error(13));
        assert!(!Error::new(Kind::Io, "x").with_source(other).one_line().contains("RLIMIT"));
    }
}
