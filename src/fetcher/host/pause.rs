//! A pause that a server asked for. Pure: the caller brings the time.

use std::time::Instant;

/// Until when nothing may start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pause {
    until: Option<Instant>,
}

impl Pause {
    /// Pauses until then. A later end that was set before stays.
    pub(super) fn extend(&mut self, until: Instant) {
        self.until = self.until.max(Some(until));
    }

    /// When the pause ends, if there is one now.
    pub(super) fn wait_until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_latest_end_holds() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut pause = Pause::default();
        assert_eq!(pause.wait_until(now), None);
        pause.extend(at(5));
        pause.extend(at(2));
        assert_eq!((pause.wait_until(at(4)), pause.wait_until(at(5))), (Some(at(5)), None));
    }
}
