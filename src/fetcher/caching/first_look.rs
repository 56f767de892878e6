//! What is known of a response before its job starts.

use crate::cache::Candidate;

/// What was found of a job before it started: nothing is known, nothing is kept, or this.
#[derive(Debug, Default)]
pub(in crate::fetcher) struct FirstLook(pub(in crate::fetcher) Option<Box<Option<Candidate>>>);
