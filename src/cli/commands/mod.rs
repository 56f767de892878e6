//! The commands: each builds a configuration, jobs and a run in a few lines.

mod check;
mod compare;
#[cfg(feature = "import")]
mod curl;
#[cfg(not(feature = "import"))]
#[path = "without_curl.rs"]
mod curl;
#[cfg(feature = "demo")]
mod demo;
#[cfg(feature = "diff")]
mod diff;
#[cfg(feature = "explain")]
mod explain;
mod fetch;
#[cfg(feature = "fleet")]
mod fleet;
#[cfg(feature = "state")]
mod history;
#[cfg(feature = "import")]
mod import;
#[cfg(feature = "merge")]
mod merge;
#[cfg(feature = "import")]
mod new;
mod render;
#[cfg(feature = "state")]
mod state;
mod table;

pub(crate) use self::check::check;
pub(crate) use self::compare::compare;
#[cfg(feature = "demo")]
pub(crate) use self::demo::{demo, serve};
#[cfg(feature = "diff")]
pub(crate) use self::diff::diff;
#[cfg(feature = "explain")]
pub(crate) use self::explain::explain;
pub(crate) use self::fetch::{get, run};
#[cfg(feature = "fleet")]
pub(crate) use self::fleet::{collect, submit, worker};
#[cfg(feature = "state")]
pub(crate) use self::history::history;
#[cfg(feature = "import")]
pub(crate) use self::import::import;
#[cfg(feature = "merge")]
pub(crate) use self::merge::merge;
#[cfg(feature = "import")]
pub(crate) use self::new::new;
pub(crate) use self::render::render;
#[cfg(feature = "state")]
pub(crate) use self::state::state;
