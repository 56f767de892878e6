//! Responses that are kept, as attempts see them. `without_cache.rs` is the twin in builds that keep nothing.
//!
//! ```text
//! RunState::push     look_ahead        the store is asked about many jobs at once:
//!                                      fresh ones need no host, the others go to the queue
//! attempt            CachingSender     a request becomes a conditional one, a 304 the kept response
//! RunState::finish   wait_for_stale    a failure that is an outage: the last good response
//!                    deliver           a kept response is read like one that has come
//! ```

mod asking;
mod first_look;
mod note;
mod outage;
mod request_key;
mod sender;

pub(super) use self::asking::RunCache;
pub(super) use self::first_look::FirstLook;
pub(super) use self::note::{CacheNote, ReleasedChanges};
pub(super) use self::outage::is_outage;
pub(super) use self::request_key::CacheRequest;
pub(super) use self::sender::{CachingSender, content, delivered, is_fresh, wants_content};
