//! What tasks cost that all sleep at once: memory, and processor time to start and to end them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::processor_time;

/// Long enough that all tasks sleep before the first wakes up, on a slow machine and in Python too.
pub(crate) const NAP: Duration = Duration::from_secs(4);

static STARTED: AtomicU32 = AtomicU32::new(0);

/// A task has had its first turn.
pub(crate) fn has_started() {
    STARTED.fetch_add(1, Ordering::Relaxed);
}

pub(crate) struct Measured {
    many: u32,
    memory: u64,
    time: f64,
    /// When all were asleep.
    asleep: Option<(u64, f64)>,
}

impl Measured {
    pub(crate) fn start(many: u32) -> Measured {
        Measured { many, memory: resident(), time: processor_time(), asleep: None }
    }

    pub(crate) fn have_started(&mut self) -> bool {
        let all = STARTED.load(Ordering::Relaxed) == self.many;
        if all {
            self.asleep = Some((resident(), processor_time()));
        }
        all
    }

    pub(crate) fn print(self) {
        let end = processor_time();
        let (memory, asleep) = self.asleep.expect("all have started");
        let each = |all: f64| all / f64::from(self.many);
        let bytes = each(memory.saturating_sub(self.memory) as f64);
        println!("{bytes:.0} {:.1} {:.1}", each(asleep - self.time), each(end - asleep));
    }
}

/// The bytes of memory that the process holds: VmRSS.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has VmRSS");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of kB");
    kib * 1024
}
