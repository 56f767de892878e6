//! When a report stops writing contents.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The moment from which on a report leaves contents out, so that a large one does not hold up who waits for its end.
/// Results are written to the last all the same. The default is never. Clones are one: it can be set while another thread
/// writes.
#[derive(Clone, Debug, Default)]
pub struct Cutoff(Arc<CutoffState>);

#[derive(Debug, Default)]
struct CutoffState {
    at: Mutex<Option<Instant>>,
    omitted: AtomicUsize,
}

impl Cutoff {
    /// Sets the moment, if none is set that is earlier.
    pub fn set(&self, at: Instant) {
        let mut earliest = self.0.at.lock().unwrap_or_else(PoisonError::into_inner);
        *earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
    }

    /// Whether contents are left out at this moment.
    pub fn has_come(&self, now: Instant) -> bool {
        let at = *self.0.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.is_some_and(|at| at <= now)
    }

    /// Counts a content that was left out: because the moment had come, or because it could not be read back.
    pub fn omit(&self) {
        self.0.omitted.fetch_add(1, Ordering::Relaxed);
    }

    /// How many contents were left out.
    pub fn omitted(&self) -> usize {
        self.0.omitted.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_moment_counts() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let cutoff = Cutoff::default();
        let other = cutoff.clone();
        assert!(!cutoff.has_come(now + second));
        other.set(now + 2 * second);
        assert!(!cutoff.has_come(now + second) && cutoff.has_come(now + 2 * second));
        other.set(now + second);
        other.set(now + 3 * second);
        assert!(cutoff.has_come(now + second) && !cutoff.has_come(now));
        other.omit();
        assert_eq!(cutoff.omitted(), 1);
    }
}
