//! The parts of a bar, and the axis that they lie on. Times are milliseconds from the start of the run.

use std::time::Duration;

use crate::milliseconds::fractional_ms;
use crate::outcome::{Attempt, Outcome};

/// A stretch of time in the life of a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment {
    pub(super) part: Part,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// What was done in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Queue,
    Backoff,
    Pause,
    Dns,
    Connect,
    Tls,
    FirstByte,
    Body,
    Failed,
}

impl Part {
    pub(super) const ALL: [Part; 9] = [
        Part::Queue,
        Part::Dns,
        Part::Connect,
        Part::Tls,
        Part::FirstByte,
        Part::Body,
        Part::Failed,
        Part::Backoff,
        Part::Pause,
    ];

    /// The class of its rectangle.
    pub(super) fn class(self) -> &'static str {
        match self {
            Part::Queue => "q",
            Part::Backoff => "b",
            Part::Pause => "p",
            Part::Dns => "d",
            Part::Connect => "c",
            Part::Tls => "t",
            Part::FirstByte => "f",
            Part::Body => "r",
            Part::Failed => "x",
        }
    }

    /// Where its rectangle begins below the top of the row, and how high it is. The patterns of the thin ones are as high.
    pub(super) fn extent(self) -> (u32, u32) {
        match self {
            Part::Queue => (6, 2),
            Part::Backoff => (6, 3),
            Part::Pause => (5, 6),
            Part::Dns | Part::Connect | Part::Tls => (3, 10),
            Part::FirstByte => (4, 8),
            Part::Body => (2, 12),
            Part::Failed => (3, 10),
        }
    }

    /// Its name in a few words.
    pub(super) fn short(self) -> &'static str {
        match self {
            Part::Queue => "queue",
            Part::Backoff => "wait",
            Part::Pause => "pause",
            Part::Dns => "dns",
            Part::Connect => "connect",
            Part::Tls => "tls",
            Part::FirstByte => "first byte",
            Part::Body => "content",
            Part::Failed => "failed attempt",
        }
    }

    /// What it means, for the legend.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Part::Queue => "in the queue",
            Part::Backoff => "wait before a retry",
            Part::Pause => "pause that the server asked for",
            Part::Dns => "looking up the name",
            Part::Connect => "connecting",
            Part::Tls => "TLS handshake",
            Part::FirstByte => "waiting for the answer",
            Part::Body => "receiving content",
            Part::Failed => "attempt that failed",
        }
    }
}

/// The parts of a source, in order of time.
pub(super) fn segments(outcome: &Outcome) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut push = |part: Part, from: f64, to: f64| {
        if to > from {
            segments.push(Segment { part, from: from.max(0.0), to });
        }
    };
    let timings = &outcome.timings;
    let queue = fractional_ms(timings.queue);
    let Some((last, before)) = outcome.attempts.split_last() else {
        push(Part::Queue, 0.0, queue);
        return segments;
    };
    let mut end = fractional_ms(outcome.attempts[0].started) - queue;
    let mut refused = false;
    for attempt in &outcome.attempts {
        let started = fractional_ms(attempt.started);
        let waited = attempt.waited.map_or(0.0, fractional_ms).min(started - end).max(0.0);
        push(if refused { Part::Pause } else { Part::Backoff }, end, end + waited);
        // What is left of the time until the attempt began was spent waiting for a permit.
        push(Part::Queue, end + waited, started);
        end = started + fractional_ms(attempt.total);
        refused = attempt.status == Some(429);
    }
    for attempt in before {
        let started = fractional_ms(attempt.started);
        push(Part::Failed, started, started + fractional_ms(attempt.total));
    }
    let (mut at, end) = (fractional_ms(last.started), end);
    let phases = [
        (Part::Dns, timings.dns),
        (Part::Connect, timings.connect),
        (Part::Tls, timings.tls),
        (Part::FirstByte, timings.first_byte),
        (Part::Body, timings.body),
    ];
    for (part, time) in phases {
        let to = (at + time.map_or(0.0, fractional_ms)).min(end);
        push(part, at, to);
        at = at.max(to);
    }
    // The rest belongs to the phase that did not end.
    push(if last.error.is_some() { Part::Failed } else { Part::FirstByte }, at, end);
    segments.sort_by(|one, other| one.from.total_cmp(&other.from));
    segments
}

/// The most requests that were under way at once in each of some equal steps of the axis.
pub(super) fn in_flight(axis: &Axis, outcomes: &[Outcome]) -> Vec<u32> {
    let attempts = outcomes.iter().flat_map(|outcome| &outcome.attempts);
    let ends = |attempt: &Attempt| [(attempt.started, 1), (attempt.started + attempt.total, -1)];
    let mut changes: Vec<(Duration, i32)> = attempts.flat_map(ends).collect();
    // One that ends makes room for one that begins at the same moment.
    changes.sort_unstable();
    let mut counts = vec![0; STEPS];
    let (mut now, mut reached) = (0_i32, 0);
    for (time, change) in changes {
        let step = ((axis.percent(fractional_ms(time)) / 100.0 * STEPS as f64) as usize).min(STEPS - 1);
        for count in &mut counts[reached..step] {
            *count = now.max(*count);
        }
        reached = reached.max(step);
        counts[step] = now.max(counts[step]);
        now += change;
        counts[step] = now.max(counts[step]);
    }
    counts.into_iter().map(|count| u32::try_from(count).unwrap_or(0)).collect()
}

/// The time of the run, from left to right.
pub(super) struct Axis {
    end: f64,
    /// From one mark to the next.
    pub(super) step: f64,
}

impl Axis {
    pub(super) fn new(elapsed: Duration, outcomes: &[Outcome]) -> Axis {
        let ends = outcomes.iter().flat_map(|outcome| &outcome.attempts).map(|attempt| attempt.started + attempt.total);
        let end = fractional_ms(ends.max().unwrap_or_default().max(elapsed)).max(1.0);
        let steps = (-3..12).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
        let step = steps.into_iter().find(|step| end / step <= MOST_MARKS).unwrap_or(end);
        Axis { end, step }
    }

    /// Where this time is, in percent of the axis.
    pub(super) fn percent(&self, ms: f64) -> f64 {
        (ms / self.end * 100.0).clamp(0.0, 100.0)
    }

    /// The marks: where they are in percent, and what stands there.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let marks = (0..=MOST_MARKS as u32).map(|number| f64::from(number) * self.step);
        let label = |ms: f64| {
            if self.step < 500.0 && self.end < 10_000.0 { format!("{ms} ms") } else { format!("{} s", ms / 1000.0) }
        };
        marks.take_while(|ms| *ms <= self.end).map(|ms| (self.percent(ms), label(ms))).collect()
    }
}

/// How many marks the axis has at most, beside that at its start.
const MOST_MARKS: f64 = 6.0;

/// In how many steps requests under way are counted.
const STEPS: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::outcome::{Failure, Timings};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn attempt(started: u64, total: u64, status: u16, waited: Option<u64>) -> Attempt {
        let failure = || Failure { kind: Kind::Status, phase: None, message: "status".into(), retry_at: None };
        let error = (status > 399).then(failure);
        let (started, total, waited) = (ms(started), ms(total), waited.map(ms));
        Attempt {
            started,
            total,
            status: Some(status),
            address: None,
            reused: false,
            url: None,
            waited,
            cache: None,
            phases: None,
            error,
        }
    }

    #[test]
    fn attempts_waits_and_pauses_are_parts_of_their_own() {
        let timings = Timings {
            queue: ms(10),
            dns: Some(ms(2)),
            connect: Some(ms(3)),
            first_byte: Some(ms(20)),
            body: Some(ms(5)),
            total: ms(200),
            ..Timings::default()
        };
        let attempts =
            vec![attempt(10, 20, 429, None), attempt(100, 10, 503, Some(60)), attempt(150, 40, 200, Some(40))];
        let outcome = Outcome { attempts, timings, ..Outcome::default() };
        let parts: Vec<(Part, f64, f64)> = segments(&outcome).iter().map(|it| (it.part, it.from, it.to)).collect();
        assert_eq!(
            parts,
            [
                (Part::Queue, 0.0, 10.0),
                (Part::Failed, 10.0, 30.0),
                (Part::Pause, 30.0, 90.0),
                (Part::Queue, 90.0, 100.0),
                (Part::Failed, 100.0, 110.0),
                (Part::Backoff, 110.0, 150.0),
                (Part::Dns, 150.0, 152.0),
                (Part::Connect, 152.0, 155.0),
                (Part::FirstByte, 155.0, 175.0),
                (Part::Body, 175.0, 180.0),
                (Part::FirstByte, 180.0, 190.0),
            ]
        );
        let axis = Axis::new(ms(240), std::slice::from_ref(&outcome));
        assert_eq!(
            axis.ticks().iter().map(|(_, label)| &**label).collect::<Vec<_>>(),
            ["0 ms", "50 ms", "100 ms", "150 ms", "200 ms"]
        );
        let counts = in_flight(&axis, &[outcome.clone(), outcome]);
        assert_eq!((counts[5], counts[15], counts[50], counts[160], counts[239]), (0, 2, 0, 2, 0));
    }

    #[test]
    fn what_was_never_tried_waited() {
        let outcome = Outcome { timings: Timings { queue: ms(7), ..Timings::default() }, ..Outcome::default() };
        assert_eq!(segments(&outcome), [Segment { part: Part::Queue, from: 0.0, to: 7.0 }]);
        assert_eq!(segments(&Outcome::default()), []);
        assert_eq!(Axis::new(Duration::ZERO, &[]).ticks().len(), 6);
    }
}
