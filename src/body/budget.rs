//! How much memory the contents of a run may take together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::overflow::{MakeFile, Overflow, StoredBytes};

/// The temporary file may be so many times as large as the memory that it relieves.
const OVERFLOW_FACTOR: u64 = 32;

/// A share of so many bytes is small. Of the least memory that values and rows may take, 2 MiB are for such shares: hundreds
/// of sources that take all they can get have one each.
const SMALL: u64 = 8 << 10;

/// It may be at least this large, in bytes.
const LEAST_OVERFLOW: u64 = 1 << 30;

/// The memory that contents of a run may take, and the file for those that find no room. Cheap to clone.
#[derive(Clone)]
pub(crate) struct MemoryBudget(Arc<Shared>);

struct Shared {
    limit: u64,
    /// How much of it is for shares that are [`SMALL`].
    for_small: u64,
    used: AtomicU64,
    overflow: Arc<Overflow>,
}

impl MemoryBudget {
    /// A budget of so many bytes, with files that `make` makes.
    pub(crate) fn new(limit: u64, make: MakeFile) -> MemoryBudget {
        let overflow = Overflow::new(make, limit.saturating_mul(OVERFLOW_FACTOR).max(LEAST_OVERFLOW));
        MemoryBudget(Arc::new(Shared { limit, for_small: 0, used: AtomicU64::new(0), overflow: Arc::new(overflow) }))
    }

    /// The same, with an eighth of it for small shares alone, so that what takes much keeps out nothing that takes little. It
    /// is to be called before the first share.
    #[cfg(feature = "fetcher")]
    pub(crate) fn with_room_for_small(mut self) -> MemoryBudget {
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            shared.for_small = shared.limit / 8;
        }
        self
    }

    /// How many bytes there are in all.
    pub(crate) fn limit(&self) -> u64 {
        self.0.limit
    }

    /// A share of no bytes yet.
    pub(crate) fn reservation(&self) -> Reservation {
        Reservation { budget: Some(self.clone()), bytes: 0 }
    }

    /// A place in the file. Nothing is written yet.
    pub(crate) fn store(&self) -> StoredBytes {
        StoredBytes::new(self.0.overflow.clone())
    }
}

/// A share of a budget, given back when it is dropped. That of content which no run has fetched counts nowhere.
#[derive(Debug, Default)]
pub(crate) struct Reservation {
    budget: Option<MemoryBudget>,
    bytes: u64,
}

impl Reservation {
    /// Makes it so many bytes, if there is room. To make it smaller always succeeds.
    pub(crate) fn resize(&mut self, bytes: u64) -> bool {
        let Some(budget) = &self.budget else { return true };
        let Shared { limit, for_small, used, .. } = &*budget.0;
        let limit = if bytes > SMALL { limit - for_small } else { *limit };
        match bytes.checked_sub(self.bytes) {
            Some(more) => {
                let fits = |used: u64| used.checked_add(more).filter(|sum| *sum <= limit);
                if used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
                    return false;
                }
            }
            None => {
                used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            }
        }
        self.bytes = bytes;
        true
    }

    /// Adds what is there already: it counts whether or not there is room.
    fn add(&mut self, bytes: u64) {
        if let Some(budget) = &self.budget {
            budget.0.used.fetch_add(bytes, Ordering::Relaxed);
        }
        self.bytes += bytes;
    }
}

/// The share of a run's memory that the values and rows of an outcome take: given back when it is dropped.
#[derive(Clone, Debug, Default)]
pub struct HeldMemory(Reservation);

impl HeldMemory {
    /// What is held by this share.
    #[cfg(feature = "fetcher")]
    pub(crate) fn new(reserved: Reservation) -> HeldMemory {
        HeldMemory(reserved)
    }

    /// A share of the same memory for a copy that takes so many bytes. It counts whether or not there is room, because the copy
    /// is there already; of no run it counts nowhere.
    pub(crate) fn for_copy(&self, bytes: usize) -> HeldMemory {
        let mut copy = Reservation { budget: self.0.budget.clone(), bytes: 0 };
        copy.add(bytes as u64);
        HeldMemory(copy)
    }

    /// Whether it is a share of the memory of a run, however small.
    pub(crate) fn is_of_run(&self) -> bool {
        self.0.budget.is_some()
    }

    /// Holds what the other one held, too.
    #[cfg(feature = "fetcher")]
    pub(crate) fn join(&mut self, mut other: HeldMemory) {
        if self.0.budget.is_none() {
            std::mem::swap(&mut self.0, &mut other.0);
        }
        // Both are of one run.
        self.0.bytes += std::mem::take(&mut other.0.bytes);
    }
}

/// How much is held says nothing of what came: all are equal.
impl PartialEq for HeldMemory {
    fn eq(&self, _: &HeldMemory) -> bool {
        true
    }
}

impl Clone for Reservation {
    /// What it is for has been copied already, so the copy counts whether or not there is room.
    fn clone(&self) -> Reservation {
        let mut copy = Reservation { budget: self.budget.clone(), bytes: 0 };
        copy.add(self.bytes);
        copy
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.resize(0);
    }
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryBudget({} of {} bytes)", self.0.used.load(Ordering::Relaxed), self.0.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_given_back() {
        let budget = MemoryBudget::new(100, || Err(std::io::ErrorKind::Unsupported.into()));
        let (mut one, mut two) = (budget.reservation(), budget.reservation());
        assert!(one.resize(60) && !two.resize(41) && two.resize(40) && !one.resize(61));
        assert!(one.resize(10) && two.resize(90) && !two.resize(u64::MAX));
        let copy = two.clone();
        drop(two);
        assert!(!one.resize(11));
        drop(copy);
        assert!(one.resize(100));
        drop(one);
        assert_eq!(format!("{budget:?}"), "MemoryBudget(0 of 100 bytes)");
        assert!(Reservation::default().resize(u64::MAX));
    }

    #[cfg(feature = "fetcher")]
    #[test]
    fn what_takes_much_leaves_room_for_what_takes_little() {
        let budget = MemoryBudget::new(800 << 10, || Err(std::io::ErrorKind::Unsupported.into())).with_room_for_small();
        let (mut large, mut other) = (budget.reservation(), budget.reservation());
        assert!(!large.resize((700 << 10) + 1) && large.resize(700 << 10) && !other.resize(SMALL + 1));
        let mut small: Vec<Reservation> = (0..13).map(|_| budget.reservation()).collect();
        let fits = small.iter_mut().filter_map(|small| small.resize(SMALL).then_some(())).count();
        assert_eq!(fits, 12);
    }

    #[cfg(feature = "fetcher")]
    #[test]
    fn what_two_hold_is_held_by_one() {
        let budget = MemoryBudget::new(100, || Err(std::io::ErrorKind::Unsupported.into()));
        let held = |bytes: u64| {
            let mut reserved = budget.reservation();
            assert!(reserved.resize(bytes));
            HeldMemory::new(reserved)
        };
        let mut whole = HeldMemory::default();
        whole.join(held(10));
        whole.join(held(20));
        whole.join(HeldMemory::default());
        assert_eq!(format!("{budget:?}"), "MemoryBudget(30 of 100 bytes)");
        let copy = whole.for_copy(90);
        assert!(copy.is_of_run() && !HeldMemory::default().for_copy(1).is_of_run());
        assert_eq!(format!("{budget:?}"), "MemoryBudget(120 of 100 bytes)");
        drop(whole);
        drop(copy);
        assert_eq!(format!("{budget:?}"), "MemoryBudget(0 of 100 bytes)");
    }
}
