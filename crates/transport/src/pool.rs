//! Idle connections by route. Pure: time is an argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How many idle connections are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// The most idle connections to one origin; 50 by default.
    pub per_origin: usize,
    /// The most idle connections in all; 256 by default. If there are as many, the oldest sixteenth is closed.
    pub total: usize,
    /// How long a connection may be idle; 30 s by default, below what common servers allow.
    pub idle_age: Duration,
}

impl Default for PoolLimits {
    fn default() -> PoolLimits {
        PoolLimits { per_origin: 50, total: 256, idle_age: Duration::from_secs(30) }
    }
}

/// Idle connections. The one used last is reused first: it is the least likely to have been closed by the server.
#[derive(Debug)]
pub(crate) struct Pool<K, C> {
    limits: PoolLimits,
    /// Ordered, because a few comparisons of routes cost less than the hash of one.
    idle: BTreeMap<K, VecDeque<IdleEntry<C>>>,
    count: usize,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct IdleEntry<C> {
    connection: C,
    since: Instant,
}

impl<K: Clone + Ord, C> Pool<K, C> {
    pub(crate) fn new(limits: PoolLimits) -> Pool<K, C> {
        Pool { limits, idle: BTreeMap::new(), count: 0, swept: None }
    }

    /// Takes a connection that has not been idle for too long.
    pub(crate) fn take(&mut self, key: &K, now: Instant) -> Option<C> {
        // An empty list stays: mostly there is soon another request to its origin.
        let list = self.idle.get_mut(key)?;
        let newest = list.pop_back()?;
        self.count -= 1;
        if now.saturating_duration_since(newest.since) < self.limits.idle_age {
            return Some(newest.connection);
        }
        // The newest is too old, so all are.
        self.count -= list.len();
        list.clear();
        None
    }

    /// Keeps a connection that is idle since `since` for the next request. One that does not fit is dropped, and so closed.
    pub(crate) fn put(&mut self, key: &K, connection: C, since: Instant) {
        if self.limits.per_origin == 0 || self.limits.total == 0 {
            return;
        }
        self.sweep(since);
        if self.count >= self.limits.total {
            // Several at a time, because finding them means looking at all.
            self.drop_oldest((self.limits.total / 16).max(1));
        }
        let list = match self.idle.get_mut(key) {
            Some(list) => list,
            None => {
                if self.idle.len() >= self.limits.total.saturating_mul(2) {
                    self.idle.retain(|_, list| !list.is_empty());
                }
                self.idle.entry(key.clone()).or_default()
            }
        };
        if list.len() >= self.limits.per_origin {
            list.pop_front();
            self.count -= 1;
        }
        list.push_back(IdleEntry { connection, since });
        self.count += 1;
    }

    /// Drops the connection that has been idle longest; whether there was one.
    pub(crate) fn close_oldest(&mut self) -> bool {
        let any = self.count > 0;
        if any {
            self.drop_oldest(1);
        }
        any
    }

    /// How many connections are idle.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Drops all that have been idle for too long; at most once in a quarter of the idle age, so that the cost of going
    /// through all origins does not fall on every request.
    fn sweep(&mut self, now: Instant) {
        let due = self.swept.is_none_or(|at| now.saturating_duration_since(at) >= self.limits.idle_age / 4);
        if !due {
            return;
        }
        self.swept = Some(now);
        let idle_age = self.limits.idle_age;
        let mut count = 0;
        self.idle.retain(|_, list| {
            list.retain(|idle| now.saturating_duration_since(idle.since) < idle_age);
            count += list.len();
            !list.is_empty()
        });
        self.count = count;
    }

    /// Drops the `n` that have been idle longest, of whatever origin; there are as many.
    fn drop_oldest(&mut self, n: usize) {
        let mut times: Vec<Instant> = self.idle.values().flatten().map(|idle| idle.since).collect();
        let last = *times.select_nth_unstable(n - 1).1;
        let mut left = n;
        self.idle.retain(|_, list| {
            while left > 0 && list.front().is_some_and(|idle| idle.since <= last) {
                list.pop_front();
                left -= 1;
            }
            !list.is_empty()
        });
        self.count -= n - left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(per_origin: usize, total: usize) -> Pool<&'static str, u32> {
        Pool::new(PoolLimits { per_origin, total, idle_age: Duration::from_secs(30) })
    }

    #[test]
    fn the_newest_first_and_none_twice() {
        let now = Instant::now();
        let mut pool = pool(10, 10);
        pool.put(&"a", 1, now);
        pool.put(&"a", 2, now);
        pool.put(&"b", 3, now);
        assert_eq!(pool.take(&"a", now), Some(2));
        assert_eq!(pool.take(&"a", now), Some(1));
        assert_eq!(pool.take(&"a", now), None);
        assert_eq!((pool.take(&"b", now), pool.len()), (Some(3), 0));
    }

    #[test]
    fn age_is_bounded() {
        let now = Instant::now();
        let later = |s| now + Duration::from_secs(s);
        let mut pool = pool(10, 10);
        pool.put(&"a", 1, now);
        pool.put(&"a", 2, later(10));
        assert_eq!(pool.take(&"a", later(39)), Some(2));
        assert_eq!(pool.take(&"a", later(39)), None);
        assert_eq!(pool.len(), 0);
        pool.put(&"a", 3, later(40));
        pool.put(&"b", 4, later(75));
        assert_eq!(pool.len(), 1, "the old one is dropped though it was not taken");
    }

    #[test]
    fn numbers_are_bounded() {
        let now = Instant::now();
        let mut pool = pool(2, 3);
        for (n, key) in ["a", "a", "a", "b", "c"].iter().enumerate() {
            pool.put(key, n as u32, now + Duration::from_millis(n as u64));
        }
        assert_eq!(pool.len(), 3);
        assert_eq!((pool.take(&"a", now), pool.take(&"a", now)), (Some(2), None));
        assert_eq!((pool.take(&"b", now), pool.take(&"c", now)), (Some(3), Some(4)));
        let mut off: Pool<&str, u32> = Pool::new(PoolLimits { per_origin: 0, ..PoolLimits::default() });
        off.put(&"a", 1, now);
        assert_eq!(off.take(&"a", now), None);
    }
}
