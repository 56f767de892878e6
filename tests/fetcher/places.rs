//! Any value in any place of a plan arrives at a server as it is.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roundup::plan::PlanReader;
use roundup::{Fetcher, Job};

use super::collect;
use crate::common::{Reply, Request, Server};

/// What is in values that went wrong elsewhere.
const PIECES: &[&str] = &[
    "a",
    "Z",
    "0",
    " ",
    "+",
    "%",
    "%2F",
    "%zz",
    "&",
    "=",
    "?",
    "#",
    "/",
    "\\",
    ":",
    "@",
    ";",
    ",",
    "'",
    "\"",
    "<",
    ">",
    "{",
    "}",
    "{x}",
    "${S}",
    "$",
    "..",
    ".",
    "~",
    "^",
    "|",
    "`",
    "[",
    "]",
    "\u{e9}",
    "\u{6771}",
    "\u{1f600}",
    "\u{feff}",
    "\u{202e}",
    "\r\n",
    "\n",
    "\t",
    "\0",
    "\u{7f}",
    "null",
    "true",
    "-1.50",
];

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => (bytes, rest) = ([bytes, vec![byte]].concat(), &after[2..]),
            None => (bytes, rest) = ([bytes, vec![*first]].concat(), after),
        }
    }
    String::from_utf8(bytes).expect("UTF-8 went out")
}

/// The values of a query or a form, by name: a space may be written as `+` there.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').expect("a name and a value");
        (unescaped(name), unescaped(&value.replace('+', " ")))
    };
    text.split('&').map(pair).collect()
}

/// The jobs of a plan that has the value in each place that takes it. As a secret it is `${S}`, otherwise `{v}`.
fn jobs(server: &Server, value: &str, is_secret: bool, number: usize) -> Vec<Job> {
    let name = if is_secret { "${S}" } else { "{v}" };
    let is_printable = !value.contains(char::is_control);
    let header = if is_printable {
        format!("headers = {{ X-Value = \"<{name}>\" }}\nuser = \"me:{name}\"\n")
    } else {
        String::new()
    };
    let url = server.url("/");
    let url = url.trim_end_matches('/');
    let text = format!(
        "[[job]]\nname = \"get {number}\"\nurl = \"{url}/p/a{name}b/end?q={name}&r=1#{name}\"\nquery = {{ k = \"{name}\" }}\n{header}\
         [[job]]\nname = \"json {number}\"\nurl = \"{url}/json\"\njson = {{ whole = \"{name}\", part = \"<{name}>\" }}\n\
         [[job]]\nname = \"form {number}\"\nurl = \"{url}/form\"\nform = {{ f = \"{name}\", g = \"<{name}>\" }}\n"
    );
    let secrets = |name: &str| (name == "S").then(|| value.to_owned());
    let reader = PlanReader::new().secrets(&secrets).variable("v", value).expect("a name");
    reader.read("plan.toml", &text).unwrap_or_else(|errors| panic!("{value:?}\n{errors}")).jobs
}

fn check(request: &Request, value: &str) {
    let said = format!("{value:?} as {request:?}");
    let bracketed = format!("<{value}>");
    match request.path() {
        "/json" => {
            let json: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
            assert_eq!(json, serde_json::json!({ "whole": value, "part": bracketed }), "{said}");
        }
        "/form" => {
            let sent = pairs(&request.text());
            assert_eq!(sent, [("f".into(), value.to_owned()), ("g".into(), bracketed)], "{said}");
        }
        path => {
            let segments: Vec<String> = path.split('/').map(unescaped).collect();
            assert_eq!(segments, ["", "p", &format!("a{value}b"), "end"], "{said}");
            let own = |name: &str| (name.to_owned(), value.to_owned());
            let expected = [own("q"), ("r".to_owned(), "1".to_owned()), own("k")];
            assert_eq!(pairs(request.query().expect("a query")), expected, "{said}");
            if let Some(header) = request.header("x-value") {
                // The server shows each byte as a character.
                let bytes = header.chars().map(|c| u8::try_from(c).expect("a byte")).collect();
                assert_eq!(String::from_utf8(bytes).expect("UTF-8"), bracketed, "{said}");
                let basic = request.header("authorization").and_then(|value| value.strip_prefix("Basic "));
                let decoded = STANDARD.decode(basic.expect("Basic")).expect("base64");
                assert_eq!(String::from_utf8(decoded).expect("UTF-8"), format!("me:{value}"), "{said}");
            }
        }
    }
}

#[test]
fn any_value_in_any_place_arrives_as_it_is() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    let server = Server::start(move |request| {
        seen.lock().expect("no panic").push(request.clone());
        Reply::json("{}")
    });
    let mut random = fastrand::Rng::with_seed(9110);
    for number in 0..150 {
        let value: String = (0..random.usize(1..7)).map(|_| PIECES[random.usize(0..PIECES.len())]).collect();
        for is_secret in [false, true] {
            let outcomes = collect(&Fetcher::new(), jobs(&server, &value, is_secret, number));
            assert!(outcomes.iter().all(|outcome| outcome.ok()), "{value:?}: {outcomes:?}");
            let sent: Vec<Request> = requests.lock().expect("no panic").drain(..).collect();
            assert_eq!(sent.len(), 3, "{value:?}");
            sent.iter().for_each(|request| check(request, &value));
        }
    }
}
