//! The table of options: a row for each field of `options::OptionFields`, in the order of help.

use roundup::plan::MAX_JOBS;

#[cfg(feature = "fleet")]
use self::HelpGroup::Fleet;
#[cfg(feature = "watch")]
use self::HelpGroup::Watch;
use self::HelpGroup::{
    Connections, Credentials, Limits, Output, Request, Retries, Screen, Server, Sources, State, Tls,
};
use self::ValueKind::{Choice, Count, Size, Switch, Text, Time, TimeLimit};

/// What argh does not know of an option.
#[derive(Debug)]
pub(crate) struct OptionRow {
    /// The field's name, which is the key in a plan, too: `per_host`.
    pub(crate) name: &'static str,
    pub(crate) group: HelpGroup,
    pub(crate) commands: &'static [&'static str],
    pub(crate) values: ValueKind,
    /// What holds if nothing is given, as it would be typed; in parentheses if that cannot be typed.
    pub(crate) default: Option<&'static str>,
    /// Where the option has a key in a plan.
    pub(crate) in_plan: Option<PlanTable>,
}

/// Heads of the sections in help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HelpGroup {
    Sources,
    Limits,
    Retries,
    Request,
    Credentials,
    Connections,
    Tls,
    Output,
    Screen,
    State,
    #[cfg(feature = "fleet")]
    Fleet,
    #[cfg(feature = "watch")]
    Watch,
    Server,
}

/// What may be written for an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    /// Nothing on the command line; 1 or 0 in the environment.
    Switch,
    /// A whole number from the first to the second.
    Count(u64, u64),
    /// A span of time, 0 included.
    Time,
    /// A span of time that is not 0.
    TimeLimit,
    /// A number of bytes.
    Size,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any other text, under this name in help. The option's effect parses it.
    Text(&'static str),
}

/// A place for keys in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanTable {
    /// `[limits]`.
    Limits,
    /// `[[job]]`, `[defaults]` and `[hosts]`.
    Job,
    /// The same, where the key is `headers`, a table.
    JobHeaders,
    /// The same, where the key is `cert_key`: `key` is that of rows.
    JobCertKey,
}

/// The commands of all builds, in the order of help.
pub(super) const ALL: &[&str] = &[
    "get",
    "run",
    "check",
    "compare",
    "new",
    "import",
    "render",
    "merge",
    "worker",
    "submit",
    "collect",
    "diff",
    "explain",
    "history",
    "state",
    "completions",
    "man",
    "demo",
    "serve",
];
/// The options that most people use, for the brief help.
pub(super) const COMMON: &[&str] = &[
    "input",
    "secrets",
    "variable",
    "concurrency",
    "timeout",
    "deadline",
    "retries",
    "method",
    "header",
    "data",
    "json",
    "user",
    "report",
    "output",
    "output_dir",
    "include",
    "verbose",
    "port",
];
/// The commands that a build may be without, and the cargo feature that brings them.
pub(super) const FEATURES: &[(&str, &str, bool)] = &[
    ("merge", "merge", cfg!(feature = "merge")),
    ("worker", "fleet", cfg!(feature = "fleet")),
    ("submit", "fleet", cfg!(feature = "fleet")),
    ("collect", "fleet", cfg!(feature = "fleet")),
    ("diff", "diff", cfg!(feature = "diff")),
    ("explain", "explain", cfg!(feature = "explain")),
    ("new", "import", cfg!(feature = "import")),
    ("import", "import", cfg!(feature = "import")),
    ("history", "state", cfg!(feature = "state")),
    ("state", "state", cfg!(feature = "state")),
    ("demo", "demo", cfg!(feature = "demo")),
    ("serve", "demo", cfg!(feature = "demo")),
];
const NOTES: &[&str] = &["get", "run", "check", "compare", "worker", "submit", "collect", "import", "demo", "serve"];
const MAIN: &[&str] = &["get", "run", "check"];
const FETCH: &[&str] = &["get", "run", "check", "compare", "demo"];
/// Says how jobs stand, also if other machines fetch them.
const JOBS: &[&str] = &["get", "run", "check", "compare", "submit", "collect", "demo"];
const LIMITED: &[&str] = &["get", "run", "check", "compare", "worker", "submit", "collect", "demo"];
/// Who makes a report of what was fetched.
const RESULTS: &[&str] = &["get", "run", "check", "compare", "collect", "demo"];
/// Who sends requests.
const SENDS: &[&str] = &["get", "run", "check", "compare", "worker", "demo"];
#[cfg(feature = "fleet")]
const RUN: &[&str] = &["run"];
#[cfg(feature = "fleet")]
const COLLECT: &[&str] = &["collect"];
#[cfg(feature = "fleet")]
const BEGIN: &[&str] = &["run", "submit"];
#[cfg(feature = "fleet")]
const REDIS: &[&str] = &["run", "worker", "submit", "collect"];
#[cfg(feature = "fleet")]
const WORKER: &[&str] = &["worker"];
const LISTS: &[&str] = &["get", "compare"];
const PLANS: &[&str] = &["run", "check", "compare", "submit", "collect", "merge"];
#[cfg(feature = "watch")]
const WATCH: &[&str] = &["run", "check"];
const REPORT: &[&str] = &["get", "run", "check", "compare", "collect", "render", "merge", "diff", "demo"];
const TABLES: &[&str] = &["run", "check", "collect", "render", "merge"];
const DIFF: &[&str] = &["diff"];
const SECRETS: &[&str] = &["run", "check", "compare", "worker", "submit", "collect", "merge", "import"];
#[cfg(feature = "merge")]
const MERGE: &[&str] = &["merge"];
const STALE: &[&str] = &["get", "run", "check", "collect", "merge"];
const GET_AND_RUN: &[&str] = &["get", "run"];
const ONE_FILE: &[&str] = &["get", "import"];
const SERVE: &[&str] = &["serve"];
const DEMO: &[&str] = &["demo"];

const JOB: Option<PlanTable> = Some(PlanTable::Job);
const LIMITS: Option<PlanTable> = Some(PlanTable::Limits);
const CERT_KEY: Option<PlanTable> = Some(PlanTable::JobCertKey);
const HEADERS: Option<PlanTable> = Some(PlanTable::JobHeaders);

/// The most jobs at once: as many as there can be.
const MOST: u64 = MAX_JOBS as u64;
#[cfg(feature = "watch")]
const MOST_RUNS: u64 = u32::MAX as u64;
const STORES: &[&str] = &["auto", "os", "bundled"];
const PROGRESS: &[&str] = &["auto", "plain", "none"];
const COLORS: &[&str] = &["auto", "always", "never"];
/// What it is depends on the machine.
const MEMORY: Option<&str> = Some("(256MiB, or a quarter of what there is)");
const NO_LIMIT: Option<&str> = Some("(no limit)");

#[rustfmt::skip]
pub(crate) const ROWS: &[OptionRow] = &[
    //   name                 group        commands  values                  default           in a plan
    row("input",              Sources,     LISTS,    Text("FILE"),           None,             None),
    row("globoff",            Sources,     LISTS,    Switch,                 None,             None),
    row("get",                Sources,     LISTS,    Switch,                 None,             None),
    #[cfg(feature = "merge")]
    row("plan",               Sources,     MERGE,    Text("FILE"),           None,             None),
    row("secrets",            Sources,     SECRETS,    Text("FILE"),           None,             None),
    row("variable",           Sources,     PLANS,    Text("NAME=VALUE"),     None,             None),
    row("shard",              Sources,     MAIN,     Text("K/N"),            None,             None),
    row("concurrency",        Limits,      LIMITED,    Count(1, MOST),         Some("100"),      LIMITS),
    row("per_host",           Limits,      JOBS,    Count(1, MOST),         Some("10"),       LIMITS),
    row("rate",               Limits,      JOBS,    Text("RATE"),           NO_LIMIT,         LIMITS),
    row("adaptive",           Limits,      JOBS,    Switch,                 None,             LIMITS),
    row("timeout",            Limits,      JOBS,    TimeLimit,              Some("30s"),      JOB),
    row("connect_timeout",    Limits,      JOBS,    TimeLimit,              Some("10s"),      JOB),
    row("job_timeout",        Limits,      JOBS,    TimeLimit,              NO_LIMIT,         JOB),
    row("deadline",           Limits,      RESULTS,    TimeLimit,              NO_LIMIT,         LIMITS),
    row("max_body",           Limits,      JOBS,    Size,                   Some("16MiB"),    JOB),
    row("max_memory",         Limits,      RESULTS,    Size,                   MEMORY,           LIMITS),
    row("fail_fast",          Limits,      RESULTS,    Switch,                 None,             None),
    row("retries",            Retries,     JOBS,    Count(0, 100),          Some("2"),        JOB),
    row("retry_on",           Retries,     JOBS,    Text("STATUSES"),       None,             JOB),
    row("retry_unsafe",       Retries,     JOBS,    Switch,                 None,             JOB),
    row("retry_after_max",    Retries,     JOBS,    Time,                   Some("60s"),      JOB),
    row("follow",             Retries,     JOBS,    Count(0, 100),          Some("10"),       JOB),
    row("accept",             Retries,     JOBS,    Text("STATUSES"),       Some("200-399"),  JOB),
    row("method",             Request,     JOBS,    Text("NAME"),           Some("GET"),      JOB),
    row("header",             Request,     JOBS,    Text("FIELD"),          None,             HEADERS),
    row("data",               Request,     JOBS,    Text("TEXT"),           None,             JOB),
    row("data_binary",        Request,     JOBS,    Text("TEXT"),           None,             None),
    row("data_raw",           Request,     JOBS,    Text("TEXT"),           None,             None),
    row("data_urlencode",     Request,     JOBS,    Text("TEXT"),           None,             None),
    row("json",               Request,     JOBS,    Text("TEXT"),           None,             None),
    row("user_agent",         Request,     SENDS,    Text("TEXT"),           None,             None),
    row("raw",                Request,     JOBS,    Switch,                 None,             JOB),
    row("expect100_timeout",  Request,     SENDS,    Time,                   Some("1s"),       None),
    row("user",               Credentials, JOBS,    Text("NAME:PASSWORD"),  None,             JOB),
    row("bearer",             Credentials, JOBS,    Text("TOKEN"),          None,             JOB),
    row("netrc",              Credentials, JOBS,    Switch,                 None,             None),
    row("proxy",              Connections, SENDS,    Text("URL"),            None,             JOB),
    row("resolve",            Connections, SENDS,    Text("ENTRY"),          None,             None),
    row("connect_to",         Connections, SENDS,    Text("ENTRY"),          None,             None),
    row("ipv4",               Connections, SENDS,    Switch,                 None,             None),
    row("ipv6",               Connections, SENDS,    Switch,                 None,             None),
    row("unix_socket",        Connections, FETCH,    Text("PATH"),           None,             None),
    row("interface",          Connections, SENDS,    Text("NAME"),           None,             None),
    row("cacert",             Tls,         SENDS,    Text("FILE"),           None,             JOB),
    row("roots",              Tls,         SENDS,    Choice(STORES),         Some("auto"),     None),
    row("insecure",           Tls,         SENDS,    Switch,                 None,             JOB),
    row("cert",               Tls,         SENDS,    Text("FILE"),           None,             JOB),
    row("key",                Tls,         SENDS,    Text("FILE"),           None,             CERT_KEY),
    row("pinnedpubkey",       Tls,         SENDS,    Text("PINS"),           None,             None),
    row("keylog",             Tls,         SENDS,    Switch,                 None,             None),
    row("report",             Output,      REPORT,   Text("FORMAT[=FILE]"),  Some("table"),    None),
    row("output_dir",         Output,      SENDS,    Text("DIR"),            None,             None),
    row("output",             Output,      ONE_FILE,    Text("FILE"),           None,             None),
    row("body",               Output,      RESULTS,    Switch,                 None,             None),
    row("include",            Output,      RESULTS,    Switch,                 None,             None),
    row("fail_with_body",     Output,      RESULTS,    Switch,                 None,             None),
    row("columns",            Output,      TABLES,   Text("NAMES"),          None,             None),
    row("row_key",            Output,      DIFF,     Text("COLUMNS"),        None,             None),
    row("exit_code",          Output,      DIFF,     Switch,                 None,             None),
    row("open",               Output,      DEMO,     Switch,                 None,             None),
    row("curl",               Output,      GET_AND_RUN, Switch,              None,             None),
    row("quiet",              Screen,      NOTES,     Switch,                 None,             None),
    row("verbose",            Screen,      LIMITED,    Switch,                 None,             None),
    row("progress",           Screen,      RESULTS,    Choice(PROGRESS),       Some("auto"),     None),
    row("color",              Screen,      REPORT,   Choice(COLORS),         Some("auto"),     None),
    row("state",              State,       MAIN,     Text("FILE"),           None,             None),
    row("resume",             State,       MAIN,     Switch,                 None,             None),
    row("only_failed",        State,       MAIN,     Switch,                 None,             None),
    row("keep",               State,       MAIN,     Text("RUNS"),           Some("(all)"),    None),
    row("state_size",         State,       MAIN,     Size,                   NO_LIMIT,         None),
    row("cache",              State,       MAIN,     Switch,                 None,             JOB),
    row("stale_if_error",     State,       MAIN,     TimeLimit,              Some("(never)"),  JOB),
    row("fail_stale",         State,       STALE,    Switch,                 None,             None),
    #[cfg(feature = "fleet")]
    row("fleet",              Fleet,       RUN,      Text("URL"),            None,             None),
    #[cfg(feature = "fleet")]
    row("run",                Fleet,       COLLECT,  Text("ID"),             None,             None),
    #[cfg(feature = "fleet")]
    row("cancel",             Fleet,       COLLECT,  Switch,                 None,             None),
    #[cfg(feature = "fleet")]
    row("lease",              Fleet,       BEGIN,    TimeLimit,              Some("30s"),      None),
    #[cfg(feature = "fleet")]
    row("fleet_keep",         Fleet,       BEGIN,    TimeLimit,              Some("24h"),      None),
    #[cfg(feature = "fleet")]
    row("fleet_cacert",       Fleet,       REDIS,    Text("FILE"),           None,             None),
    #[cfg(feature = "fleet")]
    row("fleet_key",          Fleet,       REDIS,    Text("FILE"),           None,             None),
    #[cfg(feature = "fleet")]
    row("allow",              Fleet,       WORKER,   Text("HOST"),           None,             None),
    #[cfg(feature = "fleet")]
    row("no_private",         Fleet,       WORKER,   Switch,                 None,             None),
    #[cfg(feature = "fleet")]
    row("idle_exit",          Fleet,       WORKER,   TimeLimit,              Some("(never)"),  None),
    #[cfg(feature = "watch")]
    row("every",              Watch,       WATCH,    TimeLimit,              Some("(once)"),   None),
    #[cfg(feature = "watch")]
    row("max_runs",           Watch,       WATCH,    Count(1, MOST_RUNS),    Some("(no end)"), None),
    row("port",               Server,      SERVE,    Count(0, 65535),        Some("8080"),     None),
];

const fn row(
    name: &'static str,
    group: HelpGroup,
    commands: &'static [&'static str],
    values: ValueKind,
    default: Option<&'static str>,
    in_plan: Option<PlanTable>,
) -> OptionRow {
    OptionRow { name, group, commands, values, default, in_plan }
}

/// The row of this name.
pub(super) fn find(name: &str) -> Option<&'static OptionRow> {
    ROWS.iter().find(|row| row.name == name)
}

impl OptionRow {
    /// The option's long name without dashes: `per-host`.
    pub(super) fn long(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The variable that stands for the option in the environment: `ROUNDUP_PER_HOST`.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// The key in a plan.
    pub(crate) fn plan_key(&self) -> Option<&'static str> {
        self.in_plan.map(|table| match table {
            PlanTable::JobHeaders => "headers",
            PlanTable::JobCertKey => "cert_key",
            PlanTable::Job | PlanTable::Limits => self.name,
        })
    }
}

/// What all variables of options begin with.
pub(super) const PREFIX: &str = "ROUNDUP_";

impl HelpGroup {
    pub(super) fn title(self) -> &'static str {
        match self {
            Sources => "Sources",
            Limits => "Limits",
            Retries => "Retries, redirects, success",
            Request => "Request",
            Credentials => "Credentials",
            Connections => "Connections",
            Tls => "TLS",
            Output => "Output",
            Screen => "Screen",
            State => "Runs that are kept",
            #[cfg(feature = "fleet")]
            Fleet => "Fleet",
            #[cfg(feature = "watch")]
            Watch => "Rounds",
            Server => "Server",
        }
    }
}

impl ValueKind {
    /// How help names a value; `None` for switches.
    pub(super) fn name(self) -> Option<String> {
        match self {
            Switch => None,
            Count(..) => Some("N".to_owned()),
            Time | TimeLimit => Some("TIME".to_owned()),
            Size => Some("SIZE".to_owned()),
            Choice(words) => Some(words.join("|")),
            Text(name) => Some(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use argh::FlagInfoKind;

    use super::super::options::declared;
    use super::*;

    #[test]
    fn every_option_has_one_row_and_every_row_an_option() {
        let mut rows = BTreeSet::new();
        for row in ROWS {
            assert!(rows.insert(row.long()), "{} has two rows in the table", row.name);
        }
        let mut shorts = BTreeSet::new();
        for flag in declared() {
            let long = flag.long.trim_start_matches('-');
            assert!(rows.remove(long), "--{long} has no row in the table");
            let is_switch = find(&long.replace('-', "_")).is_some_and(|row| row.values == Switch);
            assert_eq!(
                flag.kind == FlagInfoKind::Switch,
                is_switch,
                "--{long} is declared otherwise than its row says"
            );
            assert!(flag.short.is_none_or(|short| shorts.insert(short)), "--{long}: its letter is taken");
        }
        assert!(rows.is_empty(), "these rows have no option: {rows:?}");
    }

    #[test]
    fn rows_of_a_group_stand_together() {
        let mut heads: Vec<HelpGroup> = ROWS.iter().map(|row| row.group).collect();
        heads.dedup();
        let titles: BTreeSet<&str> = heads.iter().map(|group| group.title()).collect();
        assert_eq!(titles.len(), heads.len(), "{heads:?}");
    }

    #[test]
    fn commands_of_rows_are_commands() {
        for row in ROWS {
            assert!(row.commands.iter().all(|command| ALL.contains(command)), "{}", row.name);
        }
    }
}
