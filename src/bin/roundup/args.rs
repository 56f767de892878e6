//! The command line as it was typed: names and texts, no meaning yet.

use argh::FromArgs;

use crate::options::Options;

/// Round up many HTTP APIs into one report.
///
/// All sources are fetched at once, within limits; the report lists them in the order given, failed ones included.
#[derive(Debug, FromArgs)]
#[argh(
    help_triggers("-h", "--help"),
    example = "roundup get 'https://api.example.com/v1/items/[1-50]' --report json=report.json",
    example = "roundup run plan.toml --concurrency 20",
    error_code(0, "every source succeeded"),
    error_code(1, "the command line is wrong"),
    error_code(2, "the plan cannot be read"),
    error_code(3, "at least one source failed; the report is written"),
    error_code(4, "an expectation failed; the report is written"),
    error_code(5, "the report could not be written"),
    error_code(130, "interrupted; the report of what there is is written")
)]
pub(crate) struct Arguments {
    /// print the version and exit
    #[argh(switch, short = 'V')]
    pub(crate) version: bool,

    #[argh(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, FromArgs)]
#[argh(subcommand)]
pub(crate) enum Command {
    Get(Get),
    Run(Run),
    Check(Check),
    Compare(Compare),
    #[cfg(feature = "demo")]
    Demo(Demo),
    #[cfg(feature = "demo")]
    Serve(Serve),
}

/// The options that all commands share which fetch. argh cannot put one struct into another, so these are parsed by
/// themselves: `typed` tells them from the commands' own, and joins the help of both.
#[derive(Debug, FromArgs)]
#[argh(help_triggers("-h", "--help"))]
pub(crate) struct Fetching {
    /// sources under way at once (10; all 50 in the demo)
    #[argh(option, arg_name = "n")]
    concurrency: Option<String>,

    /// the same for one host (no limit)
    #[argh(option, arg_name = "n")]
    per_host: Option<String>,

    /// requests started in a time, over all hosts: 20/s, 100/m (no limit)
    #[argh(option, arg_name = "rate")]
    rate: Option<String>,

    /// one attempt, from its permit to the last byte; time in the queue is not counted (30s)
    #[argh(option, arg_name = "time")]
    timeout: Option<String>,

    /// resolving, connecting and TLS handshake (10s)
    #[argh(option, arg_name = "time")]
    connect_timeout: Option<String>,

    /// the whole run; then the report of what there is (no limit)
    #[argh(option, arg_name = "time")]
    deadline: Option<String>,

    /// further attempts where they may help (2)
    #[argh(option, arg_name = "n")]
    retries: Option<String>,

    /// repeat POST and PATCH too
    #[argh(switch)]
    retry_unsafe: bool,

    /// the longest Retry-After that is waited for (60s)
    #[argh(option, arg_name = "time")]
    retry_after_max: Option<String>,

    /// user and password to send, unless a header or the plan says otherwise: name:password
    #[argh(option, short = 'u', arg_name = "user")]
    user: Option<String>,

    /// the same with a token
    #[argh(option, arg_name = "token")]
    bearer: Option<String>,

    /// take users and passwords from $NETRC or ~/.netrc
    #[argh(switch)]
    netrc: bool,

    /// addresses of a host, * for all, in place of a look-up: host:port:address[,address]; may be given several
    /// times
    #[argh(option, arg_name = "entry")]
    resolve: Vec<String>,

    /// connect elsewhere than the URL says: host1:port1:host2:port2, each may be empty; may be given several times
    #[argh(option, arg_name = "entry")]
    connect_to: Vec<String>,

    /// connect to IPv4 addresses alone
    #[argh(switch, short = '4')]
    ipv4: bool,

    /// connect to IPv6 addresses alone
    #[argh(switch, short = '6')]
    ipv6: bool,

    /// make every connection to this unix-domain socket
    #[argh(option, arg_name = "path")]
    unix_socket: Option<String>,

    /// connect from this interface or address of this machine; if!name and host!name say which it is
    #[argh(option, arg_name = "name")]
    interface: Option<String>,

    /// how long content waits to be asked for, with the header field 'Expect: 100-continue' (1s)
    #[argh(option, arg_name = "time")]
    expect100_timeout: Option<String>,

    /// a header field to send, 'Name: value'; may be given several times
    #[argh(option, short = 'H', arg_name = "field")]
    header: Vec<String>,

    /// the request method (GET; POST with --data)
    #[argh(option, short = 'X', arg_name = "name")]
    method: Option<String>,

    /// content to send; @FILE reads it from a file, @- from stdin
    #[argh(option, short = 'd', arg_name = "text")]
    data: Option<String>,

    /// statuses that count as success: 200-399,404 (200-399)
    #[argh(option, arg_name = "set")]
    accept: Option<String>,

    /// redirects to follow, 0 for none (10)
    #[argh(option, arg_name = "n")]
    follow: Option<String>,

    /// the largest content, decoded (16MiB; 1GiB where it only goes to a file)
    #[argh(option, arg_name = "size")]
    max_body: Option<String>,

    /// a report: json, jsonl, csv or table, with =FILE to a file; may be given several times (table)
    #[argh(option, arg_name = "format")]
    report: Vec<String>,

    /// save contents to files in this folder
    #[argh(option, arg_name = "dir")]
    output_dir: Option<String>,

    /// contents to stdout, in input order, one whole after the other
    #[argh(switch)]
    body: bool,

    /// neither ask for nor undo content codings
    #[argh(switch)]
    raw: bool,

    /// end the run at the first source that fails
    #[argh(switch)]
    fail_fast: bool,

    /// trust the certificates in this PEM file alone
    #[argh(option, arg_name = "file")]
    cacert: Option<String>,

    /// whose certificates are trusted: auto, os or bundled (auto)
    #[argh(option, arg_name = "store")]
    roots: Option<String>,

    /// accept any certificate: anybody may read and change what is sent
    #[argh(switch)]
    insecure: bool,

    /// the certificate to show to servers that ask for one, a PEM file
    #[argh(option, arg_name = "file")]
    cert: Option<String>,

    /// the key of that certificate, a PEM file (the same)
    #[argh(option, arg_name = "file")]
    key: Option<String>,

    /// the public keys that servers may have: sha256//BASE64, several with ; between (any)
    #[argh(option, arg_name = "pins")]
    pinnedpubkey: Option<String>,

    /// append the secrets of TLS sessions to the file that SSLKEYLOGFILE names: who has them can read all
    #[argh(switch)]
    keylog: bool,

    /// go through this proxy: http://host:port or socks5://host:port
    #[argh(option, arg_name = "url")]
    proxy: Option<String>,

    /// what to send as User-Agent
    #[argh(option, arg_name = "text")]
    user_agent: Option<String>,

    /// print no progress and no notes, only reports and errors
    #[argh(switch, short = 'q')]
    quiet: bool,

    /// print every attempt as it ends
    #[argh(switch, short = 'v')]
    verbose: bool,

    /// colours: auto, always or never (auto)
    #[argh(option, arg_name = "when")]
    color: Option<String>,
}

impl Fetching {
    pub(crate) fn options(self) -> Options {
        let mut options = Options::default();
        options.give("concurrency", self.concurrency);
        options.give("per-host", self.per_host);
        options.give("rate", self.rate);
        options.give("timeout", self.timeout);
        options.give("connect-timeout", self.connect_timeout);
        options.give("deadline", self.deadline);
        options.give("retries", self.retries);
        options.give("retry-unsafe", self.retry_unsafe);
        options.give("retry-after-max", self.retry_after_max);
        options.give("user", self.user);
        options.give("bearer", self.bearer);
        options.give("netrc", self.netrc);
        options.give("resolve", self.resolve);
        options.give("connect-to", self.connect_to);
        options.give("ipv4", self.ipv4);
        options.give("ipv6", self.ipv6);
        options.give("unix-socket", self.unix_socket);
        options.give("interface", self.interface);
        options.give("expect100-timeout", self.expect100_timeout);
        options.give("header", self.header);
        options.give("method", self.method);
        options.give("data", self.data);
        options.give("accept", self.accept);
        options.give("follow", self.follow);
        options.give("max-body", self.max_body);
        options.give("report", self.report);
        options.give("output-dir", self.output_dir);
        options.give("body", self.body);
        options.give("raw", self.raw);
        options.give("fail-fast", self.fail_fast);
        options.give("cacert", self.cacert);
        options.give("roots", self.roots);
        options.give("insecure", self.insecure);
        options.give("cert", self.cert);
        options.give("key", self.key);
        options.give("pinnedpubkey", self.pinnedpubkey);
        options.give("keylog", self.keylog);
        options.give("proxy", self.proxy);
        options.give("user-agent", self.user_agent);
        options.give("quiet", self.quiet);
        options.give("verbose", self.verbose);
        options.give("color", self.color);
        options
    }
}

/// Fetch URLs.
///
/// [1-50], [a-z] and {a,b} in a URL stand for several, as in curl.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "get", help_triggers("-h", "--help"))]
pub(crate) struct Get {
    /// URLs; - reads a list from stdin
    #[argh(positional, arg_name = "url")]
    pub(crate) urls: Vec<String>,

    /// read URLs from this file, one a line, with a name before it if you like; - for stdin
    #[argh(option, short = 'i', arg_name = "file")]
    pub(crate) input: Option<String>,

    /// take brackets and braces in URLs as they are
    #[argh(switch)]
    pub(crate) globoff: bool,
}

/// Run a plan.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "run", help_triggers("-h", "--help"))]
pub(crate) struct Run {
    /// the plan, a TOML file; - for stdin
    #[argh(positional, arg_name = "plan.toml")]
    pub(crate) plan: String,

    /// read values of ${{NAME}} from this file of NAME=value lines before the environment
    #[argh(option, arg_name = "file")]
    pub(crate) secrets: Option<String>,
}

/// Read a plan and print what it would do, a line a job; nothing is fetched. Takes the options of run, to check
/// them too.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "check", help_triggers("-h", "--help"))]
pub(crate) struct Check {
    /// the plan, a TOML file; - for stdin
    #[argh(positional, arg_name = "plan.toml")]
    pub(crate) plan: String,

    /// read values of ${{NAME}} from this file of NAME=value lines before the environment
    #[argh(option, arg_name = "file")]
    pub(crate) secrets: Option<String>,
}

/// Do the same work one at a time, then concurrently, and print both times.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "compare", help_triggers("-h", "--help"))]
pub(crate) struct Compare {
    /// URLs, or one plan
    #[argh(positional, arg_name = "url or plan.toml")]
    pub(crate) work: Vec<String>,

    /// read URLs from this file, one a line, with a name before it if you like; - for stdin
    #[argh(option, short = 'i', arg_name = "file")]
    pub(crate) input: Option<String>,

    /// take brackets and braces in URLs as they are
    #[argh(switch)]
    pub(crate) globoff: bool,

    /// read values of ${{NAME}} from this file of NAME=value lines before the environment
    #[argh(option, arg_name = "file")]
    pub(crate) secrets: Option<String>,
}

/// Start a server with 50 slow, flaky and rate-limited APIs on this machine, round it up one at a time and
/// concurrently, and write the report. Needs no network.
#[cfg(feature = "demo")]
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "demo", help_triggers("-h", "--help"))]
pub(crate) struct Demo {}

/// Start the demo's server alone, for other clients to try.
#[cfg(feature = "demo")]
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "serve", help_triggers("-h", "--help"))]
pub(crate) struct Serve {
    /// the port to listen on, 0 for any that is free (8080)
    #[argh(option, arg_name = "n")]
    pub(crate) port: Option<String>,

    /// print nothing but errors
    #[argh(switch, short = 'q')]
    pub(crate) quiet: bool,
}
