//! Who may use whom: reads the paths in `src/` and fails on a breach of the table in DESIGN.md.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Layer 0. Every module may use these, and these use nothing but each other.
const WORDS: &[&str] = &["error", "units", "origin", "statuses", "job", "limits", "outcome", "redact", "rfc3339"];

/// Layer 1: no async, no sockets, no clock. They use layer 0 and themselves.
const PURE: &[&str] = &[
    "plan",
    "report",
    "transport::h1",
    "transport::pool",
    "fetcher::advice",
    "fetcher::queue",
    "fetcher::rate",
    "fetcher::retry",
];

/// What may be used besides layer 0, oneself and one's own pure parts: a pure part of a stage by another of the same
/// stage, and layers 2 and 3 by those above.
const ABOVE: &[(&str, &[&str])] = &[
    // The hosts of the queue are paced.
    ("fetcher::queue", &["fetcher::rate"]),
    ("event_loop", &[]),
    // Look-ups and certificate files are read off the loop.
    ("transport", &["event_loop"]),
    // The head as it came over the wire is in the transport's responses, and what is left of a redirect is read for a while.
    ("redirect", &["event_loop", "transport"]),
    // The transport and the redirects are in the client the builder makes by default.
    ("fetcher", &["event_loop", "transport", "redirect"]),
];

/// What layers 0 and 1 never name outside their tests: whole crates, and the ends of paths.
const IMPURE_CRATES: &[&str] = &[
    "smol",
    "async_io",
    "async_executor",
    "async_lock",
    "async_signal",
    "async_trait",
    "blocking",
    "futures_lite",
    "futures_rustls",
    "rustls",
    "surf",
    "http_client",
    "http_types",
];
const IMPURE_PATHS: &[&str] = &[
    "net::TcpStream",
    "net::TcpListener",
    "net::UdpSocket",
    "net::ToSocketAddrs",
    "Instant::now",
    "SystemTime::now",
    "thread::sleep",
    "thread::spawn",
];

/// The one seam at which surf is known. The fetcher's other files may name the client they are given.
const SURF: &[&str] = &["surf", "http_types", "http_client"];
const SURF_SEAM: &[&str] =
    &["transport", "transport::convert", "transport::exchange", "transport::message", "fetcher::attempt", "redirect"];
const SURF_CLIENT: (&str, &str) = ("fetcher", "surf::Client");
/// The builder's default client is made in one place.
const SURF_BUILDER: (&str, &str) = ("fetcher", "surf::Client::with_http_client");

#[test]
fn modules_use_only_what_lies_below_them() {
    let files = sources();
    assert!(files.len() > 10, "the sources were not found");
    let found = breaches(&files);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn tokio_is_not_in_the_lock_file() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let names: Vec<&str> = lock.lines().filter_map(|line| line.strip_prefix("name = ")).collect();
    assert!(names.contains(&"\"async-io\""), "the lock file was not understood");
    let tokio: Vec<&&str> = names.iter().filter(|name| name.starts_with("\"tokio")).collect();
    assert!(tokio.is_empty(), "{tokio:?}");
}

#[test]
fn breaches_are_found() {
    let lib =
        ("lib.rs", "pub mod error;\npub use error::{Error, Kind as K};\npub use job::*;\npub use fetcher::Fetcher;");
    let bad: &[(&str, &str, &str)] = &[
        ("error.rs", "use crate::plan::Plan;", "error.rs:1: error uses crate::plan::Plan"),
        ("job.rs", "use crate::{error::Error,\n units, Fetcher};", "job.rs:2: job uses crate::fetcher::Fetcher"),
        ("plan/read.rs", "fn f() { crate::report::g() }", "plan::read uses crate::report::g"),
        ("plan/mod.rs", "use super::fetcher;", "plan uses crate::fetcher"),
        (
            "plan/read.rs",
            "mod tests {\n use super::super::super::report::Table; }",
            "read.rs:2: plan::read::tests uses",
        ),
        ("transport/h1/mod.rs", "use super::dns::Resolver;", "transport::h1 uses crate::transport::dns::Resolver"),
        ("transport/dns.rs", "type A = Vec<crate::fetcher::Job>;", "transport::dns uses crate::fetcher::Job"),
        ("event_loop/mod.rs", "use crate::transport::Transport;", "event_loop uses crate::transport::Transport"),
        ("plan/mod.rs", "async fn f() {}", "plan/mod.rs:1: plan is pure and says async"),
        ("report/mod.rs", "use std::{fs, time::{Duration, Instant}};\nfn f() { Instant::now(); }", "says Instant::now"),
        ("fetcher/rate.rs", "use std::net::{IpAddr, TcpStream};", "says std::net::TcpStream"),
        ("fetcher/retry.rs", "use smol::Timer;", "fetcher::retry is pure and says smol::Timer"),
        ("transport/pool.rs", "use surf::Body;", "says surf::Body"),
        ("transport/connect.rs", "use http_types::Body;", "transport::connect is not at surf's seam"),
        ("fetcher/mod.rs", "use surf::{Client, Request};", "fetcher is not at surf's seam and says surf::Request"),
        (
            "fetcher/run.rs",
            "fn f() { surf::Client::with_http_client(t) }",
            "fetcher::run is not at surf's seam and says surf::Client::with_http_client",
        ),
        ("fetcher/rate.rs", "use super::queue::Queue;", "fetcher::rate may not use fetcher::queue"),
        ("new.rs", "", "new.rs: new is in no layer"),
        ("job.rs", "use crate::nowhere::X;", "job uses crate::nowhere::X, which is in no layer"),
        ("bin/roundup/main.rs", "#[path = \"../../job.rs\"] mod job;", "main.rs:1: #[path] goes round the layers"),
    ];
    for (path, text, message) in bad {
        let found = breaches(&[lib, (path, text)].map(|(path, text)| (path.to_owned(), text.to_owned())));
        assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
        assert!(found[0].contains(message), "{message}: {found:?}");
    }
    let good: &[(&str, &str)] = &[
        ("error.rs", "/// [`crate::plan`]\n/* crate::plan /* */ crate::plan */\nconst A: &str = \"crate::plan\";"),
        ("error.rs", "const A: &str = r#\"\"crate::plan\"#; const B: char = '\"'; fn f<'a>(_: &'a u8) -> crate::K {}"),
        ("job.rs", "use crate::error::{self, Error}; pub(in crate::job) fn f() {} pub(crate) fn g() {}"),
        ("plan/mod.rs", "#[cfg(test)] mod tests { use super::*; fn f() { std::time::Instant::now(); } }"),
        ("plan/read.rs", "use super::Plan; use self::x::Y; fn f(_: std::time::Instant) {}"),
        ("transport/mod.rs", "use crate::transport::h1::Head; use surf::Body; async fn f() { self::pool::g().await }"),
        ("fetcher/mod.rs", "use crate::{K, transport::Transport}; use surf::Client; use super::event_loop;"),
        ("fetcher/mod.rs", "fn f() { surf::Client::with_http_client(t) }"),
        ("fetcher/queue.rs", "use super::rate::Pacer;"),
        ("bin/roundup/main.rs", "use roundup::Fetcher; use crate::args::Args;"),
    ];
    for (path, text) in good {
        let found = breaches(&[lib, (path, text)].map(|(path, text)| (path.to_owned(), text.to_owned())));
        assert!(found.is_empty(), "{path}: {text}: {found:?}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All source files: the path below `src` with slashes, and the text.
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    let (mut files, mut folders) = (Vec::new(), vec![src.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below: Vec<_> = path.strip_prefix(&src).unwrap().iter().map(|p| p.to_string_lossy()).collect();
                files.push((below.join("/"), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn breaches(files: &[(String, String)]) -> Vec<String> {
    let lib = files.iter().find(|(path, _)| path == "lib.rs").map_or("", |(_, text)| text);
    let names = re_exports(lib);
    let mut found = Vec::new();
    for (path, text) in files {
        let tokens = tokens(text);
        for window in tokens.windows(3) {
            if window[0].text == "#" && window[1].text == "[" && window[2].text == "path" {
                found.push(format!("src/{path}:{}: #[path] goes round the layers", window[0].line));
            }
        }
        // The command is a crate of its own: the compiler holds it to public names.
        if path == "lib.rs" || path.starts_with("bin/") {
            continue;
        }
        let stem = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let file: Vec<&str> = stem.split('/').collect();
        match layer(&file) {
            Some(_) => judge(path, &file, &tokens, &names, &mut found),
            None => found.push(format!("src/{path}: {} is in no layer of the table", file.join("::"))),
        }
    }
    found
}

/// Judges one file of the library.
fn judge(path: &str, file: &[&str], tokens: &[Token<'_>], names: &BTreeMap<String, String>, found: &mut Vec<String>) {
    let own = layer(file).expect("the caller has looked");
    let pure = WORDS.contains(&own) || PURE.contains(&own);
    let name = file.join("::");
    for used in paths(tokens, file) {
        let at = format!("src/{path}:{}", used.line);
        let (text, in_tests) = (used.path.join("::"), used.module.len() > file.len());
        if let Some(below) = text.strip_prefix("crate::") {
            let first = used.path[1].as_str();
            let full = names.get(first).map_or(below.to_owned(), |module| format!("{module}::{below}"));
            let segments: Vec<&str> = full.split("::").collect();
            let user = used.module.join("::");
            match layer(&segments) {
                None => found.push(format!("{at}: {user} uses crate::{full}, which is in no layer of the table")),
                Some(other) if may_use(own, other) => {}
                Some(other) => found.push(format!("{at}: {user} uses crate::{full}: {own} may not use {other}")),
            }
        } else if pure && !in_tests && is_impure(&used.path) {
            found.push(format!("{at}: {name} is pure and says {text}"));
        } else if SURF.contains(&used.path[0].as_str()) && !knows_surf(&name, &text) {
            found.push(format!("{at}: {name} is not at surf's seam and says {text}"));
        }
    }
}

/// The entry of the table that a module or an item belongs to.
fn layer(path: &[&str]) -> Option<&'static str> {
    let all = WORDS.iter().chain(PURE).chain(ABOVE.iter().map(|(name, _)| name));
    let matching = all.filter(|name| path.starts_with(&name.split("::").collect::<Vec<_>>()));
    matching.max_by_key(|name| name.len()).copied()
}

fn may_use(own: &str, other: &str) -> bool {
    let is_part = other.strip_prefix(own).is_some_and(|rest| rest.starts_with("::"));
    let listed = ABOVE.iter().any(|(name, others)| *name == own && others.contains(&other));
    own == other || is_part || listed || WORDS.contains(&other)
}

fn is_impure(path: &[String]) -> bool {
    let text = path.join("::");
    let ends = IMPURE_PATHS.iter().any(|end| text == *end || text.ends_with(&format!("::{end}")));
    ends || IMPURE_CRATES.contains(&path[0].as_str()) || path[0] == "async" || path[0] == "await"
}

fn knows_surf(module: &str, path: &str) -> bool {
    let (folder, client) = SURF_CLIENT;
    SURF_SEAM.contains(&module) || (module.starts_with(folder) && path == client) || (module, path) == SURF_BUILDER
}

/// Which module each name comes from that `lib.rs` re-exports.
fn re_exports(lib: &str) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for used in paths(&tokens(lib), &[]) {
        if let [module, .., _] = used.path.as_slice() {
            names.insert(used.name, module.clone());
        }
    }
    names
}

#[derive(Debug)]
struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// One path that a file names.
#[derive(Debug)]
struct Used {
    /// From `crate` on where it lies in this crate, else as written.
    path: Vec<String>,
    /// What it is called here.
    name: String,
    /// The module it is named in.
    module: Vec<String>,
    line: usize,
}

/// Names, `::` and single marks; no comments, no literals.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut rest, mut line) = (Vec::new(), text, 1);
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let hashes = rest.trim_start_matches(['b', 'c', 'r']).find(|c| c != '#').unwrap_or(0);
        let prefix = rest.len() - rest.trim_start_matches(['b', 'c', 'r']).len();
        let raw = prefix <= 2 && rest[..prefix].ends_with('r') && rest[prefix + hashes..].starts_with('"');
        let quoted = prefix <= 1 && !rest[..prefix].ends_with('r') && rest[prefix..].starts_with('"');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if raw {
            let (body, end) = (prefix + hashes + 1, format!("\"{}", "#".repeat(hashes)));
            rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
        } else if quoted {
            prefix + literal(&rest[prefix..], '"')
        } else if first == '\'' && is_char(rest) {
            literal(rest, '\'')
        } else if word > 0 {
            tokens.push(Token { text: &rest[..word], line });
            word
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            if !first.is_whitespace() {
                tokens.push(Token { text: &rest[..length], line });
            }
            length
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of a block comment; they nest.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a literal with its quotes.
fn literal(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Whether a `'` starts a character and not a lifetime.
fn is_char(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

/// All paths of two names and more, `use` trees spread out, and `async` and `await`.
fn paths(tokens: &[Token<'_>], file: &[&str]) -> Vec<Used> {
    let mut found = Vec::new();
    // The modules that are open here, and how deep in braces each began.
    let (mut module, mut open, mut depth) =
        (file.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>(), Vec::new(), 0);
    let mut at = 0;
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    while at < tokens.len() {
        match text(at) {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if open.last() == Some(&depth) {
                    open.pop();
                    module.pop();
                }
            }
            "mod" if text(at + 2) == "{" => {
                module.push(text(at + 1).to_owned());
                open.push(depth);
                at += 1;
            }
            "use" => {
                at += 1;
                tree(tokens, &mut at, &[], &module, &mut found);
                continue;
            }
            word @ ("async" | "await") => found.push(Used {
                path: vec![word.to_owned()],
                name: word.to_owned(),
                module: module.clone(),
                line: tokens[at].line,
            }),
            word if is_name(word) && text(at + 1) == "::" => {
                let (start, mut path) = (at, vec![word.to_owned()]);
                while text(at + 1) == "::" && is_name(text(at + 2)) {
                    path.push(text(at + 2).to_owned());
                    at += 2;
                }
                // `pub(in crate::a)` shows something and uses nothing.
                let shows = start > 1 && text(start - 1) == "in" && text(start - 2) == "(";
                if path.len() > 1 && !shows {
                    found.extend(resolve(&path, &module, tokens[start].line, None));
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one `use` tree, up to what ends it.
fn tree(tokens: &[Token<'_>], at: &mut usize, before: &[String], module: &[String], found: &mut Vec<Used>) {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut path = before.to_vec();
    loop {
        match text(*at) {
            "::" => *at += 1,
            "{" => {
                *at += 1;
                while !matches!(text(*at), "}" | "") {
                    tree(tokens, at, &path, module, found);
                    if text(*at) == "," {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            word if is_name(word) || word == "*" => {
                let line = tokens[*at].line;
                // `a::{self}` is `a`.
                if word != "self" || path.is_empty() {
                    path.push(word.to_owned());
                }
                *at += 1;
                if text(*at) == "::" {
                    continue;
                }
                let renamed = (text(*at) == "as").then(|| text(*at + 1));
                if renamed.is_some() {
                    *at += 2;
                }
                found.extend(resolve(&path, module, line, renamed));
                return;
            }
            // The end, or what is no tree: `use<'a>` in a bound.
            _ => {
                *at += 1;
                return;
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Turns `self` and `super` into `crate`; none where the path stays within the module itself.
fn resolve(path: &[String], module: &[String], line: usize, renamed: Option<&str>) -> Option<Used> {
    let up = path.iter().take_while(|name| *name == "super").count();
    let mut full = path.to_vec();
    if path[0] == "self" || up > 0 {
        let base = module.get(..module.len().checked_sub(up)?)?;
        let rest = &path[up.max(1).max(usize::from(path[0] == "self"))..];
        full = std::iter::once("crate").chain(base.iter().chain(rest).map(String::as_str)).map(str::to_owned).collect();
    }
    // `super::*` of a module below the root, or `crate` alone.
    if full.len() < 2 || (full[0] == "crate" && full[1] == "*") {
        return None;
    }
    let name = renamed.map_or_else(|| path[path.len() - 1].clone(), str::to_owned);
    Some(Used { path: full, name, module: module.to_vec(), line })
}
