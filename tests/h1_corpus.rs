//! The HTTP/1.1 engine against `tests/corpus/h1`: `NAME.http` holds what a server sent, byte for byte, `NAME.expect` what
//! is to be made of it.
//!
//! An expectation starts with comments that say why the case exists, and with what goes in:
//!
//! ```text
//! # one or more lines
//! request: GET                  the method that was sent
//! end: open                     or `eof`: the server closes after the last byte
//! limits: bytes=64 fields=2     optional; bytes, fields, interim
//! ```
//!
//! What comes out follows. With `ROUNDUP_CORPUS_REWRITE=1` that part is written anew; read the difference before
//! committing it. `message` may be cut down to the part that matters.
//!
//! Each case runs whole, cut in two at every place, and byte by byte; where the response is complete, once more with the
//! bytes of a next response behind it, of which none may be touched.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use fastrand::Rng;
use roundup::transport::h1::{BodyDecoder, BodyEvent, Framing, Head, HeadLimits, Parsed, ResponseParser, Version};
use roundup::{Kind, Result};

const FEWEST_CASES: usize = 120;
const NEXT_RESPONSE: &[u8] = b"HTTP/1.1 299 Next\r\nContent-Length: 9\r\n\r\nnot yours";
const MUTATIONS: usize = 30_000;

#[test]
fn every_case_comes_out_as_expected_however_it_is_cut() {
    let rewrite = env::var_os("ROUNDUP_CORPUS_REWRITE").is_some();
    let mut failures = Vec::new();
    for case in cases() {
        let whole = case.run(&[&case.bytes]);
        if rewrite {
            case.rewrite(&whole);
            continue;
        }
        if let Some(line) = whole.difference(&case.expected) {
            failures.push(format!("{}: {line}", case.name));
        }
        case.check_cuts(&whole, &case.bytes, &mut failures);
        // A peer that has closed sends nothing more.
        if whole.complete && !case.eof {
            let followed = [&case.bytes[..], NEXT_RESPONSE].concat();
            case.check_cuts(&whole, &followed, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_corpus_is_whole_and_every_file_of_it_is_used() {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in fs::read_dir(folder()).expect("the corpus is in the repository") {
        let path = entry.expect("a readable folder").path();
        let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        files.entry(part(path.file_stem())).or_default().push(part(path.extension()));
    }
    for (name, extensions) in &mut files {
        extensions.sort();
        assert_eq!(extensions, &["expect", "http"], "{name} needs one file of each kind");
    }
    assert!(files.len() >= FEWEST_CASES, "{} cases, at least {FEWEST_CASES} should be here", files.len());
    let cases = cases();
    assert_eq!(cases.len(), files.len(), "every case is read");
    assert!(cases.iter().all(|case| case.comments.starts_with("# ")), "every case says why it is here");
    // Files that git has given other line ends would still pass most of the cases.
    assert!(cases.iter().any(|case| case.bytes.windows(2).any(|two| two == b"\r\n")), "line ends are as written");
}

#[test]
fn mutated_responses_neither_panic_nor_depend_on_the_cuts() {
    let cases = cases();
    let mut rng = Rng::with_seed(0x726f_756e_6475_7000);
    let mut complete = 0;
    for _ in 0..MUTATIONS {
        let mut case = cases[rng.usize(..cases.len())].clone();
        let other = &cases[rng.usize(..cases.len())];
        for _ in 0..rng.usize(1..=3) {
            mutate(&mut case.bytes, &other.bytes, &mut rng);
        }
        // With an end both ways of reading have to come to the same verdict on what is incomplete.
        case.eof = true;
        let whole = case.run(&[&case.bytes]);
        let (first, rest) = case.bytes.split_at(rng.usize(..=case.bytes.len()));
        let (second, third) = rest.split_at(rng.usize(..=rest.len()));
        let cut = case.run(&[first, second, third]);
        let bytes = case.bytes.escape_ascii();
        assert_eq!(whole.lines, cut.lines, "{} cut after {} and {}: {bytes}", case.name, first.len(), second.len());
        complete += usize::from(whole.complete);
    }
    // Were all of them refused at the first byte, nothing would have been tested.
    assert!((MUTATIONS / 10..MUTATIONS).contains(&complete), "{complete} of {MUTATIONS} mutations are good responses");
}

/// A head in single bytes has to cost a time in proportion to its length: searched anew for each byte, this one would
/// take a hundred thousand times as many steps and the test minutes.
#[test]
fn a_large_head_byte_by_byte_is_searched_once() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    bytes.resize(HeadLimits::MAX_BYTES - 4, b'x');
    bytes.extend_from_slice(b"\r\n\r\n");
    let mut parser = ResponseParser::new("GET", HeadLimits::default());
    for end in 0..bytes.len() {
        assert!(matches!(parser.parse(&bytes[..end]), Ok(Parsed::Partial)), "no end after {end} bytes");
    }
    match parser.parse(&bytes) {
        Ok(Parsed::Final { consumed, head, framing }) => {
            assert_eq!((consumed, framing), (bytes.len(), Framing::UntilClose));
            assert_eq!(head.get("x").map(<[u8]>::len), Some(HeadLimits::MAX_BYTES - 24));
        }
        other => panic!("a head of exactly the limit is allowed: {other:?}"),
    }
    bytes.insert(20, b'x');
    let mut parser = ResponseParser::new("GET", HeadLimits::default());
    assert_eq!(parser.parse(&bytes).expect_err("one byte more is not").kind(), Kind::TooLarge);
}

#[test]
fn no_byte_and_some_bytes_are_told_apart() {
    let mut parser = ResponseParser::new("GET", HeadLimits::default());
    assert!(parser.nothing_came(b""));
    assert!(!parser.nothing_came(b"H"));
    let interim = b"HTTP/1.1 102 Processing\r\n\r\n";
    assert!(
        matches!(parser.parse(interim), Ok(Parsed::Interim { consumed, status: 102 }) if consumed == interim.len())
    );
    assert!(!parser.nothing_came(b""), "an interim response shows that the request has arrived");
    assert_eq!(parser.end_of_input(b"").to_string(), "the connection was closed before the response's head");
}

/// A file pair of the corpus.
#[derive(Clone)]
struct Case {
    name: String,
    path: PathBuf,
    bytes: Vec<u8>,
    comments: String,
    method: String,
    eof: bool,
    limits: Option<String>,
    expected: Vec<String>,
}

/// What came out of a run, in the lines of an expectation.
#[derive(Default, PartialEq)]
struct Outcome {
    lines: Vec<String>,
    complete: bool,
}

impl Case {
    fn read(path: PathBuf) -> Case {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let path = path.with_extension("expect");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (comments, lines): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('#'));
        let comments = comments.join("\n");
        let mut case =
            Case { name, path, bytes, comments, method: String::new(), eof: false, limits: None, expected: Vec::new() };
        for line in lines {
            match line.split_once(": ") {
                Some(("request", method)) => case.method = method.to_owned(),
                Some(("end", end)) => case.eof = end == "eof",
                Some(("limits", limits)) => case.limits = Some(limits.to_owned()),
                _ => case.expected.push(line.to_owned()),
            }
        }
        assert!(!case.method.is_empty(), "{}: no request", case.name);
        case
    }

    fn rewrite(&self, outcome: &Outcome) {
        let mut text = format!("{}\nrequest: {}\n", self.comments, self.method);
        let _ = writeln!(text, "end: {}", if self.eof { "eof" } else { "open" });
        if let Some(limits) = &self.limits {
            let _ = writeln!(text, "limits: {limits}");
        }
        for line in &outcome.lines {
            let _ = writeln!(text, "{line}");
        }
        fs::write(&self.path, text).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
    }

    fn head_limits(&self) -> HeadLimits {
        let mut limits = HeadLimits::default();
        for limit in self.limits.as_deref().unwrap_or_default().split_whitespace() {
            let (name, number) = limit.split_once('=').expect("a limit is NAME=NUMBER");
            let number: u32 = number.parse().expect("a limit is NAME=NUMBER");
            match name {
                "bytes" => limits.max_bytes = number as usize,
                "fields" => limits.max_fields = number as usize,
                "interim" => limits.max_interim = number,
                _ => panic!("{}: no limit is called {name}", self.name),
            }
        }
        limits
    }

    /// Cuts these bytes in all ways and compares with what came out of them whole.
    fn check_cuts(&self, whole: &Outcome, bytes: &[u8], failures: &mut Vec<String>) {
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            if let Some(line) = self.run(&[first, second]).difference(&whole.lines) {
                failures.push(format!("{} cut after {at} bytes: {line}", self.name));
                return;
            }
        }
        let single = Vec::from_iter(bytes.chunks(1));
        if let Some(line) = self.run(&single).difference(&whole.lines) {
            failures.push(format!("{} byte by byte: {line}", self.name));
        }
    }

    /// Runs the engine on these reads as a connection would.
    fn run(&self, reads: &[&[u8]]) -> Outcome {
        let mut run = Run { reads, input: Vec::new(), consumed: 0, eof: self.eof, content: Vec::new() };
        let mut outcome = Outcome::default();
        match run.exchange(&self.method, self.head_limits(), &mut outcome) {
            Ok(ended) => {
                outcome.complete = ended;
                outcome.line("outcome", if ended { "complete" } else { "needs more" });
                outcome.line("consumed", run.consumed);
            }
            Err(error) => {
                let phase = error.phase().map_or("without a phase", |phase| phase.as_str());
                outcome.line("outcome", format_args!("error {} {phase}", error.kind()));
                outcome.line("message", &error);
                assert_eq!(error.one_line(), error.to_string(), "one line, and no cause below");
            }
        }
        outcome
    }
}

impl Outcome {
    fn line(&mut self, key: &str, value: impl std::fmt::Display) {
        self.lines.push(format!("{key}: {value}"));
    }

    fn head(&mut self, head: &Head, framing: Framing) {
        let version = if head.version() == Version::Http10 { "1.0" } else { "1.1" };
        self.line("version", version);
        self.line("status", head.status());
        self.line("reason", quoted(head.reason()));
        for (name, value) in head.fields() {
            self.line("field", format_args!("{name} = {}", quoted(value)));
            let found = head.get(&name.to_ascii_uppercase());
            assert_eq!(found, head.get_all(name).next(), "the first of its name is found whatever the case");
            assert!(head.get_all(name).any(|v| v == value), "each field is found by its name");
        }
        match framing {
            Framing::Empty => self.line("framing", "empty"),
            Framing::Length(length) => self.line("framing", format_args!("length {length}")),
            Framing::Chunked => self.line("framing", "chunked"),
            Framing::UntilClose => self.line("framing", "until close"),
        }
        self.line("keep-alive", if head.keep_alive() { "yes" } else { "no" });
    }

    /// The first line that is not as expected. A message is expected to contain what the expectation says.
    fn difference(&self, expected: &[String]) -> Option<String> {
        let most = self.lines.len().max(expected.len());
        (0..most).find_map(|at| {
            let (found, expected) = (self.lines.get(at), expected.get(at));
            let same = match (found, expected) {
                (Some(found), Some(expected)) => match expected.strip_prefix("message: ") {
                    Some(part) if !part.is_empty() => found.starts_with("message: ") && found.contains(part),
                    _ => found == expected,
                },
                _ => false,
            };
            let or_none = |line: Option<&String>| line.map_or("no line".to_owned(), |line| format!("\"{line}\""));
            (!same).then(|| format!("{} instead of {}", or_none(found), or_none(expected)))
        })
    }
}

/// A connection: reads that are still to come, and bytes read that are not yet consumed.
struct Run<'a> {
    reads: &'a [&'a [u8]],
    input: Vec<u8>,
    consumed: usize,
    eof: bool,
    content: Vec<u8>,
}

impl Run<'_> {
    /// `false` where the bytes and the connection are such that more has to come.
    fn exchange(&mut self, method: &str, limits: HeadLimits, outcome: &mut Outcome) -> Result<bool> {
        let mut parser = ResponseParser::new(method, limits);
        let framing = loop {
            match parser.parse(&self.input)? {
                Parsed::Partial if self.read() => {}
                Parsed::Partial if self.eof => return Err(parser.end_of_input(&self.input)),
                Parsed::Partial => return Ok(false),
                Parsed::Interim { consumed, status } => {
                    outcome.line("interim", status);
                    self.consume(consumed);
                }
                Parsed::Final { consumed, head, framing } => {
                    outcome.head(&head, framing);
                    self.consume(consumed);
                    break framing;
                }
            }
        };
        let result = self.body(BodyDecoder::with_limits(framing, limits));
        outcome.line("content", quoted(&self.content));
        result
    }

    fn body(&mut self, mut body: BodyDecoder) -> Result<bool> {
        loop {
            match body.poll(&self.input)? {
                BodyEvent::Framing(n) => self.consume(n),
                BodyEvent::Content(n) => {
                    assert!(n <= self.input.len() && body.remaining().is_none_or(|left| n as u64 <= left));
                    // A caller whose own buffer is small takes less than there is.
                    let taken = n.div_ceil(2);
                    self.content.extend_from_slice(&self.input[..taken]);
                    self.consume(taken);
                    body.consume_content(taken);
                }
                BodyEvent::NeedMore => {
                    assert!(self.input.is_empty(), "all input is used before more is asked for");
                    assert!(!body.is_done());
                    if self.read() {
                        continue;
                    }
                    if !self.eof {
                        return Ok(false);
                    }
                    body.end_of_input()?;
                    assert!(body.is_done());
                }
                BodyEvent::End => {
                    assert!(body.is_done() && body.remaining() == Some(0));
                    return Ok(true);
                }
            }
        }
    }

    fn read(&mut self) -> bool {
        let Some((first, rest)) = self.reads.split_first() else { return false };
        self.input.extend_from_slice(first);
        self.reads = rest;
        true
    }

    /// Nothing may be consumed that is not there, and nothing at all would be an endless loop.
    fn consume(&mut self, n: usize) {
        assert!(n > 0 && n <= self.input.len(), "{n} of {} bytes consumed", self.input.len());
        self.input.drain(..n);
        self.consumed += n;
    }
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    const TELLING: &[u8] = b"\r\n :;,\"\\0159afHT/.\t\0\x7f\xff+-";
    let at = rng.usize(..=bytes.len());
    let telling = TELLING[rng.usize(..TELLING.len())];
    match rng.u8(..7) {
        0 => bytes.insert(at, telling),
        1 => bytes.truncate(at),
        2 => {
            let end = (at + rng.usize(1..=4)).min(bytes.len());
            bytes.drain(at..end);
        }
        3 => {
            let end = (at + rng.usize(1..=24)).min(bytes.len());
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        4 => {
            let from = rng.usize(..=other.len());
            bytes.splice(at..at, other[from..].iter().take(40).copied());
        }
        5 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = telling;
            }
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.u8(..8);
            }
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/h1")
}

fn cases() -> Vec<Case> {
    let entries = fs::read_dir(folder()).expect("the corpus is in the repository");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut paths = Vec::from_iter(paths.filter(|path| path.extension().is_some_and(|e| e == "http")));
    paths.sort();
    paths.into_iter().map(Case::read).collect()
}
