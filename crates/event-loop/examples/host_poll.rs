//! The event loop inside a program that waits in `poll(2)`.
//!
//! ```text
//! cargo run --example host_poll [SECONDS]     how long it is idle at the end, 1 by default
//! ```
//!
//! `on_wake` writes a byte into a socket pair, and the other end, the **wake descriptor**, is in the host's list. A host
//! needs no more: everything that makes a task ready (a socket, a timer, a blocking call, a waker on another thread) calls
//! `on_wake`.
//!
//! The **reactor's descriptor** of [`async_io::os::unix::reactor_fd`], epoll's on Linux, can be in the list beside it. It is
//! readable while a socket or timer of *some* loop in the process is ready and no thread has handled the event. Then
//! `async_io::block_on(yield_now())` handles it on this thread without waiting, and wakes the tasks. Its limits:
//!
//! - It does not tell of blocking calls that have ended, nor of wakers on other threads.
//! - async-io's helper thread waits for the same events and cannot be stopped. While it waits it holds the reactor, and the
//!   host's look has no effect; the helper handles the event then, and `on_wake` follows. So the host must not look again
//!   and again: here the descriptor is left out of the list after a look, until the wake descriptor is readable.
//! - If async-io itself uses poll(2), there is none.
//!
//! So the wake descriptor is needed in any case. The counts that are printed tell whether the other is worth it.

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(1), |word| word.parse());
    host::main(seconds.map_err(std::io::Error::other)?)
}

#[cfg(not(unix))]
fn main() {
    println!("poll(2) is a call of Unix: see host_win32 for Windows");
}

#[cfg(unix)]
mod host {
    use std::io::{self, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    use async_io::Async;
    use async_io::os::unix::reactor_fd;
    use futures_lite::future::yield_now;
    use futures_lite::{AsyncReadExt, AsyncWriteExt};
    use roundup_event_loop::{EventLoop, sleep, unblock};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    pub(crate) fn main(seconds: u64) -> io::Result<()> {
        let mut host = Host::new()?;
        for (which, with_reactor) in [("wake descriptor alone", false), ("reactor's descriptor too", true)] {
            host.with_reactor = with_reactor;
            (host.turns, host.looks, host.wakes) = (0, 0, 0);
            let start = Instant::now();
            let work = host.event_loop.spawn(work());
            while !work.is_finished() {
                host.turn(None)?;
            }
            let echoed = host.event_loop.run_until(work)?;
            let took = start.elapsed().as_millis();
            println!("{which}: {echoed} bytes came back, 5 sleeps and a blocking call ended, in {took} ms");
            let Host { turns, looks, wakes, .. } = host;
            println!("    {turns} turns of the host, {wakes} by the wake descriptor, {looks} by the reactor's");
        }

        // Tasks that wait for something that does not happen: a connection, and a timer in an hour.
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        host.event_loop.spawn(async move { listener.accept().await.map(drop) }).detach();
        host.event_loop.spawn(sleep(Duration::from_secs(3600))).detach();
        // Until both wait, and the thread of the blocking call has ended.
        host.pass(Duration::from_secs(2))?;
        let (calls, turns, switches) = (host.calls.load(Ordering::SeqCst), host.turns, context_switches());
        host.pass(Duration::from_secs(seconds))?;
        println!(
            "idle for {seconds} s: {} calls of on_wake, {} turns of the host",
            host.calls.load(Ordering::SeqCst) - calls,
            // The last one is the time-out.
            host.turns - turns - 1
        );
        if let (Some(before), Some(after)) = (switches, context_switches()) {
            println!(
                "all threads together gave up the processor {} times, once for the host's own wait",
                after - before
            );
        }
        Ok(())
    }

    /// A program with a loop of its own.
    struct Host {
        event_loop: EventLoop,
        woken: UnixStream,
        /// How often `on_wake` was called.
        calls: Arc<AtomicU32>,
        with_reactor: bool,
        /// Whether the reactor was looked at since the wake descriptor was last readable.
        looked: bool,
        turns: u32,
        looks: u32,
        wakes: u32,
    }

    impl Host {
        fn new() -> io::Result<Host> {
            let event_loop = EventLoop::new();
            let (woken, wake) = UnixStream::pair()?;
            woken.set_nonblocking(true)?;
            wake.set_nonblocking(true)?;
            let calls = Arc::new(AtomicU32::new(0));
            let count = calls.clone();
            event_loop.on_wake(move || {
                count.fetch_add(1, Ordering::SeqCst);
                // If it is full, there is a byte that the host has not read, which is enough.
                let _ = (&wake).write(&[1]);
            });
            Ok(Host { event_loop, woken, calls, with_reactor: false, looked: false, turns: 0, looks: 0, wakes: 0 })
        }

        /// Waits until there is something to do, no longer than the limit, and does it. A real host has descriptors of its
        /// own in the same list.
        fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
            let limit = limit.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
            let reactor = if self.with_reactor && !self.looked { reactor_fd() } else { None };
            let mut descriptors = vec![PollFd::new(&self.woken, PollFlags::IN)];
            descriptors.extend(reactor.as_ref().map(|reactor| PollFd::new(reactor, PollFlags::IN)));
            match poll(&mut descriptors, limit.as_ref()) {
                Err(rustix::io::Errno::INTR) => return Ok(()),
                polled => polled?,
            };
            let is_ready = |at: usize| descriptors.get(at).is_some_and(|fd| !fd.revents().is_empty());
            let (wakes, looks) = (is_ready(0), is_ready(1));
            self.turns += 1;
            if looks {
                self.looks += 1;
                self.looked = true;
                async_io::block_on(yield_now());
            }
            if wakes {
                self.wakes += 1;
                self.looked = false;
                // Reads all bytes, because one tick answers all of them. Before the tick, so that no wake-up is lost.
                while self.woken.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
            }
            if wakes || looks {
                self.event_loop.tick();
            }
            Ok(())
        }

        /// Runs the host for this long.
        fn pass(&mut self, time: Duration) -> io::Result<()> {
            let start = Instant::now();
            while let Some(left) = time.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
                self.turn(Some(left))?;
            }
            Ok(())
        }
    }

    /// Uses a socket, timers and a blocking call.
    async fn work() -> io::Result<u32> {
        // The server has a thread of its own, so that its data is not there yet when the client reads.
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            let (stream, _) = listener.accept()?;
            io::copy(&mut &stream, &mut &stream)
        });
        let client = async {
            let mut stream = Async::<TcpStream>::connect(address).await?;
            let mut byte = [1];
            for _ in 0..100 {
                stream.write_all(&byte).await?;
                stream.read_exact(&mut byte).await?;
            }
            io::Result::Ok(100)
        };
        let naps = async {
            for _ in 0..5 {
                sleep(Duration::from_millis(10)).await;
            }
            unblock(|| std::thread::sleep(Duration::from_millis(10))).await;
        };
        futures_lite::future::zip(client, naps).await.0
    }

    /// How often the threads of this process have gone to sleep: `voluntary_ctxt_switches` of Linux.
    fn context_switches() -> Option<u64> {
        let mut all = 0;
        for thread in std::fs::read_dir("/proc/self/task").ok()? {
            let status = std::fs::read_to_string(thread.ok()?.path().join("status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            all += line.trim().parse::<u64>().ok()?;
        }
        Some(all)
    }
}
