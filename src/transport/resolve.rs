//! Host names to addresses, off the loop, with identical look-ups shared.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_lock::OnceCell;

use crate::error::{Error, Kind, Phase, RAISE_DESCRIPTORS, Result, out_of_descriptors};
use crate::event_loop::look_up;

/// How long an answer is used again. getaddrinfo does not tell the records' own lifetime; a minute is what browsers use.
const LIFETIME: Duration = Duration::from_secs(60);

/// The most names that are remembered.
const MAX_NAMES: usize = 1024;

/// The most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Resolves names with the system's getaddrinfo.
///
/// A hundred requests for one slow name make one look-up, and look-ups have threads of their own, so that a name server
/// that does not answer cannot keep files from being written. A failure is shared by those who wait for it and then
/// forgotten.
#[derive(Debug)]
pub(crate) struct Resolver {
    names: Mutex<HashMap<Box<str>, Lookup>>,
    system: fn(&str) -> std::io::Result<Arc<[IpAddr]>>,
}

type Answer = Result<Arc<[IpAddr]>, Arc<std::io::Error>>;

#[derive(Clone, Debug)]
struct Lookup {
    answer: Arc<OnceCell<Answer>>,
    started: Instant,
}

impl Resolver {
    pub(crate) fn new() -> Resolver {
        Resolver::with(system_lookup)
    }

    fn with(system: fn(&str) -> std::io::Result<Arc<[IpAddr]>>) -> Resolver {
        Resolver { names: Mutex::default(), system }
    }

    /// The addresses of a name, in the order the system prefers.
    pub(crate) async fn resolve(&self, host: &str, now: Instant) -> Result<Arc<[IpAddr]>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(Arc::new([address]));
        }
        let lookup = self.lookup(host, now);
        let answer = lookup.answer.get_or_init(|| async {
            let name: Box<str> = host.into();
            let system = self.system;
            look_up(move || system(&name)).await.map_err(Arc::new)
        });
        match answer.await {
            Ok(addresses) => Ok(addresses.clone()),
            Err(cause) => {
                self.forget(host, &lookup);
                if out_of_descriptors(cause) {
                    let text =
                        format!("no descriptor is left to resolve the host name \"{host}\": {RAISE_DESCRIPTORS}");
                    return Err(Error::new(Kind::Io, text).in_phase(Phase::Dns));
                }
                Err(Error::new(Kind::Dns, format!("the host name \"{host}\" cannot be resolved"))
                    .in_phase(Phase::Dns)
                    .with_source(Box::<dyn std::error::Error + Send + Sync>::from(describe(cause))))
            }
        }
    }

    /// The look-up that is under way or done for this name, or a new one.
    fn lookup(&self, host: &str, now: Instant) -> Lookup {
        let mut names = self.lock();
        let fresh = |lookup: &Lookup| now.saturating_duration_since(lookup.started) < LIFETIME;
        if let Some(lookup) = names.get(host).filter(|lookup| fresh(lookup)) {
            return lookup.clone();
        }
        if names.len() >= MAX_NAMES {
            names.retain(|_, lookup| fresh(lookup));
            if names.len() > MAX_NAMES / 4 * 3 {
                // Many at a time: to look for the oldest means to look at all.
                let mut times: Vec<Instant> = names.values().map(|lookup| lookup.started).collect();
                let middle = *times.select_nth_unstable(names.len() / 2).1;
                names.retain(|_, lookup| lookup.started > middle);
            }
        }
        let lookup = Lookup { answer: Arc::default(), started: now };
        names.insert(host.into(), lookup.clone());
        lookup
    }

    fn forget(&self, host: &str, failed: &Lookup) {
        let mut names = self.lock();
        if names.get(host).is_some_and(|lookup| Arc::ptr_eq(&lookup.answer, &failed.answer)) {
            names.remove(host);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Lookup>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn system_lookup(host: &str) -> std::io::Result<Arc<[IpAddr]>> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    let found = (host, 0).to_socket_addrs().map_err(|error| no_descriptor().unwrap_or(error))?;
    for address in found.map(|address: SocketAddr| address.ip()) {
        if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(std::io::Error::other("the name has no address"));
    }
    Ok(addresses.into())
}

/// getaddrinfo does not say that it could open neither its files nor a socket: it says that the name is not known, or to
/// try again. Whether that was so is tried out, which may come too late to be seen and is never wrong.
fn no_descriptor() -> Option<std::io::Error> {
    if !cfg!(unix) {
        return None;
    }
    std::fs::File::open("/dev/null").err().filter(out_of_descriptors)
}

/// The cause without the standard library's preamble.
fn describe(cause: &std::io::Error) -> String {
    let text = cause.to_string();
    text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
}

/// Families in turns, the first address's family first (RFC 8305, section 4).
pub(crate) fn interleave(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let first_is_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (mut first, mut second): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses.iter().partition(|address| address.is_ipv6() == first_is_v6);
    first.reverse();
    second.reverse();
    let mut order = Vec::with_capacity(addresses.len());
    while order.len() < addresses.len() {
        order.extend(first.pop());
        order.extend(second.pop());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_loop::{EventLoop, MAX_LOOK_UP_THREADS, unblock};

    #[test]
    fn families_take_turns() {
        let ip = |text: &str| text.parse::<IpAddr>().expect(text);
        let list = ["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"].map(ip);
        assert_eq!(interleave(&list), ["::1", "1.1.1.1", "::2", "2.2.2.2", "::3"].map(ip));
        assert_eq!(interleave(&[]), Vec::<IpAddr>::new());
    }

    #[test]
    fn look_ups_of_one_name_are_shared_and_failures_forgotten() {
        let resolver = Arc::new(Resolver::new());
        let event_loop = EventLoop::new();
        let now = Instant::now();
        event_loop.run(async {
            let many = (0..50).map(|_| {
                let resolver = resolver.clone();
                async move { resolver.resolve("localhost", now).await.map(|a| Arc::as_ptr(&a)).ok() }
            });
            let answers = event_loop.gather(many).await;
            assert!(answers[0].is_some() && answers.iter().all(|answer| *answer == answers[0]));
            let error =
                resolver.resolve("no-such-host.invalid", now).await.expect_err("RFC 6761 says it does not exist");
            assert_eq!((error.kind(), error.phase()), (Kind::Dns, Some(Phase::Dns)));
            assert_eq!(resolver.lock().len(), 1);
        });
    }

    #[test]
    fn look_ups_are_bounded_and_leave_the_threads_of_others_free() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static GO_ON: Mutex<()> = Mutex::new(());
        fn stuck(_: &str) -> std::io::Result<Arc<[IpAddr]>> {
            RUNNING.fetch_add(1, Ordering::SeqCst);
            drop(GO_ON.lock());
            Ok(Arc::new([]))
        }
        let stop = GO_ON.lock().expect("nobody panics with it");
        let resolver = Resolver::with(stuck);
        EventLoop::new().run(async {
            for n in 1..=MAX_LOOK_UP_THREADS {
                let name = format!("host-{n}.test");
                let mut waiting = std::pin::pin!(resolver.resolve(&name, Instant::now()));
                assert!(futures_lite::future::poll_once(&mut waiting).await.is_none());
                while RUNNING.load(Ordering::SeqCst) < n {
                    futures_lite::future::yield_now().await;
                }
            }
            let mut one_more = std::pin::pin!(resolver.resolve("one-more.test", Instant::now()));
            assert!(futures_lite::future::poll_once(&mut one_more).await.is_none());
            // Were it one of those threads, this would wait for ever.
            assert_eq!(unblock(|| 7).await, 7);
        });
        assert_eq!(RUNNING.load(Ordering::SeqCst), MAX_LOOK_UP_THREADS);
        drop(stop);
    }

    #[test]
    fn addresses_need_no_look_up() {
        let resolver = Resolver::new();
        let found = EventLoop::new().run(resolver.resolve("::1", Instant::now())).expect("an address");
        assert_eq!(found[..], [IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])]);
        assert!(resolver.lock().is_empty());
    }
}
