//! The command as it is without TLS and whatever else a build may leave out: `cargo test --no-default-features --features
//! cli`. With TLS there is nothing to see here.

#![cfg(not(feature = "tls"))]
#![allow(clippy::unwrap_used, reason = "a test that fails this way names its line")]

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};

/// A server that answers `{"n":1}` to whatever it is asked, one request a connection; the heads of the requests.
fn server() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, heads) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap() > 0 {}
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\
                          Connection: close\r\n\r\n{\"n\":1}";
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            let _ = sender.send(head);
        }
    });
    (address, heads)
}

fn roundup(words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roundup"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("ROUNDUP_") || name.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command.args(words).envs(variables.iter().copied()).output().unwrap()
}

/// The exit code and what stands on stderr.
fn refusal(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8(output.stderr.clone()).unwrap())
}

#[test]
fn http_is_fetched_and_https_says_what_is_missing() {
    let (address, heads) = server();
    let output =
        roundup(&["get", "--report", "json", &format!("http://{address}/a"), &format!("https://{address}/b")], &[]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["results"][0]["body"]["n"], 1, "{report}");
    let error = &report["results"][1]["error"];
    assert_eq!((&error["kind"], &error["phase"]), (&"tls".into(), &"tls".into()), "{report}");
    let expected = format!(
        "https://{address} needs TLS, which this build was made without: take one with the cargo feature \"tls\""
    );
    assert_eq!(error["message"], expected);
    // Tried once: no retry would help.
    assert_eq!(report["results"][1]["attempts"].as_array().unwrap().len(), 1, "{report}");
    assert!(String::from_utf8(output.stderr).unwrap().contains(&expected));
    drop(heads.recv().unwrap());
    assert!(heads.try_recv().is_err(), "nothing is sent to a server that would have to encrypt");
}

#[test]
fn no_option_of_tls_is_ignored() {
    let pin = format!("sha256//{}=", "A".repeat(43));
    for (option, value) in [
        ("--insecure", None),
        ("--keylog", None),
        ("--roots", Some("bundled")),
        ("--cacert", Some("Cargo.toml")),
        ("--cert", Some("Cargo.toml")),
        ("--pinnedpubkey", Some(&*pin)),
    ] {
        let words: Vec<&str> = ["get", "http://127.0.0.1:1/", option].into_iter().chain(value).collect();
        let (code, said) = refusal(&roundup(&words, &[]));
        assert_eq!(code, Some(1), "{option}: {said}");
        assert!(said.contains("without TLS") && said.trim_end().lines().count() == 1, "{option}: {said}");
    }
}

#[cfg(not(feature = "proxy"))]
#[test]
fn no_proxy_is_gone_round() {
    let option = roundup(&["get", "http://127.0.0.1:1/", "--proxy", "http://127.0.0.1:2"], &[]);
    let variable = roundup(&["get", "http://127.0.0.1:1/"], &[("http_proxy", "http://127.0.0.1:2")]);
    for (output, name) in [(option, "--proxy"), (variable, "http_proxy")] {
        let (code, said) = refusal(&output);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(name) && said.contains("feature \"proxy\""), "{said}");
    }
}

#[cfg(not(any(feature = "gzip", feature = "brotli", feature = "zstd")))]
#[test]
fn no_coding_is_asked_for() {
    let (address, heads) = server();
    assert!(roundup(&["get", &format!("http://{address}/")], &[]).status.success());
    let head = heads.recv().unwrap().to_ascii_lowercase();
    assert!(head.contains("\r\naccept-encoding: identity\r\n"), "{head}");
}

#[cfg(not(feature = "demo"))]
#[test]
fn commands_that_are_left_out_say_so_and_stand_in_no_list() {
    for words in [&["demo"][..], &["serve"], &["help", "demo"]] {
        let (code, said) = refusal(&roundup(words, &[]));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("feature \"demo\"") && said.trim_end().lines().count() == 1, "{said}");
    }
    let help = String::from_utf8(roundup(&["--help"], &[]).stdout).unwrap();
    assert!(help.contains("  get") && !help.contains("  demo") && !help.contains("  serve"), "{help}");
}
