//! smol's executor alone, as its documentation runs it.

use std::time::Duration;

use async_executor::LocalExecutor;
use futures_lite::future::yield_now;

pub(crate) fn run(work: &str, many: u32) {
    let executor = LocalExecutor::new();
    async_io::block_on(executor.run(async {
        crate::works!(work, many, [executor.spawn], |n: u32| n, yield_now, sleep, async_channel::bounded)
    }));
}

async fn sleep(duration: Duration) {
    async_io::Timer::after(duration).await;
}
