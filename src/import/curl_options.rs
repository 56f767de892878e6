//! The options of curl, and what an import makes of each.

/// An option of curl.
#[derive(Debug)]
pub(super) struct CurlOption {
    pub(super) short: Option<char>,
    pub(super) long: &'static str,
    pub(super) takes_value: bool,
    pub(super) does: Effect,
}

/// What an option does to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Method,
    Header,
    /// Content: joined with `&`, with what is special about it.
    Data(DataForm),
    Json,
    Query,
    /// Content goes into the query.
    Get,
    Head,
    User,
    /// The password goes in another way than as Basic, which no plan has.
    OtherAuth,
    Bearer,
    /// A field of this name.
    Field(&'static str),
    Range,
    Url,
    Output,
    RemoteName,
    /// A time, under this key of a job.
    Time(&'static str),
    Retries,
    MaxRedirects,
    Follow,
    MaxSize,
    Compressed,
    Globoff,
    /// An option of `roundup run` under this name.
    Run(&'static str),
    /// The options behind it are those of another request.
    Next,
    /// Of curl's output or of what roundup does anyway.
    Nothing,
    /// Changes the request or how it is sent in a way that a plan does not have.
    LeftOut,
    /// Cannot be done, and this is what to write.
    Refused(&'static str),
}

/// What is special about content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataForm {
    /// `@FILE` is a file without its line breaks.
    Text,
    /// `@FILE` is a file as it is.
    Binary,
    /// Nothing.
    Raw,
    /// It is percent-encoded.
    Encoded,
}

/// The option of this long name, or of `no-` and this name, which then is off.
pub(super) fn find_long(name: &str) -> Option<(&'static CurlOption, bool)> {
    let find = |name: &str| OPTIONS.iter().find(|option| option.long == name);
    let off = || name.strip_prefix("no-").and_then(find).filter(|option| !option.takes_value);
    find(name).map(|option| (option, true)).or_else(|| off().map(|option| (option, false)))
}

/// Whether curl has an option of this long name.
pub fn is_curl_option(name: &str) -> bool {
    find_long(name).is_some()
}

/// Whether curl has an option of this letter.
pub fn is_curl_letter(letter: char) -> bool {
    find_short(letter).is_some()
}

pub(super) fn find_short(letter: char) -> Option<&'static CurlOption> {
    OPTIONS.iter().find(|option| option.short == Some(letter))
}

/// The names of curl's other options that take a value, and change the request or how it is sent.
const LEFT_OUT_WITH_VALUE: &[&str] = &[
    "abstract-unix-socket",
    "alt-svc",
    "aws-sigv4",
    "capath",
    "cert-type",
    "ciphers",
    "crlfile",
    "curves",
    "delegation",
    "dns-interface",
    "dns-ipv4-addr",
    "dns-ipv6-addr",
    "dns-servers",
    "doh-url",
    "ech",
    "egd-file",
    "engine",
    "etag-compare",
    "cookie-jar",
    "dump-header",
    "etag-save",
    "output-dir",
    "write-out",
    "expand-data",
    "expand-header",
    "expand-user",
    "ftp-account",
    "ftp-alternative-to-user",
    "ftp-method",
    "ftp-port",
    "ftp-ssl-ccc-mode",
    "happy-eyeballs-timeout-ms",
    "haproxy-clientip",
    "hostpubmd5",
    "hostpubsha256",
    "hsts",
    "ip-tos",
    "ipfs-gateway",
    "keepalive-cnt",
    "keepalive-time",
    "key-type",
    "krb",
    "local-port",
    "login-options",
    "mail-auth",
    "mail-from",
    "mail-rcpt",
    "netrc-file",
    "noproxy",
    "pass",
    "preproxy",
    "proto",
    "proto-default",
    "proto-redir",
    "proxy-cacert",
    "proxy-capath",
    "proxy-cert",
    "proxy-cert-type",
    "proxy-ciphers",
    "proxy-crlfile",
    "proxy-header",
    "proxy-key",
    "proxy-key-type",
    "proxy-pass",
    "proxy-pinnedpubkey",
    "proxy-service-name",
    "proxy-tls13-ciphers",
    "proxy-tlsauthtype",
    "proxy-tlspassword",
    "proxy-tlsuser",
    "proxy-user",
    "proxy1.0",
    "pubkey",
    "quote",
    "random-file",
    "request-target",
    "sasl-authzid",
    "service-name",
    "sigalgs",
    "socks4",
    "socks4a",
    "socks5-gssapi-service",
    "speed-limit",
    "speed-time",
    "telnet-option",
    "tftp-blksize",
    "time-cond",
    "tls-max",
    "tls13-ciphers",
    "tlsauthtype",
    "tlspassword",
    "tlsuser",
    "variable",
    "vlan-priority",
    "continue-at",
    "limit-rate",
    "rate",
    "retry-delay",
    "retry-max-time",
];
/// The same without a value.
const LEFT_OUT: &[&str] = &[
    "append",
    "cert-status",
    "compressed-ssh",
    "crlf",
    "doh-cert-status",
    "doh-insecure",
    "false-start",
    "form-escape",
    "ftp-pasv",
    "ftp-ssl-control",
    "haproxy-protocol",
    "http0.9",
    "http1.0",
    "http2-prior-knowledge",
    "http3-only",
    "ignore-content-length",
    "junk-session-cookies",
    "location-trusted",
    "mail-rcpt-allowfails",
    "path-as-is",
    "post301",
    "post302",
    "post303",
    "proxy-anyauth",
    "proxy-digest",
    "proxy-insecure",
    "proxy-negotiate",
    "proxy-ntlm",
    "proxytunnel",
    "raw",
    "socks5-gssapi",
    "ssl-no-revoke",
    "tls-earlydata",
    "tlsv1",
    "tlsv1.3",
    "tr-encoding",
    "use-ascii",
    "retry-all-errors",
];
/// Of the output, or what roundup does anyway.
const NOTHING_WITH_VALUE: &[&str] =
    &["create-file-mode", "libcurl", "parallel-max", "stderr", "trace", "trace-ascii", "trace-config"];
const NOTHING: &[&str] = &[
    "basic",
    "buffer",
    "ca-native",
    "clobber",
    "create-dirs",
    "disable",
    "disable-eprt",
    "disable-epsv",
    "disallow-username-in-url",
    "fail",
    "fail-early",
    "fail-with-body",
    "http1.1",
    "http2",
    "http3",
    "include",
    "keepalive",
    "alpn",
    "npn",
    "sessionid",
    "no-buffer",
    "no-clobber",
    "no-keepalive",
    "no-progress-meter",
    "parallel",
    "parallel-immediate",
    "progress-bar",
    "progress-meter",
    "remote-header-name",
    "remote-time",
    "remove-on-error",
    "retry-connrefused",
    "show-error",
    "show-headers",
    "silent",
    "skip-existing",
    "ssl",
    "ssl-reqd",
    "styled-output",
    "suppress-connect-headers",
    "tcp-fastopen",
    "tcp-nodelay",
    "tlsv1.0",
    "tlsv1.1",
    "tlsv1.2",
    "trace-ids",
    "trace-time",
    "verbose",
    "xattr",
    "netrc-optional",
    "proxy-basic",
    "socks5-basic",
    "out-null",
];

const MULTIPART: &str =
    "multipart forms are not sent; write --data 'a=1&b=2' for fields, --data-binary @FILE for a file";
const UPLOAD: &str = "write -X PUT --data-binary @FILE";
const EXPAND: &str = "its {{name}} is curl's own; write --url with the value in it";
const CONFIG: &str = "write its options into the command";

/// The options by which this table is found: those with letters and those with an effect of their own, then all others.
static OPTIONS: std::sync::LazyLock<Vec<CurlOption>> = std::sync::LazyLock::new(|| {
    let mut all: Vec<CurlOption> = OWN
        .iter()
        .map(|(short, long, takes_value, does)| CurlOption {
            short: *short,
            long,
            takes_value: *takes_value,
            does: *does,
        })
        .collect();
    let lists = [
        (LEFT_OUT_WITH_VALUE, true, Effect::LeftOut),
        (LEFT_OUT, false, Effect::LeftOut),
        (NOTHING_WITH_VALUE, true, Effect::Nothing),
        (NOTHING, false, Effect::Nothing),
    ];
    for (names, takes_value, does) in lists {
        all.extend(names.iter().map(|long| CurlOption { short: letter_of(long), long, takes_value, does }));
    }
    all
});

/// The letters of options that stand in lists.
fn letter_of(long: &str) -> Option<char> {
    const LETTERS: &[(char, &str)] = &[
        ('a', "append"),
        ('B', "use-ascii"),
        ('c', "cookie-jar"),
        ('C', "continue-at"),
        ('D', "dump-header"),
        ('f', "fail"),
        ('i', "include"),
        ('j', "junk-session-cookies"),
        ('J', "remote-header-name"),
        ('N', "no-buffer"),
        ('p', "proxytunnel"),
        ('P', "ftp-port"),
        ('q', "disable"),
        ('Q', "quote"),
        ('R', "remote-time"),
        ('s', "silent"),
        ('S', "show-error"),
        ('t', "telnet-option"),
        ('U', "proxy-user"),
        ('v', "verbose"),
        ('w', "write-out"),
        ('y', "speed-time"),
        ('Y', "speed-limit"),
        ('z', "time-cond"),
        ('Z', "parallel"),
        ('#', "progress-bar"),
        ('0', "http1.0"),
        ('1', "tlsv1"),
    ];
    LETTERS.iter().find(|(_, name)| *name == long).map(|(letter, _)| *letter)
}

type OwnOption = (Option<char>, &'static str, bool, Effect);

#[rustfmt::skip]
const OWN: &[OwnOption] = &[
    (Some('X'), "request",           true,  Effect::Method),
    (Some('H'), "header",            true,  Effect::Header),
    (Some('d'), "data",              true,  Effect::Data(DataForm::Text)),
    (None,      "data-ascii",        true,  Effect::Data(DataForm::Text)),
    (None,      "data-binary",       true,  Effect::Data(DataForm::Binary)),
    (None,      "data-raw",          true,  Effect::Data(DataForm::Raw)),
    (None,      "data-urlencode",    true,  Effect::Data(DataForm::Encoded)),
    (None,      "json",              true,  Effect::Json),
    (None,      "url-query",         true,  Effect::Query),
    (Some('G'), "get",               false, Effect::Get),
    (Some('I'), "head",              false, Effect::Head),
    (Some('u'), "user",              true,  Effect::User),
    (None,      "oauth2-bearer",     true,  Effect::Bearer),
    (Some('A'), "user-agent",        true,  Effect::Field("User-Agent")),
    (Some('e'), "referer",           true,  Effect::Field("Referer")),
    (Some('b'), "cookie",            true,  Effect::Field("Cookie")),
    (Some('r'), "range",             true,  Effect::Range),
    (None,      "url",               true,  Effect::Url),
    (Some('o'), "output",            true,  Effect::Output),
    (Some('O'), "remote-name",       false, Effect::RemoteName),
    (None,      "remote-name-all",   false, Effect::RemoteName),
    (Some('m'), "max-time",          true,  Effect::Time("timeout")),
    (None,      "connect-timeout",   true,  Effect::Time("connect_timeout")),
    (None,      "retry",             true,  Effect::Retries),
    (None,      "max-redirs",        true,  Effect::MaxRedirects),
    (Some('L'), "location",          false, Effect::Follow),
    (None,      "max-filesize",      true,  Effect::MaxSize),
    (None,      "compressed",        false, Effect::Compressed),
    (Some('g'), "globoff",           false, Effect::Globoff),
    (Some('k'), "insecure",          false, Effect::Run("insecure")),
    (Some('n'), "netrc",             false, Effect::Run("netrc")),
    (Some('4'), "ipv4",              false, Effect::Run("ipv4")),
    (Some('6'), "ipv6",              false, Effect::Run("ipv6")),
    (Some('x'), "proxy",             true,  Effect::Run("proxy")),
    (None,      "socks5",            true,  Effect::Run("socks5")),
    (None,      "socks5-hostname",   true,  Effect::Run("socks5")),
    (None,      "cacert",            true,  Effect::Run("cacert")),
    (Some('E'), "cert",              true,  Effect::Run("cert")),
    (None,      "key",               true,  Effect::Run("key")),
    (None,      "pinnedpubkey",      true,  Effect::Run("pinnedpubkey")),
    (None,      "resolve",           true,  Effect::Run("resolve")),
    (None,      "connect-to",        true,  Effect::Run("connect-to")),
    (None,      "unix-socket",       true,  Effect::Run("unix-socket")),
    (None,      "interface",         true,  Effect::Run("interface")),
    (None,      "expect100-timeout", true,  Effect::Run("expect100-timeout")),
    (None,      "expand-url",        true,  Effect::Refused(EXPAND)),
    (None,      "anyauth",           false, Effect::LeftOut),
    (None,      "digest",            false, Effect::OtherAuth),
    (None,      "negotiate",         false, Effect::OtherAuth),
    (None,      "ntlm",              false, Effect::OtherAuth),
    (None,      "ntlm-wb",           false, Effect::OtherAuth),
    (Some(':'), "next",              false, Effect::Next),
    (Some('F'), "form",              true,  Effect::Refused(MULTIPART)),
    (None,      "form-string",       true,  Effect::Refused(MULTIPART)),
    (Some('T'), "upload-file",       true,  Effect::Refused(UPLOAD)),
    (Some('K'), "config",            true,  Effect::Refused(CONFIG)),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_and_no_letter_is_there_twice() {
        let (mut names, mut letters) = (BTreeSet::new(), BTreeSet::new());
        for option in OPTIONS.iter() {
            assert!(names.insert(option.long), "{}", option.long);
            assert!(option.short.is_none_or(|short| letters.insert(short)), "{}", option.long);
        }
        for list in [LEFT_OUT_WITH_VALUE, LEFT_OUT, NOTHING_WITH_VALUE, NOTHING] {
            assert!(list.iter().all(|name| !name.is_empty()));
        }
        assert!(find_long("no-location").is_some_and(|(option, on)| option.does == Effect::Follow && !on));
        assert!(find_long("no-header").is_none() && find_long("no-buffer").is_some_and(|(_, on)| on));
    }
}
