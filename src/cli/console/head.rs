//! The head of a response as text, for `--include` and `-vv`.

use roundup::{Outcome, Redactor};

/// Of each redirect and of the response: status line and fields, each line with CR LF at its end as it came, and an empty line; nothing if there was no response.
///
/// The reason is the one that RFC 9110 gives, because clients do not keep the server's.
pub(crate) fn head(redactor: &Redactor, outcome: &Outcome) -> Vec<u8> {
    let Some(status) = outcome.status else { return Vec::new() };
    let redirects = outcome.redirects.iter().flatten().map(|redirect| (redirect.status, &redirect.fields[..]));
    let mut head = Vec::new();
    for (status, fields) in redirects.chain([(status, outcome.fields.as_deref().unwrap_or_default())]) {
        head.extend_from_slice(format!("HTTP/1.1 {status} {}\r\n", reason(status)).as_bytes());
        for field in fields {
            head.extend_from_slice(field.name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(&redactor.redact_bytes(&field.value));
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
    }
    head
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        410 => "Gone",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
