//! One outcome into its rows. What holds a secret is not written, and its job runs again when the run is resumed.

use std::borrow::Cow;

use rusqlite::{Connection, Result, params};

use super::job_keys::JobKey;
use super::write_cache::{WrittenBodies, insert_body};
use crate::http::REDACTED;
use crate::job_id::JobDigest;
use crate::outcome::{Outcome, ResponseField};
use crate::redact::Redactor;
use crate::redacted;

/// Fields in which servers send what lets others in.
const SECRET_FIELDS: [&str; 4] = ["set-cookie", "set-cookie2", "authentication-info", "proxy-authentication-info"];

/// Where an outcome goes.
pub(super) struct OutcomeRow<'a> {
    pub(super) run: i64,
    pub(super) key: &'a JobKey,
    /// When it was committed.
    pub(super) ended: &'a str,
}

/// What an outcome is known by whose job is not known.
pub(super) fn key_of(outcome: &Outcome, redactor: &Redactor) -> JobKey {
    let name = redacted::text(redactor, &outcome.name).into();
    JobKey { name, digest: outcome.digest.unwrap_or_else(|| JobDigest::of([])), settings: JobDigest::of([]) }
}

/// Writes an outcome, in place of the one that its run has of this job. `contents` is the size up to which contents are
/// written, if they are, and which are written already.
pub(super) fn insert(
    connection: &Connection,
    row: &OutcomeRow<'_>,
    outcome: &mut Outcome,
    redactor: &Redactor,
    contents: Option<(u64, &WrittenBodies)>,
) -> Result<()> {
    // Contents and rows have tables of their own.
    let (body, rows) = (outcome.body.take(), std::mem::take(&mut outcome.rows));
    let data_is_open = outcome.data.as_ref().is_none_or(|data| is_open(redactor, || serde_json::to_string(data)));
    let record = record(outcome, redactor, data_is_open);
    let rows_are_open = rows.is_empty() || is_open(redactor, || serde_json::to_string(&rows));
    // A content that is too large to be kept, or cannot be read, is fetched again when it is needed.
    let content = body.as_ref().zip(contents).filter(|(body, (most, _))| body.len() <= *most);
    let content = content.and_then(|(body, (_, written))| Some((body, body.read().ok()?, written)));
    let body_is_open =
        content.as_ref().is_none_or(|(_, bytes, _)| matches!(redactor.redact_bytes(bytes), Cow::Borrowed(_)));
    let whole = data_is_open && rows_are_open && body_is_open;
    let written = (|| {
        put(connection, row, outcome, whole, &record)?;
        let id = connection.last_insert_rowid();
        if let Some((body, bytes, written)) = content.as_ref().filter(|_| body_is_open) {
            let number = match written.number(connection, body)? {
                Some(number) => number,
                None => insert_body(connection, bytes)?,
            };
            let insert = "insert into outcome_bodies (outcome, body) values (?, ?)";
            connection.prepare_cached(insert)?.execute([id, number])?;
        }
        if rows_are_open {
            insert_rows(connection, id, &rows)?;
        }
        Ok(())
    })();
    (outcome.body, outcome.rows) = (body, rows);
    written
}

/// Writes the row of an outcome, in place of the one that is there.
fn put(connection: &Connection, row: &OutcomeRow<'_>, outcome: &Outcome, whole: bool, record: &str) -> Result<()> {
    // `replace` has SQLite keep a copy of each page before it writes, in case it must undo the removal of a row. Mostly there
    // is none to remove, and `or ignore` takes half of the time.
    macro_rules! into_records {
        ($verb:literal) => {
            concat!(
                $verb,
                " into outcome_records (run, place, name, digest, settings, ended, ok, whole, record)",
                " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            )
        };
    }
    let JobKey { name, digest, settings } = row.key;
    let place = i64::try_from(outcome.index).unwrap_or(i64::MAX);
    let run = |sql: &str| {
        connection.prepare_cached(sql)?.execute(params![
            row.run,
            place,
            &**name,
            digest.as_bytes(),
            settings.as_bytes(),
            row.ended,
            outcome.ok(),
            whole,
            record,
        ])
    };
    if run(into_records!("insert or ignore"))? == 0 {
        run(into_records!("replace"))?;
    }
    Ok(())
}

fn insert_rows(connection: &Connection, outcome: i64, sets: &[crate::rows::Rows]) -> Result<()> {
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
    let mut texts = urls.chain(failures.map(|failure| &*failure.message)).chain([&*outcome.name, &*outcome.url]);
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

fn record_text(outcome: &Outcome) -> String {
    // Room for most records: serde_json begins with 128 bytes, and a text that grows is moved each time.
    let mut text = Vec::with_capacity(1024);
    let written = serde_json::to_writer(&mut text, outcome);
    written.ok().and_then(|()| String::from_utf8(text).ok()).unwrap_or_else(|| "null".to_owned())
}

/// Plain data as JSON. serde can write all of it.
fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
