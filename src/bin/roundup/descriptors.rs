//! The limit on open files: as high as it goes, for every connection is one.

/// Raises the soft limit of RLIMIT_NOFILE to the hard one. Common soft limits are 1024, and 256 on macOS: they are there
/// for programs that call select(2), which nothing here does.
///
/// What cannot be raised stays as it is: if it is too low after all, the error of whoever runs out says so.
#[cfg(unix)]
pub(crate) fn raise() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// OPEN_MAX of macOS, which refuses more even where the hard limit says that there is none.
    const MACOS_MOST: u64 = 10_240;

    let limit = getrlimit(Resource::Nofile);
    let wanted = match limit.maximum {
        Some(most) => Some(most),
        None if cfg!(target_vendor = "apple") => Some(MACOS_MOST),
        None => None,
    };
    let is_more = |a: Option<u64>, b: Option<u64>| a.unwrap_or(u64::MAX) > b.unwrap_or(u64::MAX);
    if is_more(wanted, limit.current) {
        // Without the right to, the run goes on with what there is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: limit.maximum });
    }
}

/// Sockets are no files here, and nothing limits them.
#[cfg(not(unix))]
pub(crate) fn raise() {}
