//! The cookies of a run. Pure: fields and times go in, the value of a Cookie field comes out.

use std::collections::HashMap;
use std::time::Instant;

use url::Url;

use super::set_cookie::{Life, SetCookie};
use crate::origin::Origin;

/// The most cookies of one origin: what RFC 6265, section 6.1, asks of clients.
const MOST_OF_ORIGIN: usize = 50;

/// The most cookies of a run, likewise: with names and values, 12 MiB at most.
const MOST: usize = 3000;

/// Keeps cookies to the origin that set them: scheme, host and port. That is narrower than RFC 6265, by which other ports of
/// the host and `http` have them, too (section 8.5): credentials cross no origin.
#[derive(Default)]
pub(super) struct CookieJar {
    origins: HashMap<Origin, Vec<Cookie>>,
    count: usize,
    /// Goes up with every use, so that it is known which cookie was used last.
    clock: u64,
}

struct Cookie {
    name: Box<[u8]>,
    value: Box<[u8]>,
    path: Box<[u8]>,
    ends: Option<Instant>,
    used: u64,
}

impl CookieJar {
    /// Takes what a field of a response to a request of `url` sets; `wall` is the server's time in seconds since 1970. Whether
    /// there is a value now that was not there before.
    pub(super) fn store(&mut self, url: &Url, origin: &Origin, field: &[u8], now: Instant, wall: i64) -> bool {
        let Some(set) = SetCookie::parse(field, origin, wall) else { return false };
        let path = set.path.unwrap_or_else(|| default_path(url));
        let before = self.take(origin, &set, path, now);
        let ends = match set.life {
            Life::Over => return false,
            Life::Run => None,
            // A time that the clock cannot express is never reached.
            Life::For(life) => now.checked_add(life),
        };
        self.make_room(origin);
        let (name, value, path) = (set.name.into(), set.value.into(), path.into());
        self.clock += 1;
        let cookie = Cookie { name, value, path, ends, used: self.clock };
        let cookies = self.origins.entry(origin.clone()).or_default();
        let is_new = before.as_ref().is_none_or(|(_, before)| before.value != cookie.value);
        // One that is set anew keeps its place in the order.
        cookies.insert(before.map_or(cookies.len(), |(at, _)| at.min(cookies.len())), cookie);
        self.count += 1;
        is_new
    }

    /// The value of the Cookie field of a request of this URL; `None` if it has none.
    pub(super) fn field(&mut self, url: &Url, origin: &Origin, now: Instant) -> Option<Vec<u8>> {
        let cookies = self.origins.get_mut(origin)?;
        let path = url.path().as_bytes();
        self.clock += 1;
        let is_for_it = |cookie: &&mut Cookie| !is_over(cookie, now) && covers(&cookie.path, path);
        let mut chosen: Vec<&mut Cookie> = cookies.iter_mut().filter(is_for_it).collect();
        // Longer paths first, otherwise as they were set (section 5.4).
        chosen.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let mut field = Vec::new();
        for cookie in chosen {
            cookie.used = self.clock;
            if !field.is_empty() {
                field.extend_from_slice(b"; ");
            }
            field.extend_from_slice(&cookie.name);
            field.push(b'=');
            field.extend_from_slice(&cookie.value);
        }
        (!field.is_empty()).then_some(field)
    }

    /// Takes out the cookie that is set anew, with its place, and those whose time is over.
    fn take(&mut self, origin: &Origin, set: &SetCookie<'_>, path: &[u8], now: Instant) -> Option<(usize, Cookie)> {
        let cookies = self.origins.get_mut(origin)?;
        self.count -= cookies.len();
        cookies.retain(|cookie| !is_over(cookie, now));
        let at = cookies.iter().position(|cookie| *cookie.name == *set.name && *cookie.path == *path);
        let before = at.map(|at| (at, cookies.remove(at)));
        self.count += cookies.len();
        if cookies.is_empty() {
            self.origins.remove(origin);
        }
        before
    }

    /// Lets go what was not used for longest, until there is room for one more.
    fn make_room(&mut self, origin: &Origin) {
        let of_origin = self.origins.get(origin).map_or(0, Vec::len);
        let from = if of_origin >= MOST_OF_ORIGIN {
            Some(origin.clone())
        } else if self.count >= MOST {
            let used = |cookies: &Vec<Cookie>| cookies.iter().map(|cookie| cookie.used).min();
            self.origins.iter().min_by_key(|(_, cookies)| used(cookies)).map(|(origin, _)| origin.clone())
        } else {
            None
        };
        let Some(from) = from else { return };
        let Some(cookies) = self.origins.get_mut(&from) else { return };
        if let Some(at) = (0..cookies.len()).min_by_key(|at| cookies[*at].used) {
            cookies.remove(at);
            self.count -= 1;
        }
        if cookies.is_empty() {
            self.origins.remove(&from);
        }
    }
}

/// Shows no values.
impl std::fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CookieJar({} cookies)", self.count)
    }
}

fn is_over(cookie: &Cookie, now: Instant) -> bool {
    cookie.ends.is_some_and(|ends| ends <= now)
}

/// The folder of the URL (section 5.1.4).
fn default_path(url: &Url) -> &[u8] {
    let path = url.path();
    match path.rfind('/') {
        Some(at) if at > 0 => &path.as_bytes()[..at],
        _ => b"/",
    }
}

/// Whether a request of this path gets the cookies of that one.
fn covers(path: &[u8], asked: &[u8]) -> bool {
    asked.strip_prefix(path).is_some_and(|rest| rest.is_empty() || path.ends_with(b"/") || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parsed(url: &str) -> (Url, Origin) {
        let url: Url = url.parse().expect(url);
        let origin = Origin::of(&url).expect("good");
        (url, origin)
    }

    struct Scenario {
        jar: CookieJar,
        now: Instant,
    }

    impl Scenario {
        fn new() -> Scenario {
            Scenario { jar: CookieJar::default(), now: Instant::now() }
        }

        fn set(&mut self, url: &str, field: &str) -> bool {
            let (url, origin) = parsed(url);
            self.jar.store(&url, &origin, field.as_bytes(), self.now, 1_000)
        }

        fn sent(&mut self, url: &str) -> String {
            let (url, origin) = parsed(url);
            let field = self.jar.field(&url, &origin, self.now).unwrap_or_default();
            String::from_utf8(field).expect("text")
        }
    }

    #[test]
    fn a_cookie_goes_back_to_its_origin_and_to_no_other() {
        let mut it = Scenario::new();
        assert!(it.set("http://a.example/", "sid=1; Domain=example"));
        assert_eq!(it.sent("http://a.example/any?q"), "sid=1");
        for other in ["https://a.example/", "http://a.example:81/", "http://example/", "http://b.a.example/"] {
            assert_eq!(it.sent(other), "", "{other}");
        }
    }

    #[test]
    fn paths_decide_who_gets_it_and_the_longest_comes_first() {
        let mut it = Scenario::new();
        it.set("http://h/a/b/login", "folder=1");
        it.set("http://h/a/b/login", "root=1; Path=/");
        it.set("http://h/login", "top=1");
        it.set("http://h/", "deep=1; Path=/a/b/c/");
        assert_eq!(it.sent("http://h/a/b/c/d"), "deep=1; folder=1; root=1; top=1");
        assert_eq!(it.sent("http://h/a/b"), "folder=1; root=1; top=1");
        assert_eq!(it.sent("http://h/a/bc"), "root=1; top=1");
        assert_eq!(it.sent("http://h/a/b/c"), "folder=1; root=1; top=1");
    }

    #[test]
    fn setting_anew_changes_the_value_and_keeps_the_place() {
        let mut it = Scenario::new();
        assert!(it.set("http://h/", "a=1"));
        assert!(it.set("http://h/", "b=2"));
        assert!(it.set("http://h/", "a=3"));
        assert!(!it.set("http://h/", "a=3"), "nothing is new");
        assert_eq!(it.sent("http://h/"), "a=3; b=2");
        assert!(!it.set("http://h/", "a=4; Max-Age=0"));
        assert_eq!(it.sent("http://h/"), "b=2");
        it.set("http://h/", "b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!((it.sent("http://h/"), it.jar.count, it.jar.origins.len()), (String::new(), 0, 0));
    }

    #[test]
    fn a_cookie_ends_when_its_time_is_over() {
        let mut it = Scenario::new();
        it.set("http://h/", "a=1; Max-Age=10");
        it.now += Duration::from_secs(9);
        assert_eq!(it.sent("http://h/"), "a=1");
        it.now += Duration::from_secs(1);
        assert_eq!(it.sent("http://h/"), "");
        it.set("http://h/", "b=2; Max-Age=99999999999999999999");
        assert_eq!((it.sent("http://h/"), it.jar.count), ("b=2".to_owned(), 1));
    }

    #[test]
    fn there_are_at_most_so_many_and_the_one_in_use_stays() {
        let mut it = Scenario::new();
        it.set("http://h/used", "sid=1; Path=/used");
        for number in 0..10_000 {
            it.set("http://h/flood/", &format!("c{number}=x"));
            assert_eq!(it.sent("http://h/used"), "sid=1");
        }
        assert_eq!(it.jar.count, MOST_OF_ORIGIN);
        for host in 0..200 {
            for number in 0..60 {
                it.set(&format!("http://h{host}/"), &format!("c{number}=x"));
            }
        }
        assert_eq!(it.jar.count, MOST);
        let all: usize = it.jar.origins.values().map(Vec::len).sum();
        assert_eq!((all, it.sent("http://h199/").split("; ").count()), (MOST, MOST_OF_ORIGIN));
    }

    /// Whatever comes, what is sent is a field that can be sent, within its bounds.
    #[test]
    fn any_bytes_are_harmless() {
        let words: [&[u8]; 22] = [
            b"a",
            b"=",
            b";",
            b" ",
            b"\t",
            b"\"",
            b"\xff",
            b"\xc3\xa9",
            b"\r\n",
            b"\0",
            b"Path=",
            b"/",
            b"Domain=",
            b"h",
            b"Max-Age=",
            b"-",
            b"99999999999",
            b"Expires=",
            b"01 Jan 2030 00:00:00",
            b"Secure",
            b"__Host-",
            b":",
        ];
        let mut rng = fastrand::Rng::with_seed(7);
        let mut it = Scenario::new();
        let (url, origin) = parsed("http://h/a/b");
        for _ in 0..20_000 {
            let field: Vec<u8> =
                (0..rng.usize(..24)).flat_map(|_| words[rng.usize(..words.len())].iter().copied()).collect();
            let wall = rng.i64(i64::MIN / 2..i64::MAX / 2);
            it.jar.store(&url, &origin, &field, it.now, wall);
            it.now += Duration::from_millis(rng.u64(..100));
            let sent = it.jar.field(&url, &origin, it.now).unwrap_or_default();
            assert!(!sent.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)), "{}", sent.escape_ascii());
            assert!(it.jar.count <= MOST_OF_ORIGIN && sent.len() <= MOST_OF_ORIGIN * 4100);
        }
    }
}
