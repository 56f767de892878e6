//! The keys of a plan with what help says of them. Tests hold this list against the reader.

/// A key of a plan.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PlanKey {
    /// The table it stands in: `[limits]`, `[[job]]`, `expect`.
    pub table: &'static str,
    /// Its name.
    pub key: &'static str,
    /// What may be written: `a time`.
    pub values: &'static str,
    /// What holds without it, as it would be written; empty if nothing does.
    pub default: &'static str,
    /// The key with a value, as it stands in a plan.
    pub example: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// The tables of a plan in the order of help, and what they are for.
pub const PLAN_TABLES: &[(&str, &str)] = &[
    ("[variables]", "values for {name} in all other tables; --variable NAME=VALUE goes before them"),
    ("[limits]", "limits of the whole run"),
    ("[defaults]", "keys for all jobs: those of a job but name, url, each and what ties it to others"),
    ("[hosts.\"HOST\"]", "keys for the jobs of one host, HOST or HOST:PORT: those of [defaults], and"),
    ("[[job]]", "a request, or with each a request for every combination of values"),
    ("select", "a value of select that may be missing is written as a table"),
    ("expect", "what is expected of a response; otherwise the source fails"),
    ("[auth.NAME]", "a login, which jobs name with auth; each type has its own keys"),
    ("[report]", "what is shown"),
    ("[[report.table]]", "a table of the report"),
    ("[[report.output]]", "where the report goes, unless --report says so"),
    ("[state]", "where runs are kept"),
    #[cfg(feature = "watch")]
    ("[watch]", "how the plan is run again and again"),
];

#[rustfmt::skip]
/// All keys, those of a table one after the other.
pub const PLAN_KEYS: &[PlanKey] = &[
    key("[limits]", "concurrency", "a whole number", "100", "concurrency = 20", "sources under way at once"),
    key("[limits]", "per_host", "a whole number", "10", "per_host = 4", "the same for one host"),
    key("[limits]", "rate", "a rate", "", "rate = \"20/s\"", "requests started in a time, over all hosts"),
    key("[limits]", "adaptive", "true or false", "false", "adaptive = true", "find how many requests at once each host takes"),
    key("[limits]", "deadline", "a time", "", "deadline = \"2m\"", "the end of the run; then the report of what there is"),
    key("[limits]", "max_memory", "a size", "", "max_memory = \"64MiB\"", "memory: half for contents, which beyond that wait in a temporary file, half for values and rows"),
    key("[hosts.\"HOST\"]", "per_host", "a whole number", "", "per_host = 2", "requests at once on this host"),
    key("[hosts.\"HOST\"]", "rate", "a rate", "", "rate = \"5/s\"", "requests started in a time on this host"),
    key("[[job]]", "name", "text", "", "name = \"weather\"", "what the report calls it; its URL without"),
    key("[[job]]", "url", "text", "", "url = \"https://api.example.com/v1/items?key=${KEY}\"", "what to fetch"),
    key("[[job]]", "each", "lists, ranges, tables or a file", "", "each = { city = [\"oslo\", \"lima\"] }", "values for {city}: a job for every combination; \"cities.csv\" is a job for each row"),
    key("[[job]]", "base_url", "text", "", "base_url = \"https://api.example.com/v1\"", "what stands before a url without a scheme"),
    key("[[job]]", "query", "a table of values", "", "query = { city = \"oslo\", limit = 10 }", "values to add to the query; joined by name with those of defaults and hosts"),
    key("[[job]]", "for_each", "text", "", "for_each = \"items\"", "a job for each row of that job, with its fields as {items.id}"),
    key("[[job]]", "key", "text", "", "key = \"id\"", "the field of the row by which such a job is named"),
    key("[[job]]", "max_jobs", "a whole number", "100000", "max_jobs = 500", "how many such jobs at most"),
    key("[[job]]", "after", "the name of a job, or several", "", "after = \"login\"", "waits for these jobs, of which it uses no value; it is skipped if one fails"),
    key("[[job]]", "report", "true or false", "true", "report = false", "whether it is in the report if it succeeds"),
    key("[[job]]", "secret", "texts", "", "secret = [\"token\"]", "values of select that are hidden"),
    key("[[job]]", "pages", "a table", "", "pages = { next = \"/next\" }", "how pages follow each other: next, param, into, more; link; page, from, total_pages; offset, size, total; max"),
    key("[[job]]", "poll", "a table", "", "poll = { until = { \"/state\" = \"done\" } }", "ask again until it is so: until, fail, every, within"),
    key("[[job]]", "user", "text", "", "user = \"me:${PASSWORD}\"", "name and password to log in with (Basic)"),
    key("[[job]]", "bearer", "text", "", "bearer = \"${TOKEN}\"", "a token to log in with"),
    key("[[job]]", "auth", "text", "", "auth = \"api\"", "a login of [auth.NAME]: type is oauth2, api_key, basic or bearer"),
    key("[[job]]", "cookies", "true or false", "false", "cookies = true", "keep the cookies of responses for the run, and send each back to the origin that set it"),
    key("[[job]]", "proxy", "a proxy", "", "proxy = \"http://proxy.example.com:3128\"", "the proxy of its requests; as --proxy"),
    key("[[job]]", "cacert", "a file name", "", "cacert = \"ca.pem\"", "the authorities that are trusted (PEM), in place of the system's"),
    key("[[job]]", "cert", "a file name", "", "cert = \"client.pem\"", "the certificate to show to servers that ask for one (PEM)"),
    key("[[job]]", "cert_key", "a file name", "", "cert_key = \"client.key\"", "its key, if that is in another file"),
    key("[[job]]", "insecure", "true or false", "false", "insecure = true", "accept any certificate: for tests only"),
    key("[[job]]", "method", "a method", "GET", "method = \"PUT\"", "POST if there is content"),
    key("[[job]]", "headers", "a table of texts", "", "headers = { Accept = \"application/json\" }", "fields to send, false for none of that name; joined by name with those of defaults and hosts"),
    key("[[job]]", "data", "text", "", "data = \"a=1&b=2\"", "content to send as it stands"),
    key("[[job]]", "json", "any value", "", "json = { query = \"rain\", limit = 10 }", "content to send as JSON"),
    key("[[job]]", "form", "a table of values", "", "form = { q = \"rain\", limit = 10 }", "content to send as a form"),
    key("[[job]]", "timeout", "a time", "30s", "timeout = \"10s\"", "one attempt, from its permit to the last byte"),
    key("[[job]]", "connect_timeout", "a time", "10s", "connect_timeout = \"3s\"", "resolving, connecting and TLS handshake"),
    key("[[job]]", "job_timeout", "a time", "", "job_timeout = \"2m\"", "all attempts and the waits between them"),
    key("[[job]]", "retries", "a whole number to 100", "2", "retries = 5", "further attempts if they may help"),
    key("[[job]]", "retry_on", "statuses and expectation", "", "retry_on = \"429,500-504,expectation\"", "what is tried again, in place of the usual statuses"),
    key("[[job]]", "retry_unsafe", "true or false", "false", "retry_unsafe = true", "repeat POST and PATCH, too"),
    key("[[job]]", "retry_after_max", "a time", "60s", "retry_after_max = \"5m\"", "the longest Retry-After that is waited for"),
    key("[[job]]", "follow", "a whole number to 100", "10", "follow = 0", "redirects to follow"),
    key("[[job]]", "max_body", "a size", "16MiB", "max_body = \"64MiB\"", "the largest content, decoded"),
    key("[[job]]", "accept", "statuses", "200-399", "accept = \"200-299,404\"", "which statuses are success"),
    key("[[job]]", "priority", "a whole number", "0", "priority = 5", "jobs with a higher one start first"),
    key("[[job]]", "raw", "true or false", "false", "raw = true", "neither ask for nor undo content codings"),
    key("[[job]]", "cache", "true or false", "false", "cache = true", "keep responses in the state, and ask for them again only if they may have changed"),
    key("[[job]]", "stale_if_error", "a time", "", "stale_if_error = \"7d\"", "for how long after it was fresh the content kept last serves if the server is not there"),
    key("[[job]]", "output", "a file name", "", "output = \"weather/oslo.json\"", "the file that the content is saved to"),
    key("[[job]]", "select", "a table of JSON Pointers", "", "select = { temp = \"/current/temp\" }", "values to take out of the content (RFC 6901)"),
    key("[[job]]", "rows", "a JSON Pointer", "", "rows = \"/items\"", "a list in the content, each element of which is a row"),
    key("[[job]]", "table", "text", "rows", "table = \"prices\"", "the table that the rows go to"),
    key("[[job]]", "format", "a format, or a table", "auto", "format = \"csv\"", "what the content is: json, ndjson, csv, xml, text or auto"),
    key("[[job]]", "max_rows", "a whole number", "", "max_rows = 10000", "the most rows of a source"),
    key("[[job]]", "expect", "a table", "", "expect = { status = \"200\" }", "what is expected of the response, see below"),
    key("select", "at", "a JSON Pointer", "", "at = \"/note\"", "where the value is"),
    key("select", "header", "text", "", "header = \"Location\"", "or the value of this field of the response"),
    key("select", "status", "true", "", "status = true", "or the status"),
    key("select", "text", "a regular expression", "", "text = \"id=([0-9]+)\"", "or what this finds in the content"),
    key("select", "value", "any value", "", "value = \"Acme\"", "or this"),
    key("select", "type", "number, integer, text or time", "", "type = \"number\"", "what a text is read as"),
    key("select", "format", "text", "", "format = \"1,234.50\"", "how the text of that type is written"),
    key("select", "optional", "true or false", "false", "optional = true", "it may be missing, and is null then"),
    key("select", "default", "any value", "", "default = 0", "it may be missing, and is this then"),
    key("expect", "status", "statuses", "", "status = \"200\"", "statuses, in place of accept"),
    key("expect", "json", "a table of values by JSON Pointers", "", "json = { \"/ok\" = true }", "values in the content"),
    key("expect", "absent", "a list of JSON Pointers", "", "absent = [\"/errors\"]", "places at which nothing may be"),
    key("expect", "present", "a list of JSON Pointers", "", "present = [\"/id\"]", "places at which something must be"),
    key("expect", "text", "text", "", "text = \"ready\"", "what the content must contain"),
    key("expect", "matches", "a regular expression", "", "matches = \"id=[0-9]+\"", "what must be found in the content"),
    key("expect", "header", "a table of texts", "", "header = { Server = \"x\" }", "fields of the response"),
    key("expect", "rows", "a table with min and max", "", "rows = { min = 1 }", "how many rows there must be"),
    key("expect", "max_ms", "a whole number", "", "max_ms = 2000", "the longest time of an attempt in milliseconds"),
    key("[auth.NAME]", "type", "oauth2, api_key, basic or bearer", "", "type = \"bearer\"", "how it logs in"),
    key("[auth.NAME]", "token", "text", "", "token = \"${TOKEN}\"", "bearer: the token"),
    key("[auth.NAME]", "user", "text", "", "user = \"me\"", "basic: the name"),
    key("[auth.NAME]", "password", "text", "", "password = \"${PASSWORD}\"", "basic: the password"),
    key("[auth.NAME]", "key", "text", "", "key = \"${KEY}\"", "api_key: the key"),
    key("[auth.NAME]", "header", "text", "X-Api-Key", "header = \"X-Api-Key\"", "api_key: the header it is sent as"),
    key("[auth.NAME]", "query", "text", "", "query = \"apikey\"", "api_key: its name in the query, in place of a header"),
    key("[auth.NAME]", "token_url", "text", "", "token_url = \"https://login.example.com/token\"", "oauth2: where tokens are fetched"),
    key("[auth.NAME]", "client_id", "text", "", "client_id = \"roundup\"", "oauth2: the client"),
    key("[auth.NAME]", "client_secret", "text", "", "client_secret = \"${SECRET}\"", "oauth2: its secret"),
    key("[auth.NAME]", "scope", "text", "", "scope = \"read\"", "oauth2: what is asked for"),
    key("[auth.NAME]", "refresh_token", "text", "", "refresh_token = \"${REFRESH}\"", "oauth2: asks with this one"),
    key("[auth.NAME]", "refresh_token_file", "a file name", "", "refresh_token_file = \"token.txt\"", "oauth2: where the next refresh token is kept"),
    key("[report]", "title", "text", "", "title = \"Suppliers, {date}\"", "its title; {date}, {time} and {run} are of the run's start"),
    key("[report]", "table", "tables", "", "table = [{ table = \"sources\" }]", "see below"),
    key("[report]", "output", "tables", "", "output = [{ format = \"json\" }]", "see below"),
    key("[[report.table]]", "table", "text", "", "table = \"sources\"", "whose rows these are"),
    key("[[report.table]]", "sql", "text", "", "sql = \"select name from sources\"", "or the rows that this finds, in builds with SQL"),
    key("[[report.table]]", "name", "text", "", "name = \"slow\"", "its name in files and JSON"),
    key("[[report.table]]", "title", "text", "", "title = \"Slowest\"", "its title"),
    key("[[report.table]]", "columns", "texts", "", "columns = [\"name\", \"ms\"]", "which columns, in this order"),
    key("[[report.table]]", "sort", "texts", "", "sort = \"-ms\"", "by which columns; with - the largest first"),
    key("[[report.table]]", "limit", "a whole number", "", "limit = 10", "how many rows at most"),
    key("[[report.table]]", "chart", "a table", "", "chart = { ms = \"bar\" }", "columns that are drawn: bar or line"),
    key("[[report.output]]", "format", "a format of --report", "", "format = \"csv\"", "what is written"),
    key("[[report.output]]", "file", "a file name", "", "file = \"suppliers-{date}.csv\"", "to where; without, to stdout"),
    key("[[report.output]]", "bom", "true or false", "false", "bom = true", "whether CSV begins with a byte order mark, for Excel"),
    key("[state]", "file", "a file name", "", "file = \"roundup.db\"", "as --state FILE"),
    key("[state]", "keep", "a number of runs, or a time", "", "keep = 30", "how many runs are kept"),
    key("[state]", "size", "a size", "", "size = \"1GiB\"", "the size beyond which old runs are let go"),
    #[cfg(feature = "watch")]
    key("[watch]", "every", "a time", "", "every = \"60s\"", "from the start of one round to that of the next; as --every"),
    #[cfg(feature = "watch")]
    key("[watch]", "jitter", "a time", "", "jitter = \"5s\"", "by how much a round may start later, at random; a tenth of every without it"),
    #[cfg(feature = "watch")]
    key("[watch]", "max_runs", "a whole number", "", "max_runs = 10", "after so many rounds it ends; as --max-runs"),
    #[cfg(feature = "watch")]
    key("[watch]", "on_change", "a program and its arguments", "", "on_change = [\"notify\", \"--now\"]", "run when results change; they come on stdin as JSON"),
    #[cfg(feature = "watch")]
    key("[watch]", "on_failure", "a program and its arguments", "", "on_failure = [\"notify\"]", "run when sources begin to fail"),
    #[cfg(feature = "watch")]
    key("[watch]", "hook_timeout", "a time", "30s", "hook_timeout = \"10s\"", "the longest time that such a program may take"),
];

const fn key(
    table: &'static str,
    key: &'static str,
    values: &'static str,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> PlanKey {
    PlanKey { table, key, values, default, example, meaning }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A plan with this line in this table.
    fn plan(table: &str, line: &str) -> String {
        // A job has a URL, a value of select a place.
        let url =
            |line: &str| if line.starts_with("url ") { String::new() } else { "url = \"http://a/\"\n".to_owned() };
        let job = format!("[[job]]\n{}", url(""));
        match table {
            "[[job]]" if line.starts_with("each") => format!("[[job]]\nurl = \"http://a/{{city}}\"\n{line}\n"),
            "[[job]]" if ["for_each ", "key ", "max_jobs "].iter().any(|key| line.starts_with(key)) => {
                let for_each = if line.starts_with("for_each ") { "" } else { "for_each = \"items\"\n" };
                format!("[[job]]\nname = \"items\"\n{}select = {{ id = \"/id\" }}\n{job}{for_each}{line}\n", url(""))
            }
            "[[job]]" if line.starts_with("after ") => format!("{job}{line}\n{job}name = \"login\"\n"),
            "[[job]]" if line.starts_with("secret ") => format!("{job}select = {{ token = \"/t\" }}\n{line}\n"),
            "[[job]]" if line.starts_with("auth ") => {
                format!("[auth.api]\ntype = \"bearer\"\ntoken = \"x\"\n{job}{line}\n")
            }
            "[[job]]" => format!("[[job]]\n{}{line}\n", url(line)),
            "select" if line.starts_with("format ") => {
                format!("{job}select = {{ x = {{ at = \"/x\", type = \"number\", {line} }} }}\n")
            }
            "select" if ["at ", "header ", "status ", "text ", "value "].iter().any(|key| line.starts_with(key)) => {
                format!("{job}select = {{ x = {{ {line} }} }}\n")
            }
            "select" => format!("{job}select = {{ x = {{ at = \"/x\", {line} }} }}\n"),
            "expect" if line.starts_with("rows ") => format!("{job}rows = \"/items\"\nexpect = {{ {line} }}\n"),
            "expect" => format!("{job}expect = {{ {line} }}\n"),
            "[hosts.\"HOST\"]" => format!("[hosts.\"a.example\"]\n{line}\n{job}"),
            "[[report.table]]" if line.starts_with("table ") || line.starts_with("sql ") => {
                format!("[[report.table]]\n{line}\n{job}")
            }
            "[[report.table]]" => format!("[[report.table]]\ntable = \"sources\"\n{line}\n{job}"),
            "[[report.output]]" if line.starts_with("format ") => format!("[[report.output]]\n{line}\n{job}"),
            "[[report.output]]" => format!("[[report.output]]\nformat = \"csv\"\n{line}\n{job}"),
            "[auth.NAME]" => format!("[auth.api]\n{}{job}", login(line)),
            table => format!("{table}\n{line}\n{job}"),
        }
    }

    /// A login with this line, of the type that has it.
    fn login(line: &str) -> String {
        let (key, _) = line.split_once(" =").expect("a key and a value");
        let own = |lines: [&str; 3]| {
            let others = lines.iter().filter(|own| !own.starts_with(&format!("{key} =")) && !own.is_empty());
            others.map(|own| format!("{own}\n")).collect::<String>() + line + "\n"
        };
        match key {
            "user" | "password" => own(["type = \"basic\"", "user = \"me\"", "password = \"x\""]),
            "key" | "header" | "query" => own(["type = \"api_key\"", "key = \"${KEY}\"", ""]),
            "type" | "token" => own(["type = \"bearer\"", "token = \"x\"", ""]),
            "refresh_token_file" => {
                let keys = own(["type = \"oauth2\"", "token_url = \"http://a/\"", "client_id = \"x\""]);
                format!("refresh_token = \"x\"\n{keys}")
            }
            _ => own(["type = \"oauth2\"", "token_url = \"http://a/\"", "client_id = \"x\""]),
        }
    }

    #[test]
    fn every_example_is_read() {
        for PlanKey { table, key, example, .. } in PLAN_KEYS {
            assert!(example.starts_with(&format!("{key} = ")), "{example}");
            let is_file = ["cacert", "cert", "cert_key"].contains(key);
            let needs_tls = cfg!(feature = "transport") && !cfg!(feature = "tls") && *key == "insecure";
            let needs_proxy = cfg!(feature = "transport") && !cfg!(feature = "proxy") && *key == "proxy";
            if is_file || needs_tls || needs_proxy {
                // There is no such file, or the build refuses it.
                continue;
            }
            if *key == "sql" || (*key == "cookies" && !cfg!(feature = "cookies")) {
                // Builds without it refuse it.
                continue;
            }
            let read = super::super::parse("plan.toml", &plan(table, example), &|_| Some("12345678".to_owned()));
            read.unwrap_or_else(|errors| panic!("{example}: {errors}"));
        }
    }

    #[test]
    fn the_keys_of_each_table_are_those_that_the_reader_knows() {
        for &(table, _) in PLAN_TABLES {
            let mut keys: BTreeSet<&str> =
                PLAN_KEYS.iter().filter(|key| key.table == table).map(|key| key.key).collect();
            let of_jobs = PLAN_KEYS.iter().filter(|key| key.table == "[[job]]").map(|key| key.key);
            let own = ["name", "url", "each", "for_each", "key", "max_jobs", "report", "secret", "after"];
            let defaults = of_jobs.filter(|key| !own.contains(key));
            match table {
                // Each type has keys of its own, and every example is read.
                "[variables]" | "[auth.NAME]" => continue,
                "[defaults]" | "[hosts.\"HOST\"]" => keys.extend(defaults),
                _ => {}
            }
            let text = plan(table, "zzzzzzzzzzzzzzzzzzzz = 1");
            let errors = super::super::parse("plan.toml", &text, &|_| None).expect_err(table).to_string();
            let (_, known) = errors.split_once("the keys here are ").unwrap_or_else(|| panic!("{table}: {errors}"));
            let known: BTreeSet<&str> = known.lines().next().unwrap_or_default().split(", ").collect();
            assert_eq!(keys, known, "{table}");
        }
    }
}
