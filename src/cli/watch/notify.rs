//! What systemd is told: that the program is ready, how it stands, and that it still works. The protocol is that of
//! sd_notify(3): lines of `NAME=VALUE` in a datagram to the socket that NOTIFY_SOCKET names.

use std::time::Duration;

use roundup::event_loop::{EventLoop, Task, sleep};

/// The service manager, if one listens. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceManager(Option<std::rc::Rc<system::NotifySocket>>);

impl ServiceManager {
    /// The one that the environment names. Why it cannot be reached is the second value.
    pub(super) fn from_environment() -> (ServiceManager, Option<String>) {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return (ServiceManager::default(), None);
        };
        match system::NotifySocket::open(&name) {
            Ok(socket) => (ServiceManager(Some(socket.into())), None),
            Err(why) => (ServiceManager::default(), Some(format!("NOTIFY_SOCKET={}: {why}", name.to_string_lossy()))),
        }
    }

    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// A line for people: `systemctl status` shows it.
    pub(super) fn status(&self, line: &str) {
        self.send(&format!("STATUS={}", line.replace('\n', " ")));
    }

    /// The plan is read anew; `ready` says when that is done.
    pub(super) fn reloading(&self) {
        if self.0.is_some() {
            self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", system::monotonic_us()));
        }
    }

    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Says again and again that the loop works, if the manager wants to know: a loop that is held up does not say it.
    pub(super) fn keep_awake(&self, event_loop: &EventLoop) -> Option<Task<()>> {
        let variable = |name: &str| std::env::var(name).ok();
        let period = watchdog_period(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"), std::process::id())?;
        self.0.as_ref()?;
        let manager = self.clone();
        Some(event_loop.spawn_named("watchdog", async move {
            loop {
                manager.send("WATCHDOG=1");
                sleep(period).await;
            }
        }))
    }

    /// Best effort: a manager that does not listen loses nothing but this.
    fn send(&self, text: &str) {
        if let Some(socket) = &self.0 {
            socket.send(text);
        }
    }
}

/// How often it is to be said, which is twice in the time that is allowed; `None` if another process is meant.
fn watchdog_period(microseconds: Option<String>, process: Option<String>, own: u32) -> Option<Duration> {
    let is_ours = process.is_none_or(|process| process == own.to_string());
    let time = microseconds.filter(|_| is_ours)?.parse().ok().filter(|time| *time > 0)?;
    Some(Duration::from_micros(time) / 2)
}

#[cfg(unix)]
mod system {
    use std::ffi::OsStr;
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    #[derive(Debug)]
    pub(super) struct NotifySocket {
        socket: UnixDatagram,
        address: SocketAddr,
    }

    impl NotifySocket {
        /// A path, or with `@` in front a name in Linux's abstract namespace.
        pub(super) fn open(name: &OsStr) -> Result<NotifySocket, String> {
            let address = match name.as_bytes() {
                [b'@', name @ ..] => abstract_address(name),
                [b'/', ..] => SocketAddr::from_pathname(name),
                _ => return Err("it is neither a path nor a name with @ in front".to_owned()),
            };
            let opened = address.and_then(|address| {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                Ok(NotifySocket { socket, address })
            });
            opened.map_err(|error| error.to_string())
        }

        pub(super) fn send(&self, text: &str) {
            let _ = self.socket.send_to_addr(text.as_bytes(), &self.address);
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
        <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The clock by which the manager tells this message from an older one.
    pub(super) fn monotonic_us() -> i64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        time.tv_sec as i64 * 1_000_000 + time.tv_nsec as i64 / 1000
    }
}

#[cfg(not(unix))]
mod system {
    use std::ffi::OsStr;

    #[derive(Debug)]
    pub(super) enum NotifySocket {}

    impl NotifySocket {
        pub(super) fn open(_: &OsStr) -> Result<NotifySocket, String> {
            Err("this system has no such sockets".to_owned())
        }

        pub(super) fn send(&self, _: &str) {
            match *self {}
        }
    }

    pub(super) fn monotonic_us() -> i64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_told_twice_in_its_time_and_only_by_the_process_that_is_meant() {
        let period = |time: &str, process: Option<&str>| {
            watchdog_period(Some(time.to_owned()), process.map(str::to_owned), 7).map(|it| it.as_millis())
        };
        assert_eq!(period("30000000", None), Some(15_000));
        assert_eq!(period("30000000", Some("7")), Some(15_000));
        assert_eq!(period("30000000", Some("8")), None);
        assert_eq!([period("0", None), period("soon", None), period("-1", None)], [None; 3]);
    }
}
