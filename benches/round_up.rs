//! What the built binary costs: time, tax, memory, threads, processor time, and how soon the first request is out.
//!
//! ```text
//! cargo bench --bench round_up
//! ```
//!
//! Prints figures and judges none of them: they belong to the machine they were taken on. Memory, threads and
//! processor time are read from /proc, so they are there on Linux alone. Takes about 20 seconds, most of it the ten
//! sources of a second each that are fetched one at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_roundup");

/// At how many addresses the server listens, from 127.0.0.1 on. Linux alone has them without further ado.
const HOSTS: u8 = if cfg!(target_os = "linux") { 50 } else { 1 };

/// How many times the way to the first request is measured.
const STARTS: usize = 20;

/// How many requests tell what one costs.
const REQUESTS: u32 = 10_000;

/// What every request is answered with.
const CONTENT: &str = r#"{"city":"oslo","temperature_c":3.5,"n":7}"#;

/// How often a run's memory and threads are looked at. Looking costs about 20 microseconds.
const GLANCE: Duration = Duration::from_millis(2);

fn main() {
    let (address, arrivals) = serve();
    let size = std::fs::metadata(BINARY).map_or(0, |file| file.len());
    println!(
        "roundup {}, {:.2} MiB, {} {}, {} processors",
        env!("CARGO_PKG_VERSION"),
        mib(size),
        std::env::consts::OS,
        std::env::consts::ARCH,
        thread::available_parallelism().map_or(1, usize::from)
    );
    println!("\n{:<42}{:>10}{:>10}{:>10}{:>9}{:>11}", "", "wall", "tax", "memory", "threads", "processor");
    let second = |n: u32| format!("http://{address}/delay/1?n=[1-{n}]");
    row("10 sources of 1 s, one at a time", &second(10), Some(1));
    row("10 sources of 1 s, all at once", &second(10), Some(10));
    row("50 sources of 1 s, all at once", &second(50), Some(50));
    if HOSTS > 1 {
        let hosts = format!("http://127.0.0.[1-{HOSTS}]:{}/delay/1?n=1", address.port());
        row(&format!("{HOSTS} hosts, one source of 1 s each, no option"), &hosts, None);
    }
    let small = format!("http://{address}/small?n=[1-{REQUESTS}]");
    for concurrency in [1, 10] {
        // Connections of earlier rows.
        arrivals.try_iter().for_each(drop);
        let name = format!("{REQUESTS} small contents, {concurrency} at a time");
        let run = row(&name, &small, Some(concurrency));
        let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(REQUESTS);
        let cpu = run.cpu.map_or(String::new(), |cpu| format!(", {:.0} us of processor time each", each(cpu)));
        let rate = f64::from(REQUESTS) / run.wall.as_secs_f64();
        println!("{:<42}{rate:>10.0} requests per second over {} connections{cpu}", "", arrivals.try_iter().count());
    }
    first_request(address, &arrivals);
}

/// Prints how long it takes from the start of the process to the first byte of its first request at the server.
fn first_request(address: SocketAddr, arrivals: &Receiver<Instant>) {
    arrivals.try_iter().for_each(drop);
    let url = format!("http://{address}/small");
    let mut times: Vec<f64> = (0..STARTS)
        .map(|_| {
            let start = Instant::now();
            let mut child = command(&url, Some(1)).spawn().expect("the binary starts");
            let arrival = arrivals.recv_timeout(Duration::from_secs(30)).expect("a request arrives");
            child.wait().expect("the binary ends");
            (arrival - start).as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (least, most) = (times[0], times[STARTS - 1]);
    println!("\nprocess start to first request: median {:.1} ms of {STARTS} ({least:.1} to {most:.1})", median(&times));
}

/// The median of sorted figures.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 0 { (sorted[middle - 1] + sorted[middle]) / 2.0 } else { sorted[middle] }
}

/// What one run of the binary cost.
#[derive(Debug)]
struct Run {
    wall: Duration,
    tax_ms: f64,
    peak_kib: Option<u64>,
    threads: Option<u64>,
    cpu: Option<Duration>,
}

fn row(name: &str, url: &str, concurrency: Option<usize>) -> Run {
    let run = measure(command(url, concurrency));
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    println!(
        "{name:<42}{:>8.3} s{:>7.0} ms{:>10}{:>9}{:>11}",
        run.wall.as_secs_f64(),
        run.tax_ms,
        or_dash(run.peak_kib.map(|kib| format!("{:.1} MiB", mib(kib * 1024)))),
        or_dash(run.threads.map(|threads| threads.to_string())),
        or_dash(run.cpu.map(|cpu| format!("{} ms", cpu.as_millis()))),
    );
    run
}

/// The command, with as many at once as are given, or with what it does by itself.
fn command(url: &str, concurrency: Option<usize>) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["get", "--quiet", "--retries", "0", "--report", "json", url]);
    if let Some(concurrency) = concurrency {
        let concurrency = concurrency.to_string();
        command.args(["--concurrency", &concurrency, "--per-host", &concurrency]);
    }
    // Nothing of the caller's settings.
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_ascii_uppercase();
        if upper.starts_with("ROUNDUP_") || upper.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn measure(mut command: Command) -> Run {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
    let mut stdout = child.stdout.take().expect("it is piped");
    // On a thread of its own: the report may be larger than a pipe holds.
    let report = thread::spawn(move || {
        let mut report = Vec::new();
        stdout.read_to_end(&mut report).map(|_| report)
    });
    let (peak_kib, threads) = watch(&mut child);
    let wall = start.elapsed();
    let cpu = cpu_time(&child);
    let status = child.wait().expect("the binary ends");
    let report = report.join().expect("the reader does not panic").expect("the report can be read");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("the report is JSON");
    let summary = &report["summary"];
    assert!(status.success(), "{status}: {summary}");
    Run { wall, tax_ms: summary["tax_ms"].as_f64().expect("the report has the tax"), peak_kib, threads, cpu }
}

/// Looks at a process until it has ended, without waiting for it, so that its last figures stay to be read: the highest
/// peak of its memory in KiB, and the most threads it had.
#[cfg(target_os = "linux")]
fn watch(child: &mut Child) -> (Option<u64>, Option<u64>) {
    let path = format!("/proc/{}/status", child.id());
    let (mut peak, mut threads) = (None, None);
    loop {
        let status = std::fs::read_to_string(&path).expect("a process that was not waited for has a status");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // A process that has ended keeps the line of its state alone.
        if status.lines().any(|line| line.starts_with("State:") && line.contains('Z')) {
            return (peak, threads);
        }
        peak = peak.max(number("VmHWM:"));
        threads = threads.max(number("Threads:"));
        thread::sleep(GLANCE);
    }
}

#[cfg(not(target_os = "linux"))]
fn watch(child: &mut Child) -> (Option<u64>, Option<u64>) {
    child.wait().expect("the binary ends");
    (None, None)
}

/// The processor time of a process that has ended and was not waited for, its own and the system's for it.
fn cpu_time(child: &Child) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    // The name stands in parentheses and may hold any character; utime and stime are fields 14 and 15 of proc(5), in
    // ticks, of which Linux has 100 in a second for every program.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

/// Starts a server that answers `/delay/1` after a second and anything else at once. It tells of each connection when
/// the first byte of its first request came. One thread a connection, so that it is not the server that is measured.
fn serve() -> (SocketAddr, Receiver<Instant>) {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = first.local_addr().expect("it is bound");
    let (arrived, arrivals) = channel();
    let others =
        (2..=HOSTS).map(|n| TcpListener::bind((Ipv4Addr::new(127, 0, 0, n), address.port())).expect("the port"));
    for listener in std::iter::once(first).chain(others) {
        let arrived = arrived.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let arrived = arrived.clone();
                // A client that has gone is as good as one that is done.
                thread::spawn(move || answer(connection, &arrived).ok());
            }
        });
    }
    (address, arrivals)
}

fn answer(mut connection: TcpStream, arrived: &Sender<Instant>) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut requests = BufReader::new(connection.try_clone()?);
    let length = CONTENT.len();
    let response =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{CONTENT}");
    let mut line = String::new();
    if requests.fill_buf()?.is_empty() {
        return Ok(());
    }
    // The measurement ends by dropping the other side, which is no reason to stop.
    let _ = arrived.send(Instant::now());
    while requests.read_line(&mut line)? > 0 {
        if line.starts_with("GET /delay/1?") {
            thread::sleep(Duration::from_secs(1));
        }
        while line != "\r\n" {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        line.clear();
        connection.write_all(response.as_bytes())?;
    }
    Ok(())
}

/// Bytes in MiB, for people.
#[expect(clippy::cast_precision_loss, reason = "two digits are printed")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}
