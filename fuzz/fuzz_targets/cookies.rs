//! Set-Cookie fields of any servers, one after the other: what goes back is a field within bounds, and to no other origin than
//! the one that set it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roundup::fetcher::fuzzing::Cookies;
use url::Url;

const URLS: [&str; 8] = [
    "http://a.example/b/c?d",
    "http://a.example/",
    "https://a.example/b/c",
    "http://a.example:8080/b",
    "https://b.a.example/b/",
    "http://127.0.0.1/b",
    "https://[::1]/b/c",
    "http+unix://%2Frun%2Fa.sock/b",
];

/// The bounds of a jar: cookies of an origin, and bytes of a name with its value (RFC 6265, section 6.1).
const MOST: usize = 50;
const LONGEST: usize = 4096;

fuzz_target!(|came: Vec<(u8, i64, &[u8])>| {
    let url = |choice: u8| URLS[usize::from(choice) % URLS.len()].parse::<Url>().expect("a URL");
    let cookies = Cookies::default();
    for (choice, wall, field) in &came {
        cookies.store(&url(*choice), field, *wall);
    }
    for asked in 0..URLS.len() as u8 {
        let asked = url(asked);
        let Some(field) = cookies.field(&asked) else { continue };
        assert!(!field.is_empty() && field.len() <= MOST * (LONGEST + 3), "{} bytes", field.len());
        let is_control = |byte: &u8| matches!(byte, 0..=8 | 10..=31 | 127);
        assert!(!field.iter().any(is_control), "{field:?}");
        // Each came from this origin: scheme, host and port, and the folder or the socket.
        let of_origin: Vec<&[u8]> =
            came.iter().filter(|(choice, ..)| is_same(&url(*choice), &asked)).map(|(_, _, field)| *field).collect();
        let pairs: Vec<&[u8]> = parts(&field, b"; ");
        assert!(pairs.len() <= MOST, "{} cookies", pairs.len());
        for pair in pairs {
            let at = pair.iter().position(|byte| *byte == b'=').expect("a name and a value");
            let (name, value) = (&pair[..at], &pair[at + 1..]);
            let is_set = |field: &&[u8]| holds(field, name) && holds(field, value);
            assert!(!name.is_empty() && of_origin.iter().any(is_set), "{pair:?} is of another origin");
        }
    }
});

fn is_same(one: &Url, other: &Url) -> bool {
    let of = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    of(one) == of(other)
}

/// What stands between these separators. No value holds one: a `;` ends it.
fn parts<'f>(field: &'f [u8], separator: &[u8]) -> Vec<&'f [u8]> {
    let mut parts = Vec::new();
    let mut rest = field;
    while let Some(at) = rest.windows(separator.len()).position(|window| window == separator) {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}

fn holds(field: &[u8], part: &[u8]) -> bool {
    part.is_empty() || field.windows(part.len()).any(|window| window == part)
}
