//! What a connection in flight takes of memory, plain and with TLS.
//!
//! ```text
//! cargo bench --bench connections
//! ```
//!
//! A process of its own is the server, so that what grows here is the client alone. Prints figures and judges none of
//! them; the budgets it names are those of the project. Resident memory is read from /proc: on other systems than Linux
//! it says so and ends.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_io::Async;
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use roundup::transport::{PoolLimits, Roots};
use roundup::{EventLoop, Transport, event_loop::unblock};
use rustix::process::{Resource, getrlimit, setrlimit};
use surf::Request;
use surf::http::{Method, Url};

/// How many connections at once.
const MANY: usize = 1000;

/// How much of a content is on its way when the rest stays away: more than a connection reads at once.
const PART: usize = 40_000;

fn main() {
    if let Some(folder) = std::env::args().skip_while(|arg| arg != SERVE).nth(1) {
        return serve(Path::new(&folder));
    }
    if resident().is_none() {
        return println!("no VmRSS in /proc/self/status here: nothing is measured");
    }
    // Inherited by the server.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("raising it to the hard limit is allowed");
    println!("resident memory for each of {MANY} connections, in KiB");
    println!("{:<8}{:>22}{:>22}{:>10}", "", "waiting for the head", "in the content", "budget");
    // Each in a process of its own: what the allocator kept of one would serve the other.
    match std::env::args().skip_while(|arg| arg != MEASURE).nth(1).as_deref() {
        None => {
            for scheme in ["http", "https"] {
                let own = std::env::current_exe().expect("a running program has a path");
                let output = Command::new(own).args([MEASURE, scheme]).output().expect("it ran once already");
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                println!("{}", text.lines().last().unwrap_or_default());
            }
        }
        Some(scheme) => measure(scheme),
    }
}

/// Fetches from a server of its own and prints a line.
fn measure(scheme: &str) {
    let folder = std::env::temp_dir().join(format!("roundup-connections.{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder for temporary files can be written to");
    let own = std::env::current_exe().expect("a running program has a path");
    let mut server = Command::new(own);
    server.arg(SERVE).arg(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = server.spawn().expect("it ran once already");
    let mut said = BufReader::new(server.stdout.take().expect("it is piped")).lines();
    let mut order = server.stdin.take().expect("it is piped");
    let mut next = move || said.next().expect("the server runs").expect("it writes text");
    let ports: Vec<String> = next().split(' ').map(str::to_owned).collect();
    let (port, budget) = if scheme == "https" { (&ports[1], 96) } else { (&ports[0], 48) };
    let url: Url = format!("{scheme}://127.0.0.1:{port}/").parse().expect("a valid URL");

    let event_loop = EventLoop::new();
    event_loop.run(async {
        let transport = Transport::builder().roots(Roots::File(folder.join("ca.pem")));
        let pool = PoolLimits { per_origin: 0, ..PoolLimits::default() };
        let client = roundup::surf::client(transport.pool(pool).build().expect("the server wrote it"));
        let fetch = |url: Url| {
            let client = client.clone();
            async move {
                let mut response = client.send(Request::new(Method::Get, url)).await.expect("it answers");
                let mut body = response.take_body();
                body.read_exact(&mut [0; 1000]).await.expect("there is so much");
                body
            }
        };
        // What the first request of a process takes once: roots, threads, the look-up.
        let first = url.join("/first").expect("a valid URL");
        drop(fetch(first).await);
        let before = resident().expect("it was there before");
        let waiting = event_loop.spawn(unblock(move || {
            assert_eq!(next(), "all are here");
            let waiting = resident().expect("it was there before");
            order.write_all(b"go\n").expect("the server runs");
            (waiting, order)
        }));
        let bodies = event_loop.gather((0..MANY).map(|_| fetch(url.clone()))).await;
        let inside = resident().expect("it was there before");
        let (waiting, order) = waiting.await;
        let each = |bytes: u64| bytes.saturating_sub(before) as f64 / MANY as f64 / 1024.0;
        println!("{scheme:<8}{:>22.1}{:>22.1}{budget:>10}", each(waiting), each(inside));
        drop((bodies, order));
    });
    // Its orders ended with the run.
    server.wait().expect("it is a child of this process");
    std::fs::remove_dir_all(&folder).expect("it is our own");
}

/// Bytes of memory that this process has.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Answers `/first` at once and all others when they are all there and stdin says so, each with a part of its content.
/// Ends with stdin.
fn serve(folder: &Path) {
    let (certificate, key) = certificate(folder);
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring knows all versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .expect("its own key");
    let acceptor = futures_rustls::TlsAcceptor::from(Arc::new(config));
    let [plain, tls] = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    let [p, t] = [&plain, &tls].map(|listener| listener.local_addr().expect("it is bound").port());
    println!("{p} {t}");
    let (arrived, all) = smol::channel::unbounded::<()>();
    let (release, released) = smol::channel::bounded::<()>(1);
    let event_loop = EventLoop::new();
    event_loop.run(async {
        let stdin = event_loop.spawn(async move {
            for _ in 0..MANY {
                all.recv().await.expect("the tasks hold the other end");
            }
            println!("all are here");
            let line = || io::stdin().lock().lines().next();
            unblock(line).await;
            drop(release);
            unblock(line).await;
        });
        let listen = |listener: TcpListener, acceptor: Option<futures_rustls::TlsAcceptor>| {
            let (event_loop, arrived, released) = (&event_loop, arrived.clone(), released.clone());
            async move {
                let listener = Async::new(listener).expect("a socket can be non-blocking");
                let mut incoming = Box::pin(listener.incoming());
                let mut tasks = Vec::new();
                while let Some(Ok(stream)) = incoming.next().await {
                    let (acceptor, arrived, released) = (acceptor.clone(), arrived.clone(), released.clone());
                    tasks.push(event_loop.spawn(async move {
                        match acceptor {
                            Some(acceptor) => {
                                let stream = acceptor.accept(stream).await.expect("the client trusts it");
                                answer(stream, arrived, released).await;
                            }
                            None => answer(stream, arrived, released).await,
                        }
                    }));
                }
            }
        };
        let listening = futures_lite::future::zip(listen(plain, None), listen(tls, Some(acceptor)));
        futures_lite::future::or(stdin, async {
            let ((), ()) = listening.await;
        })
        .await;
    });
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    arrived: smol::channel::Sender<()>,
    released: smol::channel::Receiver<()>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0; 512];
        match stream.read(&mut byte).await {
            Ok(n @ 1..) => head.extend(&byte[..n]),
            _ => return,
        }
    }
    if !head.starts_with(b"GET /first ") {
        arrived.try_send(()).expect("it is not bounded");
        // An error is what it waits for: the sender is gone.
        let _ = released.recv().await;
    }
    let start = [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n".to_vec(), vec![b'x'; PART]].concat();
    let sent = async {
        stream.write_all(&start).await?;
        stream.flush().await?;
        // Until the client goes.
        stream.read(&mut [0]).await
    };
    let _ = sent.await;
}

fn certificate(folder: &Path) -> (rcgen::Certificate, rcgen::KeyPair) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a valid name");
    params.distinguished_name.push(rcgen::DnType::CommonName, "a server for one bench");
    let certificate = params.self_signed(&key).expect("a certificate");
    let file: PathBuf = folder.join("ca.pem");
    std::fs::write(file, certificate.pem()).expect("the folder was made for it");
    (certificate, key)
}

/// Words that tell this program what to be.
const SERVE: &str = "--as-server";
const MEASURE: &str = "--measure";
