//! Files from nginx, plain and over TLS, and from Python's http.server.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::peer::{Peer, curl, nginx, program};
use super::{Get, Got, MIB, is_same, random_file, saved};
use crate::common::{Authority, Dir, Leaf};

const TEXT: &str = "∮ E⋅da = Q, naïve, 日本語, 🦀\n";

/// nginx with a certificate by an authority of its own, and a folder of files.
pub(super) struct Nginx {
    peer: Peer<2>,
    pub(super) authority: Authority,
    pub(super) files: Dir,
}

impl Nginx {
    pub(super) fn start() -> Nginx {
        let files = Dir::new();
        random_file(&files, "1k", 1024);
        random_file(&files, "100m", 100 * MIB);
        files.write("numbers.json", json!({ "numbers": (0..5000).collect::<Vec<_>>() }).to_string());
        files.write("unicode.txt", TEXT);
        let authority = Authority::new();
        let pem = authority.server_files(Leaf::Good);
        let peer = nginx(files.path(), &pem.certificate, &pem.key, "charset utf-8;");
        Nginx { peer, authority, files }
    }

    pub(super) fn http(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.peer.ports[0])
    }

    pub(super) fn https(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.peer.ports[1])
    }

    fn trusted(&self) -> [&OsStr; 2] {
        [OsStr::new("--cacert"), self.authority.ca_file().as_os_str()]
    }
}

/// Options for large files.
pub(super) fn into_folder(folder: &Path) -> [&OsStr; 6] {
    let [to, max, most, limit, long] = ["--output-dir", "--max-body", "128MiB", "--timeout", "120s"].map(OsStr::new);
    [to, folder.as_os_str(), max, most, limit, long]
}

#[test]
#[ignore = "needs nginx"]
fn nginx_sends_files_plain_and_over_tls() {
    let server = Nginx::start();
    let numbers: Value = serde_json::from_str(&server.files.read("numbers.json")).expect("JSON");
    for at in [Nginx::http, Nginx::https] {
        let dir = Dir::new();
        let urls = ["/1k", "/100m"].map(|path| at(&server, path));
        let got = Get::all(urls).with(into_folder(dir.path())).with(server.trusted()).run();
        for (result, (name, len)) in got.results().iter().zip([("1k", 1024), ("100m", 100 * MIB)]) {
            assert_eq!(result["body_bytes"], len);
            assert!(is_same(&saved(result, dir.path()), &server.files.join(name)), "{name} has changed");
        }
        let got = Get::one(at(&server, "/numbers.json")).with(server.trusted()).run();
        assert_eq!(got.first()["body"], numbers, "gzip that is made on the fly is undone");
        let got = Get::one(at(&server, "/unicode.txt")).with(server.trusted()).run();
        assert_eq!(got.first()["body"], TEXT);
    }
}

#[test]
#[ignore = "needs nginx"]
fn certificates_of_nginx_are_checked() {
    let server = Nginx::start();
    Get::one(server.https("/1k")).fails(3).run().expect_kind("tls");
    assert_eq!(Get::one(server.https("/1k")).with(["--insecure"]).run().first()["status"], 200);
}

#[test]
#[ignore = "needs nginx"]
fn a_file_over_the_limit_is_an_error() {
    let server = Nginx::start();
    Get::one(server.http("/100m")).with(["--max-body", "1MiB"]).fails(3).run().expect_kind("too_large");
}

/// What the tests above take for granted.
#[test]
#[ignore = "needs nginx, curl"]
fn curl_gets_the_same_files_from_nginx() {
    let server = Nginx::start();
    for at in [Nginx::http, Nginx::https] {
        for name in ["1k", "100m"] {
            let dir = Dir::new();
            let url = at(&server, &format!("/{name}"));
            curl().args(server.trusted()).arg("--output").arg(dir.join("it")).arg(url).run().expect_code(0);
            assert!(is_same(&dir.join("it"), &server.files.join(name)), "{name} has changed");
        }
        let head = ["--dump-header", "-", "--output", "/dev/null", "--header", "Accept-Encoding: gzip"];
        let output = curl().args(server.trusted()).args(head).arg(at(&server, "/numbers.json")).run().expect_code(0);
        assert!(output.stdout().to_lowercase().contains("content-encoding: gzip"), "{output:?}");
    }
    // 60: the certificate cannot be verified.
    curl().arg(server.https("/1k")).run().expect_code(60);
}

/// Python's http.server, which speaks HTTP/1.0.
pub(super) struct Python {
    peer: Peer<1>,
    _files: Dir,
}

impl Python {
    pub(super) fn start() -> Python {
        let files = Dir::new();
        random_file(&files, "1k", 1024);
        files.write("folder/hello.txt", "hello\n");
        let peer = Peer::start("python3 -m http.server", |_, [port]| {
            let mut command = Command::new(program("python3", "python3"));
            command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]);
            command.arg("--directory").arg(files.path());
            command
        });
        Python { peer, _files: files }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.peer.ports[0])
    }
}

#[test]
#[ignore = "needs python3, curl"]
fn http_server_answers_in_http_1_0() {
    let server = Python::start();
    let urls = ["/nothing", "/folder/", "/folder/hello.txt", "/1k"].map(|path| server.url(path));
    let got: Got = Get::all(urls).fails(3).run().expect_kind("status");
    let statuses: Vec<&Value> = got.results().iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses, [404, 200, 200, 200], "{got:?}");
    assert!(got.results()[1]["body"].as_str().is_some_and(|listing| listing.contains("hello.txt")), "{got:?}");
    assert_eq!(got.results()[2]["body"], "hello\n");
    assert_eq!(got.results()[3]["body_bytes"], 1024);

    let output = curl().arg("--include").arg(server.url("/folder/hello.txt")).run().expect_code(0);
    assert!(output.stdout().starts_with("HTTP/1.0 200"), "{output:?}");
}
