//! Rows and values that are picked out of contents.

use roundup::rows::{Cell, ContentForm, ContentFormat, Rows};
use roundup::{Job, Kind, Outcome, Pointer, Settings};

use super::{failure, job, one};
use crate::common::{Reply, Server};

/// A job with these settings, which are a plan's.
pub(super) fn planned(server: &Server, path: &str, keys: &str) -> Job {
    let text = format!("[[job]]\nname = \"j\"\nurl = \"{}\"\n{keys}", server.url(path));
    roundup::plan::parse("p", &text, &|_| None).expect("a plan").jobs.remove(0)
}

/// A row a line, its cells as JSON.
pub(super) fn lines(rows: &Rows) -> Vec<String> {
    rows.rows.iter().map(|row| row.iter().map(Cell::to_json).collect::<Vec<_>>().join(" ")).collect()
}

pub(super) fn only(outcome: &Outcome) -> &Rows {
    let [rows] = &outcome.rows[..] else { panic!("{outcome:?}") };
    rows
}

const ITEMS: &str = r#"{"total": 1000000000000000000001, "items": [
    {"id": 1, "price": {"net": 1.10}, "tags": ["b", "a"]},
    {"id": 2, "price": {"net": 2e3}, "tags": {"z": 1, "a": 2}, "note": null}
], "page": 1}"#;

#[test]
fn rows_of_an_array_keep_digits_and_order() {
    let server = Server::start(|_| Reply::json(ITEMS));
    let keys = "rows = \"/items\"\ntable = \"prices\"\n[job.select]\nprice = \"/price/net\"\nid = \"/id\"\n\
        total = \"^/total\"\ntags = \"/tags\"\nnote = { at = \"/note\", default = \"-\" }\ncode = { status = true }\n\
        type = { header = \"content-type\" }\nvendor = { value = \"Acme\" }\npage = { text = '\"page\": ([0-9]+)' }\n";
    let outcome = one(planned(&server, "/", keys));
    assert!(outcome.ok() && outcome.data.is_none(), "{outcome:?}");
    let rows = only(&outcome);
    assert_eq!(&*rows.table, "prices");
    let columns: Vec<&str> = rows.columns.iter().map(|name| &**name).collect();
    assert_eq!(columns, ["price", "id", "total", "tags", "note", "code", "type", "vendor", "page", "source"]);
    assert_eq!(
        lines(rows),
        [
            r#"1.10 1 1000000000000000000001 ["b", "a"] "-" 200 "application/json" "Acme" "1" "j""#,
            r#"2e3 2 1000000000000000000001 {"z": 1, "a": 2} null 200 "application/json" "Acme" "1" "j""#,
        ]
    );
}

#[test]
fn without_select_each_key_is_a_column() {
    let server = Server::start(|_| Reply::json(r#"[{"a": 1, "b": 2}, {"b": 3, "c": [4]}, 5]"#));
    let outcome = one(planned(&server, "/", "rows = \"\"\n"));
    let rows = only(&outcome);
    assert_eq!(rows.columns.iter().map(|name| &**name).collect::<Vec<_>>(), ["a", "b", "c", "value", "source"]);
    assert_eq!(lines(rows), [r#"1 2 null null "j""#, r#"null 3 [4] null "j""#, r#"null null null 5 "j""#]);
}

#[test]
fn json_lines_are_rows_and_a_bad_line_costs_no_other() {
    let server = Server::start(|request| {
        let content = match request.path() {
            "/good" => "{\"t\": 1.50}\r\n\n{\"t\": -94.9}\n",
            _ => "{\"t\": 1}\n{\"t\": 2\n{\"t\": 3}\n",
        };
        Reply::status(200).header("Content-Type", "application/x-ndjson").body(content)
    });
    let outcome = one(planned(&server, "/good", "select = { t = \"/t\" }\n"));
    assert!(outcome.ok(), "{outcome:?}");
    assert_eq!(lines(only(&outcome)), [r#"1.50 "j""#, r#"-94.9 "j""#]);
    let outcome = one(planned(&server, "/bad", "select = { t = \"/t\" }\n"));
    assert_eq!(lines(only(&outcome)), [r#"1 "j""#, r#"3 "j""#]);
    assert_eq!(failure(&outcome).kind, Kind::Body);
    assert!(failure(&outcome).message.starts_with("line 2 is not JSON"), "{}", failure(&outcome).message);
}

/// A source fails alone, with one line, and keeps what came.
#[test]
fn what_is_no_array_of_rows_is_one_clear_error() {
    let server = Server::start(|_| {
        Reply::json(r#"{"n": 3, "none": null, "o": {"x": 1}, "items": [{"a": 1}, {"b": 2}], "empty": []}"#)
    });
    let run = |keys: &str| one(planned(&server, "/", keys));
    for (keys, said) in [
        ("rows = \"/n\"\n", "/n is a number, and rows are the elements of an array"),
        ("rows = \"/none\"\n", "/none is null, and rows"),
        ("rows = \"/o\"\n", "/o is an object, and rows"),
        ("rows = \"\"\n", "the document is an object, and rows"),
        ("rows = \"/n/x\"\n", "/n/x is not there, which has the rows: /n is 3"),
        ("rows = \"/rows\"\n", "the document has \"n\", \"none\", \"o\", \"items\", \"empty\""),
        (
            "rows = \"/items\"\nselect = { a = \"/a\" }\n",
            "row 2: /a is not there, which select takes as \"a\": /items/1 has \"b\"",
        ),
        ("rows = \"/empty\"\nexpect = { rows = { min = 1 } }\n", "there are 0 rows where at least 1 are expected"),
        ("rows = \"/items\"\nexpect = { rows = { max = 1 } }\n", "there are 2 rows where at most 1 are expected"),
        (
            "rows = \"/items\"\nselect = { t = \"^/total\" }\n",
            "^/total is not there, which select takes as \"t\": the document has",
        ),
    ] {
        let outcome = run(keys);
        assert_eq!(failure(&outcome).kind, Kind::Expectation, "{keys}");
        assert!(failure(&outcome).message.contains(said), "{keys}: {}", failure(&outcome).message);
    }
    let kept = run("rows = \"/items\"\nselect = { a = \"/a\" }\n");
    assert_eq!(lines(only(&kept)), [r#"1 "j""#, r#"null "j""#]);
    let empty = run("rows = \"/empty\"\nselect = { a = \"/a\" }\n");
    assert!(empty.ok() && only(&empty).rows.is_empty() && only(&empty).columns.len() == 2, "{empty:?}");
}

#[test]
fn more_rows_than_the_bound_are_an_error_and_the_first_are_kept() {
    let server = Server::start(|_| Reply::json(format!("[{}0]", "1,".repeat(9_999_999))));
    let outcome =
        one(planned(&server, "/", "rows = \"\"\nmax_body = \"32MiB\"\nmax_rows = 1000\nselect = { n = \"\" }\n"));
    assert_eq!(failure(&outcome).kind, Kind::TooLarge);
    assert_eq!(&*failure(&outcome).message, "there are 10000000 rows, and max_rows is 1000: the first 1000 are kept");
    assert_eq!(only(&outcome).rows.len(), 1000);
}

#[test]
fn a_document_that_breaks_off_keeps_the_rows_before() {
    let server = Server::start(|_| Reply::json(r#"{"items": [{"a": 1}, {"a": 2}, {"a""#));
    let outcome = one(planned(&server, "/", "rows = \"/items\"\nselect = { a = \"/a\" }\n"));
    assert_eq!(failure(&outcome).kind, Kind::Body);
    assert!(failure(&outcome).message.contains("not the JSON that select, rows and expect look into"), "{outcome:?}");
    assert_eq!(lines(only(&outcome)), [r#"1 "j""#, r#"2 "j""#]);
}

#[test]
fn of_two_members_of_one_name_the_last_counts() {
    let server = Server::start(|_| Reply::json(r#"{"a": {"b": 1}, "i": [1, 2], "a": {"c": 2}, "i": [3]}"#));
    let outcome = one(planned(&server, "/", "rows = \"/i\"\nselect = { n = \"\" }\n"));
    assert_eq!(lines(only(&outcome)), [r#"3 "j""#]);
    let outcome = one(planned(&server, "/", "select = { b = { at = \"/a/b\", optional = true }, c = \"/a/c\" }\n"));
    assert_eq!(serde_json::to_string(&outcome.data).expect("data"), r#"{"b":null,"c":2}"#);
}

/// Each level of a document took stack.
#[test]
fn deep_nesting_is_passed_over_and_taken() {
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    let content = format!(r#"{{"x": {deep}, "n": 1, "y": {deep}, "\ud800": 2}}"#);
    let server = Server::start(move |_| Reply::json(content.clone()));
    let outcome = one(planned(&server, "/", "select = { n = \"/n\", y = \"/y\" }\n"));
    assert!(outcome.ok(), "{:?}", outcome.error);
    let data = outcome.data.expect("values");
    assert_eq!(
        (data.get("n"), data.get("y").map(|cell| cell.to_json().len())),
        (Some(&Cell::from(1u64)), Some(deep_len()))
    );
    let outcome = one(planned(&server, "/", "select = { z = \"/x/0/0\" }\n"));
    assert!(outcome.ok(), "{:?}", outcome.error);
}

fn deep_len() -> usize {
    400_001
}

#[test]
fn texts_are_read_as_numbers_and_times() {
    let server = Server::start(|_| {
        Reply::json(r#"{"p": "1.234,50", "q": "n/a", "d": "31.01.2026 12:00", "s": "12.0", "e": "", "h": "\ud800"}"#)
    });
    let data = |keys: &str| {
        let outcome = one(planned(&server, "/", keys));
        let said = outcome.error.map(|failure| failure.message.into_string()).unwrap_or_default();
        (serde_json::to_string(&outcome.data).expect("data"), said)
    };
    let keys = "[job.select]\np = { at = \"/p\", type = \"number\", format = \"1.234,50\" }\n\
        d = { at = \"/d\", type = \"time\", format = \"%d.%m.%Y %H:%M\" }\ns = { at = \"/s\", type = \"integer\" }\n\
        e = { at = \"/e\", type = \"number\", optional = true }\n";
    assert_eq!(data(keys), (r#"{"p":1234.50,"d":"2026-01-31T12:00:00Z","s":12,"e":null}"#.to_owned(), String::new()));
    let (kept, said) = data("select = { q = { at = \"/q\", type = \"number\" }, s = \"/s\" }\n");
    assert_eq!(
        (&*kept, &*said),
        (r#"{"q":null,"s":"12.0"}"#, "/q is \"n/a\", which cannot be read as a number for \"q\"")
    );
    let (_, said) = data("select = { h = \"/h\" }\n");
    assert!(said.contains("half a surrogate pair"), "{said}");
}

#[test]
fn expectations_of_all_sorts() {
    let server = Server::start(|request| match request.path() {
        "/404" => Reply::status(404).body("gone"),
        "/204" => Reply::status(204),
        _ => Reply::json(
            r#"{"ok": true, "n": 7163309881222824985, "s": "a", "errors": [{"message": "invalid api key"}], "none": null}"#,
        ),
    });
    let said = |path: &str, keys: &str| {
        let outcome = one(planned(&server, path, &format!("accept = \"200-299,404\"\nexpect = {{ {keys} }}\n")));
        outcome.error.map(|failure| (failure.kind, failure.message.into_string()))
    };
    for good in [
        "absent = [\"/error\", \"/errors/1\"]",
        "present = [\"/none\", \"\"]",
        "text = \"api key\"",
        "matches = \"invalid [a-z]+ key\"",
        "header = { content-type = \"application/json\" }",
        "json = { \"/n\" = 7163309881222824985, \"/s\" = { in = [\"a\", \"b\"] }, \"/ok\" = { type = \"boolean\" } }",
        "json = { \"/n\" = { min = 7163309881222824985, type = \"integer\" }, \"/none\" = { type = \"null\" } }",
        "json = { \"/errors/0\" = { equals = { message = \"invalid api key\" } } }",
    ] {
        assert_eq!(said("/", good), None, "{good}");
    }
    for (path, bad, message) in [
        ("/", "absent = [\"/errors\"]", "/errors is [{\"message\": \"invalid api key\"}] where nothing is expected"),
        ("/", "absent = [\"/none\"]", "/none is null where nothing is expected"),
        ("/", "present = [\"/x\"]", "/x is not there, and is expected to be"),
        ("/", "text = \"nowhere\"", "\"nowhere\" is not in the content, which begins"),
        ("/", "matches = \"^x$\"", "nothing in the content matches \"^x$\", which begins"),
        ("/", "header = { X-A = \"b\" }", "the header X-A is not there where \"b\" is expected"),
        (
            "/",
            "json = { \"/n\" = 7163309881222824984 }",
            "/n is 7163309881222824985 where 7163309881222824984 is expected",
        ),
        ("/", "json = { \"/n\" = { max = 5 } }", "/n is 7163309881222824985 where at most 5 is expected"),
        ("/", "json = { \"/s\" = { in = [\"b\"] } }", "/s is \"a\" where one of \"b\" is expected"),
        ("/", "json = { \"/x\" = { type = \"null\" } }", "/x is nothing where of type null is expected"),
        ("/404", "text = \"here\"", "\"here\" is not in the content, which begins \"gone\""),
        ("/204", "text = \"here\"", "\"here\" is not in the content, which is empty"),
        ("/204", "present = [\"\"]", "the document is not there"),
        ("/204", "rows = { min = 1 } }\nselect = { a = \"/a\"", "there are 0 rows where at least 1 are expected"),
    ] {
        let (kind, found) = said(path, bad).expect(bad);
        assert_eq!(kind, Kind::Expectation, "{bad}: {found}");
        assert!(found.contains(message), "{bad}: {found}");
    }
    assert_eq!(said("/204", "absent = [\"/errors\"]"), None);
}

/// 204, 205 and errors that are accepted have no values.
#[test]
fn what_has_no_values_has_no_rows_and_does_not_fail_for_it() {
    let server = Server::start(|request| match request.path() {
        "/204" => Reply::status(204),
        _ => Reply::status(404).body("no"),
    });
    for path in ["/204", "/404"] {
        let keys = "accept = \"200-299,404\"\nrows = \"/items\"\nselect = { a = \"/a\" }\n";
        let outcome = one(planned(&server, path, keys));
        assert!(outcome.ok() && outcome.rows.is_empty(), "{outcome:?}");
    }
}

#[test]
fn content_that_was_only_looked_into_is_not_kept() {
    let server = Server::start(|_| Reply::json(ITEMS));
    let fetcher = roundup::Fetcher::new().keep_bodies(false);
    let outcome = super::collect(&fetcher, vec![planned(&server, "/", "select = { p = \"/page\" }\n")]).remove(0);
    assert!(outcome.ok() && outcome.body.is_none() && outcome.body_bytes.is_some());
}

/// What is large is looked into on another thread, and is the same.
#[test]
fn large_content_is_looked_into_off_the_loop() {
    let filler = "x".repeat(1 << 20);
    let content = format!(r#"{{"a": "{filler}", "items": [1, 2], "b": 1.0}}"#);
    let server = Server::start(move |_| Reply::json(content.clone()));
    let outcome = one(planned(&server, "/", "select = { b = \"/b\" }\n"));
    assert_eq!(outcome.data.and_then(|data| data.get("b").cloned()), Some(Cell::Number("1.0".into())));
    assert_eq!(outcome.body.map(|body| body.len() > 1 << 20), Some(true));
}

/// Without a plan.
#[test]
fn a_job_of_the_library_asks_for_rows() {
    let server = Server::start(|_| Reply::text("{\"a\": 1}\n{\"a\": 2}\n"));
    let asked = job(server.url("/")).with(|settings: &mut Settings| {
        settings.format = ContentFormat { form: ContentForm::Ndjson, ..ContentFormat::default() };
        settings.select = vec![("a".into(), "/a".parse::<Pointer>().expect("a pointer").into())];
    });
    assert_eq!(only(&one(asked)).rows.len(), 2);
}

/// What a government office sends: semicolons, Latin-1, numbers with commas, a line that is none.
#[test]
fn csv_is_rows_of_texts_under_the_names_of_its_first_line() {
    let server = Server::start(|request| {
        let (kind, content): (&str, &[u8]) = match request.path() {
            "/latin1" => ("text/csv; charset=iso-8859-1", b"Ort;Preis\r\nZ\xfcrich;1.234,50\r\nBern;\r\n"),
            "/unnamed" => ("application/octet-stream", b"Ort;Preis\nZ\xfcrich;2\n"),
            "/tabs" => ("text/tab-separated-values", b"\xef\xbb\xbfa\tb\n-94.9\t\"x\ty\"\n"),
            "/open" => ("text/csv", b"a,b\n1,2\n3,\"four\n5,6\n"),
            "/short" => ("text/csv", b"a,b\n1,2\n3\n5,6\n"),
            _ => ("text/csv", b""),
        };
        Reply::status(200).header("Content-Type", kind).body(content.to_vec())
    });
    let run = |path: &str, keys: &str| one(planned(&server, path, keys));
    let select = "[job.select]\nort = \"/Ort\"\n\
        preis = { at = \"/Preis\", type = \"number\", format = \"1.234,50\", optional = true }\n";
    let outcome = run("/latin1", &format!("format = {{ delimiter = \";\" }}\n{select}"));
    assert!(outcome.ok(), "{:?}", outcome.error);
    assert_eq!(lines(only(&outcome)), ["\"Zürich\" 1234.50 \"j\"", "\"Bern\" null \"j\""]);
    let format = "format = { type = \"csv\", delimiter = \";\"";
    let outcome = run("/unnamed", &format!("{format}, charset = \"latin1\" }}\n{select}"));
    assert_eq!(lines(only(&outcome)), ["\"Zürich\" 2 \"j\""]);
    let outcome = run("/tabs", "table = \"t\"\n");
    assert_eq!(lines(only(&outcome)), [r#""-94.9" "x\ty" "j""#]);
    for (path, keys, kind, kept, said) in [
        ("/open", "table = \"t\"\n", Kind::Body, 1, "a quote that begins in line 3 never ends"),
        ("/short", "table = \"t\"\n", Kind::Body, 2, "line 3 has 1 values, and there are 2 names of columns"),
        ("/", "table = \"t\"\n", Kind::Body, 0, "CSV begins with a line of names, and there is none"),
        (
            "/latin1",
            "format = { delimiter = \";\" }\nselect = { a = \"/a\" }\n",
            Kind::Expectation,
            2,
            "row 1: /a is not there, which select takes as \"a\": the first line has \"Ort;Preis\"",
        ),
        ("/short", "select = { t = \"^/total\" }\n", Kind::Body, 2, "line 3"),
        (
            "/unnamed",
            "format = \"csv\"\n",
            Kind::Body,
            usize::MAX,
            "names no charset: write format = { charset = \"latin1\" }",
        ),
    ] {
        let outcome = run(path, keys);
        assert_eq!(failure(&outcome).kind, kind, "{path}");
        assert!(failure(&outcome).message.contains(said), "{path}: {}", failure(&outcome).message);
        assert_eq!(outcome.rows.first().map_or(usize::MAX, |rows| rows.rows.len()), kept, "{path}");
    }
}

#[test]
fn charsets_of_the_web_are_decoded() {
    let server = Server::start(|_| {
        let kind = "application/json; charset=Shift_JIS";
        Reply::status(200).header("Content-Type", kind).body(b"{\"city\": \"\x93\x8c\x8b\x9e\"}".to_vec())
    });
    let outcome = one(planned(&server, "/", "select = { city = \"/city\" }\n"));
    let city = outcome.data.as_ref().and_then(|data| data.get("city")).map(Cell::to_json);
    assert_eq!(city.as_deref(), Some("\"東京\""), "{:?}", outcome.error);
}

#[test]
fn values_of_each_are_columns_behind_those_selected() {
    let server = Server::start(|_| Reply::json("[{\"t\": 1.50}]"));
    let text = format!(
        "[[job]]\nname = \"w\"\nurl = \"{}?c={{city}}&n={{n}}&k={{k}}\"\nrows = \"\"\nselect = {{ t = \"/t\" }}\n\
         each = {{ city = [\"bern\"], n = [7], k = [\"${{KEY}}\"] }}\n",
        server.url("/")
    );
    let plan = roundup::plan::parse("p", &text, &|_| Some("s3cret-value".to_owned())).expect("a plan");
    let outcome = one(plan.jobs[0].clone());
    let rows = only(&outcome);
    assert_eq!(rows.columns.iter().map(|name| &**name).collect::<Vec<_>>(), ["t", "city", "n", "k", "source"]);
    assert_eq!(lines(rows), [r#"1.50 "bern" 7 "${KEY}" "w[bern,7,${KEY}]""#]);
}

/// The plan of the page on plans, against what it says of it.
#[test]
fn the_example_of_the_page_on_plans_does_what_it_says() {
    let server = Server::start(|request| match request.path() {
        "/offer" => {
            Reply::json(r#"{"id": 7, "price": "1.234,50", "day": "31.01.2026", "version": "build 42", "eur": 1.10}"#)
                .header("Location", "/offers/7")
        }
        _ => {
            Reply::json(r#"{"total": 2, "items": [{"id": 1, "price": {"net": 1.10}}, {"id": 2, "price": {"net": 2}}]}"#)
        }
    });
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/plan.md")).expect("there");
    let base = server.url("/");
    let examples: Vec<String> = page
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        // Others are parts of a job.
        .filter(|text| text.contains("[[job]]"))
        .map(|text| text.replace("http://127.0.0.1:8080/", &base))
        .collect();
    let jobs = |text: &str| roundup::plan::parse("p", text, &|_| None).expect("a plan").jobs;
    let outcome = one(jobs(&examples[0]).remove(0));
    assert_eq!(
        serde_json::to_string(&outcome.data).expect("data"),
        r#"{"sku":7,"note":null,"eur":1.10,"price":1234.50,"day":"2026-01-31T00:00:00Z","place":"/offers/7","code":200,"build":"42","vendor":"Acme"}"#
    );
    let outcomes = super::collect(&roundup::Fetcher::new(), jobs(&examples[1]));
    let tables = roundup::rows::DataTable::gather(outcomes.iter().flat_map(|outcome| &outcome.rows));
    let columns: Vec<&str> = tables[0].columns.iter().map(|name| &**name).collect();
    assert_eq!((&*tables[0].name, &columns[..]), ("prices", &["sku", "price", "total", "shop", "source"][..]));
    let south: Vec<_> = tables[0].rows[3].iter().map(Cell::to_json).collect();
    assert_eq!(south.join(" "), r#"2 2 2 "south" "prices[south]""#);
}
