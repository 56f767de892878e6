#![doc = include_str!("../README.md")]

mod backend;
mod convert;
mod options;
mod redirect;
mod sender;

pub use backend::{Backend, client};
pub use convert::{WireHead, into_surf};
pub use options::RequestOptions;
pub use redirect::{Follow, Redirect, Redirected};
pub use sender::SurfSender;
/// surf's client, which [`SurfSender`] sends through.
pub use surf::Client;
