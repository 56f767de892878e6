//! How many requests at once a host takes, by how long they take. Pure: the caller brings the times.
//!
//! Up to its capacity, a host needs as long for each of several requests as for one alone; beyond it, they wait for each
//! other. So the limit is raised while a request takes about as long as if the host were unloaded, and lowered when it takes
//! longer. How long that is must not be learned from requests that wait for each other, or the limit climbs without end: the
//! longer they wait, the longer it seems right that they do. So it is measured at half of the limit, now and then, as TCP BBR
//! drains its path to measure the round trip.

use std::time::Instant;

/// A limit that begins with this doubles each round until something slows down.
const FIRST: u32 = 4;

/// Latency is judged by as many requests as are allowed at once, but no fewer than these.
const LEAST_IN_ROUND: u32 = 8;

/// So much more than unloaded shows that requests wait for each other: beyond what chance makes of it.
const TOLERATED: f64 = 1.2;

/// So many rounds lie between two measurements of the unloaded host.
const ROUNDS_BETWEEN: u32 = 24;

/// The most rounds that lie between two raises if those before were wrong.
const MOST_PATIENCE: u32 = 8;

/// A limit that is learned from latency.
#[derive(Clone, Debug)]
pub(super) struct AdaptiveLimit {
    limit: u32,
    stage: Stage,
    /// How long a request takes, in seconds, if none waits for another.
    unloaded: Option<f64>,
    round: Round,
    /// When more or fewer were allowed than before: requests that had begun by then say nothing of now.
    changed: Option<Instant>,
    /// How many rounds there are until the next measurement.
    until_measured: u32,
    /// The limit before it was raised, if nothing has shown yet whether that was right.
    raised_from: Option<u32>,
    /// How many rounds it waits with the next raise, and how many it will if that is wrong.
    waits: u32,
    patience: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is known: the limit doubles each round.
    Doubling,
    /// The limit is about right.
    Steady,
    /// Half of the limit is allowed, to see how long requests take that do not wait for each other.
    Measuring,
}

/// What was served since the limit was last judged.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    served: u32,
    /// How long all of it took, in seconds, and the sum of the squares.
    took: f64,
    squares: f64,
    /// Whether as many were running as may be.
    was_full: bool,
}

impl Round {
    fn mean(&self) -> f64 {
        self.took / f64::from(self.served)
    }

    /// How far the mean may be off by chance (the standard error of the mean).
    fn uncertainty(&self) -> f64 {
        let variance = (self.squares / f64::from(self.served) - self.mean().powi(2)).max(0.0);
        (variance / f64::from(self.served)).sqrt()
    }
}

impl AdaptiveLimit {
    /// It begins with what was found before, if anything was.
    pub(super) fn new(found: Option<u32>) -> AdaptiveLimit {
        AdaptiveLimit {
            limit: found.unwrap_or(FIRST),
            stage: if found.is_some() { Stage::Steady } else { Stage::Doubling },
            unloaded: None,
            round: Round::default(),
            changed: None,
            until_measured: 2,
            raised_from: None,
            waits: 0,
            patience: 1,
        }
    }

    /// The same, but no higher than this. What a host never gets is no limit to measure it at half of.
    pub(super) fn within(self, most: u32) -> AdaptiveLimit {
        let limit = self.limit.min(most);
        let raised_from = self.raised_from.filter(|before| *before < limit);
        AdaptiveLimit { limit, raised_from, ..self }
    }

    /// How many requests at once it allows now.
    pub(super) fn now_allowed(&self) -> u32 {
        match self.stage {
            Stage::Measuring => (self.limit / 2).max(1),
            Stage::Doubling | Stage::Steady => self.limit,
        }
    }

    /// How many requests at once the host was found to take, if any were judged. A raise that was not is no part of it.
    pub(super) fn found(&self) -> Option<u32> {
        self.unloaded.map(|_| self.raised_from.unwrap_or(self.limit))
    }

    /// As many are running as may be.
    pub(super) fn full(&mut self) {
        self.round.was_full = true;
    }

    /// The host has refused a request, so that refusals tell how many it takes.
    pub(super) fn refused(&mut self) {
        if self.stage == Stage::Doubling {
            (self.stage, self.until_measured) = (Stage::Steady, ROUNDS_BETWEEN);
        }
    }

    /// The host has served a request that was under way from the first time to the second. `most` is how many at once it may
    /// get by its other limits.
    pub(super) fn served(&mut self, (since, now): (Instant, Instant), most: u32) {
        if self.changed.is_some_and(|changed| since <= changed) {
            return;
        }
        let took = now.saturating_duration_since(since).as_secs_f64();
        let allowed = self.now_allowed();
        self.round.served += 1;
        self.round.took += took;
        self.round.squares += took * took;
        let least = if self.stage == Stage::Doubling { 1 } else { LEAST_IN_ROUND };
        if self.round.served < allowed.max(least) {
            return;
        }
        let round = std::mem::take(&mut self.round);
        self.judge(round, most);
        if self.now_allowed() != allowed {
            self.changed = Some(now);
        }
    }

    /// Changes the limit by what a round has shown.
    fn judge(&mut self, round: Round, most: u32) {
        let mean = round.mean();
        let unloaded = self.unloaded.unwrap_or(f64::INFINITY);
        let is_slow = mean - round.uncertainty() > unloaded * TOLERATED;
        if (mean + round.uncertainty()) * TOLERATED < unloaded && self.unloaded.is_some() {
            // The host has become faster by itself.
            self.unloaded = Some(mean);
        }
        match self.stage {
            Stage::Doubling if is_slow => {
                self.limit = (self.limit / 2).max(1);
                self.stage = Stage::Measuring;
            }
            Stage::Doubling => {
                self.unloaded = Some(mean);
                if round.was_full {
                    self.limit = self.limit.saturating_mul(2).min(most).max(self.limit);
                }
            }
            Stage::Measuring => self.measured(mean, mean + round.uncertainty() < unloaded * 0.75),
            Stage::Steady if self.unloaded.is_none() => self.unloaded = Some(mean),
            Stage::Steady if is_slow => self.lower(unloaded / mean),
            Stage::Steady if round.was_full => self.hold_or_raise(most),
            // With fewer than it may get, it has not shown whether it takes more.
            Stage::Steady => {}
        }
    }

    /// Half of the limit was allowed. If that made requests so much faster, even half of it may have been too much.
    fn measured(&mut self, mean: f64, fell: bool) {
        self.unloaded = Some(mean);
        self.raised_from = None;
        if fell && self.limit > 1 {
            self.limit /= 2;
        } else {
            self.stage = Stage::Steady;
            self.until_measured = ROUNDS_BETWEEN;
        }
    }

    /// Requests wait for each other: if the limit was just raised, that was wrong; otherwise the host takes fewer than it
    /// did. If it is slow even with one, it has become slow by itself, and all is to be learned anew.
    fn lower(&mut self, ratio: f64) {
        if let Some(before) = self.raised_from.take() {
            self.limit = before;
            self.patience = (self.patience * 2).min(MOST_PATIENCE);
        } else {
            self.limit = ((f64::from(self.limit) * ratio.max(0.5)) as u32).max(1);
            if self.limit == 1 {
                (self.stage, self.unloaded) = (Stage::Doubling, None);
            }
        }
        self.waits = self.patience;
    }

    fn hold_or_raise(&mut self, most: u32) {
        if self.raised_from.take().is_some() {
            self.patience = 1;
        }
        self.until_measured = self.until_measured.saturating_sub(1);
        if self.until_measured == 0 {
            self.stage = Stage::Measuring;
        } else if self.waits > 0 {
            self.waits -= 1;
        } else {
            let before = self.limit;
            let more = (before.isqrt() / self.patience).max(1);
            self.limit = before.saturating_add(more).min(most).max(before);
            self.raised_from = Some(before).filter(|before| *before < self.limit);
        }
    }
}
