//! A plan that is run again and again: `--every`, or `[watch]` in the plan.
//!
//! ```text
//! WatchSpec ──> Watch: wait until a round is due (schedule, clock) ──> PreparedRun ──outcomes──> RoundObserver
//!                 ^                                                                   (down, changes)   │
//!                 └── signals: end, read the plan anew <── hooks, systemd (notify) <── what changed <───┘
//! ```

mod changes;
mod clock;
mod down;
mod hook;
mod notify;
mod observer;
mod rounds;
mod schedule;
mod spec;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use roundup::report::Output;

use self::clock::SystemClock;
use self::notify::ServiceManager;
use self::rounds::Watch;
pub(crate) use self::spec::WatchSpec;
use super::config::Config;
use super::console::complain;
use super::error::CommandError;
use super::exit::Exit;
use super::flags::Flags;
use super::interrupts::Interrupts;
use super::jobs::JobSet;
use super::run::event_loop;

/// Runs the plan until a signal comes or all rounds are over.
///
/// # Errors
/// What keeps the first round from starting. What happens to later ones is said, and the next round comes all the same.
pub(crate) fn watch(
    plan: &str,
    flags: &Flags,
    config: Config,
    jobs: JobSet,
    spec: WatchSpec,
    default_report: Option<Output>,
) -> Result<Exit, CommandError> {
    let event_loop = event_loop(&config);
    event_loop.run(async {
        let interrupts = Interrupts::listen_between_rounds(&event_loop);
        let (manager, unreachable) = ServiceManager::from_environment();
        unreachable.iter().for_each(|why| complain(&format!("systemd cannot be told how this stands: {why}")));
        let _awake = manager.keep_awake(&event_loop);
        let mut watch = Watch::new(plan, flags, &event_loop, &interrupts, SystemClock, config, jobs, spec);
        watch.default_report = default_report;
        watch.manager = manager;
        watch.run().await
    })
}
