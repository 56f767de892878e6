//! What runs leave behind: one SQLite file with runs, outcomes, rows and contents.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use roundup::state::{NewRun, RunEnd, State};
//! use roundup::{Job, Outcome};
//!
//! # let folder = std::env::temp_dir().join(format!("roundup-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let file = folder.join("suppliers.db");
//! let mut state = State::open(&file)?.state;
//! let jobs = [Job::get("http://127.0.0.1/a")?.at(0)];
//! let mut run = state.begin(NewRun::of("suppliers.toml", &jobs))?;
//! let mut outcome = Outcome { name: jobs[0].name().into(), ..Outcome::default() };
//! run.commit(std::slice::from_mut(&mut outcome))?;
//! run.end(RunEnd::Done, std::time::Duration::from_millis(12))?;
//! assert_eq!(State::open_to_read(&file)?.history()?[0].ok, 1);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! The calls here block: a program on one thread makes them by [`unblock`](crate::event_loop::unblock), as [`record`] does.
//! docs/state.md describes the tables for people who open the file with `sqlite3`.

mod cache_changes;
mod check;
mod damage;
mod file;
mod found;
mod history;
mod job_keys;
mod last;
mod load;
mod open;
mod prune;
mod read_run;
mod recorder;
mod response_cache;
mod resume;
mod run;
mod run_lock;
mod schema;
mod stored_record;
mod write;
mod write_cache;

pub use self::check::Checked;
pub use self::file::State;
pub use self::history::{HistoryStatus, RunRecord};
pub use self::open::Opened;
pub use self::read_run::KeptResult;
pub use self::recorder::{Recorded, record};
pub use self::response_cache::ResponseCache;
pub use self::resume::{Repeat, Resumed, ResumedFrom};
pub use self::run::{MAX_CONTENT, NewRun, OpenRun, RunEnd, SYNC_EVERY};
