//! What the end of a job gives to the jobs that need it.

use std::sync::Arc;

use super::values::JobValue;
use crate::body::HeldMemory;
use crate::http::REDACTED;
use crate::job::Job;
use crate::outcome::{Failure, Outcome};
use crate::rows::{Cell, Record, Rows};

/// The values of one outcome.
pub(super) struct Captured {
    data: Record,
    secret: Vec<Box<str>>,
    base: Option<Arc<str>>,
    /// What they take of the memory of the run.
    _held: HeldMemory,
}

impl Captured {
    /// Takes the values if they are needed; those that are secret are hidden in the outcome. `url` is that of the request.
    pub(super) fn take(outcome: &mut Outcome, secret: &[Box<str>], url: Arc<str>, is_needed: bool) -> Captured {
        let is_needed = is_needed || !secret.is_empty();
        let data = outcome.data.as_ref().filter(|_| is_needed).cloned().unwrap_or_default();
        let held = outcome.held.for_copy(data.heap_bytes());
        for name in secret {
            if let Some(data) = outcome.data.as_mut().filter(|data| data.get(name).is_some()) {
                data.set(name.clone(), Cell::from(REDACTED));
            }
        }
        hide(&mut outcome.rows, secret);
        let base = outcome.final_url.as_deref().map_or(url, Arc::from);
        Captured { data, secret: secret.to_vec(), base: Some(base), _held: held }
    }

    /// The value of this name.
    pub(super) fn value(&self, name: &str) -> Option<JobValue> {
        let cell = self.data.get(name)?.clone();
        let secret = self.secret.iter().any(|secret| **secret == *name);
        Some(JobValue { cell, base: self.base.clone(), secret })
    }

    /// The URL that the response came from.
    pub(super) fn base(&self) -> Option<Arc<str>> {
        self.base.clone()
    }

    /// The values that must not be shown.
    pub(super) fn secrets(&self) -> Vec<String> {
        let values = self.secret.iter().filter_map(|name| self.data.get(name));
        values.flat_map(leaves).collect()
    }
}

/// Hides the values in these rows that must not be shown.
pub(super) fn hide(rows: &mut [Rows], secret: &[Box<str>]) {
    for rows in rows {
        let places: Vec<usize> = secret_places(rows, secret).collect();
        for row in &mut rows.rows {
            for place in &places {
                if let Some(cell) = row.get_mut(*place).filter(|cell| !cell.is_null()) {
                    *cell = Cell::from(REDACTED);
                }
            }
        }
    }
}

/// The values in these rows that must not be shown.
pub(super) fn secrets_of(rows: &[Rows], secret: &[Box<str>]) -> Vec<String> {
    rows.iter().flat_map(|rows| secret_cells(rows, secret)).collect()
}

fn secret_cells(rows: &Rows, secret: &[Box<str>]) -> Vec<String> {
    let places: Vec<usize> = secret_places(rows, secret).collect();
    let cells = rows.rows.iter().flat_map(|row| places.iter().filter_map(|place| row.get(*place)));
    cells.flat_map(leaves).collect()
}

fn secret_places<'a>(rows: &'a Rows, secret: &'a [Box<str>]) -> impl Iterator<Item = usize> + 'a {
    let columns = rows.columns.iter().enumerate();
    columns.filter(|(_, column)| secret.contains(column)).map(|(place, _)| place)
}

/// The text of a value, and of an array or an object everything in it: a server may write it with other blanks.
fn leaves(cell: &Cell) -> Vec<String> {
    let mut all = vec![cell.as_text().into_owned()];
    let Cell::Json(json) = cell else { return all };
    let mut values: Vec<serde_json::Value> = serde_json::from_str(json).into_iter().collect();
    while let Some(value) = values.pop() {
        match value {
            serde_json::Value::Array(items) => values.extend(items),
            serde_json::Value::Object(members) => values.extend(members.into_iter().map(|(_, value)| value)),
            serde_json::Value::String(text) => all.push(text),
            serde_json::Value::Number(number) => all.push(number.to_string()),
            serde_json::Value::Null | serde_json::Value::Bool(_) => {}
        }
    }
    all
}

/// The outcome of a job that was not sent.
pub(super) fn skipped(index: usize, job: &Job, failure: Failure) -> Outcome {
    let (name, url) = (job.name().into(), job.written_url().into());
    let table = job.settings().table_of_rows().map(Box::from);
    Outcome { index, name, url, table, error: Some(failure), ..Outcome::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::MemoryBudget;

    /// They are there until the run ends, although the outcome was written and dropped.
    #[test]
    fn what_others_need_is_held_by_the_memory_of_the_run() {
        let budget = MemoryBudget::new(1 << 20, || Err(std::io::ErrorKind::Unsupported.into()));
        let used = || format!("{budget:?}").split(['(', ' ']).nth(1).and_then(|used| used.parse::<usize>().ok());
        let outcome = || {
            let data = Record::from_iter([("token", Cell::from(&*"x".repeat(1000)))]);
            let mut reserved = budget.reservation();
            assert!(reserved.resize(data.heap_bytes() as u64));
            Outcome { data: Some(data), held: HeldMemory::new(reserved), ..Outcome::default() }
        };
        let mut one = outcome();
        let of_outcome = used();
        let captured = Captured::take(&mut one, &[], "http://a/".into(), true);
        assert_eq!(captured.value("token").map(|value| value.cell.as_text().len()), Some(1000));
        assert_eq!(used(), of_outcome.map(|bytes| 2 * bytes));
        drop(one);
        assert_eq!(used(), of_outcome);
        drop(captured);
        assert_eq!(used(), Some(0));
        // What is not asked for is not copied, unless it has to be hidden.
        let mut one = outcome();
        let captured = Captured::take(&mut one, &[], "http://a/".into(), false);
        assert_eq!((captured.value("token"), used()), (None, of_outcome));
        assert!(!Captured::take(&mut one, &["token".into()], "http://a/".into(), false).secrets().is_empty());
    }
}
