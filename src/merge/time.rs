//! The times of several runs as those of one.

use std::time::SystemTime;

use super::part::ResultPart;
use crate::report::RunInfo;

/// What is said of all runs together. Attempts are counted from the first start.
pub(super) fn together(parts: &mut [ResultPart]) -> RunInfo {
    let knows_start = |part: &&ResultPart| part.run.start_text().is_some();
    let starts = parts.iter().filter(knows_start).map(|part| part.run.started);
    let started = starts.min().unwrap_or(SystemTime::UNIX_EPOCH);
    let mut run = RunInfo { started, ..RunInfo::default() };
    for part in parts {
        // Clocks of machines differ a little; one that is not known is taken to have begun with the first.
        let later = part.run.started.duration_since(started).unwrap_or_default();
        for outcome in &mut part.outcomes {
            for attempt in &mut outcome.attempts {
                attempt.started = attempt.started.saturating_add(later);
            }
        }
        run.elapsed = run.elapsed.max(later.saturating_add(part.run.elapsed));
        run.interrupted |= part.run.interrupted;
        run.title = run.title.or_else(|| part.run.title.clone());
    }
    run
}
