//! The options of all commands, as argh describes them. What argh does not know of an option is its row in `table`.

use argh::{ArgsInfo, FlagInfo};

/// Declares the options: a struct that argh describes.
macro_rules! options {
    // argh looks into types, and cannot look into one that a macro has matched as a whole.
    // What a build has with a feature alone is followed by it: `every: Option<String> if "watch"`.
    ($($(#[$attribute:meta])* $name:ident: $type:ident $(<$inner:ident>)? $(if $feature:literal)?,)*) => {
        /// The options of all commands; which command has which, the table says. There is no value of it: what is typed is
        /// told apart by the words, because what argh makes for so many fields is 20 KB of the smallest binary.
        #[derive(ArgsInfo)]
        #[expect(dead_code)]
        struct OptionFields {
            $($(#[$attribute])* $(#[cfg(feature = $feature)])? $name: $type $(<$inner>)?,)*
        }
    };
}

options! {
    /// read URLs from this file, one a line, with a name before it if you like; - for stdin
    #[argh(option)]
    input: Option<String>,

    /// take brackets and braces in URLs as they are
    #[argh(switch, short = 'g')]
    globoff: bool,

    /// put what --data says into the query of each URL, and send no content
    #[argh(switch, short = 'G')]
    get: bool,

    /// the plan whose shards the results are: its order, its tables, and its reports, if no --report is given
    #[argh(option)]
    plan: Option<String> if "merge",

    /// read values of ${NAME} from this file of NAME=value lines before the environment; import writes it, if it is not there
    #[argh(option)]
    secrets: Option<String>,

    /// give {name} in the plan this value, written as NAME=VALUE, before the one of its [variables]
    #[argh(option)]
    variable: Vec<String>,

    /// let the workers of this fleet fetch the jobs: redis://user:password@host:6379/0, rediss:// over TLS; ${NAME} in it is a
    /// secret
    #[argh(option)]
    fleet: Option<String> if "fleet",

    /// the run of the fleet, by its name; without it, the one run that is of the plan
    #[argh(option)]
    run: Option<String> if "fleet",

    /// end the run in place of collecting it, and drop what there is of it
    #[argh(switch)]
    cancel: bool if "fleet",

    /// after so long without a sign of life, the jobs of a worker are given to others
    #[argh(option)]
    lease: Option<String> if "fleet",

    /// for so long Redis keeps a run with which nobody has to do any more
    #[argh(option)]
    fleet_keep: Option<String> if "fleet",

    /// trust the certificates in this PEM file alone for Redis
    #[argh(option)]
    fleet_cacert: Option<String> if "fleet",

    /// seal jobs and outcomes with the key in this file, which is the same for all machines: openssl rand -base64 32 > FILE
    #[argh(option)]
    fleet_key: Option<String> if "fleet",

    /// fetch from this host alone, and send it secrets: api.example.com, *.example.com, * for all
    #[argh(option)]
    allow: Vec<String> if "fleet",

    /// connect to no address of this machine or of a private network, whatever name leads there
    #[argh(switch)]
    no_private: bool if "fleet",

    /// end when there was nothing to do for so long
    #[argh(option)]
    idle_exit: Option<String> if "fleet",

    /// of several parts of the jobs this one: 3/8 for the third of eight. Which part a job is in, its name tells
    #[argh(option)]
    shard: Option<String>,

    /// sources under way at once; of a worker, 10
    #[argh(option)]
    concurrency: Option<String>,

    /// requests under way at once at one host; in the demo, 50
    #[argh(option)]
    per_host: Option<String>,

    /// requests started in any stretch of a time, over all hosts: 20/s, 100/m
    #[argh(option)]
    rate: Option<String>,

    /// find how many requests at once each host takes, from its refusals and its latency, within the other limits
    #[argh(switch)]
    adaptive: bool,

    /// one attempt, from its permit to the last byte; time in the queue is not counted; a bare number is seconds
    #[argh(option, short = 'm')]
    timeout: Option<String>,

    /// resolving, connecting and TLS handshake
    #[argh(option)]
    connect_timeout: Option<String>,

    /// all attempts at a source and the waits between them
    #[argh(option)]
    job_timeout: Option<String>,

    /// the whole run; then the report of what there is
    #[argh(option)]
    deadline: Option<String>,

    /// the largest content, decoded; 1GiB if it only goes to a file
    #[argh(option)]
    max_body: Option<String>,

    /// half for contents, which beyond that wait in a temporary file, half for values and rows
    #[argh(option)]
    max_memory: Option<String>,

    /// end the run at the first source that fails
    #[argh(switch)]
    fail_fast: bool,

    /// further attempts if they may help
    #[argh(option)]
    retries: Option<String>,

    /// which answers are tried again: 429,500-504,expectation
    #[argh(option)]
    retry_on: Option<String>,

    /// repeat POST and PATCH too, with an Idempotency-Key
    #[argh(switch)]
    retry_unsafe: bool,

    /// the longest Retry-After that is waited for
    #[argh(option)]
    retry_after_max: Option<String>,

    /// redirects to follow, 0 for none
    #[argh(option)]
    follow: Option<String>,

    /// statuses that count as success: 200-399,404
    #[argh(option)]
    accept: Option<String>,

    /// the request method; POST with --data
    #[argh(option, short = 'X')]
    method: Option<String>,

    /// a header field to send, 'Name: value'; 'Name:' sends none of that name, 'Name;' an empty one, @FILE those of a file
    #[argh(option, short = 'H')]
    header: Vec<String>,

    /// content to send, its pieces joined by &; @FILE reads it from a text file without its line breaks, @- from stdin
    #[argh(option, short = 'd')]
    data: Vec<String>,

    /// the same, with files as they are
    #[argh(option)]
    data_binary: Vec<String>,

    /// the same, with nothing special about an @
    #[argh(option)]
    data_raw: Vec<String>,

    /// the same, percent-encoded: TEXT, NAME=TEXT, @FILE or NAME@FILE
    #[argh(option)]
    data_urlencode: Vec<String>,

    /// content as --data, with the header fields that say it is JSON and that JSON is wanted
    #[argh(option)]
    json: Vec<String>,

    /// what to send as User-Agent
    #[argh(option, short = 'A')]
    user_agent: Option<String>,

    /// neither ask for nor undo content codings
    #[argh(switch)]
    raw: bool,

    /// how long content waits to be asked for, with the header field 'Expect: 100-continue'
    #[argh(option)]
    expect100_timeout: Option<String>,

    /// user and password to send, unless a header or the plan says otherwise
    #[argh(option, short = 'u')]
    user: Option<String>,

    /// the same with a token
    #[argh(option)]
    bearer: Option<String>,

    /// take users and passwords from $NETRC or ~/.netrc
    #[argh(switch, short = 'n')]
    netrc: bool,

    /// go through this proxy: http://host:port or socks5://host:port
    #[argh(option, short = 'x')]
    proxy: Option<String>,

    /// addresses of a host, * for all, in place of a look-up: host:port:address[,address]
    #[argh(option)]
    resolve: Vec<String>,

    /// connect elsewhere than the URL says: host1:port1:host2:port2, each may be empty
    #[argh(option)]
    connect_to: Vec<String>,

    /// connect to IPv4 addresses alone
    #[argh(switch, short = '4')]
    ipv4: bool,

    /// connect to IPv6 addresses alone
    #[argh(switch, short = '6')]
    ipv6: bool,

    /// make every connection to this unix-domain socket
    #[argh(option)]
    unix_socket: Option<String>,

    /// connect from this interface or address of this machine; if!name and host!name say which it is
    #[argh(option)]
    interface: Option<String>,

    /// trust the certificates in this PEM file alone
    #[argh(option)]
    cacert: Option<String>,

    /// whose certificates are trusted
    #[argh(option)]
    roots: Option<String>,

    /// accept any certificate: others may read and change what is sent
    #[argh(switch, short = 'k')]
    insecure: bool,

    /// the certificate to show to servers that ask for one, a PEM file
    #[argh(option, short = 'E')]
    cert: Option<String>,

    /// the key of that certificate, a PEM file; without it, the key is in the same file
    #[argh(option)]
    key: Option<String>,

    /// the public keys that servers may have: sha256//BASE64, several with ; between; without it, any
    #[argh(option)]
    pinnedpubkey: Option<String>,

    /// append the secrets of TLS sessions to the file that SSLKEYLOGFILE names: with them, all can be read
    #[argh(switch)]
    keylog: bool,

    /// a report ({formats}), with =FILE to a file; a FILE with the ending of a format is enough; csv:bom=FILE begins with a byte
    /// order mark, for Excel
    #[argh(option)]
    report: Vec<String>,

    /// save contents to files in this folder; worker saves those that are too large for Redis, above 256 KiB
    #[argh(option)]
    output_dir: Option<String>,

    /// save the content of the one URL to this file; import writes the plan to it
    #[argh(option, short = 'o')]
    output: Option<String>,

    /// contents to stdout, in input order, one whole after the other
    #[argh(switch)]
    body: bool,

    /// print the head of each response before its content, of those that failed, too
    #[argh(switch, short = 'i')]
    include: bool,

    /// contents to stdout as with --body, and those of responses that failed, too
    #[argh(switch)]
    fail_with_body: bool,

    /// values of select that the table shows, as temp,wind; by default all of a plan without rows
    #[argh(option)]
    columns: Option<String>,

    /// columns by which rows are known, as sku,vendor or TABLE=sku,vendor; found if not given
    #[argh(option)]
    row_key: Vec<String>,

    /// end with 4 if anything differs
    #[argh(switch)]
    exit_code: bool,

    /// print the curl command of each job, with secrets as variables of the shell, and fetch nothing
    #[argh(switch)]
    curl: bool,

    /// open the page of the report in the browser
    #[argh(switch)]
    open: bool,

    /// print no progress and no notes, only reports and errors
    #[argh(switch, short = 'q')]
    quiet: bool,

    /// print every attempt as it ends; twice, the heads of requests and responses, too
    #[argh(switch, short = 'v')]
    verbose: u8,

    /// how the run is shown on stderr: plain writes a line every 10s
    #[argh(option)]
    progress: Option<String>,

    /// colours
    #[argh(option)]
    color: Option<String>,

    /// keep this run in this file, and make it if it is not there
    #[argh(option)]
    state: Option<String>,

    /// fetch what the last run did not come to, and take the rest from its file; with none to go on with, begin a new one
    #[argh(switch)]
    resume: bool,

    /// fetch what failed in the last run, and take the rest from its file
    #[argh(switch)]
    only_failed: bool,

    /// runs of this plan that the file keeps: 30 for the last 30, 30d for those of 30 days
    #[argh(option)]
    keep: Option<String>,

    /// bytes that the file may have in use: the oldest runs go for it
    #[argh(option)]
    state_size: Option<String>,

    /// keep responses in the file of --state, and ask for them again only if they may have changed
    #[argh(switch)]
    cache: bool,

    /// deliver the content that was kept last, for so long after it was fresh, if a server is not there for a new one: 7d
    #[argh(option)]
    stale_if_error: Option<String>,

    /// exit with 3 if a content is stale
    #[argh(switch)]
    fail_stale: bool,

    /// run the plan again after this time, and so on until a signal ends it
    #[argh(option)]
    every: Option<String> if "watch",

    /// end after this many rounds
    #[argh(option)]
    max_runs: Option<String> if "watch",

    /// the port to listen on, 0 for any that is free
    #[argh(option)]
    port: Option<String>,
}

/// What argh says of every option.
pub(super) fn declared() -> impl Iterator<Item = &'static FlagInfo<'static>> {
    // argh adds --help by itself; it belongs to the words, not to the options.
    OptionFields::get_args_info().flags.iter().filter(|flag| flag.long != "--help")
}
