//! Where responses are kept, as the fetcher sees it.

use std::fmt;
use std::sync::Arc;

use super::freshness::Freshness;
use super::kept::NewResponse;
use super::key::CacheKey;
use crate::error::Result;
use crate::outcome::ResponseField;

/// A kept response without its content.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its number, which is never given twice.
    pub id: i64,
    /// What tells it from others of its key.
    pub variant: CacheKey,
    /// The names of the fields that do, with commas between them.
    pub vary: Option<Box<str>>,
    /// Its ETag.
    pub etag: Option<Box<[u8]>>,
    /// Its Last-Modified.
    pub last_modified: Option<Box<[u8]>>,
    /// For how long it is fresh.
    pub freshness: Freshness,
    /// Its status.
    pub status: u16,
    /// The fields of its head.
    pub fields: Arc<[ResponseField]>,
    /// How many bytes its content has.
    pub body_bytes: u64,
}

/// The content of a kept response.
#[derive(Debug)]
pub struct KeptContent {
    /// Its number in the store.
    pub id: i64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What changes in a store.
#[derive(Debug)]
pub enum CacheChange {
    /// A response that is kept from now on, in place of the one of the same key and variant.
    Keep(Box<NewResponse>),
    /// A server has said that a response is still the newest.
    Renew {
        /// Which one.
        id: i64,
        /// The fields of its head from now on.
        fields: Vec<ResponseField>,
        /// For how long it is fresh now.
        freshness: Freshness,
    },
    /// A response was delivered.
    Used(i64),
    /// What is kept by this key is not the newest.
    Forget(CacheKey),
}

/// A place for responses. It is shared by the tasks of a run and by the threads on which [`find`](Self::find) and
/// [`load`](Self::load) block.
pub trait CacheStore: fmt::Debug + Send + Sync {
    /// The keyed hash of these parts. Does not block.
    fn key(&self, parts: &mut dyn Iterator<Item = &[u8]>) -> CacheKey;

    /// The value of a field that is sent though no job has it, such as User-Agent. Does not block.
    fn implied_field(&self, name: &str) -> Option<&[u8]>;

    /// What is kept by each of these keys. Blocks.
    ///
    /// # Errors
    /// The store cannot be read.
    fn find(&self, keys: &[CacheKey]) -> Result<Vec<Vec<Candidate>>>;

    /// The content of a response; `None` if that is not kept any more. Blocks.
    ///
    /// # Errors
    /// The store cannot be read.
    fn load(&self, id: i64) -> Result<Option<KeptContent>>;

    /// Notes a change. Does not block: it is made later, and not at all if the store cannot be written.
    fn change(&self, change: CacheChange);
}
