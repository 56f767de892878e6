//! Other names of options: those of curl, and what people type who mean one of ours.

/// A word that is no option of ours.
#[derive(Debug)]
pub(super) struct Alias {
    pub(super) short: Option<char>,
    /// The long name without dashes.
    pub(super) long: &'static str,
    pub(super) meaning: Meaning,
}

/// What a word of this kind means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// The option of this name, with or without a value as that one is.
    Same(&'static str),
    /// Takes a value, and gives these options with these values, in which `{}` stands for it.
    Value(&'static [(&'static str, &'static str)]),
    /// Takes no value, and gives these options; a switch has an empty value.
    Words(&'static [(&'static str, &'static str)]),
    /// A URL, which is no option here.
    Url,
    /// What holds without it.
    Default,
    /// An error that says what to write.
    Instead(&'static str),
}

use Meaning::{Default, Instead, Same, Url, Value, Words};

/// The alias of this long name.
pub(super) fn find_long(name: &str) -> Option<&'static Alias> {
    ALIASES.iter().find(|alias| alias.long == name)
}

/// The alias of this letter.
pub(super) fn find_short(letter: char) -> Option<&'static Alias> {
    ALIASES.iter().find(|alias| alias.short == Some(letter))
}

/// The names of one kind, for help and completions.
pub(super) fn that(is: impl Fn(Meaning) -> bool) -> impl Iterator<Item = &'static Alias> {
    ALIASES.iter().filter(move |alias| is(alias.meaning))
}

impl Alias {
    /// As it is typed: `-L, --location`.
    pub(super) fn shown(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.long),
            None => format!("--{}", self.long),
        }
    }

    /// Whether a value follows it, unless it is another name of an option.
    pub(super) fn takes_value(&self) -> bool {
        matches!(self.meaning, Value(_) | Url)
    }
}

#[rustfmt::skip]
pub(super) const ALIASES: &[Alias] = &[
    #[cfg(not(feature = "watch"))]
    instead(None,   "every",                NO_ROUNDS),
    #[cfg(not(feature = "watch"))]
    instead(None,   "max-runs",             NO_ROUNDS),
    // curl's names of what roundup has.
    same(Some('s'), "silent",               "quiet"),
    same(None,      "request",              "method"),
    same(None,      "max-time",             "timeout"),
    same(None,      "retry",                "retries"),
    same(None,      "max-redirs",           "follow"),
    same(None,      "max-filesize",         "max_body"),
    same(None,      "parallel-max",         "concurrency"),
    same(None,      "show-headers",         "include"),
    same(None,      "data-ascii",           "data"),
    same(None,      "oauth2-bearer",        "bearer"),
    same(None,      "fail-early",           "fail_fast"),
    alias(Some('I'), "head",                Words(&[("method", "HEAD"), ("include", "")])),
    alias(Some('e'), "referer",             Value(&[("header", "Referer: {}")])),
    alias(Some('b'), "cookie",              Value(&[("header", "Cookie: {}")])),
    alias(Some('r'), "range",               Value(&[("header", "Range: bytes={}")])),
    alias(None,     "no-progress-meter",    Words(&[("progress", "none")])),
    alias(None,     "socks5",               Value(&[("proxy", "socks5://{}")])),
    alias(None,     "socks5-hostname",      Value(&[("proxy", "socks5h://{}")])),
    alias(None,     "url",                  Url),
    same(None,      "no-compressed",        "raw"),
    // What curl has to be asked for, and roundup does.
    alias(Some('L'), "location",            Default),
    alias(Some('S'), "show-error",          Default),
    alias(Some('f'), "fail",                Default),
    alias(Some('Z'), "parallel",            Default),
    alias(Some('N'), "no-buffer",           Default),
    alias(Some('#'), "progress-bar",        Default),
    alias(None,     "compressed",           Default),
    alias(None,     "basic",                Default),
    alias(None,     "parallel-immediate",   Default),
    alias(None,     "retry-connrefused",    Default),
    alias(None,     "create-dirs",          Default),
    alias(None,     "http1.1",              Default),
    alias(None,     "tlsv1.2",              Default),
    alias(None,     "ssl-no-revoke",        Default),
    alias(None,     "tcp-nodelay",          Default),
    // What curl does in another way, or roundup not at all.
    instead(Some('O'), "remote-name",       "--output-dir . saves contents to files that are named by their URLs"),
    instead(None,   "remote-name-all",      "--output-dir . saves contents to files that are named by their URLs"),
    instead(Some('w'), "write-out",         "--report jsonl prints status, sizes and times of each source, --report csv a table of them"),
    instead(None,   "retry-all-errors",     "--retries 2 repeats what may pass: lost connections, timeouts, 408, 425, 429, 5xx; other statuses stay what they are"),
    instead(None,   "retry-delay",          "the wait before a retry doubles from 0.5 s and heeds Retry-After; leave it out"),
    instead(None,   "retry-max-time",       "--deadline 2m ends the run, retries included"),
    instead(None,   "limit-rate",           "--rate 20/s bounds requests, and nothing bounds bytes in a time"),
    instead(Some('F'), "form",              "multipart forms are not sent; --data 'a=1&b=2' sends fields, --data-binary @FILE a file"),
    instead(Some('T'), "upload-file",       "--method PUT --data-binary @FILE sends a file"),
    instead(Some('c'), "cookie-jar",        "cookies are kept in no file; cookies = true in a plan keeps them for its run, -b 'NAME=VALUE' sends one"),
    instead(Some('D'), "dump-header",       "-i prints heads and contents, -vv heads on stderr"),
    instead(Some('K'), "config",            "roundup run PLAN.toml takes requests from a file"),
    instead(None,   "proxy-user",           "write it in the proxy's URL: --proxy http://NAME:PASSWORD@HOST:PORT"),
    instead(None,   "location-trusted",     "credentials stay behind where a redirect leaves its origin; leave it out"),
    instead(None,   "http2",                "roundup speaks HTTP/1.1; leave it out"),
    instead(None,   "http3",                "roundup speaks HTTP/1.1; leave it out"),
    instead(None,   "no-location",          "--follow 0"),
    instead(Some(':'), "next",              "roundup run PLAN.toml gives each request options of its own"),
    instead(None,   "noproxy",              "NO_PROXY=HOST,HOST in the environment names the hosts that need no proxy"),
    instead(None,   "url-query",            "-G --data 'a=1&b=2' puts it into the query"),
    instead(None,   "expand-url",           "a plan puts values into {name}; --variable NAME=VALUE gives them"),
    instead(None,   "expand-header",        "a plan puts values into {name}; --variable NAME=VALUE gives them"),
    instead(None,   "expand-data",          "a plan puts values into {name}; --variable NAME=VALUE gives them"),
    instead(None,   "digest",               "--user sends the password as Basic, and no other way is spoken"),
    instead(None,   "anyauth",              "--user sends the password as Basic, and no other way is spoken"),
    instead(None,   "etag-save",            "--cache --state FILE asks again only for what may have changed"),
    instead(None,   "etag-compare",         "--cache --state FILE asks again only for what may have changed"),
    instead(Some('z'), "time-cond",         "--cache --state FILE asks again only for what may have changed"),
    instead(Some('C'), "continue-at",       "contents are fetched whole; -r 100- asks for a part of one"),
    instead(Some('y'), "speed-time",        "--timeout 30s bounds an attempt, however fast it is"),
    instead(Some('Y'), "speed-limit",       "--timeout 30s bounds an attempt, however fast it is"),
    instead(None,   "netrc-file",           "NETRC=FILE in the environment names the file of --netrc"),
    instead(Some('V'), "version",           "roundup --version prints the version"),
    instead(None,   "trace",                "-vv prints heads on stderr"),
    instead(None,   "trace-ascii",          "-vv prints heads on stderr"),
    // What people mean who guess.
    instead(None,   "var",                  "--variable NAME=VALUE gives a value to a plan"),
    instead(None,   "set",                  "--variable NAME=VALUE gives a value to a plan"),
    instead(None,   "define",               "--variable NAME=VALUE gives a value to a plan"),
    instead(None,   "secret",               "${NAME} is read from the environment, or from the file of --secrets FILE"),
    instead(None,   "env-file",             "--secrets FILE reads values of ${NAME}"),
    instead(None,   "post",                 "--method POST, or --data TEXT, which is sent with POST"),
    instead(None,   "put",                  "--method PUT --data TEXT"),
    instead(None,   "delete",               "--method DELETE"),
    instead(None,   "body-file",            "--data-binary @FILE sends a file"),
    instead(None,   "max-retries",          "--retries N"),
    instead(None,   "jobs",                 "--concurrency N"),
    instead(Some('j'), "threads",           "--concurrency N"),
    instead(None,   "workers",              "--concurrency N"),
    instead(Some('P'), "max-concurrency",   "--concurrency N"),
    instead(None,   "limit",                "--concurrency N, --per-host N or --rate 20/s"),
    instead(None,   "rps",                  "--rate 20/s"),
    instead(None,   "qps",                  "--rate 20/s"),
    instead(None,   "out",                  "--output FILE, --output-dir DIR for contents, --report FORMAT=FILE for reports"),
    instead(None,   "format",               "--report FORMAT[=FILE]"),
    instead(None,   "csv",                  "--report csv, or --report FILE.csv"),
    instead(None,   "table",                "--report table"),
    instead(None,   "auth",                 "--user NAME:PASSWORD or --bearer TOKEN"),
    instead(None,   "token",                "--bearer TOKEN"),
    instead(None,   "password",             "--user NAME:PASSWORD"),
    instead(None,   "status",               "--accept STATUSES"),
    instead(None,   "no-redirect",          "--follow 0"),
    instead(None,   "no-follow",            "--follow 0"),
    instead(None,   "ca",                   "--cacert FILE"),
    instead(None,   "no-verify",            "--insecure"),
    instead(None,   "no-color",             "--color never"),
    instead(None,   "no-progress",          "--progress none"),
    instead(None,   "debug",                "-vv"),
    instead(None,   "dry-run",              "roundup check PLAN.toml"),
    instead(None,   "job",                  ONE_JOB),
    instead(None,   "only",                 ONE_JOB),
    instead(None,   "filter",               ONE_JOB),
    instead(None,   "file",                 "--input FILE reads URLs; roundup run PLAN.toml runs a plan"),
];

const ONE_JOB: &str = "a plan is run whole: roundup check PLAN.toml lists its jobs, and those that are run alone stand in a plan of their own";
#[cfg(not(feature = "watch"))]
const NO_ROUNDS: &str = "this build cannot watch: take one with the cargo feature \"watch\"";

const fn alias(short: Option<char>, long: &'static str, meaning: Meaning) -> Alias {
    Alias { short, long, meaning }
}

const fn same(short: Option<char>, long: &'static str, option: &'static str) -> Alias {
    alias(short, long, Same(option))
}

const fn instead(short: Option<char>, long: &'static str, text: &'static str) -> Alias {
    alias(short, long, Instead(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::options::declared;
    use super::super::table::{ValueKind, find};
    use super::*;

    #[test]
    fn no_name_is_given_twice_and_every_meaning_is_an_option() {
        let mut shorts: BTreeSet<char> = declared().filter_map(|flag| flag.short).collect();
        let mut longs: BTreeSet<&str> = declared().map(|flag| flag.long.trim_start_matches('-')).collect();
        for alias in ALIASES {
            assert!(longs.insert(alias.long), "--{} is there twice", alias.long);
            assert!(alias.short.is_none_or(|short| shorts.insert(short)), "--{}: its letter is taken", alias.long);
            match alias.meaning {
                Same(name) => assert!(find(name).is_some(), "{name}"),
                Value(words) | Words(words) => words.iter().for_each(|(name, value)| {
                    let row = find(name).unwrap_or_else(|| panic!("{name}"));
                    assert_eq!(row.values == ValueKind::Switch, value.is_empty(), "{name}");
                }),
                Url | Default | Instead(_) => {}
            }
        }
    }
}
