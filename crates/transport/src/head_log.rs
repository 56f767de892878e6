//! Logs heads as curl's `-v` shows them: `>` before the lines of a request, `<` before those of a response.

use std::fmt::Write as _;

use log::Level;

use crate::h1::Head;
use crate::http::{REDACTED, is_credential, without_password};

/// The target of these records, at the level `trace`. They are written for people as they are.
const TARGET: &str = "roundup_transport::heads";

pub(crate) fn is_on() -> bool {
    log::log_enabled!(target: TARGET, Level::Trace)
}

/// The head of a request as text. Lines with a credential or a secret have their value hidden, and so has the target.
pub(crate) fn request(head: &[u8], shown_target: &str, is_secret: impl Fn(&[u8]) -> bool) -> String {
    let mut text = String::new();
    for (number, line) in head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).enumerate() {
        if line.is_empty() {
            continue;
        }
        let shown = String::from_utf8_lossy(line);
        match shown.split_once(':') {
            _ if number == 0 && is_secret(line) => {
                let (method, _) = shown.split_once(' ').unwrap_or((&shown, ""));
                let _ = writeln!(text, "> {method} {shown_target} HTTP/1.1");
            }
            Some((name, _)) if number > 0 && (is_credential(name) || is_secret(line)) => {
                let _ = writeln!(text, "> {name}: {REDACTED}");
            }
            _ => {
                let _ = writeln!(text, "> {shown}");
            }
        }
    }
    text
}

/// Logs a request, and the head of its response if one came.
pub(crate) fn log(request: &str, response: Option<&Head>) {
    let mut text = request.to_owned();
    if let Some(head) = response {
        let _ = writeln!(text, "< HTTP/1.1 {} {}", head.status(), String::from_utf8_lossy(head.reason()));
        for (name, value) in head.fields() {
            let value = if is_credential(name) { REDACTED.into() } else { String::from_utf8_lossy(value) };
            // A Location may name a password.
            let value = if value.contains("://") { without_password(&value).into_owned().into() } else { value };
            let _ = writeln!(text, "< {name}: {value}");
        }
    }
    log::trace!(target: TARGET, "{}", text.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_secrets_of_a_request_are_hidden() {
        let head =
            b"GET /v1?key=s3cret HTTP/1.1\r\nHost: a\r\nauthorization: Basic eA==\r\nX-Key: s3cret\r\nX-A: b:c\r\n\r\n";
        let is_secret = |line: &[u8]| line.windows(6).any(|window| window == b"s3cret");
        let text = request(head, "/v1?key=${KEY}", is_secret);
        let expected =
            "> GET /v1?key=${KEY} HTTP/1.1\n> Host: a\n> authorization: [redacted]\n> X-Key: [redacted]\n> X-A: b:c\n";
        assert_eq!(text, expected);
    }
}
