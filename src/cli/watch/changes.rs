//! What is different from the round before.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::io::{self, Write};
use std::sync::Arc;

use roundup::event_loop::unblock;
use roundup::{Kind, Outcome};

/// Contents beyond this are left out of what a hook is told.
const MOST_CONTENT_BYTES: u64 = 16 << 20;

/// How a source is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Its values, its rows, or without these its content.
    Value,
    /// It begins to fail.
    Failed,
    /// It succeeds again.
    Recovered,
}

impl Change {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Change::Value => "value",
            Change::Failed => "failed",
            Change::Recovered => "recovered",
        }
    }
}

/// Compares the outcomes of a round with those of the round before. Of each source it keeps 64 bits.
#[derive(Debug, Default)]
pub(super) struct ChangeTracker {
    known: HashMap<Arc<str>, KnownSource>,
    /// Whether values are compared, and not only success.
    compares_values: bool,
    /// The sources that have changed in this round.
    changed: Vec<(Change, Outcome)>,
    /// How many bytes of contents these hold.
    bytes: u64,
    keys: RandomState,
}

#[derive(Debug)]
struct KnownSource {
    is_failing: bool,
    /// A hash of what it gave when it last succeeded.
    print: Option<u64>,
    /// Whether it was in this round.
    is_current: bool,
}

impl ChangeTracker {
    /// Whether values are to be compared, from now on. Those of an earlier plan are no measure for those of this one.
    pub(super) fn begin_plan(&mut self, compares_values: bool) {
        self.compares_values = compares_values;
        self.known.values_mut().for_each(|known| known.print = None);
    }

    /// Notes an outcome. `is_left_out`: the source was not asked in this round.
    pub(super) async fn note(&mut self, outcome: Outcome, is_left_out: bool) -> Outcome {
        if is_left_out || was_not_asked(&outcome) {
            if let Some(known) = self.known.get_mut(&outcome.name) {
                known.is_current = true;
            }
            return outcome;
        }
        let is_failing = !outcome.ok();
        let (mut outcome, print) = match self.compares_values && !is_failing {
            true => {
                let hasher = self.keys.build_hasher();
                // It may be megabytes, and in a file.
                unblock(move || {
                    let print = print_of(&outcome, hasher);
                    (outcome, print)
                })
                .await
            }
            false => (outcome, None),
        };
        let before = self.known.get(&outcome.name);
        let change = match before.map(|before| (before.is_failing, before.print)) {
            Some((false, _)) if is_failing => Some(Change::Failed),
            Some((true, _)) if !is_failing => Some(Change::Recovered),
            Some((false, Some(before))) if print.is_some_and(|print| print != before) => Some(Change::Value),
            _ => None,
        };
        let print = print.or(before.and_then(|before| before.print));
        self.known.insert(outcome.name.clone(), KnownSource { is_failing, print, is_current: true });
        if let Some(change) = change {
            let body = outcome.body.take();
            let mut copy = outcome.clone();
            let length = body.as_ref().map_or(0, |body| body.len());
            if self.bytes + length <= MOST_CONTENT_BYTES {
                copy.body = body.clone();
                self.bytes += length;
            }
            outcome.body = body;
            self.changed.push((change, copy));
        }
        outcome
    }

    /// Notes an outcome that an earlier run had, if it is the first of its source: whether it failed is known, and what it
    /// gave is not.
    pub(super) fn note_kept(&mut self, outcome: &Outcome) {
        if !self.known.contains_key(&outcome.name) && !was_not_asked(outcome) {
            let known = KnownSource { is_failing: !outcome.ok(), print: None, is_current: true };
            self.known.insert(outcome.name.clone(), known);
        }
    }

    /// What has changed in the round that ends, in input order. Sources that it neither had nor left out are forgotten.
    pub(super) fn end_round(&mut self, is_left_out: impl Fn(&str) -> bool) -> Vec<(Change, Outcome)> {
        self.known.retain(|name, known| std::mem::take(&mut known.is_current) || is_left_out(name));
        self.bytes = 0;
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_by_key(|(_, outcome)| outcome.index);
        changed
    }
}

/// Whether this says nothing of the source: it was not asked, or not to the end.
fn was_not_asked(outcome: &Outcome) -> bool {
    outcome.error.as_ref().is_some_and(|failure| matches!(failure.kind, Kind::Cancelled | Kind::Skipped))
}

/// A hash of what a source gave: of its values and rows if it has any, otherwise of its content.
fn print_of(outcome: &Outcome, mut hasher: impl Hasher) -> Option<u64> {
    outcome.status.hash(&mut hasher);
    let mut hashed = HashWriter(&mut hasher);
    if outcome.data.is_some() || outcome.table.is_some() {
        serde_json::to_writer(&mut hashed, &(&outcome.data, &outcome.rows)).ok()?;
    } else if let Some(body) = &outcome.body {
        io::copy(&mut body.reader(), &mut hashed).ok()?;
    } else if let Some(file) = &outcome.body_file {
        io::copy(&mut File::open(file).ok()?, &mut hashed).ok()?;
    } else {
        outcome.body_bytes.hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// Writes into a hash.
struct HashWriter<'a, H>(&'a mut H);

impl<H: Hasher> Write for HashWriter<'_, H> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use roundup::event_loop::EventLoop;
    use roundup::{Body, Error, Failure};

    use super::*;

    fn ok(name: &str, content: &str) -> Outcome {
        Outcome {
            name: name.into(),
            status: Some(200),
            body: Some(Body::from(content.as_bytes().to_vec())),
            ..Outcome::default()
        }
    }

    fn failed(name: &str, kind: Kind) -> Outcome {
        Outcome { name: name.into(), error: Some(Failure::from(&Error::new(kind, "no"))), ..Outcome::default() }
    }

    /// What changes from round to round.
    fn changes(rounds: Vec<Vec<Outcome>>) -> Vec<Vec<String>> {
        let mut tracker = ChangeTracker::default();
        tracker.begin_plan(true);
        EventLoop::new().run(async {
            let mut all = Vec::new();
            for round in rounds {
                for outcome in round {
                    let _ = tracker.note(outcome, false).await;
                }
                let changed = tracker.end_round(|_| false);
                all.push(changed.iter().map(|(change, it)| format!("{} {}", it.name, change.as_str())).collect());
            }
            all
        })
    }

    #[test]
    fn the_first_round_is_no_change_and_then_each_transition_is_one_once() {
        let rounds = vec![
            vec![ok("a", "1"), failed("b", Kind::Connect)],
            vec![ok("a", "1"), failed("b", Kind::Connect)],
            vec![ok("a", "2"), ok("b", "1")],
            vec![failed("a", Kind::Status), ok("b", "1")],
            vec![failed("a", Kind::Timeout), ok("b", "1")],
            vec![ok("a", "2"), ok("b", "1")],
        ];
        let expected: [&[&str]; 6] = [&[], &[], &["a value", "b recovered"], &["a failed"], &[], &["a recovered"]];
        assert_eq!(changes(rounds), expected);
    }

    #[test]
    fn a_source_that_was_not_asked_or_is_new_has_not_changed() {
        let rounds = vec![
            vec![ok("a", "1")],
            vec![failed("a", Kind::Cancelled), ok("new", "1")],
            vec![failed("a", Kind::Skipped), ok("new", "1")],
            vec![ok("a", "2"), ok("new", "1")],
            // What is gone is forgotten.
            vec![ok("new", "1")],
            vec![ok("a", "3"), ok("new", "1")],
        ];
        let expected: [&[&str]; 6] = [&[], &[], &[], &["a value"], &[], &[]];
        assert_eq!(changes(rounds), expected);
    }

    /// As in a resumed run.
    #[test]
    fn what_an_earlier_run_had_is_where_it_begins() {
        let mut tracker = ChangeTracker::default();
        tracker.begin_plan(true);
        for outcome in [ok("good", "1"), failed("bad", Kind::Status), failed("skipped", Kind::Skipped)] {
            tracker.note_kept(&outcome);
        }
        assert_eq!(tracker.end_round(|_| false).len(), 0);
        EventLoop::new().run(async {
            for outcome in [ok("good", "2"), ok("bad", "1"), ok("skipped", "1")] {
                let _ = tracker.note(outcome, false).await;
            }
        });
        let changed = tracker.end_round(|_| false);
        let names: Vec<_> = changed.iter().map(|(change, outcome)| (&*outcome.name, *change)).collect();
        assert_eq!(names, [("bad", Change::Recovered)]);
    }

    #[test]
    fn after_another_plan_values_are_compared_from_the_next_round_on() {
        let mut tracker = ChangeTracker::default();
        tracker.begin_plan(true);
        EventLoop::new().run(async {
            for (content, changed) in [("1", 0), ("2", 0), ("3", 1)] {
                let _ = tracker.note(ok("a", content), false).await;
                assert_eq!(tracker.end_round(|_| false).len(), changed, "{content}");
                if content == "1" {
                    tracker.begin_plan(true);
                }
            }
        });
    }

    #[test]
    fn contents_for_hooks_have_a_bound() {
        let mut tracker = ChangeTracker::default();
        tracker.begin_plan(true);
        let large = |byte: &str| byte.repeat(10 << 20);
        EventLoop::new().run(async {
            for byte in ["a", "b"] {
                for name in ["1", "2"] {
                    let outcome = tracker.note(ok(name, &large(byte)), false).await;
                    assert!(outcome.body.is_some(), "the report still has it");
                }
                let kept = tracker.end_round(|_| false).iter().filter(|(_, outcome)| outcome.body.is_some()).count();
                assert_eq!(kept, usize::from(byte == "b"));
            }
        });
    }
}
