//! A gather without a limit sends all requests at once.
//!
//! ```text
//! cargo run --example flood
//! ```
//!
//! A hundred coroutines under `asyncio.gather` are a hundred requests at once, and most servers answer `429 Too Many
//! Requests` to some of them. `gather_limited` is a gather with a limit, and a `Semaphore` limits a part of the work. The
//! server here runs on the same loop and takes eight requests at a time.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use roundup_event_loop::{EventLoop, Handle, Semaphore, sleep};

/// How many requests are sent.
const REQUESTS: usize = 40;
/// How many of them the server takes at a time.
const LIMIT: NonZeroUsize = NonZeroUsize::new(8).expect("not zero");
/// How long it takes for a request.
const WORK: Duration = Duration::from_millis(25);

fn main() -> io::Result<()> {
    let event_loop = EventLoop::new();
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    let address = listener.get_ref().local_addr()?;
    let _server = event_loop.spawn_named("server", serve(listener));
    println!("{REQUESTS} requests, to a server that takes {LIMIT} at a time and {} ms for each", WORK.as_millis());

    let start = Instant::now();
    let all_at_once = event_loop.gather((0..REQUESTS).map(|_| get(address)));
    report("before: gather          ", start, event_loop.run(all_at_once))?;

    let start = Instant::now();
    let limited = event_loop.gather_limited(LIMIT, (0..REQUESTS).map(move |_| get(address)));
    report("after:  gather_limited  ", start, event_loop.run(limited))?;

    let start = Instant::now();
    let semaphore = Rc::new(Semaphore::new(LIMIT.get()));
    let with_permit = event_loop.gather((0..REQUESTS).map(|_| {
        let semaphore = semaphore.clone();
        async move {
            let _permit = semaphore.acquire().await;
            get(address).await
        }
    }));
    report("after:  with a semaphore", start, event_loop.run(with_permit))
}

/// Prints how many responses have each status.
fn report(what: &str, start: Instant, statuses: Vec<io::Result<u16>>) -> io::Result<()> {
    let statuses = statuses.into_iter().collect::<io::Result<Vec<_>>>()?;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    println!("{what}  {:>4} ms, {:>2} times 200, {:>2} times 429", start.elapsed().as_millis(), count(200), count(429));
    Ok(())
}

/// Sends a request and returns the status of the response. A client in ten lines; `roundup::Transport` is a whole one.
async fn get(address: SocketAddr) -> io::Result<u16> {
    let mut stream = Async::<TcpStream>::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.take(1024).read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no status in {answer:?}")))
}

/// The server: a task that accepts connections, and one for each connection.
async fn serve(listener: Async<TcpListener>) -> io::Result<()> {
    let handle = Handle::current().expect("a loop runs this");
    let running = Rc::new(Cell::new(0));
    loop {
        let (stream, _) = listener.accept().await?;
        let answered = answer(stream, running.clone());
        handle.spawn(answered).map_err(io::Error::other)?.detach();
    }
}

async fn answer(mut stream: Async<TcpStream>, running: Rc<Cell<usize>>) -> io::Result<()> {
    let mut request = [0; 1024];
    let mut filled = 0;
    while !request[..filled].ends_with(b"\r\n\r\n") {
        match stream.read(&mut request[filled..]).await? {
            0 => return Ok(()),
            read => filled += read,
        }
    }
    let head = if running.get() < LIMIT.get() {
        running.set(running.get() + 1);
        sleep(WORK).await;
        running.set(running.get() - 1);
        "200 OK"
    } else {
        "429 Too Many Requests"
    };
    let response = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(response.as_bytes()).await
}
