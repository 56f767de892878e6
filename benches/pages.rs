//! How long a list of a thousand items on ten pages and a request for each item take, beside the least that the limits allow.
//!
//! ```text
//! cargo bench --bench pages
//! ```
//!
//! Prints figures and judges none of them. `src/graph/simulation.rs` holds the same to 1.1 of the optimum, in virtual time.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_roundup");
const PAGES: usize = 10;
const ITEMS: usize = 100;
/// The default of `per_host`.
const PER_HOST: usize = 10;

fn main() {
    println!("{:<32}{:>10}{:>10}{:>8}", "", "wall", "optimum", "ratio");
    let cursor = "{ next = \"/next\", param = \"page\" }";
    let parallel = "{ page = \"page\", total_pages = \"/pages\" }";
    for (name, pages, in_sequence, page_ms, detail_ms) in [
        ("cursor", cursor, true, 50, 50),
        ("cursor, slow pages", cursor, true, 500, 50),
        ("pages in parallel", parallel, false, 50, 50),
        ("pages in parallel, slow pages", parallel, false, 500, 50),
    ] {
        let (page, detail) = (Duration::from_millis(page_ms), Duration::from_millis(detail_ms));
        let took = run(serve(page, detail), pages).as_secs_f64();
        let (page, detail) = (page.as_secs_f64(), detail.as_secs_f64());
        let work = PAGES as f64 * page + (PAGES * ITEMS) as f64 * detail;
        let chain = if in_sequence { PAGES as f64 * page } else { 2.0 * page };
        let optimum = (page + (work - page) / PER_HOST as f64).max(chain + detail);
        println!("{name:<32}{took:>8.2} s{optimum:>8.2} s{:>8.3}", took / optimum);
    }
}

/// Runs the command on a plan, and takes its JSON Lines.
fn run(server: SocketAddr, pages: &str) -> Duration {
    let plan = format!(
        "[[job]]\nname = \"list\"\nurl = \"http://{server}/list\"\nrows = \"/items\"\nselect = {{ id = \"/id\" }}\npages = \
         {pages}\n[[job]]\nname = \"detail\"\nfor_each = \"list\"\nkey = \"id\"\nurl = \
         \"http://{server}/detail/{{list.id}}\"\n"
    );
    let started = Instant::now();
    let mut child = Command::new(BINARY)
        .args(["run", "-", "--report", "jsonl", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    child.stdin.take().expect("a pipe").write_all(plan.as_bytes()).expect("it reads the plan");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let results = lines.filter(|line| line.as_ref().is_ok_and(|line| line.contains("\"type\":\"result\""))).count();
    let status = child.wait().expect("it ends");
    assert!(status.success() && results == 1 + PAGES * ITEMS, "{status}, {results} results");
    started.elapsed()
}

/// A server that takes so long for a page and for an item.
fn serve(page: Duration, detail: Duration) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer_all(stream, page, detail));
        }
    });
    address
}

fn answer_all(mut stream: TcpStream, page: Duration, detail: Duration) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).ok()? == 0 {
            return None;
        }
        let mut line = String::new();
        while reader.read_line(&mut line).ok()? > 2 {
            line.clear();
        }
        let content = if first.starts_with("GET /list") {
            thread::sleep(page);
            list(&first)
        } else {
            thread::sleep(detail);
            "{\"price\":9.5}".to_owned()
        };
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", content.len());
        stream.write_all(format!("{head}{content}").as_bytes()).ok()?;
    }
}

fn list(request: &str) -> String {
    let number = request.split("page=").nth(1).and_then(|rest| rest.split([' ', '&']).next());
    let page: usize = number.and_then(|number| number.parse().ok()).unwrap_or(1);
    let items: Vec<String> = (0..ITEMS).map(|item| format!("{{\"id\":{}}}", page * ITEMS + item)).collect();
    let next = if page < PAGES { (page + 1).to_string() } else { "null".to_owned() };
    format!("{{\"next\":{next},\"pages\":{PAGES},\"items\":[{}]}}", items.join(","))
}
