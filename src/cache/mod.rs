//! A private cache of responses (RFC 9111), without the place where they are kept.
//!
//! Whether a response may be kept, how old it is, and whether it may be delivered is arithmetic on fields and on the time,
//! which is an argument. The place is a [`CacheStore`]; a [`state`](crate::state) has one. The fetcher asks it.
//!
//! A response is kept if the method is GET or HEAD, the source has succeeded with it and its content is whole. It is fresh
//! for as long as `max-age` or `Expires` say; what says nothing of the sort is never fresh, because a guess (RFC 9111, section
//! 4.2.2) would hide news. `no-store`, `no-cache` and `must-revalidate` hold, also against `stale_if_error`.

mod directives;
mod freshness;
mod kept;
mod key;
mod store;
mod vary;

pub use self::directives::Directives;
pub use self::freshness::Freshness;
#[cfg(feature = "fetcher")]
pub(crate) use self::freshness::ms_of;
pub use self::kept::{MAX_KEPT_CONTENT, NewResponse, kept_fields, may_be_kept, merged_fields};
pub use self::key::CacheKey;
pub use self::store::{CacheChange, CacheStore, Candidate, KeptContent};
pub use self::vary::Vary;
