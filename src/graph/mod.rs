//! Jobs that need others: values of them, or a job for each of their rows.
//!
//! ```
//! # #[cfg(not(feature = "fetcher"))]
//! # fn main() {}
//! # #[cfg(feature = "fetcher")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use futures_lite::StreamExt;
//! use roundup::graph::{JobGraph, JobNode, JobValues};
//! use roundup::{EventLoop, Fetcher, Job};
//!
//! # // A server for the example, on this machine.
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! # std::thread::spawn(move || for stream in listener.incoming() {
//! #     use std::io::{Read, Write};
//! #     let mut stream = stream.unwrap();
//! #     let _ = stream.read(&mut [0; 1024]);
//! #     let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
//! #     let _ = write!(stream, "{head}Content-Length: 15\r\n\r\n{{\"token\":\"abc\"}}");
//! # });
//! let mut login = Job::get(&format!("http://{address}/login"))?.named("login");
//! login = login.with(|settings| settings.select = vec![("token".to_owned(), "/token".parse().unwrap())]);
//! let list = move |values: &JobValues| {
//!     let bearer = format!("Authorization: Bearer {}", values.text("login.token")?).parse()?;
//!     Ok(Job::get(&format!("http://{address}/list"))?.with(|settings| settings.set_header(bearer)))
//! };
//! let nodes = [JobNode::job(login).secret(["token"]), JobNode::needing("list", ["login.token"], list)];
//!
//! let event_loop = EventLoop::new();
//! let outcomes = JobGraph::new(nodes)?.run(&Fetcher::new(), &event_loop);
//! let outcomes = event_loop.run(outcomes.collect::<Vec<_>>());
//! assert!(outcomes.iter().all(|outcome| outcome.ok()));
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "fetcher")]
mod captured;
#[cfg(feature = "fetcher")]
mod course;
#[cfg(feature = "fetcher")]
mod driver;
mod graph_shard;
mod job_graph;
#[cfg(feature = "fetcher")]
mod json_set;
#[cfg(feature = "fetcher")]
mod link;
mod login;
mod node;
#[cfg(feature = "fetcher")]
mod node_run;
#[cfg(feature = "fetcher")]
mod paging;
#[cfg(feature = "fetcher")]
mod polling;
#[cfg(feature = "fetcher")]
mod requests;
#[cfg(feature = "fetcher")]
mod row_source;
#[cfg(feature = "fetcher")]
mod run;
#[cfg(feature = "fetcher")]
mod step;
#[cfg(feature = "fetcher")]
mod token;
mod values;

#[cfg(feature = "fetcher")]
pub use self::driver::{GraphEvent, GraphEvents, GraphOutcomes};
pub use self::job_graph::JobGraph;
#[cfg(feature = "plan")]
pub(crate) use self::job_graph::{TreeNode, circle};
pub use self::login::Login;
pub use self::node::{DEFAULT_MAX_JOBS, JobNode, JobTemplate};
pub use self::values::{JobValue, JobValues};

/// What reads fields of servers, for the fuzzer.
#[cfg(all(fuzzing, feature = "fetcher"))]
pub mod fuzzing {
    /// The target of the first link whose relation is `next`.
    pub fn next_link(value: &str) -> Option<&str> {
        super::link::next_link(value)
    }
}

#[cfg(all(test, feature = "fetcher"))]
mod simulation;
#[cfg(all(test, feature = "fetcher"))]
mod tests;
