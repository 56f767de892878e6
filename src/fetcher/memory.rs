//! How much memory contents may take by default.

use crate::limits::{DEFAULT_MAX_MEMORY, Limits};

/// What was asked for; otherwise the default, or a quarter of what there is if that is less.
pub(crate) fn max_memory(limits: &Limits) -> u64 {
    limits.max_memory.unwrap_or_else(|| by_default(available()))
}

fn by_default(available: Option<u64>) -> u64 {
    available.map_or(DEFAULT_MAX_MEMORY, |bytes| DEFAULT_MAX_MEMORY.min(bytes / 4))
}

/// The least of the machine's memory and of what the process may take of it, as far as the system says so.
fn available() -> Option<u64> {
    [machine(), address_space(), control_group()].into_iter().flatten().min()
}

/// The machine's memory. Only Linux is asked: that is what runs on small boards and in containers.
fn machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix(" kB")?;
    kib.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The addresses that the process takes beside the contents of a run. glibc reserves 64 MiB for each of the threads that
/// allocate memory, of which there are up to six, whether or not they need them.
const OWN_ADDRESSES: u64 = if cfg!(target_env = "gnu") { 384 << 20 } else { 64 << 20 };

/// What `ulimit -v` leaves.
#[cfg(unix)]
fn address_space() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::As).current.map(|bytes| bytes.saturating_sub(OWN_ADDRESSES))
}

#[cfg(not(unix))]
fn address_space() -> Option<u64> {
    None
}

/// The limit of the container or service, by version 2 of control groups.
fn control_group() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/');
    let limit = |path: String| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    // In a container the own group is mostly mounted as the root.
    [format!("/sys/fs/cgroup/{own}/memory.max"), "/sys/fs/cgroup/memory.max".to_owned()]
        .into_iter()
        .filter_map(limit)
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_machine_gives_a_quarter() {
        let mib = |mib: u64| mib << 20;
        assert_eq!(by_default(None), mib(256));
        assert_eq!(by_default(Some(mib(16_000))), mib(256));
        assert_eq!(by_default(Some(mib(512))), mib(128));
        assert_eq!(by_default(Some(mib(425))), mib(425) / 4);
        assert_eq!(max_memory(&Limits { max_memory: Some(7), ..Limits::default() }), 7);
        let default = max_memory(&Limits::default());
        assert!(default > 0 && default <= mib(256), "{default}");
    }
}
