//! Sockets of this machine as hosts of URLs: in `http+unix://%2Frun%2Fdocker.sock/v1/info` the path of a unix-domain
//! socket stands percent-encoded where other URLs have a host. No RFC says so; requests-unixsocket, HTTPie and others do.

use std::path::{Path, PathBuf};

use url::Url;

use crate::percent;

/// The longest path of a socket in bytes: `sun_path` of `struct sockaddr_un` without the NUL at its end. If it is not
/// Linux's 108, it is mostly 104.
pub(crate) const MAX_SOCKET_PATH: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

/// What would be right, to end an error with.
const RIGHT: &str =
    "write its path percent-encoded where a host stands, as in http+unix://%2Frun%2Fdocker.sock/v1/info";

/// The host of a URL of such a scheme in the one form that its path has: two ways to write one path are one origin.
///
/// # Errors
/// What is wrong, to follow what names the URL.
pub(super) fn host(url: &Url) -> Result<Box<str>, String> {
    let path = percent::decode(url.host_str().unwrap_or_default().as_bytes());
    if path.is_empty() {
        return Err(format!("names no socket: {RIGHT}"));
    }
    if url.port().is_some() {
        return Err(format!("names a port, which a socket has not: {RIGHT}"));
    }
    check_bytes(&path)?;
    Ok(encode(&path))
}

/// The path in a host made by [`host`] or [`encode`].
pub(super) fn path(host: &str) -> PathBuf {
    let bytes = percent::decode(host.as_bytes());
    #[cfg(unix)]
    let path = PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes));
    // Elsewhere there are none, and `host` says so.
    #[cfg(not(unix))]
    let path = PathBuf::from(String::from_utf8_lossy(&bytes).into_owned());
    path
}

/// Whether a socket can have this path.
///
/// # Errors
/// What is wrong, to follow what names the path.
pub fn check_socket_path(path: &Path) -> Result<(), String> {
    check_bytes(path.as_os_str().as_encoded_bytes())
}

fn check_bytes(path: &[u8]) -> Result<(), String> {
    if cfg!(not(unix)) {
        return Err("is a unix-domain socket, which only Unix has: write a host and port".to_owned());
    }
    if path.contains(&0) {
        return Err("has NUL in the path of its socket, which no path can".to_owned());
    }
    if path.len() > MAX_SOCKET_PATH {
        let length = path.len();
        return Err(format!("has a socket whose path is {length} bytes long: at most {MAX_SOCKET_PATH} are possible"));
    }
    Ok(())
}

/// A path as a host: all but letters, digits and `-._~` (RFC 3986, section 2.3) is percent-encoded.
pub(super) fn encode(path: &[u8]) -> Box<str> {
    percent::encode(path, percent::COMPONENT).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn one_path_is_one_host() {
        let of = |text: &str| host(&Url::parse(text).expect(text));
        for text in [
            "http+unix://%2Frun%2Fa%20b.sock/x",
            "HTTP+UNIX://%2frun%2F%61%20b.sock",
            "http+unix://%2Frun%2Fa%20%62%2Esock?y",
        ] {
            let host = of(text).expect(text);
            assert_eq!((&*host, path(&host)), ("%2Frun%2Fa%20b.sock", PathBuf::from("/run/a b.sock")));
        }
        // Case counts, and a relative path is one.
        assert_eq!(of("http+unix://Docker.sock/").map(|host| path(&host)), Ok(PathBuf::from("Docker.sock")));
        let longest = format!("http+unix://{}/", "x".repeat(MAX_SOCKET_PATH));
        assert!(of(&longest).is_ok());
        for (text, why) in [
            ("http+unix:///run/docker.sock", "names no socket: write its path percent-encoded"),
            ("http+unix:/run/docker.sock", "names no socket: write its path percent-encoded"),
            ("http+unix://%2Fx:80/", "names a port"),
            ("http+unix://%2Fx%00/", "has NUL in the path"),
            (&longest.replace("xx/", "xxx/"), "bytes long: at most"),
        ] {
            let wrong = of(text).expect_err(text);
            assert!(wrong.contains(why), "{text}: {wrong}");
        }
    }

    #[cfg(not(unix))]
    #[test]
    fn only_unix_has_them() {
        let wrong = host(&Url::parse("http+unix://%2Fx/").expect("a URL")).expect_err("no such thing");
        assert!(wrong.contains("only Unix has"), "{wrong}");
    }
}
