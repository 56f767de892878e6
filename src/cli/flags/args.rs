//! The commands and their arguments, as argh reads them. Options are in `options`.

use argh::{ArgsInfo, FromArgs};

/// Round up many HTTP APIs into one report.
///
/// All sources are fetched at once, within limits; the report lists them in the order given, failed ones included.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    example = "roundup get 'https://api.example.com/v1/items/[1-50]' --report json=report.json",
    example = "roundup run plan.toml --concurrency 20",
    error_code(0, "every source succeeded"),
    error_code(1, "the command line is wrong"),
    error_code(2, "the plan cannot be read"),
    error_code(3, "at least one source failed; the report is written"),
    error_code(4, "an expectation failed; the report is written; or diff --exit-code found something"),
    error_code(5, "the report or the state could not be written"),
    error_code(130, "interrupted; the report of what there is is written")
)]
pub(crate) struct Arguments {
    /// print the version and exit
    #[argh(switch, short = 'V')]
    pub(super) version: bool,

    #[argh(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub(crate) enum Command {
    Get(Get),
    Run(Run),
    Check(Check),
    Compare(Compare),
    Completions(Completions),
    Man(Man),
    #[cfg(feature = "state")]
    History(History),
    #[cfg(feature = "state")]
    State(StateCommand),
    Render(Render),
    #[cfg(feature = "merge")]
    Merge(Merge),
    #[cfg(feature = "fleet")]
    Worker(WorkerCommand),
    #[cfg(feature = "fleet")]
    Submit(Submit),
    #[cfg(feature = "fleet")]
    Collect(Collect),
    #[cfg(feature = "diff")]
    Diff(Diff),
    #[cfg(feature = "explain")]
    Explain(Explain),
    #[cfg(feature = "import")]
    Import(Import),
    #[cfg(feature = "import")]
    New(New),
    #[cfg(feature = "demo")]
    Demo(Demo),
    #[cfg(feature = "demo")]
    Serve(Serve),
}

/// Fetch URLs.
///
/// [1-50], [a-z] and {a,b} in a URL stand for several, as in curl.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "get",
    example = "roundup get 'https://api.example.com/v1/items/[1-50]' --report items.csv",
    example = "roundup get -H 'Accept: application/json' --json '{{\"q\": 1}}' localhost:8080/search -i",
    example = "roundup get --input urls.txt --per-host 4 --rate 20/s --output-dir pages"
)]
pub(crate) struct Get {
    /// URLs; - reads a list from stdin
    #[argh(positional, arg_name = "URL")]
    pub(crate) urls: Vec<String>,
}

/// Run a plan.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "run",
    example = "roundup run plan.toml",
    example = "roundup run plan.toml --variable city=oslo --secrets .env --report report.json",
    example = "roundup run plan.toml --deadline 2m --progress plain --report jsonl"
)]
pub(crate) struct Run {
    /// the plan, a TOML file; - for stdin
    #[argh(positional, arg_name = "PLAN.toml")]
    pub(crate) plan: String,
}

/// Read a plan and print what it would do, a line a job; nothing is fetched.
///
/// Takes the options of run, to check them too.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "check",
    example = "roundup check plan.toml",
    example = "roundup check plan.toml --secrets .env --variable city=oslo",
    example = "roundup check - < plan.toml"
)]
pub(crate) struct Check {
    /// the plan, a TOML file; - for stdin
    #[argh(positional, arg_name = "PLAN.toml")]
    pub(crate) plan: String,
}

/// Do the same work one at a time, then concurrently, and print both times.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "compare",
    example = "roundup compare 'https://api.example.com/v1/items/[1-10]'",
    example = "roundup compare plan.toml",
    example = "roundup compare --input urls.txt --concurrency 5"
)]
pub(crate) struct Compare {
    /// URLs, or one plan
    #[argh(positional, arg_name = "URL or PLAN.toml")]
    pub(crate) work: Vec<String>,
}

/// Print the completions of commands and options for a shell: bash, zsh, fish or powershell.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "completions",
    example = "roundup completions bash > ~/.local/share/bash-completion/completions/roundup",
    example = "roundup completions zsh > ~/.zfunc/_roundup",
    example = "roundup completions fish > ~/.config/fish/completions/roundup.fish"
)]
pub(crate) struct Completions {
    /// bash, zsh, fish or powershell
    #[argh(positional, arg_name = "SHELL")]
    pub(crate) shell: String,
}

/// Print the manual page.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "man",
    example = "roundup man > ~/.local/share/man/man1/roundup.1",
    example = "roundup man | man -l -",
    example = "roundup man | mandoc -a"
)]
pub(crate) struct Man {}

/// List the runs that a state file has, and what they cost.
#[cfg(feature = "state")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "history",
    example = "roundup history suppliers.db",
    example = "roundup history ~/.local/state/roundup.db",
    example = "roundup history suppliers.db | tail -n 5"
)]
pub(crate) struct History {
    /// the file that runs are kept in
    #[argh(positional, arg_name = "FILE")]
    pub(crate) file: String,
}

/// Look after a state file.
///
/// check reads all of it, says whether it is sound, and what it holds.
#[cfg(feature = "state")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "state",
    example = "roundup state check suppliers.db",
    example = "roundup state check ~/.local/state/roundup.db",
    example = "roundup state check suppliers.db && cp suppliers.db backup/"
)]
pub(crate) struct StateCommand {
    /// check
    #[argh(positional, arg_name = "ACTION")]
    pub(crate) action: String,

    /// the file that runs are kept in
    #[argh(positional, arg_name = "FILE")]
    pub(crate) file: String,
}

/// Write a result that was written before in other formats; nothing is fetched.
///
/// A result is what --report json or jsonl wrote, or a run of a state file: FILE#RUN, or FILE for the last one.
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "render",
    example = "roundup render run.json --report page.html --report '{{table}}.csv'",
    example = "roundup render suppliers.db#12 --report md",
    example = "roundup render - --report table < run.jsonl"
)]
pub(crate) struct Render {
    /// a report in JSON or JSON Lines, or FILE#RUN; - for stdin
    #[argh(positional, arg_name = "RESULT")]
    pub(crate) result: String,
}

/// Make one report of the results of several runs, as of the shards of a plan; nothing is fetched.
///
/// A result is what --report json or jsonl wrote, or a run of a state file: FILE#RUN, or FILE for the last one. Shards are put
/// together in the order of their plan, and what is missing is named; other results follow each other. A source that is
/// there several times counts once. The exit code is that of a run of the whole, and 3 if something is missing.
#[cfg(feature = "merge")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "merge",
    example = "roundup merge shard-*.jsonl --plan plan.toml --report report.html",
    example = "roundup merge berlin.json oslo.json --report both.json",
    example = "roundup merge night.db#7 day.json --report html=both.html"
)]
pub(crate) struct Merge {
    /// reports in JSON or JSON Lines, or FILE#RUN; - for stdin
    #[argh(positional, arg_name = "RESULT")]
    pub(crate) results: Vec<String>,
}

/// Fetch jobs of a fleet: those that others run, submit and collect.
///
/// Takes jobs of any run from Redis until it is told to end (SIGTERM, Ctrl-C): then it finishes what is under way, for ten
/// seconds at most, and gives back the rest. Jobs are held to what --allow and --no-private say, and get secrets only with
/// --allow or --fleet-key. Values of ${NAME} come from --secrets or the environment of the worker, never through Redis.
#[cfg(feature = "fleet")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "worker",
    example = "roundup worker 'redis://fleet:${{REDIS}}@redis.example.com' --allow '*.example.com' --secrets .env",
    example = "roundup worker redis://localhost --concurrency 20 --idle-exit 60s",
    example = "roundup worker redis://localhost --no-private -v"
)]
pub(crate) struct WorkerCommand {
    /// the Redis: redis://user:password@host:6379/0, rediss:// over TLS
    #[argh(positional, arg_name = "URL")]
    pub(crate) url: String,
}

/// Give the jobs of a plan to a fleet, and print the name of the run.
///
/// Its jobs that need nothing go at once; those that need others follow when the run is collected.
#[cfg(feature = "fleet")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "submit",
    example = "roundup submit plan.toml redis://localhost",
    example = "roundup submit plan.toml 'rediss://fleet:${{REDIS}}@redis.example.com/1' --secrets .env",
    example = "roundup submit - redis://localhost --lease 2m --fleet-keep 7d < plan.toml"
)]
pub(crate) struct Submit {
    /// the plan, a TOML file; - for stdin
    #[argh(positional, arg_name = "PLAN.toml")]
    pub(crate) plan: String,

    /// the Redis: redis://user:password@host:6379/0, rediss:// over TLS
    #[argh(positional, arg_name = "URL")]
    pub(crate) url: String,
}

/// Collect a run of a fleet, from its first outcome on, and write the report of its plan.
///
/// Takes the options that the run was begun with.
#[cfg(feature = "fleet")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "collect",
    example = "roundup collect plan.toml redis://localhost --report report.html",
    example = "roundup collect plan.toml redis://localhost --run 0123456789ab",
    example = "roundup collect plan.toml redis://localhost --cancel"
)]
pub(crate) struct Collect {
    /// the plan, a TOML file; - for stdin
    #[argh(positional, arg_name = "PLAN.toml")]
    pub(crate) plan: String,

    /// the Redis: redis://user:password@host:6379/0, rediss:// over TLS
    #[argh(positional, arg_name = "URL")]
    pub(crate) url: String,
}

/// Print what differs between two results; nothing is fetched.
///
/// A result is what --report json or jsonl wrote, or a run of a state file: FILE#RUN, or FILE for the last one. It says
/// which sources appeared, went, ended otherwise or gave other values, contents or rows, and which took another time, beyond
/// noise.
#[cfg(feature = "diff")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "diff",
    example = "roundup diff yesterday.json today.json",
    example = "roundup diff suppliers.db#11 suppliers.db#12 --row-key prices=sku,vendor",
    example = "roundup diff old.jsonl new.jsonl --exit-code --report json=changes.json"
)]
pub(crate) struct Diff {
    /// the older result
    #[argh(positional, arg_name = "OLD")]
    pub(crate) old: String,

    /// the newer one
    #[argh(positional, arg_name = "NEW")]
    pub(crate) new: String,
}

/// Show one source of a run that is over: each attempt, each wait, and where the time of the last one went.
///
/// A result is a report in JSON or JSON Lines, or a run of a state file: FILE#RUN, or FILE for the last one.
#[cfg(feature = "explain")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "explain",
    example = "roundup explain weather[oslo] report.json",
    example = "roundup explain oslo suppliers.db#12",
    example = "roundup explain oslo - < run.jsonl"
)]
pub(crate) struct Explain {
    /// the source, or a part of its name or URL that no other has
    #[argh(positional, arg_name = "NAME")]
    pub(crate) name: String,

    /// a report in JSON or JSON Lines, or FILE#RUN; - for stdin
    #[argh(positional, arg_name = "RESULT")]
    pub(crate) result: String,
}

/// Write a plan of requests that were written elsewhere: curl commands, or an HTTP archive (HAR).
///
/// Commands are read as browsers copy them and documentation has them, for bash, cmd.exe or PowerShell. Credentials are not
/// written into the plan: they stand as ${NAME}, and --secrets FILE writes their values into a file of their own.
#[cfg(feature = "import")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "import",
    example = "roundup import curl commands.txt --output plan.toml --secrets plan.env",
    example = "roundup import curl - < command.txt",
    example = "roundup import har session.har --output plan.toml --secrets plan.env"
)]
pub(crate) struct Import {
    /// curl or har
    #[argh(positional, arg_name = "KIND")]
    pub(crate) what: String,

    /// what is imported; - for stdin
    #[argh(positional, arg_name = "FILE")]
    pub(crate) file: String,
}

/// Write a plan to begin with, with comments; it runs against roundup serve.
#[cfg(feature = "import")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "new",
    example = "roundup new",
    example = "roundup new suppliers.toml",
    example = "roundup new - | roundup check -"
)]
pub(crate) struct New {
    /// the plan, plan.toml by default; - for stdout. A file that is there stays as it is
    #[argh(positional, arg_name = "FILE")]
    pub(crate) file: Option<String>,
}

/// Start a server with 50 APIs on this machine, and round them up.
///
/// Some of the APIs are slow, some flaky, some rate-limited. They are fetched one at a time and then concurrently; both
/// times and what they said are printed, and the report is written to roundup-demo.html. Needs no network.
#[cfg(feature = "demo")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "demo",
    example = "roundup demo",
    example = "roundup demo --concurrency 10",
    example = "roundup demo --report demo.json"
)]
pub(crate) struct Demo {}

/// Start the demo's server alone, for other clients to try.
#[cfg(feature = "demo")]
#[derive(Debug, FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "serve",
    example = "roundup serve",
    example = "roundup serve --port 8099",
    example = "roundup serve --port 0"
)]
pub(crate) struct Serve {}
