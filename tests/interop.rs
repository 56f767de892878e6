//! roundup and programs that others wrote: servers, proxies, curl and a terminal.
//!
//! Each test needs Debian packages, so it is ignored unless it is asked for:
//! `cargo test --test integration -- --ignored interop::`. A package that is missing is a failure. `.ci/run` installs
//! them all and runs the tests with the release build, which `ROUNDUP_TEST_BINARY` names.
#![cfg(target_os = "linux")]

mod etags;
mod files;
#[cfg(feature = "fleet")]
mod fleet;
#[cfg(feature = "fleet")]
mod fleet_limits;
#[cfg(feature = "fleet")]
mod fleet_logins;
#[cfg(feature = "fleet")]
mod fleet_mishaps;
#[cfg(feature = "fleet")]
mod fleet_together;
mod httpbin;
mod imports;
mod pages;
mod peer;
mod proxies;
#[cfg(feature = "fleet")]
mod redis;
mod resources;
mod servers;
mod shells;
mod terminal;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::common::{Dir, Output, TestCommand};
use crate::report::schema::Schema;
use peer::{Usage, watch};

const MIB: u64 = 1 << 20;

/// One call of `roundup get` that writes a JSON report.
struct Get {
    urls: Vec<String>,
    options: Vec<OsString>,
    code: i32,
}

/// What came of it: the report is valid, and its results are those of the URLs, in their order.
struct Got {
    output: Output,
    text: String,
    report: Value,
    usage: Usage,
}

impl Get {
    fn one(url: impl Into<String>) -> Get {
        Get::all([url.into()])
    }

    fn all(urls: impl IntoIterator<Item = String>) -> Get {
        Get { urls: urls.into_iter().collect(), options: Vec::new(), code: 0 }
    }

    fn with<T: AsRef<OsStr>>(mut self, options: impl IntoIterator<Item = T>) -> Get {
        self.options.extend(options.into_iter().map(|option| option.as_ref().to_owned()));
        self
    }

    /// The exit code that is expected; 0 without this.
    fn fails(mut self, code: i32) -> Get {
        self.code = code;
        self
    }

    #[track_caller]
    fn run(self) -> Got {
        let dir = Dir::new();
        let file = format!("json={}", dir.join("report.json").display());
        let call = TestCommand::new().args(["get", "--quiet", "--report", &file]).args(&self.options).args(&self.urls);
        let running = call.limit(Duration::from_secs(180)).spawn();
        let watched = watch(running.pid());
        let output = running.wait().expect_code(self.code);
        let usage = watched.join().expect("the watch does not panic");
        let text = dir.read("report.json");
        let report: Value = serde_json::from_str(&text).expect("the report is JSON");
        Schema::load().check(&report).expect("the report is as the schema says");
        let got = Got { output, text, report, usage };
        let ok = got.results().iter().filter(|result| result["ok"] == true).count();
        let counts = ["total", "ok", "failed"].map(|name| got.report["summary"][name].clone());
        assert_eq!(counts, [self.urls.len(), ok, self.urls.len() - ok].map(Value::from), "{:#}", got.report);
        let without_login = |url: &str| match url.split_once('@') {
            Some((_, rest)) => format!("http://{rest}"),
            None => url.to_owned(),
        };
        for (result, url) in got.results().iter().zip(&self.urls) {
            let shown = result["url"].as_str().unwrap_or_default();
            assert_eq!(without_login(shown), without_login(url), "the results are in the order of the URLs");
        }
        got
    }
}

impl Got {
    fn results(&self) -> &[Value] {
        self.report["results"].as_array().expect("results")
    }

    fn first(&self) -> &Value {
        &self.results()[0]
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.report["elapsed_ms"].as_u64().expect("milliseconds"))
    }

    #[track_caller]
    fn expect_kind(self, kind: &str) -> Got {
        assert_eq!((&self.first()["ok"], &self.first()["error"]["kind"]), (&false.into(), &kind.into()), "{self:?}");
        self
    }

    /// The file that the first source's content was saved to.
    fn saved(&self, folder: &Path) -> PathBuf {
        saved(self.first(), folder)
    }
}

impl std::fmt::Debug for Got {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{:?}", self.text, self.output)
    }
}

fn saved(result: &Value, folder: &Path) -> PathBuf {
    folder.join(result["body_file"].as_str().unwrap_or_else(|| panic!("no body_file in {result:#}")))
}

/// A file with bytes that do not compress.
fn random_file(dir: &Dir, name: &str, len: u64) -> PathBuf {
    let path = dir.write(name, "");
    let random = File::open("/dev/urandom").expect("Linux has it");
    let mut file = File::create(&path).expect("the folder is there");
    io::copy(&mut random.take(len), &mut file).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    path
}

/// Whether two files hold the same, without holding either.
fn is_same(one: &Path, other: &Path) -> bool {
    let open = |path: &Path| File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (mut one, mut other) = (open(one), open(other));
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        let read = (&mut one).take(MIB).read_to_end(&mut left).expect("a file can be read");
        (&mut other).take(MIB).read_to_end(&mut right).expect("a file can be read");
        if left != right || read == 0 {
            return left == right;
        }
    }
}
