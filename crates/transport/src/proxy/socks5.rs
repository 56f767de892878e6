//! A tunnel through a SOCKS5 proxy (RFC 1928), with user and password if it asks for them (RFC 1929).
//!
//! Origins are named to the proxy as they stand in the URL: a name as a name, an address as an address.

use std::net::{IpAddr, TcpStream};

use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::credentials::{MAX_SOCKS5_TEXT, ProxyCredentials};
use super::failure::lost;
use crate::error::{Error, Kind, Result};
use crate::origin::Origin;
use crate::unauthorized::Unauthorized;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NOTHING_ACCEPTED: u8 = 0xff;

/// The version of the subnegotiation of user and password, a protocol of its own.
const AUTHENTICATION_VERSION: u8 = 1;

const CONNECT: u8 = 1;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Asks for a tunnel. Reads exactly the bytes of the proxy's replies: what follows is the origin's.
pub(super) async fn open(
    stream: &mut Async<TcpStream>,
    origin: &Origin,
    credentials: Option<&ProxyCredentials>,
) -> Result<()> {
    let mut handshake = SocksHandshake::new(origin, credentials)?;
    let mut reply = [0; MAX_SOCKS5_TEXT + 2];
    let mut step = handshake.start();
    while let HandshakeStep::Exchange { send, expect } = step {
        // Even after a failed write there may be a reply that says why.
        let sent = stream.write_all(&send).await;
        let received = stream.read_exact(&mut reply[..expect]).await;
        received.map_err(|error| lost(sent.err().unwrap_or(error)))?;
        step = handshake.receive(&reply[..expect])?;
    }
    Ok(())
}

/// The client's side of the protocol, without a socket.
struct SocksHandshake<'a> {
    /// The request for the tunnel. It is made first, so that a target that cannot be asked for is refused before anything
    /// is sent.
    request: Vec<u8>,
    credentials: Option<&'a ProxyCredentials>,
    expected_reply: ExpectedReply,
}

/// Which part of the proxy's replies comes next.
#[derive(Clone, Copy)]
enum ExpectedReply {
    Method,
    Status,
    Reply,
    AddressType,
    NameLength,
    Address,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
enum HandshakeStep {
    /// Send these bytes, which may be none, and receive exactly so many: at most `MAX_SOCKS5_TEXT + 2`.
    Exchange { send: Vec<u8>, expect: usize },
    /// The tunnel is open.
    Done,
}

impl<'a> SocksHandshake<'a> {
    fn new(origin: &Origin, credentials: Option<&'a ProxyCredentials>) -> Result<SocksHandshake<'a>> {
        Ok(SocksHandshake { request: request(origin)?, credentials, expected_reply: ExpectedReply::Method })
    }

    /// The methods that are offered. Without credentials the second is not: a proxy could choose it.
    fn start(&self) -> HandshakeStep {
        let offer: &[u8] = match self.credentials {
            Some(_) => &[VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD],
            None => &[VERSION, 1, NO_AUTHENTICATION],
        };
        HandshakeStep::Exchange { send: offer.to_vec(), expect: 2 }
    }

    /// Takes what the last step expected. A reply is read in pieces, because its third field says how long it is, and
    /// some proxies close behind the code of a failure.
    fn receive(&mut self, reply: &[u8]) -> Result<HandshakeStep> {
        match (self.expected_reply, reply) {
            (ExpectedReply::Method, [VERSION, method]) => self.method(*method),
            (ExpectedReply::Status, [AUTHENTICATION_VERSION, 0]) => Ok(self.request()),
            (ExpectedReply::Status, [AUTHENTICATION_VERSION, _]) => {
                let source = Unauthorized("the proxy does not accept this user and password".to_owned());
                Err(refused("the proxy refuses this client").with_source(source))
            }
            (ExpectedReply::Reply, [VERSION, 0]) => Ok(self.expect(ExpectedReply::AddressType, 2)),
            // The rules of the proxy, what it does not take, and types of addresses: none of these passes with time.
            (ExpectedReply::Reply, [VERSION, code @ (2 | 7 | 8)]) => Err(refused(&failure(*code))),
            (ExpectedReply::Reply, [VERSION, code]) => Err(Error::new(Kind::Connect, failure(*code)).passing(true)),
            (ExpectedReply::AddressType, [_, IPV4]) => Ok(self.expect(ExpectedReply::Address, 4 + 2)),
            (ExpectedReply::AddressType, [_, IPV6]) => Ok(self.expect(ExpectedReply::Address, 16 + 2)),
            (ExpectedReply::AddressType, [_, NAME]) => Ok(self.expect(ExpectedReply::NameLength, 1)),
            (ExpectedReply::AddressType, [_, other]) => {
                Err(broken(format!("the proxy's reply holds an address of type {other}, where 1, 3 or 4 is right")))
            }
            (ExpectedReply::NameLength, [length]) => Ok(self.expect(ExpectedReply::Address, usize::from(*length) + 2)),
            // The address that the proxy connected from is of no use here.
            (ExpectedReply::Address, _) => Ok(HandshakeStep::Done),
            (_, [b'H', ..]) => Err(broken("the proxy answers in HTTP, not in SOCKS5: write http://".to_owned())),
            (ExpectedReply::Status, [version, ..]) => {
                Err(broken(format!("the proxy answers user and password with version {version}, where 1 is right")))
            }
            (_, [version, ..]) => {
                Err(broken(format!("the proxy answers with version {version}, where 5 is right for SOCKS5")))
            }
            (_, []) => Err(broken("the proxy's reply is empty".to_owned())),
        }
    }

    fn method(&mut self, method: u8) -> Result<HandshakeStep> {
        match (method, self.credentials) {
            (NO_AUTHENTICATION, _) => Ok(self.request()),
            (USER_AND_PASSWORD, Some(credentials)) => {
                self.expected_reply = ExpectedReply::Status;
                Ok(HandshakeStep::Exchange { send: authentication(credentials), expect: 2 })
            }
            (NOTHING_ACCEPTED, Some(_)) => {
                Err(refused("the proxy asks for another authentication than user and password"))
            }
            (NOTHING_ACCEPTED, None) => Err(refused(
                "the proxy asks for authentication: write socks5://USER:PASSWORD@HOST:PORT if it takes a password",
            )),
            _ => Err(broken(format!("the proxy chose the authentication method {method}, which was not offered"))),
        }
    }

    fn request(&mut self) -> HandshakeStep {
        self.expected_reply = ExpectedReply::Reply;
        HandshakeStep::Exchange { send: std::mem::take(&mut self.request), expect: 2 }
    }

    fn expect(&mut self, expected_reply: ExpectedReply, expect: usize) -> HandshakeStep {
        self.expected_reply = expected_reply;
        HandshakeStep::Exchange { send: Vec::new(), expect }
    }
}

/// RFC 1928, section 4.
fn request(origin: &Origin) -> Result<Vec<u8>> {
    let host = origin.host_name();
    let mut request = vec![VERSION, CONNECT, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend(address.octets());
        }
        Err(_) => {
            let text = "the host name is too long for SOCKS5: 255 bytes are the most";
            let length = u8::try_from(host.len()).map_err(|_| Error::new(Kind::Url, text))?;
            request.extend([NAME, length]);
            request.extend(host.as_bytes());
        }
    }
    request.extend(origin.port().to_be_bytes());
    Ok(request)
}

/// RFC 1929, section 2. The lengths were checked when the proxy was parsed.
fn authentication(credentials: &ProxyCredentials) -> Vec<u8> {
    let mut message = vec![AUTHENTICATION_VERSION];
    for text in [&credentials.user, &credentials.password] {
        let text = &text[..text.len().min(MAX_SOCKS5_TEXT)];
        message.push(text.len() as u8);
        message.extend(text);
    }
    message
}

/// RFC 1928, section 6.
fn failure(code: u8) -> String {
    let text = match code {
        1 => "the proxy failed without saying why",
        2 => "the proxy's rules do not allow this host and port",
        3 => "the proxy says that the network cannot be reached",
        4 => "the proxy says that the host cannot be reached or its name not be resolved",
        5 => "the proxy says that the host refused the connection",
        6 => "the proxy says that the host did not answer in time",
        7 => "the proxy does not take CONNECT: one that tunnels is needed",
        8 => "the proxy cannot connect to addresses of this type",
        _ => "the proxy failed with a code that RFC 1928 does not know",
    };
    format!("{text} (SOCKS5 reply {code})")
}

fn refused(text: &str) -> Error {
    Error::new(Kind::Connect, text).passing(false)
}

fn broken(text: String) -> Error {
    Error::new(Kind::Protocol, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::parse_url;

    fn origin(url: &str) -> Origin {
        Origin::of(&parse_url(url).expect(url)).expect(url)
    }

    /// Runs the handshake against these bytes of a proxy: what was sent in all, how many bytes were left over, and how it
    /// ended.
    fn run(url: &str, credentials: Option<(&str, &str)>, mut replies: &[u8]) -> (Vec<u8>, usize, Result<()>) {
        let credentials = credentials.map(|(user, password)| ProxyCredentials {
            user: user.as_bytes().into(),
            password: password.as_bytes().into(),
        });
        let mut sent = Vec::new();
        let mut handshake = match SocksHandshake::new(&origin(url), credentials.as_ref()) {
            Ok(handshake) => handshake,
            Err(error) => return (sent, replies.len(), Err(error)),
        };
        let mut step = handshake.start();
        while let HandshakeStep::Exchange { send, expect } = step {
            sent.extend(send);
            assert!((1..=MAX_SOCKS5_TEXT + 2).contains(&expect));
            let (reply, rest) = replies.split_at_checked(expect).expect("the script is long enough");
            replies = rest;
            step = match handshake.receive(reply) {
                Ok(step) => step,
                Err(error) => return (sent, replies.len(), Err(error)),
            };
        }
        (sent, replies.len(), Ok(()))
    }

    #[test]
    fn what_is_sent() {
        let done: &[u8] = &[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let with_password: &[u8] = &[5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let ipv6 = [&[5, 1, 0, 5, 1, 0, 4][..], &[0; 15], &[1, 0x20, 0xfb]].concat();
        for (url, credentials, replies, expected) in [
            ("http://a.example/", None, done, &b"\x05\x01\x00\x05\x01\x00\x03\x09a.example\x00\x50"[..]),
            ("https://a.example/", None, done, b"\x05\x01\x00\x05\x01\x00\x03\x09a.example\x01\xbb"),
            ("http://127.0.0.1:8080/", None, done, b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x1f\x90"),
            ("http://[::1]:8443/", None, done, &ipv6),
            // Offered, but not asked for.
            ("http://a/", Some(("me", "pw")), done, b"\x05\x02\x00\x02\x05\x01\x00\x03\x01a\x00\x50"),
            (
                "http://a/",
                Some(("me", "pw")),
                with_password,
                b"\x05\x02\x00\x02\x01\x02me\x02pw\x05\x01\x00\x03\x01a\x00\x50",
            ),
            (
                "http://a/",
                Some(("me", "")),
                with_password,
                b"\x05\x02\x00\x02\x01\x02me\x00\x05\x01\x00\x03\x01a\x00\x50",
            ),
        ] {
            let (sent, left, result) = run(url, credentials, replies);
            result.expect(url);
            assert_eq!((sent.escape_ascii().to_string(), left), (expected.escape_ascii().to_string(), 0));
        }
    }

    #[test]
    fn replies_of_every_address_type_are_read_to_their_end_and_not_beyond() {
        let ipv6 = [&[5, 0, 5, 0, 0, 4][..], &[9; 18]].concat();
        let longest = [&[5, 0, 5, 0, 0, 3, 255][..], &[b'x'; 257]].concat();
        for reply in [&[5, 0, 5, 0, 0, 1, 9, 9, 9, 9, 9, 9][..], &ipv6, &[5, 0, 5, 0, 0, 3, 0, 9, 9], &longest] {
            let followed = [reply, b"the origin's"].concat();
            let (_, left, result) = run("http://a/", None, &followed);
            result.expect("a good reply");
            assert_eq!(left, b"the origin's".len());
        }
    }

    #[test]
    fn refusals_and_nonsense_say_which() {
        let some = Some(("me", "hunter2"));
        for (credentials, replies, kind, part) in [
            (None, &b"\x05\xff"[..], Kind::Connect, "write socks5://USER:PASSWORD@HOST:PORT"),
            (some, b"\x05\xff", Kind::Connect, "another authentication than user and password"),
            (None, b"\x05\x02", Kind::Protocol, "method 2, which was not offered"),
            (some, b"\x05\x01", Kind::Protocol, "method 1, which was not offered"),
            (some, b"\x05\x02\x01\x01", Kind::Connect, "does not accept this user and password"),
            (some, b"\x05\x02\x05\x00", Kind::Protocol, "version 5, where 1 is right"),
            (None, b"HT", Kind::Protocol, "write http://"),
            (None, b"\x04\x00", Kind::Protocol, "version 4, where 5 is right"),
            (None, b"\x05\x00\x00\x00", Kind::Protocol, "version 0, where 5 is right"),
            (None, b"\x05\x00\x05\x00\x00\x02", Kind::Protocol, "type 2, where 1, 3 or 4"),
            (None, b"\x05\x00\x05\x01", Kind::Connect, "without saying why (SOCKS5 reply 1)"),
            (None, b"\x05\x00\x05\x02", Kind::Connect, "rules do not allow"),
            (None, b"\x05\x00\x05\x03", Kind::Connect, "network cannot be reached"),
            (None, b"\x05\x00\x05\x04", Kind::Connect, "host cannot be reached"),
            (None, b"\x05\x00\x05\x05", Kind::Connect, "refused the connection"),
            (None, b"\x05\x00\x05\x06", Kind::Connect, "did not answer in time"),
            (None, b"\x05\x00\x05\x07", Kind::Connect, "does not take CONNECT"),
            (None, b"\x05\x00\x05\x08", Kind::Connect, "addresses of this type"),
            (None, b"\x05\x00\x05\x09", Kind::Connect, "does not know (SOCKS5 reply 9)"),
        ] {
            let (_, left, result) = run("http://a/", credentials, replies);
            let error = result.expect_err(part);
            assert_eq!((error.kind(), left), (kind, 0), "{error}");
            assert!(error.one_line().contains(part) && !error.one_line().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused_before_anything_is_sent() {
        let name = ["x".repeat(60).as_str(); 5].join(".");
        let (sent, _, result) = run(&format!("http://{name}/"), None, b"");
        let error = result.expect_err("304 bytes");
        assert_eq!((error.kind(), sent.len()), (Kind::Url, 0));
        assert!(error.one_line().contains("255 bytes are the most"));
    }
}
