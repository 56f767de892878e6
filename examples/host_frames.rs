//! The event loop in a game: 60 frames a second, of which it gets two milliseconds each.
//!
//! ```text
//! cargo run --release --no-default-features --example host_frames
//! ```
//!
//! `tick_for` returns after its budget and the poll that was under way: it is given the two milliseconds less the longest
//! poll, so that there is more work than time and no frame is late by it. What does not fit goes on with the next frame.
//! Where nothing is ready, the loop is not even looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::future::yield_now;
use roundup::event_loop::{EventLoop, sleep, unblock};

const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
const BUDGET: Duration = Duration::from_millis(2);
/// How long a poll takes, by what the tasks do before they give way; twice that is kept in reserve.
const STEP: Duration = Duration::from_micros(50);
/// How many frames there are with much to do, and then with nothing.
const FRAMES: usize = 60;
/// How long the game itself computes and draws.
const WORLD: Duration = Duration::from_millis(3);

fn main() {
    let event_loop = EventLoop::new();
    // There is nothing to wake, as the next frame comes anyway: it is only noted.
    let (woken, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (note, count) = (woken.clone(), calls.clone());
    event_loop.on_wake(move || {
        count.fetch_add(1, Ordering::SeqCst);
        note.store(true, Ordering::SeqCst);
    });
    let mut game = Game { event_loop, woken, next: Instant::now(), turns: Vec::new(), frames: Vec::new() };

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
    /// How long the event loop had its turn, where it had one, and how long a whole frame took.
    turns: Vec<Duration>,
    frames: Vec<Duration>,
}

impl Game {
    fn frame(&mut self) {
        let start = Instant::now();
        spin(WORLD);
        // Taken back before the tick: a wake-up that comes meanwhile is for the next frame.
        if self.woken.swap(false, Ordering::SeqCst) {
            let turn = Instant::now();
            // Calls on_wake where there is more to do.
            self.event_loop.tick_for(BUDGET - 2 * STEP);
            self.turns.push(turn.elapsed());
        }
        self.frames.push(start.elapsed());
        self.next = (self.next + FRAME).max(start);
        thread::sleep(self.next.saturating_duration_since(Instant::now()));
    }

    fn print(&mut self) {
        let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        for (what, times) in [("turns of the event loop", &mut self.turns), ("frames", &mut self.frames)] {
            times.sort();
            let (median, longest) = (ms(times.get(times.len() / 2)), ms(times.last()));
            println!("    {} {what}, the median {median:.2} ms, the longest {longest:.2} ms", times.len());
            times.clear();
        }
    }
}

/// What stands for a computation that gives way now and then.
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
