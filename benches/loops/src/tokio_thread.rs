//! tokio's current-thread runtime, with tasks that must be `Send`.

use tokio::sync::mpsc::channel;
use tokio::task::{JoinError, yield_now};
use tokio::time::sleep;

pub(crate) fn run(work: &str, many: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { crate::works!(work, many, [tokio::spawn], output, yield_now, sleep, channel) });
}

fn output(joined: Result<u32, JoinError>) -> u32 {
    joined.expect("it ended")
}
