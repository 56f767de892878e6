//! Whether standard output was closed when the process began.
//!
//! Rust's standard library opens `/dev/null` for each standard stream that it finds closed, before `main` runs. After that,
//! a stream that was closed looks like one that a parent has given to `/dev/null` on purpose. So this looks earlier, on
//! Linux by a function in `.init_array`, which the system calls before all others.

/// Whether standard output was closed when the process began (`>&-`). Always `false` on systems other than Linux: on Windows,
/// a program that the Task Scheduler or a service starts has no standard streams, which is no mistake.
pub fn stdout_was_closed() -> bool {
    system::stdout_was_closed()
}

#[cfg(target_os = "linux")]
mod system {
    use std::sync::atomic::{AtomicBool, Ordering};

    static CLOSED: AtomicBool = AtomicBool::new(false);

    pub(super) fn stdout_was_closed() -> bool {
        CLOSED.load(Ordering::Relaxed)
    }

    /// Runs before the standard library is ready, so it does nothing but one system call.
    extern "C" fn look() {
        let is_open = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_ok();
        CLOSED.store(!is_open, Ordering::Relaxed);
    }

    // SAFETY: a section of pointers to functions, which are called with the C convention; arguments that are not taken do
    // no harm.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn stdout_was_closed() -> bool {
        false
    }
}
