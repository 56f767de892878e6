//! One request to make, its limits and its expectations: plain data. A job that exists can be run.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::error::{Error, Kind, Result};
use crate::origin::{LazyUrl, without_password};
use crate::statuses::StatusSet;

/// One source: a request to make and what to do with its response.
///
/// Everything but name and URL sits in [`Settings`], which many jobs share; the setters here copy them when they must.
///
/// ```
/// use std::time::Duration;
/// use roundup::Job;
///
/// let job = Job::get("https://api.example.com/v1/forecast?city=oslo")?
///     .named("weather[oslo]")
///     .with(|settings| settings.timeout = Duration::from_secs(5));
/// assert_eq!(job.name(), "weather[oslo]");
/// # Ok::<(), roundup::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Job {
    // One word wide: a run has as many jobs as its list has lines, and moves them more than once.
    parts: Arc<Parts>,
}

#[derive(Clone, Debug)]
struct Parts {
    name: Arc<str>,
    url: LazyUrl,
    /// Mostly the name.
    written: Arc<str>,
    output: Option<PathBuf>,
    settings: Arc<Settings>,
}

impl Job {
    /// A GET of this URL with default settings, named by the URL as it was written.
    ///
    /// # Errors
    /// [`Kind::Url`] where it is not a URL that can be fetched.
    pub fn get(url: &str) -> Result<Job> {
        static DEFAULT: LazyLock<Arc<Settings>> = LazyLock::new(Arc::default);
        Job::new(url, DEFAULT.clone())
    }

    /// A request of this URL with shared settings, named by the URL as it was written.
    ///
    /// # Errors
    /// [`Kind::Url`] where it is not a URL that can be fetched.
    pub fn new(url: &str, settings: Arc<Settings>) -> Result<Job> {
        let written: Arc<str> = without_password(url.trim()).into();
        let url = LazyUrl::parse(url, &written)?;
        Ok(Job { parts: Arc::new(Parts { name: written.clone(), url, written, output: None, settings }) })
    }

    /// A request of a URL that was parsed, and as it was written.
    #[cfg_attr(not(feature = "plan"), expect(dead_code, reason = "plans parse URLs themselves"))]
    pub(crate) fn of(url: Url, written: &str, settings: Arc<Settings>) -> Job {
        let written: Arc<str> = without_password(written).into();
        Job { parts: Arc::new(Parts { name: written.clone(), url: url.into(), written, output: None, settings }) }
    }

    /// Names the job; reports list it under this name.
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Job {
        let parts = self.parts_mut();
        parts.name = name.into();
        if parts.name == parts.written {
            parts.written = parts.name.clone();
        }
        self
    }

    /// The URL as reports are to show it, where it differs from the one that is fetched: with its `${NAME}` still in place.
    pub fn written_as(mut self, url: &str) -> Job {
        self.parts_mut().written = without_password(url).into();
        self
    }

    /// Saves the content to this file; the report then names the file and does not hold the content.
    pub fn saved_to(mut self, file: impl Into<PathBuf>) -> Job {
        self.parts_mut().output = Some(file.into());
        self
    }

    /// Changes settings of this job alone.
    pub fn with(mut self, change: impl FnOnce(&mut Settings)) -> Job {
        change(Arc::make_mut(&mut self.parts_mut().settings));
        self
    }

    /// Replaces the shared settings.
    pub fn with_settings(mut self, settings: Arc<Settings>) -> Job {
        self.parts_mut().settings = settings;
        self
    }

    fn parts_mut(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.parts)
    }

    /// The name reports list the job under.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// The URL that is fetched.
    pub fn url(&self) -> &Url {
        self.parts.url.whole()
    }

    /// The same, not parsed unless that is needed.
    #[cfg(feature = "fetcher")]
    pub(crate) fn lazy_url(&self) -> &LazyUrl {
        &self.parts.url
    }

    /// The URL as the user wrote it, passwords hidden.
    pub fn written_url(&self) -> &str {
        &self.parts.written
    }

    /// The file the content is saved to, if any.
    pub fn output(&self) -> Option<&PathBuf> {
        self.parts.output.as_ref()
    }

    /// What an outcome says of its job: name, URL as it was written.
    #[cfg(feature = "fetcher")]
    pub(crate) fn names(&self) -> (Arc<str>, Arc<str>) {
        (self.parts.name.clone(), self.parts.written.clone())
    }

    /// What the job shares with others.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.parts.settings
    }
}

/// How a job is requested, limited, and judged. `Default` gives the documented defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The request method; GET by default.
    pub method: Method,
    /// Header fields to send, in this order.
    pub headers: Vec<Field>,
    /// The content to send with the request, if any.
    pub data: Option<Arc<[u8]>>,
    /// One attempt, from the permit to the last byte of content, redirects included; time in the queue is not counted.
    /// 30 s by default.
    pub timeout: Duration,
    /// Resolving, connecting, proxy and TLS handshake together; 10 s by default, bounded by `timeout`.
    pub connect_timeout: Duration,
    /// How often to try again after the first attempt; 2 by default.
    pub retries: u32,
    /// Whether to repeat a request whose method is not idempotent (POST, PATCH); no by default.
    pub retry_unsafe: bool,
    /// The longest Retry-After that is waited for; where a server asks for more, the job fails at once. 60 s by default.
    pub retry_after_max: Duration,
    /// How many redirects to follow; 10 by default, 0 for none.
    pub follow: u32,
    /// The largest content in bytes, after undoing content codings; [`Settings::MAX_BODY_KEPT`] by default for content
    /// that is kept in memory and [`Settings::MAX_BODY_SAVED`] for content that only goes to a file.
    pub max_body: Option<u64>,
    /// Which statuses count as success; 200 to 399 by default. Where `expect.status` is set, that decides instead.
    pub accept: StatusSet,
    /// Neither ask for nor undo content codings; no by default.
    pub raw: bool,
    /// Values to take out of a JSON response: the name each gets in the report, and where it stands.
    pub select: Vec<(String, Pointer)>,
    /// What the response must be, beyond its status.
    pub expect: Expect,
}

impl Settings {
    /// The default of `max_body` for content that is kept in memory.
    pub const MAX_BODY_KEPT: u64 = 16 << 20;
    /// The default of `max_body` for content that only goes to a file.
    pub const MAX_BODY_SAVED: u64 = 1 << 30;

    /// Sets a header field: replaces those of the same name.
    pub fn set_header(&mut self, field: Field) {
        self.headers.retain(|old| !old.name().eq_ignore_ascii_case(field.name()));
        self.headers.push(field);
    }

    /// Whether the content must be JSON that is looked into.
    pub fn reads_json(&self) -> bool {
        !self.select.is_empty() || !self.expect.json.is_empty()
    }

    /// The set that decides which statuses are good.
    pub fn good_statuses(&self) -> &StatusSet {
        self.expect.status.as_ref().unwrap_or(&self.accept)
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            method: Method::GET,
            headers: Vec::new(),
            data: None,
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            retries: 2,
            retry_unsafe: false,
            retry_after_max: Duration::from_secs(60),
            follow: 10,
            max_body: None,
            accept: StatusSet::default(),
            raw: false,
            select: Vec::new(),
            expect: Expect::default(),
        }
    }
}

/// What a response must be; what is not set is not looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// The statuses that are expected.
    pub status: Option<StatusSet>,
    /// Values that must stand at these places of a JSON response.
    pub json: Vec<(Pointer, Value)>,
    /// The longest time from the permit of the last attempt to its last byte.
    pub max_ms: Option<u64>,
}

/// A request method (RFC 9110, section 9): one of those that the client API knows, in upper case.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Method(&'static str);

impl Method {
    /// Transfer a representation of the target.
    pub const GET: Method = Method("GET");
    /// The same as GET, without content.
    pub const HEAD: Method = Method("HEAD");
    /// Process the content that is sent.
    pub const POST: Method = Method("POST");

    /// The registered methods that can be sent; CONNECT and the protocol's own PRI are not for users.
    const ALL: [&'static str; 15] = [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "OPTIONS",
        "PATCH",
        "TRACE",
        "REPORT",
        "SEARCH",
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
    ];

    /// The method as it is sent.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether a request with it may be repeated (RFC 9110, section 9.2.2).
    pub fn is_idempotent(self) -> bool {
        matches!(self.0, "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE" | "REPORT" | "SEARCH" | "PROPFIND")
    }
}

impl Default for Method {
    fn default() -> Method {
        Method::GET
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(text: &str) -> Result<Method> {
        let upper = text.to_ascii_uppercase();
        Method::ALL.iter().find(|method| **method == upper).map(|method| Method(method)).ok_or_else(|| {
            Error::new(
                Kind::Config,
                format!("\"{text}\" is not a method that can be sent: write one of {}", Method::ALL.join(", ")),
            )
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A header field that is safe to send: the name is a token, the value has no CR, LF or NUL (RFC 9110, section 5.5).
///
/// `Debug` hides the value: it is as often a credential as not.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    name: Box<str>,
    value: Box<[u8]>,
}

impl Field {
    /// A field of this name and value; spaces around the value are dropped.
    ///
    /// # Errors
    /// [`Kind::Config`] where the name is not a token, the value has a CR, LF, NUL or another control character but tab,
    /// or the field is one of those that say where a message ends and that only the client can set.
    pub fn new(name: &str, value: impl AsRef<[u8]>) -> Result<Field> {
        let name_is_token = !name.is_empty() && name.bytes().all(is_token_byte);
        if !name_is_token {
            return Err(Error::new(
                Kind::Config,
                format!("{name:?} is not a header name: letters, digits and - without spaces"),
            ));
        }
        if ["content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive"]
            .iter()
            .any(|reserved| name.eq_ignore_ascii_case(reserved))
        {
            return Err(Error::new(
                Kind::Config,
                format!("the header {name} is set by the client itself and cannot be given"),
            ));
        }
        let blank = |b: &u8| matches!(b, b' ' | b'\t');
        let value = value.as_ref();
        let start = value.iter().position(|b| !blank(b)).unwrap_or(value.len());
        let end = value.iter().rposition(|b| !blank(b)).map_or(start, |last| last + 1);
        let value = &value[start..end];
        if value.iter().any(|&b| (b < 0x20 && b != b'\t') || b == 0x7f) {
            let text = format!("the value of the header {name} contains a line break or another control character");
            return Err(Error::new(Kind::Config, text));
        }
        Ok(Field { name: name.into(), value: value.into() })
    }

    /// The name as it was written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value: bytes, for RFC 9110 does not promise that they are text.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

/// `Name: value`, as `--header` takes it. An empty value is allowed.
impl FromStr for Field {
    type Err = Error;

    fn from_str(text: &str) -> Result<Field> {
        let (name, value) = text.split_once(':').ok_or_else(|| {
            // The text may be a secret that was meant as a value: it is not shown.
            Error::new(Kind::Config, "a header has no colon: write it as 'Name: value'")
        })?;
        Field::new(name, value)
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ({} bytes)", self.name, self.value.len())
    }
}

/// A byte of a token (RFC 9110, section 5.6.2).
fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// A place in a JSON document (RFC 6901): empty for the whole, or `/` before each step, with `~1` for `/` and `~0` for `~`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Box<str>);

impl Pointer {
    /// The value at this place, if there is one.
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        document.pointer(&self.0)
    }
}

impl FromStr for Pointer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Pointer> {
        let escapes_are_good = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if (text.is_empty() || text.starts_with('/')) && escapes_are_good {
            return Ok(Pointer(text.into()));
        }
        Err(Error::new(
            Kind::Config,
            format!("\"{text}\" is not a JSON Pointer: write it as /current/temp or /items/0"),
        ))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shared_until_they_differ() {
        let shared = Arc::new(Settings::default());
        let one = Job::new("http://a/", shared.clone()).expect("good");
        let two = Job::new("http://me:pw@b/", shared.clone()).expect("good").with(|s| s.retries = 0);
        assert!(Arc::ptr_eq(one.settings(), &shared));
        assert_eq!((one.settings().retries, two.settings().retries), (2, 0));
        assert_eq!((two.name(), two.written_url()), ("http://me:***@b/", "http://me:***@b/"));
    }

    #[test]
    fn fields_cannot_smuggle() {
        assert_eq!("X-A:  b c ".parse::<Field>().map(|f| f.value().to_vec()).ok(), Some(b"b c".to_vec()));
        assert!(Field::new("X", "p\u{e4}").is_ok());
        for bad in [
            "no colon",
            ": x",
            "A B: c",
            "A\r: c",
            "A: b\r\nC: d",
            "A: \0",
            "Content-Length: 5",
            "transfer-encoding: chunked",
        ] {
            assert!(bad.parse::<Field>().is_err(), "{bad:?}");
        }
        let field: Field = "Authorization: Bearer t0ps3cret".parse().expect("good");
        assert!(!format!("{field:?}").contains("t0ps3cret"));
    }

    #[test]
    fn pointers_follow_rfc_6901() {
        let document = serde_json::json!({"a/b": {"m~n": [1, 2]}, "": 3});
        let find = |text: &str| text.parse::<Pointer>().expect("good").find(&document).cloned();
        assert_eq!(find("/a~1b/m~0n/1"), Some(Value::from(2)));
        assert_eq!(find("/"), Some(Value::from(3)));
        assert_eq!(find(""), Some(document.clone()));
        assert_eq!(find("/none"), None);
        for bad in ["a", "/~", "/~2", "$.a"] {
            assert!(bad.parse::<Pointer>().is_err(), "{bad}");
        }
    }

    #[test]
    fn methods() {
        assert_eq!("post".parse::<Method>().ok(), Some(Method::POST));
        assert!("CONNECT".parse::<Method>().is_err() && "GE T".parse::<Method>().is_err());
        assert!(!Method::POST.is_idempotent() && Method::GET.is_idempotent());
    }
}
