//! What the end of a job gives to the jobs that need it.

use std::sync::Arc;

use super::values::JobValue;
use crate::http::REDACTED;
use crate::job::Job;
use crate::outcome::{Failure, Outcome};
use crate::rows::{Cell, Record, Rows};

/// The values of one outcome.
pub(super) struct Captured {
    data: Record,
    secret: Vec<Box<str>>,
    base: Option<Arc<str>>,
}

impl Captured {
    /// Takes the values; those that are secret are hidden in the outcome. `url` is that of the request.
    pub(super) fn take(outcome: &mut Outcome, secret: &[Box<str>], url: Arc<str>) -> Captured {
        let data = outcome.data.clone().unwrap_or_default();
        for name in secret {
            if let Some(data) = outcome.data.as_mut().filter(|data| data.get(name).is_some()) {
                data.set(name.clone(), Cell::from(REDACTED));
            }
        }
        hide(&mut outcome.rows, secret);
        let base = outcome.final_url.as_deref().map_or(url, Arc::from);
        Captured { data, secret: secret.to_vec(), base: Some(base) }
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
