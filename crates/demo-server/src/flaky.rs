//! APIs that fail before they answer.

use std::collections::VecDeque;

/// Counts the failures of APIs that fail a few times before they answer.
#[derive(Debug, Default)]
pub(super) struct Flaky {
    /// What has failed and was not answered since, the oldest first.
    failed: VecDeque<(String, u64)>,
}

impl Flaky {
    /// How many are remembered; beyond that the oldest starts anew.
    const MOST: usize = 1024;

    /// Counts a request: how many failures are left if it fails, `None` if it is answered. After an answer it starts
    /// anew, so that a list that is fetched twice costs the same twice.
    pub(super) fn fails(&mut self, key: &str, failures: u64) -> Option<u64> {
        let at = self.failed.iter().position(|entry| entry.0 == key);
        let before = at.and_then(|at| self.failed.remove(at)).map_or(0, |entry| entry.1);
        if before >= failures {
            return None;
        }
        if self.failed.len() >= Flaky::MOST {
            self.failed.pop_front();
        }
        self.failed.push_back((key.to_owned(), before + 1));
        Some(failures - before - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_failed_often_enough_works_and_starts_anew() {
        let mut flaky = Flaky::default();
        let mut twice = |key| flaky.fails(key, 2);
        assert_eq!([twice("a"), twice("b"), twice("a"), twice("a")], [Some(1), Some(1), Some(0), None]);
        assert_eq!([twice("a"), twice("b"), twice("b")], [Some(1), Some(0), None]);
        assert_eq!(flaky.fails("never", 0), None);
        for n in 0..5000 {
            flaky.fails(&n.to_string(), 1);
        }
        assert_eq!(flaky.failed.len(), Flaky::MOST);
    }
}
