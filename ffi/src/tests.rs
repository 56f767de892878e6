//! The functions as C calls them. What needs C itself, other tools and another process is in `tests/hostile.c`.

#![allow(unsafe_code)]
#![allow(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block, reason = "all arguments are good")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::abi::*;
use crate::failure::Code;
use crate::registry;

/// A context that is freed when the test ends.
struct Own(*mut Handle);

impl Own {
    fn new() -> Own {
        let context = roundup_new();
        assert!(!context.is_null(), "{}", last_error());
        Own(context)
    }

    fn set(&self, option: &str, value: &str) -> c_int {
        let (option, value) = (text(option), text(value));
        unsafe { roundup_set(self.0, option.as_ptr(), value.as_ptr()) }
    }

    fn add(&self, job: &str) -> c_int {
        let job = text(job);
        unsafe { roundup_add(self.0, job.as_ptr(), std::ptr::null_mut()) }
    }

    fn take(&self) -> Option<String> {
        let mut outcome = std::ptr::null_mut();
        match unsafe { roundup_take(self.0, &mut outcome) } {
            1 => Some(owned(outcome)),
            0 if outcome.is_null() => None,
            code => panic!("{code}: {}", last_error()),
        }
    }

    /// Runs until all is done, in a loop that waits to be woken.
    fn run(&self) -> Vec<String> {
        let (sender, woken) = mpsc::channel::<()>();
        let sender = Box::new(sender);
        let data = (&raw const *sender).cast_mut().cast();
        assert_eq!(unsafe { roundup_on_wake(self.0, Some(send), data) }, 0);
        let mut outcomes = Vec::new();
        while roundup_pending(self.0) > 0 {
            woken.recv_timeout(Duration::from_secs(60)).expect("the host is woken");
            assert!(roundup_tick(self.0, 2_000) >= 0);
            outcomes.extend(std::iter::from_fn(|| self.take()));
        }
        assert_eq!(unsafe { roundup_on_wake(self.0, None, std::ptr::null_mut()) }, 0);
        outcomes
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        roundup_free(self.0);
    }
}

extern "C" fn send(data: *mut c_void) {
    let sender = unsafe { &*data.cast::<mpsc::Sender<()>>() };
    let _ = sender.send(());
}

fn text(text: &str) -> CString {
    CString::new(text).expect("no NUL")
}

fn owned(text: *mut c_char) -> String {
    let copy = unsafe { CStr::from_ptr(text) }.to_str().expect("UTF-8").to_owned();
    assert_eq!(unsafe { roundup_string_free(text) }, 0);
    assert_eq!(unsafe { roundup_string_free(text) }, Code::Handle as c_int, "once is enough");
    copy
}

fn last_error() -> String {
    unsafe { CStr::from_ptr(roundup_last_error()) }.to_str().expect("UTF-8").to_owned()
}

/// A server that answers with the path it was asked for, and with what came in a field "x-secret".
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut request) {
                    let head = String::from_utf8_lossy(&request[..length]).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default();
                    let secret = head.to_ascii_lowercase();
                    let secret =
                        secret.split_once("x-secret: ").map_or("", |(_, rest)| rest.lines().next().unwrap_or_default());
                    let body = format!("{{\"path\":\"{path}\",\"secret\":\"{secret}\"}}");
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
                    if write!(stream, "{head}: {}\r\n\r\n{body}", body.len()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

/// A server that hands over each request as it came, and answers with two bytes.
fn recorder() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut request) {
                    let _ = sender.send(String::from_utf8_lossy(&request[..length]).into_owned());
                    if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                        return;
                    }
                }
            });
        }
    });
    (format!("http://{address}"), requests)
}

#[test]
fn a_user_and_data_are_below_what_a_job_says() {
    let (own, (server, requests)) = (Own::new(), recorder());
    assert_eq!(own.set("data", "a=1"), 0);
    assert_eq!(own.set("user", "me:hunter2-hunter2"), 0);
    assert_eq!(own.add(&format!("{server}/me:hunter2-hunter2")), 1);
    assert_eq!(own.add(&format!(r#"{{"url": "{server}/b", "headers": {{"authorization": "x"}}, "data": "b=2"}}"#)), 1);
    for outcome in own.run() {
        assert!(outcome.contains("\"ok\":true") && !outcome.contains("hunter2"), "{outcome}");
    }
    let mut requests: Vec<String> = requests.try_iter().collect();
    requests.sort();
    assert!(requests[0].starts_with("POST /b ") && requests[0].ends_with("\r\n\r\nb=2"), "{}", requests[0]);
    assert!(requests[0].contains("\r\nauthorization: x\r\n") && !requests[0].contains("Basic"), "{}", requests[0]);
    assert!(requests[1].starts_with("POST /me:") && requests[1].ends_with("\r\n\r\na=1"), "{}", requests[1]);
    assert!(requests[1].contains("\r\nAuthorization: Basic bWU6aHVudGVyMi1odW50ZXIy\r\n"), "{}", requests[1]);
}

#[test]
fn what_is_said_of_a_host_holds_for_urls_and_jobs_that_go_there() {
    let (own, (server, requests)) = (Own::new(), recorder());
    let host = server.strip_prefix("http://").expect("http");
    assert_eq!(own.set("secret", "TOKEN=hunter2-hunter2"), 0);
    assert_eq!(own.set("bearer", "below-below"), 0);
    let hosts = format!(
        r#"{{"{host}": {{"per_host": 1, "rate": "100/s", "headers": {{"authorization": "${{TOKEN}}"}}, "method": "PUT"}},
            "other.example": {{"retries": 0}}}}"#
    );
    assert_eq!(own.set("hosts", &hosts), 0, "{}", last_error());
    assert_eq!(own.add(&format!("{server}/{{n}}")), 1);
    assert_eq!(own.add(&format!(r#"{{"url": "{server}/b", "method": "DELETE"}}"#)), 1);
    for outcome in own.run() {
        assert!(outcome.contains("\"ok\":true") && !outcome.contains("hunter2"), "{outcome}");
    }
    let mut requests: Vec<String> = requests.try_iter().collect();
    requests.sort();
    assert!(requests[0].starts_with("DELETE /b ") && requests[1].starts_with("PUT /%7Bn%7D "), "{requests:?}");
    assert!(requests.iter().all(|head| head.contains("\r\nauthorization: hunter2-hunter2\r\n")), "{requests:?}");
    assert!(!requests.concat().contains("below"), "{requests:?}");
}

#[test]
fn contents_are_saved_to_the_folder() {
    let (own, (server, _requests)) = (Own::new(), recorder());
    let folder = std::env::temp_dir().join(format!("roundup-ffi-{}", std::process::id()));
    assert_eq!(own.set("output-dir", &folder.to_string_lossy()), 0);
    for job in [r#""name": "a/b""#, r#""name": "c", "output": "d/e.txt""#, r#""name": "a_b""#] {
        assert_eq!(own.add(&format!(r#"{{"url": "{server}/", {job}}}"#)), 1);
    }
    let outcomes = own.run().concat();
    for file in ["a_b", "d/e.txt", "a_b-2"] {
        assert_eq!(std::fs::read(folder.join(file)).expect(file), b"ok");
        assert!(outcomes.contains(&format!("\"body_file\":\"{file}\"")), "{outcomes}");
    }
    std::fs::remove_dir_all(&folder).expect("it was made");
}

#[test]
fn options_that_contradict_each_other_are_refused_with_the_first_job() {
    for (options, part) in [
        ([("user", "a:b"), ("bearer", "c")], "user and bearer exclude each other"),
        ([("unix-socket", "/run/x"), ("interface", "127.0.0.1")], "unix-socket and interface exclude each other"),
    ] {
        let own = Own::new();
        for (option, value) in options {
            assert_eq!(own.set(option, value), 0, "{}", last_error());
        }
        assert_eq!(own.add("http://127.0.0.1:9/"), Code::Invalid as c_int);
        assert!(last_error().contains(part), "{}", last_error());
    }
    let own = Own::new();
    for (option, value, part) in [
        ("user", "t0ps3cret", "user: the password is missing: write NAME:PASSWORD"),
        ("bearer", "t0ps3cret x", "bearer: a token is visible ASCII"),
        ("output-dir", "", "output-dir: it is empty"),
        ("interface", "", "interface: "),
        ("expect100-timeout", "x", "expect100-timeout: \"x\" is not a duration"),
        ("hosts", "[]", "expected a table, found an array"),
        ("hosts", "{\"a/b\": {}}", "\"a/b\" is not a host"),
        ("hosts", "{\"a\": {\"per_hots\": 1}}", "unknown key \"per_hots\": did you mean \"per_host\"?"),
        ("hosts", "{\"a\": {\"headers\": {\"X\": \"${NONE}\"}}}", "${NONE} has no value: give it one first"),
        ("hostz", "x", "hostz: there is no such option"),
    ] {
        assert_eq!(own.set(option, value), Code::Invalid as c_int, "{option}={value}");
        assert!(last_error().contains(part) && !last_error().contains("t0ps3cret"), "{}", last_error());
    }
}

#[test]
fn jobs_become_outcomes() {
    let (own, server) = (Own::new(), server());
    assert_eq!(own.set("header", "X-Secret: of all"), 0);
    assert_eq!(own.set("secret", "TOKEN=hunter2-hunter2"), 0);
    assert_eq!(own.add(&format!("{server}/plain")), 1);
    let job = format!(
        r#"{{"url": "{server}/{{n}}", "name": "n", "each": {{"n": [1, 2]}}, "headers": {{"x-secret": "${{TOKEN}}"}}}}"#
    );
    let mut first = 99;
    assert_eq!(unsafe { roundup_add(own.0, text(&job).as_ptr(), &mut first) }, 2);
    assert_eq!((first, roundup_pending(own.0)), (1, 3));
    let mut outcomes = own.run();
    outcomes.sort_by_key(|outcome| outcome.find("\"index\":").map(|at| outcome[at..].to_owned()));
    for (outcome, (name, path, secret)) in outcomes.iter().zip([
        (&*format!("{server}/plain"), "/plain", "of all"),
        ("n[1]", "/1", "[redacted]"),
        ("n[2]", "/2", "[redacted]"),
    ]) {
        assert!(outcome.starts_with("{\"type\":\"result\",\"index\":"), "{outcome}");
        assert!(outcome.contains(&format!("\"name\":\"{name}\"")) && outcome.contains("\"ok\":true"), "{outcome}");
        let body = format!("\"body\":{{\"path\":\"{path}\",\"secret\":\"{secret}\"}}");
        assert!(outcome.contains(&body), "{outcome}");
        assert!(!outcome.contains("hunter2") && !outcome.contains('\n'), "{outcome}");
    }
    let mut summary = std::ptr::null_mut();
    assert_eq!(unsafe { roundup_summary(own.0, &mut summary) }, 0);
    let summary = owned(summary);
    assert!(summary.contains("\"total\":3,\"ok\":3,\"failed\":0"), "{summary}");
    // A context goes on after it was idle.
    assert_eq!(own.add(&format!("{server}/later")), 1);
    assert!(own.run()[0].starts_with("{\"type\":\"result\",\"index\":3,"));
}

/// Values go where they stand, and rows come back as JSON with all their digits.
#[test]
fn variables_and_rows_are_as_in_a_plan() {
    let (own, server) = (Own::new(), server());
    assert_eq!((own.set("variable", "CITY=S\u{e3}o Paulo&x"), own.set("variable", "host=h")), (0, 0));
    let job = format!(
        r#"{{"name": "r", "url": "{server}/{{CITY}}?a=1", "rows": "", "table": "t",
            "select": {{"path": "/path", "none": {{"at": "/none", "optional": true}}, "n": {{"value": 1.50}}}}}}"#
    );
    assert_eq!(own.add(&job), 1, "{}", last_error());
    let outcome = own.run().remove(0);
    let error = "the document is an object, and rows are the elements of an array";
    assert!(outcome.contains(error), "{outcome}");
    assert_eq!(own.add(&job.replace("\"rows\": \"\", ", "")), 1, "{}", last_error());
    let outcome = own.run().remove(0);
    let rows = r#""rows":[{"table":"t","columns":["path","none","n","source"],"rows":[["/S%C3%A3o%20Paulo%26x?a=1",null,1.50,"r"]]}]"#;
    assert!(outcome.contains(rows), "{outcome}");
    assert_eq!(own.add(&job.replace("\"rows\": \"\", \"table\": \"t\",", "")), 1, "{}", last_error());
    let outcome = own.run().remove(0);
    let data = r#""data":{"path":"/S%C3%A3o%20Paulo%26x?a=1","none":null,"n":1.50}"#;
    assert!(outcome.contains(data), "{outcome}");
}

/// Keys that need other jobs of a plan are refused by name, and none is read and left out.
#[test]
fn keys_that_need_a_plan_are_refused() {
    let own = Own::new();
    for key in [
        r#""pages": {"next": "/next"}"#,
        r#""poll": {"until": {"json": {"/a": 1}}}"#,
        r#""for_each": "items""#,
        r#""after": "login""#,
        r#""report": false"#,
        r#""select": {"t": "/t"}, "secret": ["t"]"#,
        r#""auth": "login""#,
    ] {
        let job = format!(r#"{{"url": "http://127.0.0.1:9/", {key}}}"#);
        assert_eq!(own.add(&job), Code::Invalid as c_int, "{job}");
        let name = key.rsplit(", ").next().and_then(|key| key.split('"').nth(1)).unwrap_or_default();
        assert!(last_error().contains(name), "{job}: {}", last_error());
    }
    assert_eq!(own.add(r#"{"url": "http://127.0.0.1:9/{login.token}"}"#), Code::Invalid as c_int);
    assert_eq!(roundup_pending(own.0), 0);
}

#[test]
fn options_are_read_as_on_the_command_line_and_only_before_the_first_job() {
    let own = Own::new();
    let good = [
        ("concurrency", "3"),
        ("per-host", "2"),
        ("rate", "20/s"),
        ("adaptive", "1"),
        ("deadline", "2m"),
        ("max-memory", "64MiB"),
        ("fail-fast", "0"),
        ("backlog", "2"),
        ("timeout", "5s"),
        ("connect-timeout", "1s"),
        ("job-timeout", "1m"),
        ("retries", "0"),
        ("retry-on", "429,500-504,expectation"),
        ("retry-unsafe", "1"),
        ("retry-after-max", "0"),
        ("follow", "0"),
        ("max-body", "1MiB"),
        ("accept", "200-399,404"),
        ("method", "head"),
        ("raw", "on"),
        ("header", "A: b"),
        ("user-agent", ""),
        ("resolve", "a.example:80:127.0.0.1"),
        ("connect-to", "a.example:80::"),
        ("ipv4", "1"),
        ("ipv6", "0"),
        ("secret", "A="),
    ];
    for (option, value) in good {
        assert_eq!(own.set(option, value), 0, "{option}: {}", last_error());
    }
    let bad = [
        ("Concurrency", "3", "there is no such option: the options are concurrency, per-host, "),
        ("concurrency", "0", "concurrency: \"0\" is not valid here: write a whole number from 1 to 100000"),
        ("per-host", "", "per-host: \"\" is not valid here"),
        ("rate", "20", "rate: \"20\" is not a rate: write 20/s"),
        ("deadline", "0", "deadline: \"0\" leaves no time"),
        ("fail-fast", "maybe", "fail-fast: \"maybe\" is neither on nor off: write 1 or 0"),
        ("backlog", "0", "backlog: "),
        ("timeout", "5", "timeout: \"5\" is not a duration"),
        ("retries", "+1", "retries: \"+1\" is not valid here"),
        ("method", "CONNECT", "method: "),
        ("accept", "x", "accept: "),
        ("header", "hunter2", "header: a header has no colon"),
        ("user-agent", "a\nb", "user-agent: "),
        ("resolve", "x", "resolve: "),
        ("roots", "mine", "roots: "),
        ("unix-socket", "", "unix-socket: it is empty"),
        ("secret", "hunter2", "secret: write NAME=value"),
        ("secret", "1=hunter2", "secret: write NAME=value"),
        ("variable", "oslo", "variable: write NAME=value"),
        ("variable", "a b=oslo", "variable: \"a b\" "),
    ];
    for (option, value, expected) in bad {
        assert_eq!(own.set(option, value), Code::Invalid as c_int, "{option} {value:?}");
        let said = last_error();
        assert!(said.contains(expected) && !said.contains("hunter2"), "{option} {value:?}: {said}");
    }
    assert_eq!(own.set("ipv6", "1"), 0);
    assert_eq!(own.add("http://127.0.0.1:9/"), Code::Invalid as c_int);
    assert!(last_error().starts_with("ipv4 and ipv6 exclude each other"), "{}", last_error());
    assert_eq!(own.set("ipv6", "0"), 0, "no job was added");
    assert_eq!((own.add("http://127.0.0.1:9/"), own.add("http://127.0.0.1:9/")), (1, 1));
    assert_eq!(own.add("http://127.0.0.1:9/"), Code::Full as c_int);
    assert_eq!(own.set("retries", "1"), Code::State as c_int);
    assert!(last_error().contains("before the first job"), "{}", last_error());
    assert_eq!(own.run().len(), 2);
    assert_eq!(own.add("http://127.0.0.1:9/"), 1);
}

#[test]
fn jobs_that_are_wrong_change_nothing() {
    let own = Own::new();
    for (job, expected) in [
        ("", ""),
        ("ftp://a/", "ftp"),
        ("http://", ""),
        ("{", "job:1:1: EOF while parsing an object"),
        ("{\"url\": \"http://a/\", \"timout\": \"5s\"}", "did you mean \"timeout\""),
        ("{\"url\": \"http://${NONE}/\"}", "${NONE} has no value: give it one first"),
        (" {\"url\": 1}", "job: url: "),
    ] {
        assert_eq!(own.add(job), Code::Invalid as c_int, "{job}");
        assert!(!last_error().is_empty() && last_error().contains(expected), "{job}: {}", last_error());
        assert_eq!(roundup_pending(own.0), 0);
    }
    // All of an "each" or none.
    assert_eq!(own.set("backlog", "2"), 0);
    let three = r#"{"url": "http://127.0.0.1:9/{n}", "each": {"n": [1, 2, 3]}}"#;
    assert_eq!((own.add(three), roundup_pending(own.0)), (Code::Full as c_int, 0));
}

#[test]
fn a_panic_stays_inside_and_the_context_can_be_freed() {
    let context = roundup_new();
    let panicked = registry::with::<()>(context.addr(), |_| panic!("on purpose"));
    assert_eq!(panicked.expect_err("caught").code, Code::Panic);
    assert_eq!(roundup_tick(context, 0), Code::Panic as c_int);
    assert_eq!(roundup_pending(context), i64::from(Code::Panic as c_int));
    assert!(last_error().contains("can only be freed"));
    assert_eq!(roundup_free(context), 0);
    assert_eq!(roundup_free(context), Code::Handle as c_int);
    // Others go on.
    let own = Own::new();
    assert_eq!(roundup_tick(own.0, 0), 0);
}

#[test]
fn a_thread_that_ends_silences_its_callbacks() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    static OVER: AtomicBool = AtomicBool::new(false);
    extern "C" fn count(_: *mut c_void) {
        assert!(!OVER.load(Ordering::SeqCst), "the thread is gone");
        CALLS.fetch_add(1, Ordering::SeqCst);
    }
    // Takes connections and never answers.
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", server.local_addr().expect("an address"));
    let job = move |timeout: &str| format!(r#"{{"url": "{url}", "timeout": "{timeout}", "retries": 0}}"#);
    let longer = job("100ms");
    let address = std::thread::spawn(move || {
        let context = roundup_new();
        assert_eq!(unsafe { roundup_on_wake(context, Some(count), std::ptr::null_mut()) }, 0);
        // Its timer goes on without it.
        let job = text(&job("50ms"));
        assert_eq!(unsafe { roundup_add(context, job.as_ptr(), std::ptr::null_mut()) }, 1);
        while roundup_tick(context, 1_000) > 0 {}
        context.addr()
    });
    let address = address.join().expect("it ends well");
    OVER.store(true, Ordering::SeqCst);
    assert!(CALLS.load(Ordering::SeqCst) > 0);
    let context = std::ptr::without_provenance_mut(address);
    assert_eq!(roundup_free(context), Code::Handle as c_int, "it went with its thread");
    let start = Instant::now();
    let own = Own::new();
    assert_eq!(own.add(&longer), 1);
    assert_eq!(own.run().len(), 1);
    assert!(start.elapsed() >= Duration::from_millis(50), "the other timer was due");
}

#[test]
fn what_a_build_was_made_without_is_said() {
    let own = Own::new();
    let said = |option: &str, value: &str| match own.set(option, value) {
        0 => String::new(),
        code => format!("{code} {}", last_error()),
    };
    let expect = |has: bool, said: String, feature: &str| match has {
        true => assert_eq!(said, ""),
        false => assert!(said.starts_with("-6 ") && said.contains(feature), "{said}"),
    };
    expect(cfg!(feature = "proxy"), said("proxy", "http://127.0.0.1:9"), "proxy");
    if !cfg!(feature = "tls") {
        let own = Own::new();
        assert_eq!(own.add(r#"{"url": "https://127.0.0.1:9/", "retries": 0}"#), 1);
        let outcome = own.run().remove(0);
        assert!(outcome.contains("tls") && outcome.contains("\"ok\":false"), "{outcome}");
    }
}
