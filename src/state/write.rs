//! One outcome into its rows. What holds a secret is not written, and its job runs again when the run is resumed.

use std::borrow::Cow;

use rusqlite::{CachedStatement, Connection, Result, params};

use super::job_keys::JobKey;
use super::stored_record::record_text;
use super::write_cache::{WrittenBodies, insert_body};
use crate::body::Body;
use crate::http::REDACTED;
use crate::job_id::JobDigest;
use crate::outcome::{Outcome, ResponseField};
use crate::redact::Redactor;
use crate::redacted;
use crate::rows::Rows;

/// Fields in which servers send what lets others in.
const SECRET_FIELDS: [&str; 4] = ["set-cookie", "set-cookie2", "authentication-info", "proxy-authentication-info"];

/// Writes outcomes of a run, in one transaction.
pub(super) struct OutcomeWriter<'a> {
    pub(super) connection: &'a Connection,
    /// Made by [`prepare`]: to look for a statement among those that are prepared takes a tenth of what it does.
    pub(super) insert: CachedStatement<'a>,
    pub(super) run: i64,
    /// When they are committed.
    pub(super) ended: &'a str,
    pub(super) redactor: &'a Redactor,
    /// The size up to which contents are written, if they are, and which are written already.
    pub(super) contents: Option<(u64, &'a WrittenBodies)>,
}

/// What an outcome is known by whose job is not known.
pub(super) fn key_of(outcome: &Outcome, redactor: &Redactor) -> JobKey {
    let name = redacted::text(redactor, &outcome.name).into();
    JobKey { name, digest: outcome.digest.unwrap_or_else(|| JobDigest::of([])), settings: JobDigest::of([]) }
}

// `replace` has SQLite keep a copy of each page before it writes, in case it must undo the removal of a row. Mostly there is
// none to remove, and `or ignore` takes half of the time.
macro_rules! into_records {
    ($verb:literal) => {
        concat!(
            $verb,
            " into outcome_records (run, place, name, digest, settings, ended, ok, whole, record)",
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
    };
}

/// The statement by which outcomes are written.
pub(super) fn prepare(connection: &Connection) -> Result<CachedStatement<'_>> {
    connection.prepare_cached(into_records!("insert or ignore"))
}

impl OutcomeWriter<'_> {
    /// Writes an outcome, in place of the one that its run has of this job.
    pub(super) fn write(&mut self, key: &JobKey, outcome: &mut Outcome) -> Result<()> {
        // Contents and rows have tables of their own.
        let (body, rows) = (outcome.body.take(), std::mem::take(&mut outcome.rows));
        let written = self.write_parts(key, outcome, body.as_ref(), &rows);
        (outcome.body, outcome.rows) = (body, rows);
        written
    }

    fn write_parts(&mut self, key: &JobKey, outcome: &Outcome, body: Option<&Body>, rows: &[Rows]) -> Result<()> {
        let (connection, redactor) = (self.connection, self.redactor);
        let data_is_open = outcome.data.as_ref().is_none_or(|data| is_open(redactor, || serde_json::to_string(data)));
        let record = record(outcome, redactor, data_is_open);
        let rows_are_open = rows.is_empty() || is_open(redactor, || serde_json::to_string(rows));
        // A content that is too large to be kept, or cannot be read, is fetched again when it is needed.
        let content = body.zip(self.contents).filter(|(body, (most, _))| body.len() <= *most);
        let content = content.and_then(|(body, (_, written))| Some((body, body.read().ok()?, written)));
        let body_is_open =
            content.as_ref().is_none_or(|(_, bytes, _)| matches!(redactor.redact_bytes(bytes), Cow::Borrowed(_)));
        self.put(key, outcome, data_is_open && rows_are_open && body_is_open, &record)?;
        let id = connection.last_insert_rowid();
        if let Some((body, bytes, written)) = content.as_ref().filter(|_| body_is_open) {
            let number = match written.number(connection, body)? {
                Some(number) => number,
                None => insert_body(connection, bytes)?,
            };
            let insert = "insert into outcome_bodies (outcome, body) values (?, ?)";
            connection.prepare_cached(insert)?.execute([id, number])?;
        }
        if rows_are_open { insert_rows(connection, id, rows) } else { Ok(()) }
    }

    /// Writes the row of an outcome, in place of the one that is there.
    fn put(&mut self, key: &JobKey, outcome: &Outcome, whole: bool, record: &str) -> Result<()> {
        let JobKey { name, digest, settings } = key;
        let values = params![
            self.run,
            i64::try_from(outcome.index).unwrap_or(i64::MAX),
            &**name,
            digest.as_bytes(),
            settings.as_bytes(),
            self.ended,
            outcome.ok(),
            whole,
            record,
        ];
        if self.insert.execute(values)? == 0 {
            self.connection.prepare_cached(into_records!("replace"))?.execute(values)?;
        }
        Ok(())
    }
}

fn insert_rows(connection: &Connection, outcome: i64, sets: &[Rows]) -> Result<()> {
    for (number, set) in sets.iter().enumerate() {
        let columns = json(&*set.columns);
        let insert = "insert into row_sets (outcome, number, name, columns) values (?, ?, ?, ?)";
        connection.prepare_cached(insert)?.execute(params![outcome, number_of(number), &*set.table, columns])?;
        let id = connection.last_insert_rowid();
        let mut insert = connection.prepare_cached("insert into rows (row_set, number, cells) values (?, ?, ?)")?;
        for (number, row) in set.rows.iter().enumerate() {
            let mut cells = String::from("{");
            for (column, cell) in set.columns.iter().zip(row) {
                if cells.len() > 1 {
                    cells.push(',');
                }
                cells.push_str(&json(column));
                cells.push(':');
                cells.push_str(&cell.to_json());
            }
            cells.push('}');
            insert.execute(params![id, number_of(number), cells])?;
        }
    }
    Ok(())
}

fn number_of(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The outcome as serde writes it, secrets hidden.
fn record(outcome: &Outcome, redactor: &Redactor, data_is_open: bool) -> String {
    let has_secret_fields =
        outcome.fields.as_ref().is_some_and(|fields| fields.iter().any(|field| is_secret(redactor, field)));
    let is_plain = |text: &str| matches!(redacted::text(redactor, text), Cow::Borrowed(_));
    let urls = outcome.attempts.iter().filter_map(|attempt| attempt.url.as_deref()).chain(outcome.final_url.as_deref());
    let failures = outcome.attempts.iter().filter_map(|attempt| attempt.error.as_ref()).chain(&outcome.error);
    let failures = failures.chain(outcome.stale.as_ref().map(|stale| &stale.error));
    let texts = urls.chain(failures.map(|failure| &*failure.message)).chain([&*outcome.url]);
    let name = (outcome.name != outcome.url).then_some(&*outcome.name);
    let mut texts = texts.chain(name);
    if redactor.is_empty() && !has_secret_fields && texts.all(is_plain) {
        return record_text(outcome);
    }
    let text = |text: &str| redacted::text(redactor, text).into_owned();
    let mut hidden = Outcome { data: None, fields: None, ..outcome.clone() };
    hidden.name = text(&hidden.name).into();
    hidden.url = text(&hidden.url).into();
    hidden.final_url = hidden.final_url.map(|url| text(&url).into());
    hidden.content_type = hidden.content_type.map(|value| redactor.redact_received(&value).into());
    hidden.attempts.iter_mut().for_each(|attempt| *attempt = redacted::attempt(redactor, attempt).into_owned());
    hidden.error = hidden.error.map(|failure| redacted::failure(redactor, &failure).into_owned());
    hidden.stale = hidden.stale.map(|stale| redacted::stale(redactor, &stale).into_owned());
    hidden.data = outcome.data.clone().filter(|_| data_is_open);
    hidden.fields = outcome.fields.as_ref().map(|fields| {
        let shown = |field: &ResponseField| match is_secret(redactor, field) {
            true => ResponseField { name: field.name.clone(), value: REDACTED.as_bytes().into() },
            false => field.clone(),
        };
        fields.iter().map(shown).collect()
    });
    record_text(&hidden)
}

fn is_secret(redactor: &Redactor, field: &ResponseField) -> bool {
    SECRET_FIELDS.iter().any(|name| field.name.eq_ignore_ascii_case(name))
        || matches!(redactor.redact_bytes(&field.value), Cow::Owned(_))
}

/// Whether there is no secret in what this writes.
fn is_open(redactor: &Redactor, text: impl FnOnce() -> serde_json::Result<String>) -> bool {
    redactor.is_empty() || text().is_ok_and(|text| matches!(redactor.redact_received(&text), Cow::Borrowed(_)))
}

/// Plain data as JSON. serde can write all of it.
fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
