//! How long servers that keep their reader busy hold back the other tasks of the loop.
//!
//! ```text
//! cargo bench --bench turns --features brotli,zstd
//! ```
//!
//! For each server, what a task beside its reader sees: the processor time of the thread between two of its own turns,
//! which other programs do not change, and how late a timer of 5 ms fires, which they do. Prints milliseconds and judges
//! none of them; no source is to delay the timer of another by more than 5 ms.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_lite::AsyncBufReadExt;
use roundup::event_loop::{EventLoop, sleep, sleep_until};
use roundup::transport::{Progress, Request, SendRequest, Transport};
use rustix::time::{ClockId, clock_gettime};

/// For how long each server is read, twice.
const TIME: Duration = Duration::from_secs(1);

/// What a server sends after a head: a beginning, then the rest again and again.
struct Busy {
    name: &'static str,
    /// Fields of the head; without any, the head is what is sent again and again.
    fields: Option<&'static str>,
    beginning: Vec<u8>,
    rest: Vec<u8>,
    speaks: Speaks,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Plainly,
    /// Each byte in a write of its own.
    InDrops,
    /// TLS, each byte in a record of its own.
    TlsInDrops,
    /// TLS, with new keys before each byte.
    TlsWithNewKeys,
}

fn main() {
    println!("{:<44}{:>12}{:>12}{:>12}", "ms", "between two", "timer late", "timer late");
    println!("{:<44}{:>12}{:>12}{:>12}", "", "turns, most", "99 %", "most");
    print_line("nothing beside it", None);
    for busy in busy() {
        let name = busy.name;
        let scheme = if matches!(busy.speaks, Speaks::Plainly | Speaks::InDrops) { "http" } else { "https" };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        // It ends with this process.
        std::thread::spawn(move || serve(&listener, &Arc::new(busy)));
        print_line(name, Some(format!("{scheme}://127.0.0.1:{port}/")));
    }
}

fn print_line(name: &str, url: Option<String>) {
    let between = most_between_turns(url.as_deref());
    let mut late = lateness(url.as_deref());
    late.sort_unstable();
    let at = |share: usize| ms(late[(late.len() - 1) * share / 100]);
    println!("{name:<44}{:>12.2}{:>12.2}{:>12.2}", ms(between), at(99), at(100));
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The most processor time that passes between two turns of a task that is always ready.
fn most_between_turns(url: Option<&str>) -> Duration {
    let event_loop = EventLoop::new();
    let most = Rc::new(Cell::new(Duration::ZERO));
    event_loop.run(async {
        let _reader = url.map(|url| event_loop.spawn(read_again_and_again(url.to_owned())));
        // What a first request takes once is not what this is about.
        sleep(Duration::from_millis(200)).await;
        let (end, mut last) = (Instant::now() + TIME, processor_time());
        while Instant::now() < end {
            sleep(Duration::ZERO).await;
            let now = processor_time();
            most.set(most.get().max(now.saturating_sub(last)));
            last = now;
        }
    });
    most.get()
}

/// How late each of many timers fires.
fn lateness(url: Option<&str>) -> Vec<Duration> {
    let event_loop = EventLoop::new();
    event_loop.run(async {
        let _reader = url.map(|url| event_loop.spawn(read_again_and_again(url.to_owned())));
        sleep(Duration::from_millis(200)).await;
        let (end, mut late) = (Instant::now() + TIME, Vec::new());
        while Instant::now() < end {
            let due = Instant::now() + Duration::from_millis(5);
            sleep_until(due).await;
            late.push(due.elapsed());
        }
        late
    })
}

/// Processor time of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

async fn read_again_and_again(url: String) {
    let transport = Transport::builder().danger_accept_invalid_certs(true).build().expect("nothing to be wrong");
    let url = url.parse().expect("a valid URL");
    loop {
        let progress = Arc::<Progress>::default();
        // Errors are what some of them come to.
        let Ok(mut response) = transport.send(Request::get(&url, &progress)).await else { continue };
        while let Ok(piece) = response.content.fill_buf().await {
            let length = piece.len();
            if length == 0 {
                break;
            }
            response.content.consume(length);
        }
    }
}

fn busy() -> Vec<Busy> {
    let coded = |name, fields, beginning: &[u8], rest: Vec<u8>| Busy {
        name,
        fields: Some(fields),
        beginning: beginning.to_vec(),
        rest,
        speaks: Speaks::Plainly,
    };
    let chunked = |name, rest: Vec<u8>| coded(name, "Transfer-Encoding: chunked\r\n", b"", rest);
    let gzip_head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let fixed = [0x02, 0x08, 0x20, 0x80, 0x00].repeat(3000);
    let heads =
        |name, rest: &[u8], speaks| Busy { name, fields: None, beginning: Vec::new(), rest: rest.to_vec(), speaks };
    let mut all = vec![
        coded("plain content", "", b"", vec![b'x'; 64 * 1024]),
        coded("gzip: zeros", "Content-Encoding: gzip\r\n", b"", gzip(&vec![0; 16 << 20])),
        coded("gzip: empty members", "Content-Encoding: gzip\r\n", b"", gzip(b"").repeat(800)),
        coded(
            "gzip: a byte in 300 empty members",
            "Content-Encoding: gzip\r\n",
            b"",
            [gzip(b"").repeat(300), gzip(b"x")].concat(),
        ),
        coded("gzip: empty members in gzip", "Content-Encoding: gzip, gzip\r\n", b"", gzip(&gzip(b"").repeat(50_000))),
        coded("gzip: empty blocks of fixed codes", "Content-Encoding: gzip\r\n", &gzip_head, fixed.clone()),
        coded("deflate: empty blocks of fixed codes", "Content-Encoding: deflate\r\n", b"", fixed),
        coded("deflate: empty stored blocks", "Content-Encoding: deflate\r\n", b"", [0, 0, 0, 0xff, 0xff].repeat(3000)),
        chunked("chunks of one byte", b"1\r\nx\r\n".repeat(3000)),
        chunked("chunks with extensions as long", chunk_with_extension().repeat(8)),
        chunked("trailers up to the limit", [&b"0\r\n"[..], &b"A: b\r\n".repeat(250), b"\r\n"].concat()),
        heads("1xx up to the limit", &b"HTTP/1.1 103 x\r\nA: b\r\n\r\n".repeat(40), Speaks::Plainly),
        heads("a head in drops, up to the limit", b"HTTP/1.1 200 OK\r\nA: bbbbbbbbbbbbbbbb", Speaks::InDrops),
    ];
    #[cfg(feature = "brotli")]
    {
        all.push(coded("br: empty metadata", "Content-Encoding: br\r\n", &[0x0c], [0x06].repeat(16_000)));
    }
    #[cfg(feature = "zstd")]
    {
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0];
        all.push(coded("zstd: empty frames", "Content-Encoding: zstd\r\n", b"", frame.repeat(2000)));
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
        all.push(coded("zstd: skippable frames", "Content-Encoding: zstd\r\n", b"", skipped.repeat(2000)));
    }
    let tls = |name, speaks| Busy { speaks, ..coded(name, "", b"", vec![b'x'; 64]) };
    all.push(tls("TLS: records of one byte", Speaks::TlsInDrops));
    all.push(tls("TLS: new keys for each byte", Speaks::TlsWithNewKeys));
    all
}

fn chunk_with_extension() -> Vec<u8> {
    format!("400;{}\r\n{}\r\n", "x".repeat(1000), "y".repeat(1024)).into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory does not fail")
}

fn serve(listener: &TcpListener, busy: &Arc<Busy>) {
    let tls = Arc::new(tls_config());
    for stream in listener.incoming().flatten() {
        let (busy, tls) = (busy.clone(), tls.clone());
        // An error is that the client has gone.
        std::thread::spawn(move || match busy.speaks {
            Speaks::Plainly | Speaks::InDrops => answer(&busy, stream, |stream, bytes| stream.write_all(bytes)),
            Speaks::TlsInDrops | Speaks::TlsWithNewKeys => {
                let session = rustls::ServerConnection::new(tls).expect("a good configuration");
                let stream = rustls::StreamOwned::new(session, stream);
                answer(&busy, stream, |stream, bytes| {
                    if busy.speaks == Speaks::TlsWithNewKeys {
                        // As many as rustls takes in a row.
                        for _ in 0..20 {
                            stream.conn.refresh_traffic_keys().map_err(std::io::Error::other)?;
                        }
                    }
                    stream.write_all(bytes)
                })
            }
        });
    }
}

fn answer<S: Read + Write>(
    busy: &Busy,
    mut stream: S,
    write: impl Fn(&mut S, &[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut piece = [0; 512];
        let n = stream.read(&mut piece)?;
        if n == 0 {
            return Ok(());
        }
        head.extend(&piece[..n]);
    }
    if let Some(fields) = busy.fields {
        stream.write_all(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes())?;
    }
    stream.write_all(&busy.beginning)?;
    if busy.fields.is_none() && busy.speaks == Speaks::InDrops {
        stream.write_all(&busy.rest)?;
        loop {
            stream.write_all(b"b")?;
        }
    }
    let piece = if busy.speaks == Speaks::Plainly { busy.rest.len() } else { 1 };
    loop {
        for piece in busy.rest.chunks(piece) {
            write(&mut stream, piece)?;
        }
    }
}

fn tls_config() -> rustls::ServerConfig {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a valid name");
    let certificate = params.self_signed(&key).expect("a certificate");
    rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring knows all versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .expect("its own key")
}
