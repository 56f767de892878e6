//! What a request costs in instructions and allocations, layer by layer: figures that a busy machine does not change.
//!
//! ```text
//! cargo bench --bench cost                 # prints them
//! cargo bench --bench cost -- plan fetcher # prints those of these layers
//! cargo bench --bench cost -- --check      # fails if one is more than 10 % above those in benches/cost.txt
//! cargo bench --bench cost -- --write      # writes them to benches/cost.txt
//! ```
//!
//! A separate process answers, so only the client is counted. Each layer is measured by two further processes, one with
//! more requests than the other, three times each. The cost of a request is the difference of the lowest counts, so start
//! and end are not in it. Instructions are counted by valgrind's callgrind in all threads of the process, without those of
//! the kernel. Without valgrind only allocations are counted. Figures depend on the compiler and the kind of processor,
//! which benches/cost.txt names; on others, `--check` prints what has changed and fails for allocations alone. If a layer
//! is above the figure that it is to reach one day, that is printed and nothing more.

use std::alloc::System;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;

use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};
use roundup::surf::RequestOptions;
use roundup::transport::h1::{BodyDecoder, BodyEvent, HeadLimits, Parsed, RequestBody, ResponseParser, encode_head};
use roundup::transport::{Progress, Request, SendRequest};
use roundup::{EventLoop, Fetcher, Job, Limits, Transport};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use surf::http::{Method, Url};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests of the shorter and of the longer run.
const FEW: u32 = 300;
const MANY: u32 = 1_300;

/// A figure may grow by this share before `--check` fails: less is seldom worth code that is harder to read.
const TOLERANCE: f64 = 0.10;

/// How often each run is made. The lowest count is taken, because threads that happen to wait for each other add to it.
const RUNS: usize = 3;

/// How often a layer is measured again if its figure has grown.
const AGAIN: usize = 5;

/// Requests at once in the layers that send several.
const AT_ONCE: u32 = 50;

/// What nginx says of a file of 1 KiB.
const HEAD: &str = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nContent-Type: \
                    application/json\r\nContent-Length: 1024\r\nLast-Modified: Mon, 23 Nov 2026 08:15:00 GMT\r\nConnection: \
                    keep-alive\r\nETag: \"65560a2c-400\"\r\nAccept-Ranges: bytes\r\n\r\n";

/// The layers: name, description, and the figure to reach one day.
const LAYERS: [(&str, &str, Option<u32>); 8] = [
    ("parse", "the head of a response parsed", None),
    ("h1", "transport::h1 and a socket of async-io", Some(6_000)),
    ("transport", "Transport as an HttpClient, raw head", None),
    ("surf-raw", "surf's client, raw head", None),
    ("surf", "surf's client, every field converted", Some(30_000)),
    ("fetcher", "Fetcher, 50 at once", None),
    ("command", "roundup get, 50 at once, JSON report", None),
    ("plan", "roundup run, 50 at once, select, JSON Lines", None),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match given[..] {
        ["serve"] => serve(),
        ["send", layer, address, requests] => {
            send(layer, address.parse().expect("an address"), requests.parse().expect("a number"));
        }
        _ => return measure_all(&given),
    }
    ExitCode::SUCCESS
}

/// One line of the table.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    instructions: Option<f64>,
    allocations: Option<f64>,
}

fn measure_all(arguments: &[&str]) -> ExitCode {
    let (check, write) = (arguments.contains(&"--check"), arguments.contains(&"--write"));
    let named = |layer: &str| arguments.contains(&layer);
    let all = !LAYERS.iter().any(|(layer, ..)| named(layer));
    let (mut server, address) = start_server();
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !valgrind {
        println!("there is no valgrind on PATH: instructions are not counted");
    }
    let machine = machine();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/cost.txt");
    let (known, known_machine) = read(&std::fs::read_to_string(&file).unwrap_or_default());
    println!("{machine}");
    println!("{:<44}{:>14}{:>10}{:>14}{:>10}", "a request", "instructions", "before", "allocations", "before");
    let mut text = format!("{machine}\n");
    let mut grown = Vec::new();
    for (layer, what, goal) in LAYERS {
        let old = known.get(layer).copied().unwrap_or_default();
        let cost = match all || named(layer) {
            true if check => measure_again_if_grown(layer, address, valgrind, old),
            true => measure(layer, address, valgrind),
            false => old,
        };
        if all || named(layer) {
            print_line(what, cost, old, goal);
        }
        writeln!(text, "{layer} {} {}", whole(cost.instructions), tenths(cost.allocations))
            .expect("a String takes all");
        if known_machine == machine && grew(old.instructions, cost.instructions, 50.0) {
            grown.push(format!(
                "{layer}: {} instructions, {} before",
                whole(cost.instructions),
                whole(old.instructions)
            ));
        }
        if grew(old.allocations, cost.allocations, 0.5) {
            grown.push(format!(
                "{layer}: {} allocations, {} before",
                tenths(cost.allocations),
                tenths(old.allocations)
            ));
        }
    }
    let _ = server.kill();
    let _ = server.wait();
    if write {
        std::fs::write(&file, text).expect("the table can be written");
    }
    if !check {
        return ExitCode::SUCCESS;
    }
    if known_machine != machine {
        println!("benches/cost.txt is of another machine, {known_machine}: its instructions are not compared");
    }
    for line in &grown {
        println!("grown: {line}");
    }
    if grown.is_empty() && !known.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A figure that has grown is measured again, because chance adds to a count and never takes from it.
fn measure_again_if_grown(layer: &str, address: SocketAddr, valgrind: bool, old: Cost) -> Cost {
    let mut cost = measure(layer, address, valgrind);
    for _ in 0..AGAIN {
        if !grew(old.instructions, cost.instructions, 50.0) && !grew(old.allocations, cost.allocations, 0.5) {
            break;
        }
        let again = measure(layer, address, valgrind);
        cost.instructions = least(cost.instructions, again.instructions);
        cost.allocations = least(cost.allocations, again.allocations);
    }
    cost
}

fn print_line(what: &str, cost: Cost, old: Cost, goal: Option<u32>) {
    let over = goal.filter(|goal| cost.instructions.is_some_and(|count| count > f64::from(*goal)));
    let over = over.map_or(String::new(), |goal| format!("  over its {goal}"));
    println!(
        "{what:<44}{:>14}{:>10}{:>14}{:>10}{over}",
        whole(cost.instructions),
        whole(old.instructions),
        tenths(cost.allocations),
        tenths(old.allocations)
    );
}

fn whole(figure: Option<f64>) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.0}"))
}

fn tenths(figure: Option<f64>) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.1}"))
}

fn least(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.zip(other).map(|(one, other)| one.min(other))
}

/// Whether a figure is above what it was by more than the tolerance, and by more than `least`.
fn grew(before: Option<f64>, now: Option<f64>, least: f64) -> bool {
    matches!((before, now), (Some(before), Some(now)) if now > before * (1.0 + TOLERANCE) && now > before + least)
}

fn read(text: &str) -> (BTreeMap<String, Cost>, String) {
    let mut lines = text.lines();
    let machine = lines.next().unwrap_or_default().to_owned();
    let costs = lines.filter_map(|line| {
        let mut words = line.split(' ');
        let layer = words.next()?.to_owned();
        let instructions = words.next()?.parse().ok();
        Some((layer, Cost { instructions, allocations: words.next()?.parse().ok() }))
    });
    (costs.collect(), machine)
}

/// What instruction counts depend on beside the code.
fn machine() -> String {
    let rustc = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    format!("{}, {}", String::from_utf8_lossy(&rustc).trim(), std::env::consts::ARCH)
}

fn measure(layer: &str, address: SocketAddr, valgrind: bool) -> Cost {
    let each = |[few, many]: [Option<u64>; 2]| {
        let difference = many?.saturating_sub(few?);
        Some(difference as f64 / f64::from(MANY - FEW))
    };
    let both = |count: fn(&str, SocketAddr, u32) -> Option<u64>| {
        let least = |n| (0..RUNS).filter_map(|_| count(layer, address, n)).min();
        each([FEW, MANY].map(least))
    };
    Cost { instructions: valgrind.then(|| both(instructions)).flatten(), allocations: both(allocations) }
}

/// Sends so many requests through a layer, in a process of its own.
fn sender(layer: &str, address: SocketAddr, requests: u32, before: &[&str]) -> Command {
    let mut line: Vec<std::ffi::OsString> = before.iter().map(Into::into).collect();
    let at_once = AT_ONCE.to_string();
    let command = ["--quiet", "--concurrency", &at_once, "--per-host", &at_once, "--report"];
    match layer {
        "command" => {
            line.extend([env!("CARGO_BIN_EXE_roundup"), "get"].map(Into::into));
            line.extend(command.map(Into::into));
            line.extend(["json", &format!("http://{address}/[1-{requests}]")].map(Into::into));
        }
        "plan" => {
            let stations: Vec<String> = (1..=requests).map(|n| n.to_string()).collect();
            let plan = format!(
                "[[job]]\nname = \"station\"\nurl = \"http://{address}/status?station={{n}}\"\n\
                 each = {{ n = [{}] }}\nselect = {{ station = \"/station\", temp = \"/now/temp\" }}\n",
                stations.join(", ")
            );
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cost.toml");
            std::fs::write(&file, plan).expect("the folder is cargo's");
            line.extend([env!("CARGO_BIN_EXE_roundup"), "run"].map(Into::into));
            line.extend(command.map(Into::into));
            line.extend(["jsonl".into(), file.into()]);
        }
        _ => {
            line.push(std::env::current_exe().expect("a running program has a path").into());
            line.extend(["send", layer, &address.to_string(), &requests.to_string()].map(Into::into));
        }
    }
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command
}

/// Instructions of a whole run.
fn instructions(layer: &str, address: SocketAddr, requests: u32) -> Option<u64> {
    let callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let output = sender(layer, address, requests, &callgrind).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{layer}: {said}");
    let line = said.lines().find_map(|line| line.split_once("Collected : ").map(|(_, count)| count))?;
    line.trim().parse().ok()
}

/// Allocations and reallocations of a whole run; not known of the command's own process.
fn allocations(layer: &str, address: SocketAddr, requests: u32) -> Option<u64> {
    if matches!(layer, "command" | "plan") {
        return None;
    }
    let output = sender(layer, address, requests, &[]).output().ok()?;
    assert!(output.status.success(), "{layer}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().last()?.parse().ok()
}

fn send(layer: &str, address: SocketAddr, requests: u32) {
    let region = Region::new(ALLOCATOR);
    let url = Url::parse(&format!("http://{address}/status?station=oslo")).expect("a URL");
    match layer {
        "parse" => {
            for _ in 0..requests {
                let mut parser = ResponseParser::new("GET", HeadLimits::default());
                let parsed = parser.parse(std::hint::black_box(HEAD.as_bytes())).expect("it is a response");
                assert!(matches!(parsed, Parsed::Final { .. }));
                std::hint::black_box(&parsed);
            }
        }
        "h1" => EventLoop::new().run(h1(address, requests)),
        "transport" => {
            let (transport, progress) = (Transport::new(), Arc::new(Progress::default()));
            EventLoop::new().run(async {
                for _ in 0..requests {
                    let mut response = transport.send(Request::get(&url, &progress)).await.expect("a response");
                    let mut content = Vec::new();
                    response.content.read_to_end(&mut content).await.expect("its content");
                    assert_eq!(content.len(), 1024);
                }
            });
        }
        "surf" | "surf-raw" => {
            let client = roundup::surf::client(Transport::new());
            EventLoop::new().run(async {
                for _ in 0..requests {
                    let request = surf::Request::from(request(&url, layer == "surf-raw"));
                    let content = client.recv_bytes(request).await.expect("a response");
                    assert_eq!(content.len(), 1024);
                }
            });
        }
        "fetcher" => {
            let event_loop = EventLoop::new();
            let at_once = AT_ONCE.try_into().expect("not 0");
            let fetcher = Fetcher::new().limits(Limits { concurrency: at_once, per_host: None, ..Limits::default() });
            let jobs = (0..requests).map(|n| Job::get(&format!("{url}&n={n}")).expect("a URL"));
            event_loop.run(async {
                let mut outcomes = fetcher.run(&event_loop, jobs);
                while let Some(outcome) = outcomes.next().await {
                    assert_eq!(outcome.body_bytes, Some(1024));
                }
            });
        }
        other => unreachable!("no layer is called {other}"),
    }
    let change = region.change();
    println!("{}", change.allocations + change.reallocations);
}

fn request(url: &Url, raw_head: bool) -> http_client::Request {
    let mut request = http_client::Request::new(Method::Get, url.clone());
    if raw_head {
        let mut options = RequestOptions::default();
        options.raw_head = true;
        request.ext_mut().insert(options);
    }
    request
}

/// Requests one after another on one connection, with nothing between the codec and the socket.
async fn h1(address: SocketAddr, requests: u32) {
    let mut socket = Async::<TcpStream>::connect(address).await.expect("a connection");
    let mut out = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    let host = address.to_string();
    for _ in 0..requests {
        out.clear();
        let fields = [("Host", host.as_bytes()), ("User-Agent", &b"roundup"[..]), ("Accept", &b"*/*"[..])];
        encode_head(&mut out, "GET", "/status?station=oslo", RequestBody::None, fields).expect("it can be sent");
        socket.write_all(&out).await.expect("it is sent");
        // As the transport waits: for the first byte of an answer there is nothing to try before.
        poll_fn(|cx| socket.poll_readable(cx)).await.expect("an answer");
        let (mut start, mut end) = (0, 0);
        let mut parser = ResponseParser::new("GET", HeadLimits::default());
        let framing = loop {
            end += socket.read(&mut buffer[end..]).await.expect("an answer");
            match parser.parse(&buffer[start..end]).expect("it is a response") {
                Parsed::Final { consumed, framing, .. } => {
                    start += consumed;
                    break framing;
                }
                Parsed::Interim { consumed, .. } => start += consumed,
                Parsed::Partial => {}
            }
        };
        let mut body = BodyDecoder::new(framing);
        let mut length = 0;
        loop {
            match body.poll(&buffer[start..end]).expect("it is framed well") {
                BodyEvent::Framing(n) => start += n,
                BodyEvent::Content(n) => {
                    (start, length) = (start + n, length + n);
                    body.consume_content(n);
                }
                BodyEvent::NeedMore => {
                    (start, end) = (0, 0);
                    end += socket.read(&mut buffer).await.expect("content");
                }
                BodyEvent::End => break,
            }
        }
        assert_eq!(length, 1024);
    }
}

fn start_server() -> (Child, SocketAddr) {
    let own = std::env::current_exe().expect("a running program has a path");
    let mut server = Command::new(own).arg("serve").stdout(Stdio::piped()).spawn().expect("it ran once already");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("it is piped")).read_line(&mut line).expect("it says where it is");
    (server, line.trim().parse().expect("an address"))
}

/// Answers every request, head and content in one write, until it is killed.
fn serve() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    let now = r#"{"station":"oslo","now":{"temp":-3.5,"wind":{"from":"NW","ms":4.2}},"hours":["#;
    let hour = r#"{"at":"2026-11-24T13:00:00Z","temp":-3.2,"sky":"light snow"}"#;
    // As many hours as fit into 1,024 bytes, filled up with blanks.
    let content = format!("{now}{}]}}", [hour; 15].join(","));
    let content = format!("{content:1024}");
    assert_eq!(content.len(), 1024);
    let answer = format!("{HEAD}{content}");
    for mut connection in listener.incoming().flatten() {
        let answer = answer.clone();
        thread::spawn(move || {
            let _ = connection.set_nodelay(true);
            let mut request = [0; 4096];
            // Requests are short and come one at a time. A failed write means that the client has gone.
            while matches!(connection.read(&mut request), Ok(1..)) && connection.write_all(answer.as_bytes()).is_ok() {}
        });
    }
}
