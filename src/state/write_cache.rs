//! What changes in the cache into its rows. A response that holds a secret is not written.

use std::borrow::Cow;

use rusqlite::{Connection, OptionalExtension, Result, params};

use crate::body::Body;
use crate::cache::{CacheChange, CacheKey, Freshness, MAX_KEPT_CONTENT, NewResponse};
use crate::outcome::ResponseField;
use crate::redact::Redactor;
use crate::redacted;

/// The most responses of one key: what a server makes depend on a field that changes each time would fill the file.
const MOST_VARIANTS: usize = 16;

/// The contents that were written in one transaction, and their numbers.
#[derive(Default)]
pub(super) struct WrittenBodies(Vec<(Body, i64)>);

impl WrittenBodies {
    /// The number of this content, if it is in the file.
    pub(super) fn number(&self, connection: &Connection, body: &Body) -> Result<Option<i64>> {
        if let Some((_, number)) = self.0.iter().find(|(written, _)| written.is_same(body)) {
            return Ok(Some(*number));
        }
        let Some(number) = body.number() else { return Ok(None) };
        // It may have been let go since it was read.
        connection
            .prepare_cached("select id from bodies where id = ?")?
            .query_row([number], |row| row.get(0))
            .optional()
    }
}

/// Writes these changes, which are those of a run, in their order.
pub(super) fn write_all(
    connection: &Connection,
    run: i64,
    changes: Vec<CacheChange>,
    redactor: &Redactor,
) -> Result<WrittenBodies> {
    let mut written = WrittenBodies::default();
    for change in changes {
        match change {
            CacheChange::Keep(response) => keep(connection, run, *response, redactor, &mut written)?,
            CacheChange::Renew { id, fields, freshness } => renew(connection, (run, id), &fields, freshness, redactor)?,
            CacheChange::Used(id) => {
                let update = "update responses set run = ?1 where id = ?2 and run <> ?1";
                connection.prepare_cached(update)?.execute(params![run, id])?;
            }
            CacheChange::Forget(key) => {
                connection.prepare_cached("delete from responses where key = ?")?.execute([key.0])?;
            }
        }
    }
    Ok(written)
}

fn keep(
    connection: &Connection,
    run: i64,
    response: NewResponse,
    redactor: &Redactor,
    written: &mut WrittenBodies,
) -> Result<()> {
    let NewResponse { key, variant, vary, url, status, fields, freshness, body } = response;
    // What there was is not the newest any more, whether or not this one is written.
    let delete = "delete from responses where key = ? and variant = ?";
    connection.prepare_cached(delete)?.execute(params![key.0, variant.0])?;
    // A content that cannot be read is fetched again.
    let Some(bytes) = Some(&body).filter(|body| body.len() <= MAX_KEPT_CONTENT).and_then(|body| body.read().ok())
    else {
        return Ok(());
    };
    if !are_open(redactor, &fields) || matches!(redactor.redact_bytes(&bytes), Cow::Owned(_)) {
        return Ok(());
    }
    let number = match written.number(connection, &body)? {
        Some(number) => number,
        None => {
            let number = insert_body(connection, &bytes)?;
            written.0.push((body.clone(), number));
            number
        }
    };
    let insert = "insert into responses (run, key, variant, received_ms, age_ms, lifetime_ms, no_cache, must_revalidate, \
        body, body_bytes, status, etag, last_modified, vary, url, fields) \
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let Freshness { received_ms, age_ms, lifetime_ms, no_cache, must_revalidate } = freshness;
    connection.prepare_cached(insert)?.execute(params![
        run,
        key.0,
        variant.0,
        received_ms,
        age_ms,
        lifetime_ms,
        no_cache,
        must_revalidate,
        number,
        i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        status,
        value(&fields, "etag"),
        value(&fields, "last-modified"),
        vary,
        redacted::text(redactor, &url),
        json(&fields),
    ])?;
    if vary.is_some() { let_go_of_oldest(connection, key) } else { Ok(()) }
}

/// Keeps a bounded number of responses of one key.
fn let_go_of_oldest(connection: &Connection, key: CacheKey) -> Result<()> {
    let delete = "delete from responses where id in (\
        select id from responses where key = ? order by received_ms desc, id desc limit -1 offset ?)";
    connection.prepare_cached(delete)?.execute(params![key.0, MOST_VARIANTS as i64]).map(drop)
}

fn renew(
    connection: &Connection,
    (run, id): (i64, i64),
    fields: &[ResponseField],
    freshness: Freshness,
    redactor: &Redactor,
) -> Result<()> {
    if !are_open(redactor, fields) {
        return connection.prepare_cached("delete from responses where id = ?")?.execute([id]).map(drop);
    }
    let update = "update responses set run = ?, received_ms = ?, age_ms = ?, lifetime_ms = ?, no_cache = ?, \
        must_revalidate = ?, etag = ?, last_modified = ?, fields = ? where id = ?";
    let Freshness { received_ms, age_ms, lifetime_ms, no_cache, must_revalidate } = freshness;
    let values = params![
        run,
        received_ms,
        age_ms,
        lifetime_ms,
        no_cache,
        must_revalidate,
        value(fields, "etag"),
        value(fields, "last-modified"),
        json(fields),
        id,
    ];
    connection.prepare_cached(update)?.execute(values).map(drop)
}

/// Writes a content, and returns its number.
pub(super) fn insert_body(connection: &Connection, bytes: &[u8]) -> Result<i64> {
    connection.prepare_cached("insert into bodies (bytes) values (?)")?.execute([bytes])?;
    Ok(connection.last_insert_rowid())
}

fn value<'a>(fields: &'a [ResponseField], name: &str) -> Option<&'a [u8]> {
    fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| &*field.value)
}

/// Whether there is no secret in these fields.
fn are_open(redactor: &Redactor, fields: &[ResponseField]) -> bool {
    fields.iter().all(|field| matches!(redactor.redact_bytes(&field.value), Cow::Borrowed(_)))
}

/// Plain data as JSON. serde can write all of it.
fn json(fields: &[ResponseField]) -> String {
    serde_json::to_string(fields).unwrap_or_else(|_| "[]".to_owned())
}
