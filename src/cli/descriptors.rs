//! File descriptors, of which every connection is one: the limit is raised as far as it goes, and a run is held to what
//! there is.

use std::num::NonZeroU32;

use roundup::Limits;
use roundup::transport::PoolLimits;

use super::error::CommandError;

/// What a run opens beside connections, reports and contents: the reactor (3), signals (6), standard streams that were
/// copied, and one or two for a moment. Seen with `ls /proc/PID/fd`.
const OVERHEAD: u64 = 13;

/// The idle connections that are kept, if there are descriptors for them, before sources are fetched one after the other.
const FEW_IDLE: u64 = 16;

/// Raises the soft limit of RLIMIT_NOFILE to the hard one. Common soft limits are 1024, and 256 on macOS: they are there
/// for programs that call select(2), which nothing here does.
///
/// Best effort: if the limit stays low, runs are held to it, see [`DescriptorShare::of`].
#[cfg(unix)]
pub(crate) fn raise() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// OPEN_MAX of macOS, which refuses more even if the hard limit says that there is none.
    const MACOS_MOST: u64 = 10_240;

    let limit = getrlimit(Resource::Nofile);
    let wanted = match limit.maximum {
        Some(most) => Some(most),
        None if cfg!(target_vendor = "apple") => Some(MACOS_MOST),
        None => None,
    };
    let is_more = |a: Option<u64>, b: Option<u64>| a.unwrap_or(u64::MAX) > b.unwrap_or(u64::MAX);
    if is_more(wanted, limit.current) {
        // Best effort, see above.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: limit.maximum });
    }
}

/// Sockets are no files on Windows, and nothing limits them.
#[cfg(not(unix))]
pub(crate) fn raise() {}

/// # Errors
/// There are too few descriptors for an event loop and a connection: the reactor would panic.
#[cfg(feature = "demo")]
pub(crate) fn check() -> Result<(), CommandError> {
    let needs = DescriptorNeeds { sources: 1, per_source: 1, files: 0 };
    DescriptorShare::of(needs, &mut Limits::default(), PoolLimits::default()).map(drop)
}

/// How many descriptors this process may have; `None` without a limit.
#[cfg(unix)]
fn allowed() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn allowed() -> Option<u64> {
    None
}

/// How many descriptors are open: those that were open when this process was started count, too. The standard streams, if the system
/// does not say.
fn open() -> u64 {
    // One of the entries is that of the folder itself.
    std::fs::read_dir("/dev/fd").map_or(3, |entries| (entries.count() as u64).saturating_sub(1))
}

/// What a run opens that the number of descriptors limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DescriptorNeeds {
    /// How many sources there are.
    pub(crate) sources: u64,
    /// How many descriptors a source holds: its connection, and perhaps a file.
    pub(crate) per_source: u64,
    /// Files that are open as long as the run: reports.
    pub(crate) files: u64,
}

/// How a run is held to the descriptors that there are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DescriptorShare {
    /// How many idle connections are kept at most.
    pub(crate) idle: usize,
    /// What to tell the user: that fewer sources are fetched at once than wanted.
    pub(crate) note: Option<String>,
}

impl DescriptorShare {
    /// Lowers the concurrency to what the descriptors allow.
    ///
    /// # Errors
    /// There are too few for a single source.
    pub(crate) fn of(
        needs: DescriptorNeeds,
        limits: &mut Limits,
        pool: PoolLimits,
    ) -> Result<DescriptorShare, CommandError> {
        match allowed() {
            Some(allowed) => DescriptorShare::within(allowed, open(), needs, limits, pool),
            None => Ok(DescriptorShare { idle: pool.total, note: None }),
        }
    }

    fn within(
        allowed: u64,
        open: u64,
        needs: DescriptorNeeds,
        limits: &mut Limits,
        pool: PoolLimits,
    ) -> Result<DescriptorShare, CommandError> {
        let DescriptorNeeds { sources, per_source, files } = needs;
        let taken = open + OVERHEAD + files;
        let free = allowed.saturating_sub(taken);
        // A name server or a second address of a host takes another one for a moment.
        if free < per_source + 1 {
            return Err(CommandError::usage(format!(
                "{allowed} file descriptors are too few, at least {} are needed: raise RLIMIT_NOFILE (ulimit -n, \
                 LimitNOFILE= of a service)",
                taken + per_source + 1
            )));
        }
        let wanted = u64::from(limits.concurrency.get()).min(sources.max(1));
        let few_idle = FEW_IDLE.min(free / (per_source + 1));
        let at_once = wanted.min((free - few_idle) / per_source).max(1);
        let idle = usize::try_from(free - at_once * per_source).unwrap_or(usize::MAX).min(pool.total);
        if at_once == wanted {
            return Ok(DescriptorShare { idle, note: None });
        }
        limits.concurrency = u32::try_from(at_once).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let note = format!(
            "{allowed} file descriptors are allowed, so {at_once} sources are fetched at once and not {wanted}: {} would do \
             (ulimit -n, LimitNOFILE= of a service)",
            taken + wanted * per_source + FEW_IDLE
        );
        Ok(DescriptorShare { idle, note: Some(note) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(allowed: u64, concurrency: u32, per_source: u64) -> Result<(u32, usize, Option<String>), String> {
        let concurrency = NonZeroU32::new(concurrency).expect("not zero");
        let mut limits = Limits { concurrency, ..Limits::default() };
        let needs = DescriptorNeeds { sources: 200, per_source, files: 1 };
        let share = DescriptorShare::within(allowed, 3, needs, &mut limits, PoolLimits::default());
        let share = share.map_err(|error| error.lines.join("\n"))?;
        Ok((limits.concurrency.get(), share.idle, share.note))
    }

    #[test]
    fn what_runs_and_what_is_idle_fit_into_what_is_free() {
        for (allowed, concurrency, per_source) in
            [(19, 200, 1), (20, 1, 2), (32, 200, 1), (32, 200, 2), (64, 200, 1), (64, 10, 1), (1024, 2000, 2)]
        {
            let (at_once, idle, note) = within(allowed, concurrency, per_source).expect("there are enough");
            // There are 200 sources, so that no more can be under way.
            let under_way = u64::from(at_once.min(200)) * per_source;
            assert!(at_once >= 1 && under_way + idle as u64 + 17 <= allowed, "{allowed} {concurrency} {per_source}");
            assert_eq!(note.is_some(), at_once < concurrency.min(200), "{allowed} {concurrency}: {note:?}");
        }
        assert_eq!(within(1024, 100, 1), Ok((100, 256, None)));
    }

    #[test]
    fn the_number_that_is_named_is_enough() {
        let note = within(64, 200, 2).expect("there are enough").2.expect("fewer than wanted");
        let number = note.split(": ").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|word| word.parse().ok());
        assert_eq!(
            within(number.expect("a number"), 200, 2).map(|(at_once, _, note)| (at_once, note)),
            Ok((200, None))
        );
        let error = within(6, 200, 1).expect_err("too few");
        let number =
            error.split("at least ").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|n| n.parse().ok());
        assert!(within(number.expect("a number"), 200, 1).is_ok(), "{error}");
    }
}
