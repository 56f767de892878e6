//! What is different from the round before.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::io::{self, Write};
use std::sync::Arc;

use roundup::event_loop::unblock;
use roundup::{Failure, Kind, Outcome};

/// Contents, values and rows beyond this are left out of what a hook is told.
const MOST_BYTES: u64 = 16 << 20;

/// How a source is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Its values, its rows, or without these its content.
    Value,
    /// It begins to fail, or to have its last good content in place of a failure.
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

/// Which changes a hook is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ToldChanges {
    /// There is no hook.
    #[default]
    None,
    /// Those of sources that begin to fail.
    Failures,
    /// Also those of values, which are compared only then.
    All,
}

/// Compares the outcomes of a round with those of the round before. Of each source it keeps 64 bits.
#[derive(Debug, Default)]
pub(super) struct ChangeTracker {
    known: HashMap<Arc<str>, KnownSource>,
    told: ToldChanges,
    /// The sources that have changed in this round, if a hook is told of them.
    changed: Vec<(Change, Outcome)>,
    /// How many bytes of contents, values and rows these hold.
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
    /// Which changes a hook is told of from now on. Values of an earlier plan are no measure for those of this one.
    pub(super) fn begin_plan(&mut self, told: ToldChanges) {
        self.told = told;
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
        let is_failing = failure(&outcome).is_some();
        let (mut outcome, print) = match self.told == ToldChanges::All && !is_failing {
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
        let told = self.told;
        let is_told =
            |change: &Change| told == ToldChanges::All || told == ToldChanges::Failures && *change == Change::Failed;
        if let Some(change) = change.filter(is_told) {
            let left = MOST_BYTES - self.bytes;
            let (copy, bytes);
            (outcome, copy, bytes) = unblock(move || copy_within(outcome, left)).await;
            self.bytes += bytes;
            self.changed.push((change, copy));
        }
        outcome
    }

    /// Notes an outcome that an earlier run had, if it is the first of its source: whether it failed is known, and what it
    /// gave is not.
    pub(super) fn note_kept(&mut self, outcome: &Outcome) {
        if !self.known.contains_key(&outcome.name) && !was_not_asked(outcome) {
            let known = KnownSource { is_failing: failure(outcome).is_some(), print: None, is_current: true };
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

/// How the source has failed, whether or not its last good content stands in place of the failure.
fn failure(outcome: &Outcome) -> Option<&Failure> {
    outcome.error.as_ref().or_else(|| outcome.stale.as_ref().map(|stale| &stale.error))
}

/// Whether this says nothing of the source: it was not asked, or not to the end.
fn was_not_asked(outcome: &Outcome) -> bool {
    failure(outcome).is_some_and(|failure| matches!(failure.kind, Kind::Cancelled | Kind::Skipped))
}

/// The outcome, a copy of it that holds at most so many bytes of content, values and rows, and how many it holds.
fn copy_within(mut outcome: Outcome, most: u64) -> (Outcome, Outcome, u64) {
    let (body, data, rows) = (outcome.body.take(), outcome.data.take(), std::mem::take(&mut outcome.rows));
    let mut copy = outcome.clone();
    let mut bytes = body.as_ref().map_or(0, |body| body.len());
    if bytes <= most {
        copy.body = body.clone();
    } else {
        bytes = 0;
    }
    let mut counted = CountedBytes { count: 0, most: most - bytes };
    // Beyond the bound it is not counted to its end.
    if serde_json::to_writer(&mut counted, &(&data, &rows)).is_ok() {
        bytes += counted.count;
        (copy.data, copy.rows) = (data.clone(), rows.clone());
    }
    (outcome.body, outcome.data, outcome.rows) = (body, data, rows);
    (outcome, copy, bytes)
}

/// Counts what is written, and takes no more than so much.
struct CountedBytes {
    count: u64,
    most: u64,
}

impl Write for CountedBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.count += bytes.len() as u64;
        if self.count > self.most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
    use roundup::{Body, Error, Failure, Stale};

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
        tracker.begin_plan(ToldChanges::All);
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
        tracker.begin_plan(ToldChanges::All);
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
        tracker.begin_plan(ToldChanges::All);
        EventLoop::new().run(async {
            for (content, changed) in [("1", 0), ("2", 0), ("3", 1)] {
                let _ = tracker.note(ok("a", content), false).await;
                assert_eq!(tracker.end_round(|_| false).len(), changed, "{content}");
                if content == "1" {
                    tracker.begin_plan(ToldChanges::All);
                }
            }
        });
    }

    #[test]
    fn a_source_whose_last_content_hides_a_failure_fails_and_recovers() {
        let stale = |name: &str, kind| Outcome {
            stale: Some(Stale { age_s: 1, error: failed(name, kind).error.expect("it failed") }),
            ..ok(name, "1")
        };
        let rounds = vec![
            vec![ok("a", "1"), stale("b", Kind::Connect)],
            vec![stale("a", Kind::Status), stale("b", Kind::Connect)],
            // Its host is not asked: nothing is known of it.
            vec![stale("a", Kind::Skipped), ok("b", "1")],
            vec![failed("a", Kind::Status), ok("b", "1")],
            vec![ok("a", "1"), stale("b", Kind::Cancelled)],
        ];
        let expected: [&[&str]; 5] = [&[], &["a failed"], &["b recovered"], &[], &["a recovered"]];
        assert_eq!(changes(rounds), expected);
    }

    #[test]
    fn nothing_is_copied_that_no_hook_is_told_of() {
        for (told, copies) in [(ToldChanges::None, 0), (ToldChanges::Failures, 1), (ToldChanges::All, 2)] {
            let mut tracker = ChangeTracker::default();
            tracker.begin_plan(told);
            EventLoop::new().run(async {
                for outcome in [ok("a", "1"), failed("b", Kind::Status), failed("a", Kind::Status), ok("b", "1")] {
                    let _ = tracker.note(outcome, false).await;
                }
            });
            assert_eq!(tracker.end_round(|_| false).len(), copies, "{told:?}");
        }
    }

    #[test]
    fn values_and_rows_for_hooks_have_the_same_bound() {
        let rows = |megabytes: usize| {
            let cell = roundup::rows::Cell::from("x".repeat(1 << 20).as_str());
            let columns = vec!["c".into()].into();
            vec![roundup::rows::Rows { table: "t".into(), columns, rows: vec![vec![cell]; megabytes] }]
        };
        let mut tracker = ChangeTracker::default();
        tracker.begin_plan(ToldChanges::All);
        EventLoop::new().run(async {
            for name in ["1", "2", "3"] {
                let _ = tracker.note(failed(name, Kind::Status), false).await;
            }
            tracker.end_round(|_| false);
            for (name, megabytes) in [("1", 10), ("2", 10), ("3", 5)] {
                let outcome = Outcome { rows: rows(megabytes), ..ok(name, "small") };
                let outcome = tracker.note(outcome, false).await;
                assert_eq!(outcome.rows[0].rows.len(), megabytes, "the report still has them");
            }
        });
        let changed = tracker.end_round(|_| false);
        let kept: Vec<usize> =
            changed.iter().map(|(_, it)| it.rows.first().map_or(0, |rows| rows.rows.len())).collect();
        assert_eq!(kept, [10, 0, 5]);
        assert!(changed.iter().all(|(_, outcome)| outcome.body.is_some()));
    }

    #[test]
    fn contents_for_hooks_have_a_bound() {
        let mut tracker = ChangeTracker::default();
        tracker.begin_plan(ToldChanges::All);
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
