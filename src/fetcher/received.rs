//! What an attempt has learned of a response.

use super::advice::Advice;
use super::caching::CacheNote;
use crate::body::{Body, HeldMemory};
use crate::outcome::{RedirectHead, ResponseField, Stale};
use crate::rows::{Cell, Record, Rows};

/// What is known of a response, whether or not the job succeeded.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) status: Option<u16>,
    /// All fields, if they are to be kept.
    pub(super) fields: Option<Vec<ResponseField>>,
    /// The heads of the redirects before it, if fields are to be kept.
    pub(super) redirects: Vec<RedirectHead>,
    pub(super) final_url: Option<Box<str>>,
    pub(super) content_type: Option<Box<str>>,
    pub(super) body_bytes: Option<u64>,
    pub(super) body: Option<Body>,
    pub(super) saved: bool,
    pub(super) truncated: bool,
    /// Why the server refuses, in its own words.
    pub(super) said: Option<Box<str>>,
    /// All fields, if a value is taken from one.
    pub(super) looked_into: Option<Vec<ResponseField>>,
    pub(super) data: Option<Record>,
    pub(super) rows: Vec<Rows>,
    pub(super) captured: Vec<Cell>,
    /// The memory of the run that values and rows take.
    pub(super) held: HeldMemory,
    /// What it asks of its client.
    pub(super) advice: Advice,
    /// What the cache had to do with it.
    pub(super) cache: CacheNote,
    /// Why it is not new, if it is not.
    pub(super) stale: Option<Box<Stale>>,
}
