//! Host names to addresses, off the loop, with identical look-ups shared.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_lock::OnceCell;
use futures_lite::FutureExt;

use crate::connect::copy;
use crate::error::{Error, Kind, Phase, RAISE_DESCRIPTORS, Result, out_of_descriptors};
use crate::event_loop::{BlockingPool, sleep};

/// How long an answer is used again. getaddrinfo does not tell the records' own lifetime; a minute is what browsers use.
const LIFETIME: Duration = Duration::from_secs(60);

/// The most names that are remembered.
const MAX_NAMES: usize = 1024;

/// The most threads that look up names at once. They have a pool of their own: they wait for a server and hardly work, and
/// a name server that does not answer must not keep files from being written.
const MAX_LOOK_UP_THREADS: usize = 32;

static LOOK_UPS: BlockingPool = BlockingPool::new(MAX_LOOK_UP_THREADS);

/// The threads beside them for look-ups that find none of those free for [`PATIENCE`]: names whose servers do not answer hold
/// a thread for up to half a minute, even if no request waits for them any more, and must not hold up all others. More than
/// this many names at once are seldom dead, and then a request waits until its limit.
const MAX_OVERFLOW_THREADS: usize = 96;

static OVERFLOW: BlockingPool = BlockingPool::new(MAX_OVERFLOW_THREADS);

/// How long a look-up waits for a thread of the first pool. Most look-ups take less, so that a burst of names that all
/// answer is done by then with few threads.
const PATIENCE: Duration = Duration::from_millis(250);

/// The most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Resolves names with the system's getaddrinfo.
///
/// A hundred requests for one slow name make one look-up. A failure is shared by all that wait for it and then forgotten.
#[derive(Debug)]
pub(crate) struct Resolver {
    names: Mutex<HashMap<Box<str>, NameLookup>>,
    system: fn(&str) -> std::io::Result<Arc<[IpAddr]>>,
}

type LookupResult = Result<Arc<[IpAddr]>, Arc<std::io::Error>>;

#[derive(Clone, Debug)]
struct NameLookup {
    answer: Arc<OnceCell<LookupResult>>,
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
        if is_loopback_name(host) {
            return Ok(Arc::new([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]));
        }
        let lookup = self.lookup(host, now);
        let answer = lookup.answer.get_or_init(|| async {
            let name: Box<str> = host.into();
            let system = self.system;
            on_a_free_thread(move || system(&name)).await.map_err(Arc::new)
        });
        match answer.await {
            Ok(addresses) => Ok(addresses.clone()),
            Err(cause) => {
                self.forget(host, &lookup);
                if out_of_descriptors(cause) {
                    let text =
                        format!("no descriptor is left to resolve the host name \"{host}\": {RAISE_DESCRIPTORS}");
                    return Err(Error::new(Kind::Io, text).in_phase(Phase::Dns).with_source(copy(cause)));
                }
                Err(Error::new(Kind::Dns, format!("the host name \"{host}\" cannot be resolved"))
                    .in_phase(Phase::Dns)
                    .passing(may_pass(cause))
                    .with_source(Box::<dyn std::error::Error + Send + Sync>::from(describe(cause))))
            }
        }
    }

    /// The look-up that is under way or done for this name, or a new one.
    fn lookup(&self, host: &str, now: Instant) -> NameLookup {
        let mut names = self.lock();
        let fresh = |lookup: &NameLookup| now.saturating_duration_since(lookup.started) < LIFETIME;
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
        let lookup = NameLookup { answer: Arc::default(), started: now };
        names.insert(host.into(), lookup.clone());
        lookup
    }

    fn forget(&self, host: &str, failed: &NameLookup) {
        let mut names = self.lock();
        if names.get(host).is_some_and(|lookup| Arc::ptr_eq(&lookup.answer, &failed.answer)) {
            names.remove(host);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, NameLookup>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a name means this machine itself and needs no look-up (RFC 6761, section 6.3).
pub(crate) fn is_loopback_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Runs a look-up on a thread of the first pool or, if none is free for [`PATIENCE`], of the second.
async fn on_a_free_thread<T: Send + 'static>(call: impl FnOnce() -> T + Clone + Send + 'static) -> T {
    let started = Arc::new(AtomicBool::new(false));
    let first = {
        let (started, call) = (started.clone(), call.clone());
        LOOK_UPS.unblock(move || {
            started.store(true, Ordering::Relaxed);
            call()
        })
    };
    // Dropping the first before it has started takes it back.
    let done = async { Some(first.await) };
    let impatient = async {
        sleep(PATIENCE).await;
        if started.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        None
    };
    match done.or(impatient).await {
        Some(result) => result,
        None => OVERFLOW.unblock(call).await,
    }
}

/// Whether the system says that the look-up failed for now and may work later (EAI_AGAIN). The standard library has no kind
/// for it: on Unix only the text of gai_strerror is left, in English because the locale is never set; on Windows it is
/// WSATRY_AGAIN.
fn may_pass(cause: &std::io::Error) -> bool {
    if cfg!(windows) {
        return cause.raw_os_error() == Some(11002);
    }
    // glibc, Bionic and BSD; musl; FreeBSD.
    let texts = ["temporary failure in name resolution", "try again", "could not be resolved at this time"];
    let text = cause.to_string().to_ascii_lowercase();
    texts.iter().any(|known| text.ends_with(known))
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
    use crate::event_loop::{EventLoop, unblock};

    #[test]
    fn families_take_turns() {
        let ip = |text: &str| text.parse::<IpAddr>().expect(text);
        let list = ["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"].map(ip);
        assert_eq!(interleave(&list), ["::1", "1.1.1.1", "::2", "2.2.2.2", "::3"].map(ip));
        assert_eq!(interleave(&[]), Vec::<IpAddr>::new());
    }

    #[test]
    fn look_ups_of_one_name_are_shared_and_failures_forgotten() {
        fn one(host: &str) -> std::io::Result<Arc<[IpAddr]>> {
            if host == "known.test" { Ok(Arc::new([IpAddr::from([127, 0, 0, 1])])) } else { system_lookup(host) }
        }
        let resolver = Arc::new(Resolver::with(one));
        let event_loop = EventLoop::new();
        let now = Instant::now();
        event_loop.run(async {
            let many = (0..50).map(|_| {
                let resolver = resolver.clone();
                async move { resolver.resolve("known.test", now).await.map(|a| Arc::as_ptr(&a)).ok() }
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
    fn names_of_this_machine_need_no_look_up() {
        fn none(_: &str) -> std::io::Result<Arc<[IpAddr]>> {
            panic!("nothing is to be looked up")
        }
        let resolver = Resolver::with(none);
        for name in ["localhost", "LocalHost", "localhost.", "app.localhost", "a.b.localhost."] {
            let found = EventLoop::new().run(resolver.resolve(name, Instant::now())).expect(name);
            assert_eq!(found[..], [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])], "{name}");
        }
        for name in ["localhost.example", "notlocalhost", "local", "localhost.."] {
            assert!(!is_loopback_name(name), "{name}");
        }
        assert!(resolver.lock().is_empty());
    }

    #[test]
    fn a_failure_for_now_may_pass_and_an_unknown_name_does_not() {
        let error = |text: &str| std::io::Error::other(format!("failed to lookup address information: {text}"));
        if cfg!(unix) {
            assert!(may_pass(&error("Temporary failure in name resolution")) && may_pass(&error("Try again")));
        }
        for text in ["Name or service not known", "Name does not resolve", "No address associated with hostname"] {
            assert!(!may_pass(&error(text)), "{text}");
        }
    }

    /// Forty dead names held back one that would have answered until its request timed out.
    #[test]
    fn dead_names_do_not_hold_up_others() {
        static HELD: Mutex<()> = Mutex::new(());
        fn dead_or_alive(host: &str) -> std::io::Result<Arc<[IpAddr]>> {
            if host != "alive.test" {
                drop(HELD.lock());
            }
            Ok(Arc::new([IpAddr::from([127, 0, 0, 1])]))
        }
        let held = HELD.lock().expect("no panic while it is held");
        let resolver = Arc::new(Resolver::with(dead_or_alive));
        let event_loop = EventLoop::new();
        let found = event_loop.run(async {
            let dead: Vec<_> = (0..MAX_LOOK_UP_THREADS + 8)
                .map(|n| {
                    let resolver = resolver.clone();
                    event_loop.spawn(async move { resolver.resolve(&format!("dead-{n}.test"), Instant::now()).await })
                })
                .collect();
            futures_lite::future::yield_now().await;
            let found = resolver.resolve("alive.test", Instant::now()).await;
            drop(dead);
            found
        });
        assert_eq!(found.expect("it answers at once").len(), 1);
        drop(held);
    }

    #[test]
    fn look_ups_are_bounded_and_leave_the_threads_of_others_free() {
        use std::sync::atomic::AtomicUsize;
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static GO_ON: Mutex<()> = Mutex::new(());
        fn stuck(_: &str) -> std::io::Result<Arc<[IpAddr]>> {
            RUNNING.fetch_add(1, Ordering::SeqCst);
            drop(GO_ON.lock());
            Ok(Arc::new([]))
        }
        let stop = GO_ON.lock().expect("no panic while it is held");
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
