//! A task that is always ready starves neither sockets nor timers.
//!
//! If it did, these tests would not end, so each fails after a minute.

#![allow(clippy::unwrap_used, reason = "a test that fails this way names its line")]

use std::cell::Cell;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use async_io::Async;
use futures_lite::future::yield_now;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use roundup_event_loop::{EventLoop, sleep};

/// How often a byte is sent to the echo server and back.
const TRIPS: u32 = 100;
/// How many sleeps there are, one after another.
const NAPS: u32 = 20;
const NAP: Duration = Duration::from_millis(2);
/// Longer than a single step takes on a busy machine.
const LATE: Duration = Duration::from_secs(5);

/// What the socket and the timers have done beside the busy task.
#[derive(Default)]
struct SocketAndTimers {
    trips: Cell<u32>,
    naps: Cell<u32>,
    longest_trip: Cell<Duration>,
    longest_nap: Cell<Duration>,
}

impl SocketAndTimers {
    fn is_complete(&self) -> bool {
        (self.trips.get(), self.naps.get()) == (TRIPS, NAPS)
    }

    fn check(&self, how: &str) {
        assert!(self.is_complete());
        let (trip, nap) = (self.longest_trip.get(), self.longest_nap.get());
        println!("{how}: the longest trip took {trip:?}, the longest nap of {NAP:?} took {nap:?}");
        assert!(trip < LATE && nap < LATE, "{how}: {trip:?}, {nap:?}");
    }
}

/// Spawns two tasks that talk to each other over a socket, and one that sleeps.
fn start(event_loop: &EventLoop) -> Rc<SocketAndTimers> {
    let progress = Rc::new(SocketAndTimers::default());
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let echo = async move {
        let (mut stream, _) = listener.accept().await?;
        let mut byte = [0];
        while stream.read(&mut byte).await? > 0 {
            stream.write_all(&byte).await?;
        }
        io::Result::Ok(())
    };
    event_loop.spawn(async move { echo.await.unwrap() }).detach();
    let seen = progress.clone();
    let client = async move {
        let mut stream = Async::<TcpStream>::connect(address).await?;
        for n in 0..TRIPS {
            let (start, mut byte) = (Instant::now(), [n as u8]);
            stream.write_all(&byte).await?;
            stream.read_exact(&mut byte).await?;
            assert_eq!(byte, [n as u8]);
            seen.longest_trip.set(seen.longest_trip.get().max(start.elapsed()));
            seen.trips.set(n + 1);
        }
        io::Result::Ok(())
    };
    event_loop.spawn(async move { client.await.unwrap() }).detach();
    let seen = progress.clone();
    let naps = async move {
        for n in 0..NAPS {
            let start = Instant::now();
            sleep(NAP).await;
            seen.longest_nap.set(seen.longest_nap.get().max(start.elapsed()));
            seen.naps.set(n + 1);
        }
    };
    event_loop.spawn(naps).detach();
    progress
}

/// Spawns a task that is always ready. Returns the count of its polls.
fn always_ready(event_loop: &EventLoop) -> Rc<Cell<u64>> {
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    let busy = std::future::poll_fn::<(), _>(move |cx| {
        counted.set(counted.get() + 1);
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    event_loop.spawn_named("always ready", busy).detach();
    polls
}

/// The busy task was polled too: at least once for each look at the sockets, however long a look takes (hundreds of
/// microseconds under wine), and a trip needs several looks.
fn check_polls(polls: &Cell<u64>) {
    assert!(polls.get() > u64::from(TRIPS), "it was not always ready: {} polls", polls.get());
}

/// Fails if `body` has not ended after a minute.
fn within_a_minute(body: impl FnOnce() + Send + 'static) {
    let (ended, end) = mpsc::channel::<()>();
    let body = thread::spawn(move || {
        let _ended = ended;
        body();
    });
    match end.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("starved: it has not ended after a minute"),
        _ => body.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload)),
    }
}

fn loops() -> [(&'static str, EventLoop); 2] {
    [("", EventLoop::new()), (" of a watched loop", EventLoop::builder().build())]
}

#[test]
fn in_run() {
    within_a_minute(|| {
        for (which, event_loop) in loops() {
            let polls = always_ready(&event_loop);
            let progress = start(&event_loop);
            event_loop.run(async {
                while !progress.is_complete() {
                    // The main future is not always ready.
                    sleep(Duration::from_millis(1)).await;
                }
            });
            progress.check(&format!("run{which}"));
            check_polls(&polls);
        }
    });
}

#[test]
fn in_run_where_the_main_future_is_always_ready() {
    within_a_minute(|| {
        for (which, event_loop) in loops() {
            let progress = start(&event_loop);
            event_loop.run(async {
                while !progress.is_complete() {
                    yield_now().await;
                }
            });
            progress.check(&format!("run with a busy main future{which}"));
        }
    });
}

#[test]
fn in_a_host_that_ticks() {
    type Tick = fn(&EventLoop) -> bool;
    let ticks: [(&str, Tick); 3] = [
        ("tick", |event_loop| event_loop.tick()),
        ("tick_for 2 ms", |event_loop| event_loop.tick_for(Duration::from_millis(2))),
        ("tick_for nothing", |event_loop| event_loop.tick_for(Duration::ZERO)),
    ];
    within_a_minute(move || {
        for (name, tick) in ticks {
            for (which, event_loop) in loops() {
                let (sender, host) = mpsc::channel();
                event_loop.on_wake(move || {
                    let _ = sender.send(());
                });
                let polls = always_ready(&event_loop);
                let progress = start(&event_loop);
                while !progress.is_complete() {
                    // There is always more to do, and every tick calls the host.
                    host.recv().unwrap();
                    assert!(tick(&event_loop));
                }
                progress.check(&format!("{name}{which}"));
                check_polls(&polls);
            }
        }
    });
}
