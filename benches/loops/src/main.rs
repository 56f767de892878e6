//! What tasks, wake-ups, timers and channels cost on one thread: one runtime and one work a process.
//!
//! ```text
//! roundup-bench-loops RUNTIME WORK MANY     prints the nanoseconds of processor time that one of MANY takes
//! roundup-bench-loops RUNTIME many MANY     of MANY tasks that sleep at once: bytes, nanoseconds to start and to end each
//! roundup-bench-loops watch                 nanoseconds of a poll of 10 us, without and with the watchdog, and the ratio
//! ```
//!
//! `run.py` calls it for every pair in turns and prints the table. The works are written once a runtime, each as its
//! users would write them, and no runtime is given what another has not: one thread, a future that need not be `Send`
//! where the runtime can take it.

use std::time::Duration;

mod local_executor;
mod many;
mod ours;
mod tokio_local;
mod tokio_thread;
mod watch;

/// Long enough that all timers are armed before the first is due.
const NAP: Duration = Duration::from_millis(1500);

fn main() {
    let mut words = std::env::args().skip(1);
    let mut word = |what: &str| words.next().unwrap_or_else(|| panic!("{what} is missing"));
    let runtime = word("RUNTIME");
    if runtime == "watch" {
        return watch::run();
    }
    let work = word("WORK");
    let many: u32 = word("MANY").parse().expect("MANY is a number");
    let run = match runtime.as_str() {
        "roundup" => ours::run,
        "roundup-watched" => ours::watched,
        "LocalExecutor" => local_executor::run,
        "tokio" => tokio_thread::run,
        "tokio-LocalSet" => tokio_local::run,
        _ => panic!("no such runtime: {runtime}"),
    };
    let start = processor_time();
    run(&work, many);
    // That one prints more than this.
    if work != "many" {
        println!("{:.1}", (processor_time() - start) / f64::from(many));
    }
}

/// Nanoseconds that all threads of this process have had a processor for: waiting and other work of the machine is not in
/// it.
fn processor_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// What is measured, for a runtime with these ways to do it: spawn a future, and get its output from what that returns.
macro_rules! works {
    ($work:expr, $many:expr, [$($spawn:tt)+], $output:expr, $yield_now:path, $sleep:path, $channel:path) => {{
        let many = $many;
        match $work {
            // A task is started and awaited, one after the other.
            "spawn" => {
                for n in 0..many {
                    assert_eq!($output($($spawn)+(async move { n }).await), n);
                }
            }
            // All are started, then all awaited.
            "gather" => {
                let tasks: Vec<_> = (0..many).map(|n| $($spawn)+(async move { n })).collect();
                for (n, task) in tasks.into_iter().enumerate() {
                    assert_eq!($output(task.await), n as u32);
                }
            }
            // 100 tasks give way to each other.
            "yield" => {
                let tasks: Vec<_> = (0..100)
                    .map(|_| {
                        $($spawn)+(async move {
                            for _ in 0..many / 100 {
                                $yield_now().await;
                            }
                            0
                        })
                    })
                    .collect();
                for task in tasks {
                    $output(task.await);
                }
            }
            // Two tasks wake each other by turns.
            "wake" => {
                let (there, mut here) = $channel(1);
                let (back, mut again) = $channel(1);
                let echo = $($spawn)+(async move {
                    while let Some(n) = $crate::Receive::next(&mut here).await {
                        if back.send(n).await.is_err() {
                            break;
                        }
                    }
                    0
                });
                for n in 0..many {
                    there.send(n).await.expect("the echo lives");
                    assert_eq!($crate::Receive::next(&mut again).await, Some(n));
                }
                drop(there);
                $output(echo.await);
            }
            // One task sends, another takes, 64 between them.
            "channel" => {
                let (sender, mut receiver) = $channel(64);
                let source = $($spawn)+(async move {
                    for n in 0..many {
                        sender.send(n).await.expect("somebody takes them");
                    }
                    0
                });
                let mut sum = 0u64;
                while let Some(n) = $crate::Receive::next(&mut receiver).await {
                    sum += u64::from(n);
                }
                assert_eq!(sum, u64::from(many) * u64::from(many - 1) / 2);
                $output(source.await);
            }
            // Tasks that all sleep at once, less that sleep.
            "sleep" => {
                let tasks: Vec<_> = (0..many)
                    .map(|n| {
                        $($spawn)+(async move {
                            $sleep($crate::NAP).await;
                            n
                        })
                    })
                    .collect();
                for task in tasks {
                    $output(task.await);
                }
            }
            // The same, looked at more closely.
            "many" => {
                let mut measured = $crate::many::Measured::start(many);
                let tasks: Vec<_> = (0..many)
                    .map(|n| {
                        $($spawn)+(async move {
                            $crate::many::has_started();
                            $sleep($crate::many::NAP).await;
                            n
                        })
                    })
                    .collect();
                while !measured.have_started() {
                    $yield_now().await;
                }
                for task in tasks {
                    $output(task.await);
                }
                measured.print();
            }
            // A timer that is armed and dropped before it is due, as one under every request.
            "timer" => {
                for _ in 0..many {
                    let mut sleep = Box::pin($sleep(std::time::Duration::from_secs(10)));
                    futures_lite::future::poll_once(&mut sleep).await;
                }
            }
            other => panic!("no such work: {other}"),
        }
    }};
}
use works;

/// The receiving ends of both kinds of channel.
trait Receive {
    async fn next(&mut self) -> Option<u32>;
}
impl Receive for async_channel::Receiver<u32> {
    async fn next(&mut self) -> Option<u32> {
        self.recv().await.ok()
    }
}
impl Receive for tokio::sync::mpsc::Receiver<u32> {
    async fn next(&mut self) -> Option<u32> {
        self.recv().await
    }
}
