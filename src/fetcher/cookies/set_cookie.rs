//! One Set-Cookie field (RFC 6265, section 5.2, with the prefixes of its successor's draft).

use std::time::Duration;

use super::date;
use crate::origin::{Origin, Scheme};

/// The most bytes of a name with its value: what RFC 6265, section 6.1, asks of clients.
const MOST_BYTES: usize = 4096;

/// The most bytes of an attribute that counts.
const MOST_IN_ATTRIBUTE: usize = 1024;

/// What a field sets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SetCookie<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    /// None for the folder of the URL that was asked.
    pub(super) path: Option<&'a [u8]>,
    pub(super) life: Life,
}

/// How long a cookie is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// As long as the run.
    Run,
    For(Duration),
    /// It is taken away.
    Over,
}

impl<'a> SetCookie<'a> {
    /// Reads a field that came from this origin at this time, in seconds since 1970 by the server's clock. `None` if it sets
    /// nothing there: it is malformed, too long, for another host, or asks for what its origin cannot give.
    pub(super) fn parse(field: &'a [u8], origin: &Origin, now: i64) -> Option<SetCookie<'a>> {
        let mut parts = field.split(|byte| *byte == b';');
        let pair = parts.next()?;
        let (name, value) = split_at_equals(pair)?;
        let is_control = |byte: &u8| matches!(byte, 0..=8 | 10..=31 | 127);
        if name.is_empty() || name.len() + value.len() > MOST_BYTES || field.iter().any(is_control) {
            return None;
        }
        let (mut path, mut max_age, mut expires, mut domain, mut secure) = (None, None, None, None, false);
        for part in parts {
            let (name, value) = split_at_equals(part).unwrap_or((part.trim_ascii(), b""));
            if value.len() > MOST_IN_ATTRIBUTE {
                continue;
            }
            // Of several that say the same, the last one counts.
            if name.eq_ignore_ascii_case(b"path") {
                path = Some(value).filter(|path| path.starts_with(b"/"));
            } else if name.eq_ignore_ascii_case(b"max-age") {
                max_age = parse_max_age(value).or(max_age);
            } else if name.eq_ignore_ascii_case(b"expires") {
                expires = date::parse(value).or(expires);
            } else if name.eq_ignore_ascii_case(b"domain") {
                domain = Some(value).filter(|domain| !domain.is_empty());
            } else if name.eq_ignore_ascii_case(b"secure") {
                secure = true;
            }
        }
        let is_https = origin.scheme() == Scheme::Https;
        let begins = |prefix: &[u8]| name.get(..prefix.len()).is_some_and(|it| it.eq_ignore_ascii_case(prefix));
        let may_be = !secure || is_https;
        let may_be = may_be && (!begins(b"__Secure-") || secure);
        let may_be = may_be && (!begins(b"__Host-") || (secure && domain.is_none() && path == Some(b"/")));
        if !may_be || !domain.is_none_or(|domain| covers(domain, origin)) {
            return None;
        }
        let life = match (max_age, expires) {
            (Some(life), _) => life,
            (None, Some(at)) if at <= now => Life::Over,
            (None, Some(at)) => Life::For(Duration::from_secs(at.abs_diff(now))),
            (None, None) => Life::Run,
        };
        Some(SetCookie { name, value, path, life })
    }
}

fn split_at_equals(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = part.iter().position(|byte| *byte == b'=')?;
    Some((part[..at].trim_ascii(), part[at + 1..].trim_ascii()))
}

/// Whether a Domain attribute names this host or a domain above it (section 5.1.3). That domain does not get the cookie:
/// without a list of the suffixes under which others register, `Domain=com` cannot be told from one that is the host's own.
fn covers(domain: &[u8], origin: &Origin) -> bool {
    let domain = domain.strip_prefix(b".").unwrap_or(domain).to_ascii_lowercase();
    let host = origin.host_name().as_bytes();
    let is_address = origin.host().starts_with('[') || host.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let above = host.strip_suffix(&domain[..]).filter(|rest| rest.ends_with(b"."));
    host == domain || (!is_address && above.is_some())
}

/// Digits, perhaps behind a minus.
fn parse_max_age(value: &[u8]) -> Option<Life> {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = digits.iter().fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    let is_over = digits.len() < value.len() || seconds == 0;
    Some(if is_over { Life::Over } else { Life::For(Duration::from_secs(seconds)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&url.parse().expect(url)).expect(url)
    }

    fn parse<'a>(field: &'a str, url: &str) -> Option<SetCookie<'a>> {
        SetCookie::parse(field.as_bytes(), &origin(url), 1_000)
    }

    fn life(attributes: &str) -> Life {
        let field = format!("a=b; {attributes}");
        let parsed = SetCookie::parse(field.as_bytes(), &origin("http://h/"), 784_111_777).expect("good");
        parsed.life
    }

    #[test]
    fn name_value_and_path_are_read_as_they_stand() {
        let of = |field| parse(field, "http://h/").map(|it| (it.name, it.value, it.path));
        assert_eq!(of(" sid = \"a b\" ;Path=/x"), Some((&b"sid"[..], &b"\"a b\""[..], Some(&b"/x"[..]))));
        assert_eq!(of("a=b=c"), Some((&b"a"[..], &b"b=c"[..], None)));
        assert_eq!(of("a=;path=x"), Some((&b"a"[..], &b""[..], None)));
        assert_eq!(of("a=\u{e9};;Secure-ish;HttpOnly;SameSite=Lax"), Some((&b"a"[..], "é".as_bytes(), None)));
        for bad in ["", "a", "=b", ";a=b", "a=b\u{1}", "a=b;\u{7f}"] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn long_ones_are_left_out() {
        let long = format!("a={}", "x".repeat(4095));
        assert!(parse(&long, "http://h/").is_some());
        assert_eq!(parse(&format!("{long}x"), "http://h/"), None);
        let path = format!("a=b; Path=/{}", "x".repeat(1024));
        assert_eq!(parse(&path, "http://h/").expect("good").path, None);
    }

    #[test]
    fn lives() {
        for (attributes, expected) in [
            ("", Life::Run),
            ("Max-Age=10", Life::For(Duration::from_secs(10))),
            ("max-age=0", Life::Over),
            ("max-age=-1", Life::Over),
            ("max-age=+1", Life::Run),
            ("max-age=1.5", Life::Run),
            ("max-age=99999999999999999999999", Life::For(Duration::from_secs(u64::MAX))),
            ("Expires=Sun, 06 Nov 1994 08:49:47 GMT", Life::For(Duration::from_secs(10))),
            ("Expires=Sun, 06 Nov 1994 08:49:37 GMT", Life::Over),
            ("Expires=never", Life::Run),
            ("Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:00 GMT", Life::For(Duration::from_secs(5))),
            ("Expires=Sun, 06 Nov 2094 08:49:47 GMT; Max-Age=0", Life::Over),
        ] {
            assert_eq!(life(attributes), expected, "{attributes}");
        }
    }

    #[test]
    fn a_domain_is_the_host_or_one_above_it() {
        for (domain, url, is_kept) in [
            ("api.example.com", "http://api.example.com/", true),
            (".Example.COM", "http://api.example.com/", true),
            ("com", "http://api.example.com/", true),
            ("", "http://api.example.com/", true),
            ("other.example.com", "http://api.example.com/", false),
            ("x.api.example.com", "http://api.example.com/", false),
            ("ample.com", "http://api.example.com/", false),
            ("127.0.0.1", "http://127.0.0.1/", true),
            ("0.0.1", "http://127.0.0.1/", false),
            ("::1", "http://[::1]/", true),
            ("b\u{fc}cher.example", "http://xn--bcher-kva.example/", false),
        ] {
            assert_eq!(parse(&format!("a=b; Domain={domain}"), url).is_some(), is_kept, "{domain} {url}");
        }
    }

    #[test]
    fn secure_and_the_prefixes_need_https() {
        for (field, on_http, on_https) in [
            ("a=b; Secure", false, true),
            ("__Secure-a=b", false, false),
            ("__Secure-a=b; Secure", false, true),
            ("__Host-a=b; Secure; Path=/", false, true),
            ("__host-a=b; Path=/", false, false),
            ("__Host-a=b; Secure", false, false),
            ("__Host-a=b; Secure; Path=/x", false, false),
            ("__Host-a=b; Secure; Path=/; Domain=h", false, false),
            ("__Hos=b", true, true),
        ] {
            assert_eq!(parse(field, "http://h/").is_some(), on_http, "{field}");
            assert_eq!(parse(field, "https://h/").is_some(), on_https, "{field}");
        }
    }
}
