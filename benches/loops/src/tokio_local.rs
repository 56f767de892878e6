//! tokio's `LocalSet` on its current-thread runtime: tasks need not be `Send`, as in roundup.

use tokio::sync::mpsc::channel;
use tokio::task::{JoinError, LocalSet, spawn_local, yield_now};
use tokio::time::sleep;

pub(crate) fn run(work: &str, many: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new()
        .block_on(&runtime, async { crate::works!(work, many, [spawn_local], output, yield_now, sleep, channel) });
}

fn output(joined: Result<u32, JoinError>) -> u32 {
    joined.expect("it ended")
}
