//! The event loop inside a game: two milliseconds of each of 60 frames a second.
//!
//! ```text
//! cargo run --release --example host_frames
//! ```
//!
//! `tick_for` returns after its budget and the poll that is under way then, so its budget is two milliseconds less the
//! longest poll. Work that does not fit goes on in the next frame. If nothing is ready, the loop is not ticked at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::future::yield_now;
use roundup_event_loop::{EventLoop, sleep, unblock};

const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
const BUDGET: Duration = Duration::from_millis(2);
/// How long a poll of the tasks takes; twice that is kept in reserve.
const STEP: Duration = Duration::from_micros(50);
/// How many frames there are with work, and then without.
const FRAMES: usize = 60;
/// How long the game itself computes and draws in a frame.
const WORLD: Duration = Duration::from_millis(3);

fn main() {
    let event_loop = EventLoop::new();
    // The next frame comes anyway, so a flag is enough.
    let (woken, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (flag, count) = (woken.clone(), calls.clone());
    event_loop.on_wake(move || {
        count.fetch_add(1, Ordering::SeqCst);
        flag.store(true, Ordering::SeqCst);
    });
    let mut game = Game { event_loop, woken, next: Instant::now(), ticks: Vec::new(), frames: Vec::new() };

    // Paths for 20 figures, 100 ms of work in steps of 50 us, and a level that is loaded meanwhile.
    let figures: Vec<_> = (0..20).map(|_| game.event_loop.spawn(find_path())).collect();
    let level = game.event_loop.spawn(unblock(|| thread::sleep(Duration::from_millis(300))));
    for _ in 0..FRAMES {
        game.frame();
    }
    let found = figures.iter().filter(|figure| figure.is_finished()).count();
    println!("{FRAMES} frames with much to do: {found} of 20 paths found, level loaded: {}", level.is_finished());
    game.print();

    drop(figures);
    game.event_loop.spawn(sleep(Duration::from_secs(3600))).detach();
    game.event_loop.run_until_stalled();
    game.woken.store(false, Ordering::SeqCst);
    let before = calls.load(Ordering::SeqCst);
    for _ in 0..FRAMES {
        game.frame();
    }
    println!("{FRAMES} frames with nothing to do: {} calls of on_wake", calls.load(Ordering::SeqCst) - before);
    game.print();
}

struct Game {
    event_loop: EventLoop,
    woken: Arc<AtomicBool>,
    next: Instant,
    /// How long each tick and each frame took.
    ticks: Vec<Duration>,
    frames: Vec<Duration>,
}

impl Game {
    fn frame(&mut self) {
        let start = Instant::now();
        spin(WORLD);
        // Reset before the tick, so that a wake-up that comes meanwhile is seen in the next frame.
        if self.woken.swap(false, Ordering::SeqCst) {
            let tick = Instant::now();
            // Calls on_wake if there is more to do.
            self.event_loop.tick_for(BUDGET - 2 * STEP);
            self.ticks.push(tick.elapsed());
        }
        self.frames.push(start.elapsed());
        self.next = (self.next + FRAME).max(start);
        thread::sleep(self.next.saturating_duration_since(Instant::now()));
    }

    fn print(&mut self) {
        let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        for (what, times) in [("ticks of the event loop", &mut self.ticks), ("frames", &mut self.frames)] {
            times.sort();
            let (median, longest) = (ms(times.get(times.len() / 2)), ms(times.last()));
            println!("    {} {what}, the median {median:.2} ms, the longest {longest:.2} ms", times.len());
            times.clear();
        }
    }
}

/// Stands for a computation that yields every now and then.
async fn find_path() {
    for _ in 0..100 {
        spin(STEP);
        yield_now().await;
    }
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}
