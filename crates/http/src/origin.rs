//! Where a request goes: scheme, host and port (RFC 9110, section 4.3.1). Key of the pool and of per-host limits.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use url::{Host, Url};

use crate::error::{Error, Kind, Result};
use crate::printable::printable;

mod socket;

pub use self::socket::check_socket_path;

/// The schemes that can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Plain HTTP over TCP; port 80 unless the URL names one.
    Http,
    /// HTTP over TLS; port 443 unless the URL names one.
    Https,
    /// Plain HTTP over a unix-domain socket, whose path stands percent-encoded where a host does:
    /// `http+unix://%2Frun%2Fdocker.sock/v1/info`. On Unix only.
    HttpUnix,
}

impl Scheme {
    /// The scheme as it stands in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::HttpUnix => "http+unix",
        }
    }

    /// The port if a URL names none; that of http for sockets, which have none.
    pub const fn default_port(self) -> u16 {
        match self {
            Scheme::Http | Scheme::HttpUnix => 80,
            Scheme::Https => 443,
        }
    }
}

/// Scheme, host and port of a URL.
///
/// The host is in the form the URL standard normalizes to: lower-case, IDNA-encoded, IPv6 addresses in brackets. The path
/// of a socket is percent-encoded, case kept, in one form whatever way it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    scheme: Scheme,
    host: Box<str>,
    port: u16,
}

impl Origin {
    /// The origin of a URL.
    ///
    /// # Errors
    /// [`Kind::Url`] if the scheme is neither http, https nor http+unix, or no host is named; for http+unix if the
    /// path cannot be that of a socket, or this is not Unix.
    pub fn of(url: &Url) -> Result<Origin> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "http+unix" => {
                let host = socket::host(url).map_err(|why| Error::new(Kind::Url, format!("the URL {why}")))?;
                return Ok(Origin { scheme: Scheme::HttpUnix, host, port: Scheme::HttpUnix.default_port() });
            }
            other => {
                return Err(Error::new(
                    Kind::Url,
                    format!("the scheme \"{other}\" cannot be fetched: write http:// or https://"),
                ));
            }
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| Error::new(Kind::Url, "the URL names no host"))?.into();
        Ok(Origin { scheme, host, port: url.port().unwrap_or(scheme.default_port()) })
    }

    /// Whether this is the origin of a URL, which is quicker than making that. False for sockets, because their paths are
    /// written in many ways.
    pub fn is_of(&self, url: &Url) -> bool {
        self.scheme != Scheme::HttpUnix
            && self.scheme.as_str() == url.scheme()
            && url.host_str() == Some(&*self.host)
            && url.port().unwrap_or(self.scheme.default_port()) == self.port
    }

    /// The same without the dot that may end a host's name, which names the same host: `http://api.example.com./`. Where it
    /// is looked up and what it is sent are other things.
    pub fn without_final_dot(self) -> Origin {
        match self.host.strip_suffix('.').filter(|host| !host.is_empty() && self.scheme != Scheme::HttpUnix) {
            Some(host) => Origin { host: host.into(), ..self },
            None => self,
        }
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host as in the URL: IPv6 addresses keep their brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host as a resolver and a certificate name it: without brackets.
    pub fn host_name(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }

    /// The port, the scheme's own if the URL names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of the unix-domain socket, if the scheme is that of one.
    pub fn socket(&self) -> Option<PathBuf> {
        (self.scheme == Scheme::HttpUnix).then(|| socket::path(&self.host))
    }

    /// `host:port`, the port left out if it is the scheme's own: the value of a Host field (RFC 9110, section 7.2). For
    /// sockets, `localhost`: servers behind them know no other name.
    pub fn authority(&self) -> String {
        if self.scheme == Scheme::HttpUnix {
            "localhost".to_owned()
        } else if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::HttpUnix => write!(f, "{}://{}", self.scheme.as_str(), self.host),
            _ => write!(f, "{}://{}", self.scheme.as_str(), self.authority()),
        }
    }
}

/// Parses a URL that can be fetched. Spaces around it are dropped, as the URL standard says.
///
/// # Errors
/// [`Kind::Url`], naming the text and what would be right.
pub fn parse_url(text: &str) -> Result<Url> {
    let text = text.trim();
    let shown = || shorten(text);
    if text.bytes().fold(false, |bad, b| bad | matches!(b, b'\r' | b'\n' | 0)) {
        // The URL standard would drop them silently; what was meant is not known.
        return Err(Error::new(Kind::Url, format!("\"{}\" contains a line break or NUL, which no URL can", shown())));
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            return Err(Error::new(
                Kind::Url,
                format!("\"{}\" has no scheme: write http:// or https:// before it", shown()),
            ));
        }
        Err(error) => return Err(Error::new(Kind::Url, format!("\"{}\" is not a URL", shown())).with_source(error)),
    };
    if url.scheme() == "http+unix" {
        return match socket::host(&url) {
            Ok(_) => Ok(url),
            Err(why) => Err(Error::new(Kind::Url, format!("\"{}\" {why}", shown()))),
        };
    }
    if !matches!(url.scheme(), "http" | "https") {
        // `localhost:8080/x` parses as scheme "localhost"; say what was meant.
        let looks_like_port =
            text.split_once(':').is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
        let hint = if looks_like_port { "has no scheme" } else { "has a scheme that cannot be fetched" };
        return Err(Error::new(Kind::Url, format!("\"{}\" {hint}: write http:// or https://", shown())));
    }
    if !matches!(url.host(), Some(Host::Domain(name)) if name.is_empty()) && url.host().is_some() {
        return Ok(url);
    }
    Err(Error::new(Kind::Url, format!("\"{}\" names no host", shown())))
}

/// What is asked for at the origin of a URL.
pub fn path_and_query(url: &Url) -> &str {
    &url[url::Position::BeforePath..url::Position::AfterQuery]
}

/// The URL as it may be shown: a password in it is hidden, and a user without one, which may be a token.
///
/// In a text that is no URL, a password may have split it where none was meant: everything up to the last `@` is hidden.
pub fn without_password(text: &str) -> Cow<'_, str> {
    // Mostly there is none.
    if !text.contains('@') {
        return text.into();
    }
    // Values of a plan that are still to be filled in are part of a name.
    let filled = text.trim().replace(['$', '{', '}'], "x");
    let is_template = filled != text.trim();
    let is_url = Url::parse(&filled).is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty()));
    let start = text.find("://").map_or(0, |at| at + 3);
    if !is_url && (start > 0 || !is_template) {
        let end = text.rfind('@').filter(|at| *at >= start);
        return end.map_or(text.into(), |at| format!("{}***{}", &text[..start], &text[at..]).into());
    }
    if start == 0 {
        return text.into();
    }
    let end = text[start..].find(['/', '?', '#', '\\']).map_or(text.len(), |at| start + at);
    match text[start..end].rsplit_once('@') {
        Some((userinfo, host)) => {
            let (user, hidden) = userinfo.split_once(':').map_or(("", "***"), |(user, _)| (user, ":***"));
            format!("{}{user}{hidden}@{host}{}", &text[..start], &text[end..]).into()
        }
        None => text.into(),
    }
}

/// Text of a user in an error: whole while it is short, its password hidden, nothing that is not printable.
fn shorten(text: &str) -> String {
    const MAX: usize = 200;
    let text = without_password(text.trim());
    let start: String = text.chars().take(MAX).collect();
    let mut shown = printable(&start, &[]).into_owned();
    if text.chars().nth(MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(&parse_url(text).expect("a good URL")).expect("a good origin")
    }

    #[test]
    fn origins_are_normalized() {
        assert_eq!(origin("HTTP://Example.COM:80/a"), origin("http://example.com/b"));
        assert_ne!(origin("http://example.com/"), origin("https://example.com/"));
        assert_eq!(origin("https://[::1]:8443/").authority(), "[::1]:8443");
        assert_eq!(origin("https://[::1]/").host_name(), "::1");
        assert_eq!(origin("https://example.com:443").to_string(), "https://example.com");
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_an_origin_by_its_path() {
        let docker = origin("HTTP+unix://%2frun%2Fdocker.sock/v1/info");
        assert_eq!(docker, origin("http+unix://me:pw@%2Frun%2Fdocker%2Esock"));
        assert_ne!(docker, origin("http+unix://%2Frun%2FDocker.sock"));
        assert_eq!(docker.to_string(), "http+unix://%2Frun%2Fdocker.sock");
        assert_eq!((docker.authority(), docker.socket()), ("localhost".into(), Some("/run/docker.sock".into())));
        assert_eq!(origin("http://run/").socket(), None);
        let long = format!("http+unix://%2F{}/x", "y".repeat(500));
        let line = parse_url(&long).expect_err("too long").one_line();
        assert!(line.ends_with("…\" has a socket whose path is 501 bytes long: at most 107 are possible"), "{line}");
    }

    #[test]
    fn bad_urls_say_what_would_be_right() {
        for (text, part) in [
            ("example.com", "has no scheme"),
            ("localhost:8080/x", "has no scheme"),
            ("ftp://example.com", "cannot be fetched"),
            ("http://", "is not a URL"),
            ("http://exa mple/", "is not a URL"),
            ("http://a/\r\nX: y", "line break"),
        ] {
            let error = parse_url(text).expect_err(text);
            assert_eq!(error.kind(), Kind::Url);
            assert!(error.one_line().contains(part), "{}", error.one_line());
        }
    }

    #[test]
    fn passwords_are_hidden() {
        assert_eq!(without_password("http://me:s@cret@h/p@q"), "http://me:***@h/p@q");
        // A user alone may be a token.
        assert_eq!(without_password("http://sk_live_1@h/"), "http://***@h/");
        assert_eq!(without_password("http://me:${PW}@h/{x}@me"), "http://me:***@h/{x}@me");
        assert_eq!(without_password("${BASE}/users/@me"), "${BASE}/users/@me");
        assert_eq!(without_password("https://${HOST}/@me"), "https://${HOST}/@me");
        assert_eq!(without_password("http://h/?a@b:c"), "http://h/?a@b:c");
        // A password with / ? or # in it ends the authority where nobody meant it to.
        for text in
            ["http://bob:p/wSEC@h/x", "http://bob:p#wSEC@h/x", "http://bob:p?wSEC@h", "bob:pSEC@h/", "//bob:pSEC@h"]
        {
            assert!(!without_password(text).contains("SEC"), "{text}");
            assert!(!parse_url(text).expect_err(text).one_line().contains("SEC"), "{text}");
        }
        assert!(parse_url("ftp://me:secret@h/").expect_err("ftp").one_line().contains("me:***@h"));
    }
}
