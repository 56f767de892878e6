//! Cookies of a run: those of all responses to jobs that want them go along with later requests of such jobs to the origin
//! that set them. `without_cookies.rs` is the twin in builds that have none.
//!
//! ```text
//! FollowedRequest    a step for each redirect
//! CookieSender       puts the cookies for its URL into the request: before the cache, which tells responses by them
//! CachingSender
//! CookieKeeper       takes the cookies of each response that comes
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use url::Url;

use self::jar::CookieJar;
use super::advice::http_date;
use crate::origin::Origin;
use crate::redact::Redactor;
use crate::transport::h1::Head;
use crate::transport::{Request, SendRequest, Sending};

mod date;
mod jar;
mod set_cookie;

/// The field that carries cookies.
const COOKIE: &str = "Cookie";

/// How many values of cookies are hidden in what is shown: each one is looked for in all texts.
const MOST_HIDDEN: usize = 100;

/// Shorter values are not hidden: they are words and numbers such as `en` and `dark`, and stand in many texts.
const LEAST_HIDDEN: usize = 8;

/// The cookies of one run. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct RunCookies(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    jar: Mutex<CookieJar>,
    hidden: Mutex<usize>,
    redactor: Option<Redactor>,
}

impl RunCookies {
    /// None yet. Values that come are hidden by this redactor.
    pub(super) fn new(redactor: Option<Redactor>) -> RunCookies {
        RunCookies(Arc::new(Shared { redactor, ..Shared::default() }))
    }

    /// Takes the cookies of a response to a request of this URL.
    fn store(&self, url: &Url, head: &Head) {
        let mut fields = head.get_all("set-cookie").peekable();
        let (Some(_), Ok(origin)) = (fields.peek(), Origin::of(url)) else { return };
        // Relative to the server's own clock, as all times are: that of a device may be wrong.
        let wall = head.get("date").and_then(http_date).unwrap_or_else(SystemTime::now);
        let wall = wall.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64);
        let (mut jar, now) = (lock(&self.0.jar), Instant::now());
        let mut new = Vec::new();
        for field in fields {
            if jar.store(url, &origin, field, now, wall) {
                new.extend(value_of(field));
            }
        }
        self.hide(new);
    }

    fn hide(&self, mut values: Vec<String>) {
        let Some(redactor) = &self.0.redactor else { return };
        let mut hidden = lock(&self.0.hidden);
        values.retain(|value| value.len() >= LEAST_HIDDEN);
        values.truncate(MOST_HIDDEN - *hidden);
        *hidden += values.len();
        redactor.learn(values);
    }

    /// The value of the Cookie field of this request: what it has itself, and behind it what is kept for its URL.
    fn field(&self, request: &Request<'_>) -> Option<Vec<u8>> {
        if request.omitted.iter().any(|name| name.eq_ignore_ascii_case(COOKIE)) {
            return None;
        }
        let origin = Origin::of(request.url).ok()?;
        let kept = lock(&self.0.jar).field(request.url, &origin, Instant::now())?;
        let own = request.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(COOKIE)).map(|(_, value)| *value);
        Some(own.chain([&kept[..]]).collect::<Vec<_>>().join(&b"; "[..]))
    }
}

/// The text of a value, without the quotes around it.
fn value_of(field: &[u8]) -> Option<String> {
    let pair = field.split(|byte| *byte == b';').next()?;
    let (_, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
    Some(value.trim().trim_matches('"').to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The cookies of a run, for the fuzzer.
#[cfg(fuzzing)]
#[derive(Debug, Default)]
pub struct FuzzedCookies(Mutex<CookieJar>);

#[cfg(fuzzing)]
impl FuzzedCookies {
    /// Takes what a field of a response to a request of this URL sets, at this time in seconds since 1970.
    pub fn store(&self, url: &Url, field: &[u8], wall: i64) {
        if let Ok(origin) = Origin::of(url) {
            lock(&self.0).store(url, &origin, field, Instant::now(), wall);
        }
    }

    /// The Cookie field of a request of this URL.
    pub fn field(&self, url: &Url) -> Option<Vec<u8>> {
        lock(&self.0).field(url, &Origin::of(url).ok()?, Instant::now())
    }
}

/// Sends requests with the cookies for their URLs.
#[derive(Debug)]
pub(super) struct CookieSender<'a> {
    sender: &'a dyn SendRequest,
    cookies: Option<&'a RunCookies>,
}

impl<'a> CookieSender<'a> {
    /// Without `cookies` it sends requests as they are.
    pub(super) fn new(sender: &'a dyn SendRequest, cookies: Option<&'a RunCookies>) -> CookieSender<'a> {
        CookieSender { sender, cookies }
    }
}

impl SendRequest for CookieSender<'_> {
    fn send<'a>(&'a self, request: Request<'a>) -> Sending<'a> {
        let Some(cookie) = self.cookies.and_then(|cookies| cookies.field(&request)) else {
            return self.sender.send(request);
        };
        Box::pin(async move {
            let others = request.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(COOKIE)).copied();
            let fields: Vec<(&str, &[u8])> = others.chain([(COOKIE, &cookie[..])]).collect();
            self.sender.send(Request { fields: &fields, ..request }).await
        })
    }
}

/// Keeps the cookies of responses.
#[derive(Debug)]
pub(super) struct CookieKeeper<'a> {
    sender: &'a dyn SendRequest,
    cookies: Option<&'a RunCookies>,
}

impl<'a> CookieKeeper<'a> {
    /// Without `cookies` it keeps none.
    pub(super) fn new(sender: &'a dyn SendRequest, cookies: Option<&'a RunCookies>) -> CookieKeeper<'a> {
        CookieKeeper { sender, cookies }
    }
}

impl SendRequest for CookieKeeper<'_> {
    fn send<'a>(&'a self, request: Request<'a>) -> Sending<'a> {
        let Some(cookies) = self.cookies else { return self.sender.send(request) };
        let url = request.url;
        Box::pin(async move {
            let response = self.sender.send(request).await?;
            cookies.store(url, &response.head);
            Ok(response)
        })
    }
}
