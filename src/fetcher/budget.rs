//! How many retries a run may make. Pure.

/// So many retries a run may make however small it is.
const FLOOR: usize = 10;

/// Beyond that, one retry for so many first attempts: 20 %.
const FIRSTS_A_RETRY: usize = 5;

/// Holds the retries of a run to a fifth of its first attempts, above a floor: when half of the sources are ill, trying all
/// of them again and again would harm them and delay the others.
///
/// Retries that the server itself asked for, by naming when to come back, do not draw on it, and neither do those that found
/// no connection, which the breaker of their host bounds.
#[derive(Debug, Default)]
pub(super) struct RetryBudget {
    made: AttemptCounts,
    /// By other processes that share the run.
    elsewhere: AttemptCounts,
}

/// How many attempts were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AttemptCounts {
    /// First attempts.
    pub(crate) firsts: usize,
    /// Retries that draw on the budget.
    pub(crate) drawn: usize,
}

impl RetryBudget {
    /// Notes the first attempt at a job.
    pub(super) fn note_first(&mut self) {
        self.made.firsts += 1;
    }

    /// Whether a further retry may be made.
    pub(super) fn allows(&self) -> bool {
        self.left_after(0) > 0
    }

    /// How many further retries may be made after so many further first attempts.
    pub(super) fn left_after(&self, firsts: usize) -> usize {
        let firsts = firsts + self.made.firsts + self.elsewhere.firsts;
        FLOOR.max(firsts / FIRSTS_A_RETRY).saturating_sub(self.made.drawn + self.elsewhere.drawn)
    }

    /// What was made here.
    #[cfg(feature = "fleet")]
    pub(super) fn made(&self) -> AttemptCounts {
        self.made
    }

    /// Notes what others have made of the run.
    #[cfg(feature = "fleet")]
    pub(super) fn note_elsewhere(&mut self, elsewhere: AttemptCounts) {
        self.elsewhere = elsewhere;
    }

    /// How many retries have been made.
    #[cfg(test)]
    pub(super) fn drawn(&self) -> usize {
        self.made.drawn
    }

    /// Notes a retry.
    pub(super) fn draw(&mut self) {
        self.made.drawn += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_first_attempts_above_a_floor() {
        let retries_of = |firsts| {
            let mut budget = RetryBudget::default();
            (0..firsts).for_each(|_| budget.note_first());
            while budget.allows() {
                budget.draw();
            }
            budget.drawn()
        };
        assert_eq!([0, 1, 50, 54, 55, 1000].map(retries_of), [10, 10, 10, 10, 11, 200]);
    }

    #[test]
    #[cfg(feature = "fleet")]
    fn what_others_have_made_counts() {
        let mut budget = RetryBudget::default();
        budget.note_elsewhere(AttemptCounts { firsts: 99, drawn: 19 });
        assert!(!budget.allows());
        budget.note_first();
        assert!(budget.allows());
        budget.draw();
        assert!(!budget.allows());
        assert_eq!(budget.made(), AttemptCounts { firsts: 1, drawn: 1 });
    }
}
