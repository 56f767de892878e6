#![doc = include_str!("../README.md")]

pub mod error;
mod field;
pub mod h1;
mod method;
pub mod origin;
pub mod percent;
mod printable;
mod status;
mod token;
pub mod units;
#[cfg(feature = "serde")]
mod with_serde;

pub use error::{Error, Kind, Phase, Result};
pub use field::{Field, is_credential};
pub use method::{Method, is_idempotent};
pub use origin::{Origin, Scheme, parse_url, without_password};
pub use printable::{is_printable, is_visible_ascii, printable};
pub use status::{StatusSet, is_redirect};

/// What stands in place of a secret wherever one could be shown.
pub const REDACTED: &str = "[redacted]";
