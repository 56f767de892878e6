//! How a job is requested, limited and judged, and the patches that are laid over such settings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::expectations::{Expect, ExpectPatch};
use crate::follow_up::{AnswerPlace, Pages, Poll};
use crate::http::{Field, Method, StatusSet};
use crate::pointer::Pointer;
use crate::proxy_url::ProxyUrl;
use crate::retry_on::RetryOn;
use crate::rows::{ContentFormat, Selection, ValueSource};

/// Declares each setting once: as a field of `Settings` with its default, and as an optional field of `SettingsPatch`.
///
/// `required` always has a value; `optional` may have none, and a patch cannot take one away. Headers and expectations
/// follow rules of their own and are written out below.
macro_rules! settings {
    (
        required { $($(#[$meta:meta])* $name:ident: $type:ty = $default:expr,)* }
        optional { $($(#[$optional_meta:meta])* $optional:ident: $optional_type:ty,)* }
    ) => {
        /// How a job is requested, limited, and judged. `Default` gives the documented defaults.
        ///
        /// serde reads back what it writes; what is missing has its default, and what is unknown is an error.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Settings {
            $($(#[$meta])* pub $name: $type,)*
            $($(#[$optional_meta])* pub $optional: Option<$optional_type>,)*
            /// Header fields to send, in this order.
            pub headers: Vec<Field>,
            /// What the response must be, beyond its status.
            pub expect: Expect,
        }

        impl Default for Settings {
            fn default() -> Settings {
                Settings {
                    $($name: $default,)*
                    $($optional: None,)*
                    headers: Vec::new(),
                    expect: Expect::default(),
                }
            }
        }

        /// Some of the [`Settings`], to be laid over others. `Default` changes nothing.
        ///
        /// What a plan's `[defaults]`, its `[hosts]`, a job, the environment, the command line and the C library say is
        /// such a patch each, and [`over`](SettingsPatch::over) is the only rule by which one goes over another.
        ///
        /// ```
        /// use roundup::{Settings, SettingsPatch};
        ///
        /// let defaults = SettingsPatch { retries: Some(5), follow: Some(0), ..SettingsPatch::default() };
        /// let job = SettingsPatch { retries: Some(2), ..SettingsPatch::default() };
        /// let settings = job.over_patch(&defaults).over(&Settings::default());
        /// assert_eq!((settings.retries, settings.follow), (2, 0));
        /// ```
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct SettingsPatch {
            $(#[doc = concat!("Replaces [`Settings::", stringify!($name), "`].")] pub $name: Option<$type>,)*
            $(
                #[doc = concat!("Replaces [`Settings::", stringify!($optional), "`].")]
                pub $optional: Option<$optional_type>,
            )*
            /// Fields that replace all of the same names; several of one name here all stay.
            pub headers: Vec<Field>,
            /// Expectations that replace those of the same keys.
            pub expect: ExpectPatch,
        }

        impl SettingsPatch {
            /// The settings with this patch over them: what it gives replaces what they had, also if it gives a default.
            ///
            /// Content without a method makes a GET a POST, as curl does.
            pub fn over(&self, lower: &Settings) -> Settings {
                let mut settings = Settings {
                    $($name: self.$name.clone().unwrap_or_else(|| lower.$name.clone()),)*
                    $($optional: self.$optional.clone().or_else(|| lower.$optional.clone()),)*
                    headers: over_by_name(&self.headers, &lower.headers, Field::name),
                    expect: self.expect.over(&lower.expect),
                };
                if self.data.is_some() && self.method.is_none() && settings.method == Method::GET {
                    settings.method = Method::POST;
                }
                settings
            }

            /// One patch that does what both do, this one after the other.
            pub fn over_patch(&self, lower: &SettingsPatch) -> SettingsPatch {
                SettingsPatch {
                    $($name: self.$name.clone().or_else(|| lower.$name.clone()),)*
                    $($optional: self.$optional.clone().or_else(|| lower.$optional.clone()),)*
                    headers: over_by_name(&self.headers, &lower.headers, Field::name),
                    expect: self.expect.over_patch(&lower.expect),
                }
            }
        }
    };
}

settings! {
    required {
        /// The request method; GET by default.
        method: Method = Method::GET,
        /// One attempt, from the permit to the last byte of content, redirects included; time in the queue is not counted.
        /// 30 s by default.
        timeout: Duration = Duration::from_secs(30),
        /// Resolving, connecting, proxy and TLS handshake together; 10 s by default, bounded by `timeout`.
        connect_timeout: Duration = Duration::from_secs(10),
        /// How often to try again after the first attempt; 2 by default.
        retries: u32 = 2,
        /// Whether to repeat a request whose method is not idempotent (POST, PATCH); no by default.
        retry_unsafe: bool = false,
        /// The longest Retry-After that is waited for; if a server asks for more, the job fails at once. 60 s by default.
        retry_after_max: Duration = Duration::from_secs(60),
        /// How many redirects to follow; 10 by default, 0 for none.
        follow: u32 = 10,
        /// Which statuses count as success; 200 to 399 by default. If `expect.status` is set, that decides instead.
        accept: StatusSet = StatusSet::default(),
        /// Jobs of a higher priority start before those of a lower one, as far as the limits of their hosts let them; 0 by
        /// default. A plan may give -100 to 100.
        priority: i8 = 0,
        /// Neither ask for nor undo content codings; no by default.
        raw: bool = false,
        /// Whether cookies of its responses, redirects included, go along with later requests of the run to the origin that set
        /// them, and with its own those that are there; no by default. In builds without the feature `cookies` it has no
        /// effect.
        cookies: bool = false,
        /// Whether responses are kept in the state of the run, and asked for again only if they may have changed (RFC 9111);
        /// no by default.
        cache: bool = false,
        /// Accepts certificates of any issuer, for any host, of any time; no by default. For tests only.
        insecure: bool = false,
        /// Values to take out of each answer into [`Outcome::captured`](crate::Outcome::captured). They decide how the source
        /// goes on, and are in no report.
        capture: Vec<AnswerPlace> = Vec::new(),
        /// Values to take out of a response: the name each gets in the report, and where it comes from.
        select: Vec<(String, Selection)> = Vec::new(),
        /// What the content is read as for `select`, `rows` and `expect`; by default what its Content-Type says.
        format: ContentFormat = ContentFormat::default(),
        /// The most rows that are kept of a response; with more, the job fails and keeps these. 1,000,000 by default.
        max_rows: u32 = 1_000_000,
    }
    optional {
        /// The proxy of its requests in place of the transport's own; hosts that need none there need none here.
        proxy: ProxyUrl,
        /// The PEM file with the authorities that are trusted, in place of the transport's own.
        #[serde(with = "crate::serde_forms::optional_path")]
        cacert: PathBuf,
        /// The PEM file with the certificate to show to servers that ask for one.
        #[serde(with = "crate::serde_forms::optional_path")]
        cert: PathBuf,
        /// The PEM file with the key of that certificate, if it is not in the same.
        #[serde(with = "crate::serde_forms::optional_path")]
        cert_key: PathBuf,
        /// The array of a JSON response whose elements are rows. The content of [`ContentForm::Ndjson`] and
        /// [`ContentForm::Csv`] is rows by itself.
        ///
        /// [`ContentForm::Ndjson`]: crate::rows::ContentForm::Ndjson
        /// [`ContentForm::Csv`]: crate::rows::ContentForm::Csv
        rows: Pointer,
        /// The table to which the rows go; `rows` by default.
        table: Box<str>,
        /// The login whose token is sent, by its name in the [`JobGraph`](crate::graph::JobGraph) that runs the job. A fetcher
        /// alone sends none.
        auth: Box<str>,
        /// How the pages of the source follow each other, if it has several.
        pages: Pages,
        /// The request is sent again until the answer is as it should be.
        poll: Poll,
        /// The content to send with the request, if any.
        #[serde(with = "crate::serde_forms::optional_bytes")]
        data: Arc<[u8]>,
        /// The largest content in bytes, after undoing content codings; [`Settings::MAX_BODY_KEPT`] by default for content
        /// that is kept in memory and [`Settings::MAX_BODY_SAVED`] for content that only goes to a file.
        max_body: u64,
        /// Which answers are tried again, in place of 408, 425, 429, 500, 502, 503, 504 and 520 to 524.
        retry_on: RetryOn,
        /// All attempts together and the waits between them, from the permit of the first; no limit by default.
        job_timeout: Duration,
        /// If no attempt reaches the server, or it has failed (500, 502, 503, 504), the content that was kept last is
        /// delivered for this long after it was fresh. It keeps responses as `cache` does.
        stale_if_error: Duration,
    }
}

impl Settings {
    /// The default of `max_body` for content that is kept in memory.
    pub const MAX_BODY_KEPT: u64 = 16 << 20;
    /// The default of `max_body` for content that only goes to a file.
    pub const MAX_BODY_SAVED: u64 = 1 << 30;

    /// Sets a header field: replaces those of the same name.
    pub fn set_header(&mut self, field: Field) {
        set_header(&mut self.headers, field);
    }

    /// Whether responses are kept.
    pub fn keeps_responses(&self) -> bool {
        self.cache || self.stale_if_error.is_some()
    }

    /// Whether values or rows are taken out of the content, or something is expected of it.
    pub fn looks_into_content(&self) -> bool {
        let is_in_content = |selection: &Selection| {
            matches!(selection.from, ValueSource::Row(_) | ValueSource::Document(_) | ValueSource::Text(_))
        };
        self.makes_rows()
            || self.captures_json()
            || self.select.iter().any(|(_, one)| is_in_content(one))
            || self.expect.looks_into_content()
    }

    /// Whether anything of the response is looked into, its status apart.
    pub fn looks_into_response(&self) -> bool {
        self.looks_into_content() || !self.select.is_empty() || self.looks_into_fields()
    }

    /// Whether it was asked for rows. Content that is lines by its Content-Type may give rows to `select` all the same.
    pub fn makes_rows(&self) -> bool {
        self.rows.is_some() || self.table.is_some() || self.format.form.has_lines()
    }

    /// Whether a value is taken from a field of the head, or one is expected.
    pub fn looks_into_fields(&self) -> bool {
        let is_header = |selection: &Selection| matches!(selection.from, ValueSource::Header(_));
        self.select.iter().any(|(_, one)| is_header(one)) || !self.expect.header.is_empty()
    }

    /// Whether a value is captured from the content.
    fn captures_json(&self) -> bool {
        self.capture.iter().any(|place| matches!(place, AnswerPlace::Json(_)))
    }

    /// The table to which rows go, if the job gives any.
    pub fn table_of_rows(&self) -> Option<&str> {
        self.makes_rows().then(|| self.table.as_deref().unwrap_or("rows"))
    }

    /// The set that decides which statuses are good.
    pub fn good_statuses(&self) -> &StatusSet {
        self.expect.status.as_ref().unwrap_or(&self.accept)
    }
}

impl SettingsPatch {
    /// Sets a header field: replaces those of the same name in this patch, too.
    pub fn set_header(&mut self, field: Field) {
        set_header(&mut self.headers, field);
    }
}

fn set_header(headers: &mut Vec<Field>, field: Field) {
    *headers = over_by_name(&[field], headers, Field::name);
}

/// The rule for headers: the lower ones whose names the upper ones do not have, then the upper ones.
pub(crate) fn over_by_name<T: Clone>(upper: &[T], lower: &[T], name: impl Fn(&T) -> &str) -> Vec<T> {
    let replaced = |old: &T| upper.iter().any(|new| name(new).eq_ignore_ascii_case(name(old)));
    lower.iter().filter(|old| !replaced(old)).chain(upper).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expectations::RowCount;
    use crate::follow_up::PageRule;
    use crate::rows::Condition;

    fn field(text: &str) -> Field {
        text.parse().expect(text)
    }

    fn names_and_values(headers: &[Field]) -> Vec<String> {
        let text = |field: &Field| format!("{}={}", field.name(), String::from_utf8_lossy(field.value()));
        headers.iter().map(text).collect()
    }

    fn full_expect() -> Expect {
        let at = |place: &str| place.parse::<Pointer>().expect("good");
        Expect {
            status: Some("201".parse().expect("good")),
            text: Some("x".into()),
            matches: Some("y".parse().expect("good")),
            rows: Some(RowCount { min: Some(1), max: None }),
            max_ms: Some(5),
            json: vec![(at("/b"), Condition::Equals(1u64.into()))],
            absent: vec![at("/errors")],
            present: vec![at("/data")],
            header: vec![("A".into(), "b".into())],
        }
    }

    fn patch_of(expect: &Expect) -> ExpectPatch {
        let Expect { status, text, matches, rows, max_ms, json, absent, present, header } = expect.clone();
        let (json, absent, present, header) = (Some(json), Some(absent), Some(present), Some(header));
        ExpectPatch { status, text, matches, rows, max_ms, json, absent, present, header }
    }

    /// A patch that gives everything, and the settings it makes of any others.
    fn full() -> (SettingsPatch, Settings) {
        let ten = Duration::from_millis(10);
        let statuses: StatusSet = "201".parse().expect("good");
        let csv = ContentFormat { delimiter: Some(';'), ..ContentFormat::default() };
        let select = vec![("a".to_owned(), "/a".parse::<Selection>().expect("good"))];
        let expect = full_expect();
        let poll = Poll { until: Vec::new(), fail: Vec::new(), every: ten, within: ten };
        let patch = SettingsPatch {
            method: Some(Method::HEAD),
            timeout: Some(ten),
            connect_timeout: Some(ten),
            retries: Some(7),
            retry_unsafe: Some(true),
            retry_after_max: Some(ten),
            follow: Some(3),
            accept: Some(statuses.clone()),
            priority: Some(-3),
            raw: Some(true),
            cookies: Some(true),
            insecure: Some(true),
            proxy: Some(ProxyUrl::new("proxy")),
            cacert: Some("ca.pem".into()),
            cert: Some("cert.pem".into()),
            cert_key: Some("key.pem".into()),
            cache: Some(true),
            capture: Some(vec![AnswerPlace::Header("a".into())]),
            select: Some(select.clone()),
            auth: Some("a".into()),
            pages: Some(Pages::by(PageRule::Link)),
            poll: Some(poll.clone()),
            data: Some(Arc::from(*b"x")),
            max_body: Some(9),
            retry_on: Some("expectation".parse().expect("good")),
            job_timeout: Some(ten),
            stale_if_error: Some(ten),
            headers: vec![field("A: b")],
            format: Some(csv.clone()),
            max_rows: Some(5),
            rows: Some("/r".parse().expect("good")),
            table: Some("t".into()),
            expect: patch_of(&expect),
        };
        let settings = Settings {
            method: Method::HEAD,
            timeout: ten,
            connect_timeout: ten,
            retries: 7,
            retry_unsafe: true,
            retry_after_max: ten,
            follow: 3,
            accept: statuses.clone(),
            priority: -3,
            raw: true,
            cookies: true,
            insecure: true,
            proxy: Some(ProxyUrl::new("proxy")),
            cacert: Some("ca.pem".into()),
            cert: Some("cert.pem".into()),
            cert_key: Some("key.pem".into()),
            cache: true,
            capture: vec![AnswerPlace::Header("a".into())],
            select,
            auth: Some("a".into()),
            pages: Some(Pages::by(PageRule::Link)),
            poll: Some(poll),
            data: Some(Arc::from(*b"x")),
            max_body: Some(9),
            retry_on: Some("expectation".parse().expect("good")),
            job_timeout: Some(ten),
            stale_if_error: Some(ten),
            headers: vec![field("A: b")],
            format: csv,
            max_rows: 5,
            rows: Some("/r".parse().expect("good")),
            table: Some("t".into()),
            expect,
        };
        (patch, settings)
    }

    #[test]
    fn a_patch_changes_what_it_gives_and_nothing_else() {
        let (patch, settings) = full();
        let nothing = SettingsPatch::default();
        assert_eq!(patch.over(&Settings::default()), settings);
        assert_eq!(nothing.over(&settings), settings);
        assert_eq!(nothing.over(&Settings::default()), Settings::default());
        assert_eq!((patch.over_patch(&nothing), nothing.over_patch(&patch)), (patch.clone(), patch));
    }

    #[test]
    fn a_value_given_as_the_default_still_counts_as_given() {
        let default = Settings::default();
        let given = SettingsPatch {
            method: Some(default.method),
            timeout: Some(default.timeout),
            connect_timeout: Some(default.connect_timeout),
            retries: Some(default.retries),
            retry_unsafe: Some(default.retry_unsafe),
            retry_after_max: Some(default.retry_after_max),
            follow: Some(default.follow),
            accept: Some(default.accept.clone()),
            priority: Some(default.priority),
            raw: Some(default.raw),
            cookies: Some(default.cookies),
            insecure: Some(default.insecure),
            cache: Some(default.cache),
            capture: Some(Vec::new()),
            select: Some(Vec::new()),
            format: Some(default.format.clone()),
            max_rows: Some(default.max_rows),
            expect: ExpectPatch { json: Some(Vec::new()), ..ExpectPatch::default() },
            ..SettingsPatch::default()
        };
        let (lower, settings) = full();
        let expect = Expect { json: Vec::new(), ..settings.expect.clone() };
        let expected = Settings {
            data: settings.data.clone(),
            proxy: settings.proxy.clone(),
            cacert: settings.cacert.clone(),
            cert: settings.cert.clone(),
            cert_key: settings.cert_key.clone(),
            max_body: Some(9),
            rows: settings.rows.clone(),
            table: settings.table.clone(),
            auth: settings.auth.clone(),
            pages: settings.pages.clone(),
            poll: settings.poll.clone(),
            retry_on: settings.retry_on.clone(),
            job_timeout: settings.job_timeout,
            stale_if_error: settings.stale_if_error,
            headers: settings.headers.clone(),
            expect,
            ..default
        };
        assert_eq!(given.over(&settings), expected);
        assert_eq!(given.over_patch(&lower).over(&Settings::default()), expected);
    }

    #[test]
    fn laying_patches_over_each_other_first_makes_no_difference() {
        let (full, _) = full();
        let headers = SettingsPatch { headers: vec![field("a: c"), field("B: 1")], ..SettingsPatch::default() };
        let post = SettingsPatch { data: Some(Arc::from(*b"y")), ..SettingsPatch::default() };
        let get = SettingsPatch { method: Some(Method::HEAD), retries: Some(2), ..SettingsPatch::default() };
        let patches = [full, headers, post, get, SettingsPatch::default()];
        for upper in &patches {
            for middle in &patches {
                for lower in &patches {
                    let base = Settings::default();
                    let step_by_step = upper.over(&middle.over(&lower.over(&base)));
                    assert_eq!(upper.over_patch(middle).over_patch(lower).over(&base), step_by_step);
                    assert_eq!(upper.over_patch(&middle.over_patch(lower)).over(&base), step_by_step);
                }
            }
        }
    }

    #[test]
    fn headers_go_over_those_of_their_name() {
        let base = Settings { headers: vec![field("A: 1"), field("B: 2"), field("a: 3")], ..Settings::default() };
        let mut patch =
            SettingsPatch { headers: vec![field("C: 4"), field("A: 5"), field("a: 6")], ..Default::default() };
        assert_eq!(names_and_values(&patch.over(&base).headers), ["B=2", "C=4", "A=5", "a=6"]);
        patch.set_header(field("A: 7"));
        assert_eq!(names_and_values(&patch.over(&base).headers), ["B=2", "C=4", "A=7"]);
        let mut settings = base;
        settings.set_header(field("b: 8"));
        assert_eq!(names_and_values(&settings.headers), ["A=1", "a=3", "b=8"]);
    }

    #[test]
    fn content_makes_a_post_unless_a_method_is_given() {
        let data = SettingsPatch { data: Some(Arc::from(*b"x")), ..SettingsPatch::default() };
        let method = |method| SettingsPatch { method: Some(method), ..SettingsPatch::default() };
        let made = |patch: &SettingsPatch| patch.over(&Settings::default()).method;
        assert_eq!(made(&data), Method::POST);
        assert_eq!(made(&data.over_patch(&method(Method::GET))), Method::GET);
        assert_eq!(made(&method(Method::GET).over_patch(&data)), Method::GET);
        assert_eq!(data.over(&Settings { method: Method::HEAD, ..Settings::default() }).method, Method::HEAD);
    }
}
