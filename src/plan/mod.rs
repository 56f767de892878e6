//! A plan in TOML as people write it, made into jobs that can be run.
//!
//! Nothing here reads a file, the environment or a clock: the caller hands in texts. Every error names file, line and
//! key, and all errors of a file are found at once.
//!
//! # Tables
//! `[variables]` gives values to names. `[limits]` has `concurrency`, `per_host`, `rate`, `adaptive`, `deadline` and
//! `max_memory`. `[defaults]` has any
//! key of a job but `name`, `url` and `each`. `[hosts."api.example.com"]`, or with a port
//! `[hosts."api.example.com:8443"]`, has `per_host`, `rate` and the same keys as `[defaults]`; `[hosts."*.example.com"]` is for
//! all hosts below one, and `[hosts."*"]` for all. If several fit, they are laid over each other key by key: the exact one
//! with the port, the exact one, the longest wildcard, `*`. `[[job]]` has `name`, `url`, `each` and the keys of [`Settings`](crate::Settings): `method`,
//! `headers`, `data` or `json`, `timeout`, `connect_timeout`, `retries`, `retry_unsafe`, `retry_after_max`, `follow`,
//! `max_body`, `accept`, `raw`, `output`, `select`, `rows`, `table`, `format`, `max_rows` and `expect`, which `docs/plan.md` shows. A job goes over its
//! host, the host over the defaults, these over what is built in, by the rule of
//! [`SettingsPatch`](crate::SettingsPatch): headers are joined by name, `expect` by its keys, everything else is replaced.
//!
//! Content makes the request a POST unless `method` says otherwise, as curl does. `data` is sent as it stands; `json` is
//! TOML sent as JSON, in the order and with the digits that were written, and with `Content-Type: application/json` unless
//! a header says otherwise.
//!
//! `[report]` says what is shown and where: `title`; `[[report.table]]` with `table` (the name of rows, or `sources`), `title`,
//! `name`, `columns`, `sort`, `limit` and `chart`; `[[report.output]]` with `format` and `file`. `{date}`, `{time}` and
//! `{run}` in titles and files are of the run's start, in UTC, and `{table}` in a file is the name of each table
//! ([`ReportSpec`](crate::tables::ReportSpec)).
//!
//! # Values
//! `{name}` is a plain value: of the job's `each`, of `[variables]` or one that was given beside the plan
//! ([`PlanReader::variable`]), in this order from near to far, or `{env.NAME}` from the environment. `${NAME}` is a secret:
//! the [`Redactor`](crate::Redactor) hides it, no error shows it, and names and written URLs keep `${NAME}`.
//!
//! A `{` begins a value only if a name (letters, digits, `_`, `-` and dots) and `}` follow; a name that nothing defines is
//! an error. `{{name}}` is the text `{name}`, and `$${` is `${`; any other brace is text.
//!
//! A value is written as its place asks for. In a URL it is percent-encoded in the user, the path, the query and the
//! fragment, checked in the host and the port, and taken as it is at the very beginning, so that it may be a whole
//! `${BASE}`. In `json` and `expect.json` it is a string of JSON, or has its own type if it is all that the string holds.
//! In a header it must not have a line break. In `data`, `output` and `name` it is taken as it is.
//!
//! `each = { city = ["berlin", "oslo"], n = { from = 1, to = 2 } }` makes a job for every combination, the last name changing
//! fastest; a list of tables, `each = [{ city = "oslo", country = "no" }]`, has values that belong together, and `each = "cities.csv"`
//! has those of a file, which [`PlanReader::files`] gives.
//! Jobs are named `weather[berlin,1]`, unless the name holds a `{city}` itself; without a `name` it is the URL as written.
//!
//! # Jobs that need others
//! `{login.token}` is the value `token` in the `select` of the job `login`: a job that uses it waits for that one. A value
//! that begins a URL and is relative is resolved against the answer it came from. `for_each = "items"` makes a job for each
//! row of `items`, whose fields are `{items.id}`; `key` names them by a field, `max_jobs` bounds them. `secret` lists values
//! of `select` that are hidden, `report = false` keeps a job out of the report unless it fails. Such a plan has a
//! [`graph`](Plan::graph).
//!
//! `pages` and `poll` are read into [`Pages`](crate::Pages) and [`Poll`](crate::Poll). `auth` names a login: a table
//! `[auth.NAME]` with a `type`, which is `"oauth2"` ([`Login`](crate::graph::Login)), `"api_key"`, `"basic"` or `"bearer"`.

mod assemble;
mod auth_keys;
mod bounds;
mod connection_keys;
mod dependencies;
mod dependency_keys;
mod diagnostic;
mod each;
mod each_file;
mod expecting;
mod explain;
mod file_name;
mod follow_up_keys;
mod glob;
mod header_template;
mod hosts;
mod job_table;
mod jobs;
mod json_template;
mod json_tree;
mod keys;
mod late;
mod layer;
mod list;
#[cfg(feature = "import")]
mod literal;
mod node_reader;
mod picking;
mod query;
mod reader;
mod ready;
mod report;
mod row_jobs;
mod sections;
mod template;
mod toml_tree;
mod tree;
mod url_template;
mod values;
#[cfg(feature = "watch")]
mod watch;

pub use self::bounds::{MAX_EXPANDED_BYTES, MAX_JOBS, MAX_PLAN_BYTES};
pub use self::diagnostic::{Diagnostic, Errors, MAX_DIAGNOSTICS};
pub use self::file_name::{FileNames, MAX_FILE_NAME, file_name};
pub use self::glob::{ExpandedUrls, Globs, expand_url};
pub use self::hosts::HostTables;
pub use self::keys::{PLAN_KEYS, PLAN_TABLES, PlanKey};
pub use self::list::{Listed, parse_list, parse_secrets};
#[cfg(feature = "import")]
pub(crate) use self::literal::{OPEN_BRACE, literal};
pub use self::node_reader::{FileLookup, ValueLookup};
pub use self::reader::{PlanReader, parse, parse_json_job};
#[cfg(feature = "watch")]
pub use self::ready::WatchTable;
pub use self::ready::{Plan, StateTable};
