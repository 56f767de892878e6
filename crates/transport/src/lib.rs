#![doc = include_str!("../README.md")]

mod admission;
mod body;
mod builder;
mod byte_stream;
mod coding;
mod config;
mod connect;
mod connect_overrides;
mod connection;
mod content;
mod content_layer;
mod deadline;
mod descriptors;
mod exchange;
mod head_log;
mod idle;
mod interface;
mod message;
mod open;
mod peer;
mod pool;
mod progress;
#[cfg(feature = "proxy")]
mod proxy;
#[cfg(not(feature = "proxy"))]
#[path = "without_proxy.rs"]
mod proxy;
mod reach;
mod redirect;
mod resolve;
mod response;
mod route;
#[cfg(any(test, fuzzing))]
#[cfg_attr(test, allow(unreachable_pub, reason = "the fuzzer reaches it"))]
pub mod scripted;
mod send;
mod shared;
mod socket;
mod tls;
mod transport;
mod unanswered;
mod unauthorized;
mod yield_meter;

use roundup_event_loop as event_loop;
use roundup_http::{self as http, error, origin, units};

pub use roundup_http::h1;

pub use body::body_error;
pub use builder::TransportBuilder;
pub use byte_stream::ByteStream;
pub use config::DEFAULT_USER_AGENT;
pub use connect_overrides::{ConnectTo, Family, Resolve};
pub use content::Content;
pub use deadline::timed_out;
pub use interface::Interface;
pub use peer::Peer;
pub use pool::PoolLimits;
pub use progress::{Progress, ProgressSnapshot};
pub use proxy::{Proxies, Proxy};
pub use redirect::{FollowStep, FollowedRequest, Hop, RedirectChain, drain, follow};
pub use response::Response;
pub use send::{ConnectionUse, Request, RequestContent, SecretTest, SendRequest, Sending};
pub use tls::{PublicKeyPins, Roots};
pub use transport::Transport;
pub use unanswered::Unanswered;
pub use yield_meter::YieldMeter;
