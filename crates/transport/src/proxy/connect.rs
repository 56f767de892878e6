//! A tunnel through an http proxy: CONNECT (RFC 9110, section 9.3.6).

use std::io;
use std::net::TcpStream;

use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::failure::lost;
use crate::error::{Error, Kind, Result};
use crate::h1::{Head, HeadLimits, Parsed, RequestBody, ResponseParser, encode_head};
use crate::origin::Origin;
use crate::unauthorized::Unauthorized;
use crate::yield_meter::YieldMeter;

/// An answer to CONNECT carries a status and perhaps an error page's fields: no need for as much room as other heads.
const LIMITS: HeadLimits = HeadLimits { max_bytes: 32 * 1024, max_fields: 128, max_interim: HeadLimits::MAX_INTERIM };

/// How much is read at once.
const PIECE: usize = 2048;

/// Authentication schemes that proxies ask for beside Basic. A name is shown only if it is one of these: a proxy could
/// put anything there, even the credentials that were sent to it.
const OTHER_SCHEMES: [&str; 5] = ["Negotiate", "NTLM", "Digest", "Kerberos", "Bearer"];

/// Asks for a tunnel and reads the answer.
pub(super) async fn open(stream: &mut Async<TcpStream>, origin: &Origin, authorization: Option<&str>) -> Result<()> {
    let request = request(origin, authorization)?;
    // Even after a failed write there may be an answer that says why.
    let sent = stream.write_all(&request).await;
    let mut parser = ResponseParser::new("CONNECT", LIMITS);
    let mut input = Vec::new();
    let mut piece = [0; PIECE];
    let meter = YieldMeter::default();
    loop {
        match parser.parse(&input).map_err(not_http)? {
            Parsed::Final { consumed, head, .. } => return judge(&head, input.len() - consumed, authorization),
            Parsed::Interim { consumed, .. } => {
                input.drain(..consumed);
                continue;
            }
            Parsed::Partial => {}
        }
        meter.yield_if_due().await;
        match stream.read(&mut piece).await {
            Ok(0) if input.is_empty() => return Err(lost(sent.err().unwrap_or(io::ErrorKind::UnexpectedEof.into()))),
            Ok(0) => {
                let text = "the proxy closed the connection inside its answer to CONNECT";
                return Err(Error::new(Kind::Connect, text).with_source(parser.end_of_input(&input)));
            }
            // A SOCKS5 proxy that was spoken to in HTTP.
            Ok(_) if input.is_empty() && piece[0] == 5 => {
                let text = "the proxy answers in SOCKS5, not in HTTP: write socks5://";
                return Err(Error::new(Kind::Protocol, text));
            }
            Ok(n) => {
                meter.add(n);
                input.extend_from_slice(&piece[..n]);
            }
            Err(error) => return Err(lost(error)),
        }
    }
}

/// The target always names the port, and Host repeats it (RFC 9112, sections 3.2.3 and 3.2).
fn request(origin: &Origin, authorization: Option<&str>) -> Result<Vec<u8>> {
    let target = format!("{}:{}", origin.host(), origin.port());
    let host = Some(("Host", target.as_bytes()));
    let authorization = authorization.map(|value| ("Proxy-Authorization", value.as_bytes()));
    let mut request = Vec::with_capacity(256);
    encode_head(&mut request, "CONNECT", &target, RequestBody::None, host.into_iter().chain(authorization))?;
    Ok(request)
}

/// Whether this answer, followed by `behind` bytes, opens the tunnel. The reason phrase is not repeated: it is the proxy's
/// text, and could hold the credentials that were sent to it.
fn judge(head: &Head, behind: usize, authorization: Option<&str>) -> Result<()> {
    let text = match head.status() {
        200..=299 if behind == 0 => return Ok(()),
        200..=299 => {
            // In a tunnel the client speaks first, so these bytes are not a response of the origin.
            let text = format!("the proxy sent {behind} bytes behind its answer to CONNECT, where none is right");
            return Err(Error::new(Kind::Protocol, text));
        }
        // tinyproxy says 401 if the password is wrong.
        status @ (401 | 407) => {
            let source = Unauthorized(unauthorized(status, head, authorization));
            return Err(Error::new(Kind::Connect, "the proxy refuses this client").with_source(source).passing(false));
        }
        status @ (400 | 405 | 501) => {
            format!("the proxy does not take CONNECT (status {status}): one that tunnels is needed for https")
        }
        403 => "the proxy does not allow this host and port (status 403)".to_owned(),
        // tinyproxy says 500 for what others call 502.
        status @ (500 | 502..=504) => {
            let text = format!("the proxy failed or could not reach the host (status {status})");
            return Err(Error::new(Kind::Connect, text).passing(true));
        }
        status => format!("the proxy answered CONNECT with status {status}, where 200 would be right"),
    };
    Err(Error::new(Kind::Connect, text).passing(false))
}

fn unauthorized(status: u16, head: &Head, authorization: Option<&str>) -> String {
    let challenges: Vec<&[u8]> = head.get_all("proxy-authenticate").collect();
    let asks_for = |scheme: &str| challenges.iter().any(|challenge| names_scheme(challenge, scheme));
    let other = OTHER_SCHEMES.iter().find(|scheme| asks_for(scheme));
    match (other, authorization) {
        (Some(scheme), _) if !asks_for("Basic") => {
            format!("the proxy asks for {scheme} authentication (status {status}), and only Basic can be given")
        }
        (_, Some(_)) => format!("the proxy does not accept this user and password (status {status})"),
        (_, None) => {
            format!("the proxy asks for a user and a password (status {status}): write http://USER:PASSWORD@HOST:PORT")
        }
    }
}

/// Whether a list of challenges (RFC 9110, section 11.6.1) names this scheme: at the start of an element, as a whole word.
fn names_scheme(challenges: &[u8], scheme: &str) -> bool {
    challenges.split(|b| *b == b',').any(|element| {
        let element = element.trim_ascii_start();
        let word = element.split(|b| matches!(b, b' ' | b'\t')).next().unwrap_or_default();
        word.eq_ignore_ascii_case(scheme.as_bytes())
    })
}

/// The parser speaks of a response; here it is the proxy's.
fn not_http(error: Error) -> Error {
    Error::new(Kind::Protocol, "the proxy does not answer CONNECT as HTTP/1.1 says").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::parse_url;

    #[test]
    fn requests_name_host_and_port() {
        for (url, authorization, expected) in [
            ("https://a.example/x?y", None, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"),
            ("https://[::1]:8443/", None, "CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n"),
            (
                "https://a.example/",
                Some("Basic eDp5"),
                "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Basic eDp5\r\n\r\n",
            ),
        ] {
            let origin = Origin::of(&parse_url(url).expect(url)).expect(url);
            let request = request(&origin, authorization).expect(url);
            assert_eq!(String::from_utf8(request).expect("ASCII"), expected);
        }
    }

    #[test]
    fn only_2xx_and_nothing_behind_it_opens() {
        let told = |answer: &str, authorization: Option<&str>| {
            let answer = format!("HTTP/1.1 {answer}");
            let parsed = ResponseParser::new("CONNECT", LIMITS).parse(answer.as_bytes()).expect("well-formed");
            let Parsed::Final { consumed, head, .. } = parsed else { panic!("{answer} is whole") };
            judge(&head, answer.len() - consumed, authorization).map_err(|error| (error.kind(), error.one_line()))
        };
        // What a 2xx says of its length has no meaning (RFC 9110, section 9.3.6).
        for open in ["200 OK\r\n\r\n", "204 \r\n\r\n", "200 OK\r\nContent-Length: 5\r\n\r\n"] {
            assert_eq!(told(open, None), Ok(()));
        }
        for (answer, authorization, kind, part) in [
            ("200 OK\r\n\r\nhello", None, Kind::Protocol, "5 bytes behind"),
            ("407 X\r\n\r\n", None, Kind::Connect, "write http://USER:PASSWORD@HOST:PORT"),
            ("407 X\r\n\r\n", Some("x"), Kind::Connect, "does not accept this user and password"),
            ("401 X\r\n\r\n", Some("x"), Kind::Connect, "accept this user and password (status 401)"),
            ("407 X\r\nProxy-Authenticate: NTLM\r\n\r\n", None, Kind::Connect, "asks for NTLM"),
            ("407 X\r\nProxy-Authenticate: digest a=b\r\n\r\n", Some("x"), Kind::Connect, "asks for Digest"),
            ("407 X\r\nProxy-Authenticate: NTLM, basic realm=\"x\"\r\n\r\n", None, Kind::Connect, "USER:PASSWORD"),
            (
                "407 X\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: Basic\r\n\r\n",
                Some("x"),
                Kind::Connect,
                "does not accept",
            ),
            ("407 X\r\nProxy-Authenticate: Secret\r\n\r\n", Some("x"), Kind::Connect, "does not accept"),
            ("405 X\r\n\r\n", None, Kind::Connect, "does not take CONNECT (status 405)"),
            ("501 X\r\n\r\n", None, Kind::Connect, "does not take CONNECT (status 501)"),
            ("403 X\r\n\r\n", None, Kind::Connect, "does not allow this host and port"),
            ("502 X\r\n\r\n<html>", None, Kind::Connect, "could not reach the host (status 502)"),
            ("500 X\r\n\r\n", None, Kind::Connect, "failed or could not reach the host (status 500)"),
            ("504 X\r\n\r\n", None, Kind::Connect, "could not reach the host (status 504)"),
            ("302 X\r\nLocation: /\r\n\r\n", None, Kind::Connect, "status 302, where 200 would be right"),
            ("522 X\r\n\r\n", None, Kind::Connect, "status 522"),
        ] {
            let (told_kind, line) = told(answer, authorization).expect_err(answer);
            assert_eq!(told_kind, kind, "{answer}");
            assert!(line.contains(part) && !line.contains("Secret"), "{answer}: {line}");
        }
    }
}
