//! The event loop inside a calloop loop, which programs for Wayland use.
//!
//! ```text
//! cargo run --example host_calloop
//! ```
//!
//! `on_wake` sends a ping of calloop, which works from any thread. Several pings are delivered as one.

#[cfg(unix)]
fn main() -> Result<(), calloop::Error> {
    host::main()
}

#[cfg(not(unix))]
fn main() {
    println!("this example is for Unix: see host_win32 for Windows");
}

#[cfg(unix)]
mod host {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    use calloop::timer::{TimeoutAction, Timer};
    use roundup_event_loop::{EventLoop, sleep, unblock};

    /// How long the loops are idle.
    const IDLE: Duration = Duration::from_secs(1);

    /// What calloop passes to the program's callbacks.
    struct Program {
        event_loop: EventLoop,
        pings: u32,
        /// Timers of the program itself.
        beats: u32,
    }

    pub(crate) fn main() -> Result<(), calloop::Error> {
        let mut host = calloop::EventLoop::<Program>::try_new()?;
        let (ping, pinged) = calloop::ping::make_ping()?;
        let calls = Arc::new(AtomicU32::new(0));
        let mut state = Program { event_loop: EventLoop::new(), pings: 0, beats: 0 };
        let count = calls.clone();
        state.event_loop.on_wake(move || {
            count.fetch_add(1, Ordering::SeqCst);
            ping.ping();
        });
        let tick = |_: (), _: &mut (), state: &mut Program| {
            state.pings += 1;
            state.event_loop.tick();
        };
        host.handle().insert_source(pinged, tick)?;
        let beat = |_, _: &mut (), state: &mut Program| {
            state.beats += 1;
            TimeoutAction::ToDuration(Duration::from_millis(20))
        };
        let beating = host.handle().insert_source(Timer::from_duration(Duration::from_millis(20)), beat)?;

        let start = Instant::now();
        let work = state.event_loop.spawn(async {
            for _ in 0..10 {
                sleep(Duration::from_millis(20)).await;
            }
            unblock(|| std::thread::sleep(Duration::from_millis(100))).await;
        });
        while !work.is_finished() {
            host.dispatch(None, &mut state)?;
        }
        let took = start.elapsed().as_millis();
        println!(
            "10 sleeps and a blocking call in {took} ms: {} pings, beside {} timers of calloop",
            state.pings, state.beats
        );

        // A task that waits for an hour.
        state.event_loop.spawn(sleep(Duration::from_secs(3600))).detach();
        host.handle().remove(beating);
        host.dispatch(Some(Duration::ZERO), &mut state)?;
        let (pings, before) = (state.pings, calls.load(Ordering::SeqCst));
        host.dispatch(Some(IDLE), &mut state)?;
        let calls = calls.load(Ordering::SeqCst) - before;
        println!("idle for {} s: {calls} calls of on_wake, {} pings", IDLE.as_secs(), state.pings - pings);
        Ok(())
    }
}
