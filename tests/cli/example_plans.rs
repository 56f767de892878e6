//! The plans in `examples/plans`, each against a server that plays its API: rows to the digit.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{endings, line};
use crate::common::{Dir, Reply, Request, Server};

/// The report of an example. Its table, if it names one, is shown in the report.
fn run(name: &str, table: &str, words: &str, server: &Server) -> Value {
    let path = format!("{}/examples/plans/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    if !table.is_empty() {
        text += &format!("\n[[report.table]]\ntable = \"{table}\"\n");
    }
    // Time that a plan waits for a real service.
    text = text.replace("every = \"2s\"", "every = \"1ms\"");
    let dir = Dir::new();
    dir.write("plan.toml", text);
    dir.write("cities.csv", include_str!("../../examples/plans/cities.csv"));
    let base = server.url("/");
    let words = format!("run plan.toml --report json -q --variable api={} {words}", base.trim_end_matches('/'));
    let run = line(&words)
        .inside(&dir)
        .env("SHOP_PASSWORD", "s3cret-0f-the-shop")
        .env("CLIENT_SECRET", "s3cret-0f-mine")
        .run();
    assert!(!run.stdout().contains("s3cret-0f"), "{}", run.stdout());
    run.expect_code(0).json()
}

fn rows(report: &Value) -> &Value {
    &report["tables"][0]["rows"]
}

fn bearer(request: &Request) -> &str {
    request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

#[test]
fn issues_over_link_pages() {
    let server = Server::start(|request| {
        let page = if request.query().is_some_and(|query| query.contains("page=2&")) { 2 } else { 1 };
        let next = "</repositories/1/issues?page=2&per_page=100>; rel=\"next\", </repositories/1/issues?page=2&per_page=100>; rel=\"last\"";
        let issue = |number: u64| json!({"number": number, "title": format!("Issue, \"{number}\""), "user": {"login": "ferris"}, "comments": number % 3});
        let reply = Reply::json(json!([issue(page * 10), issue(page * 10 + 1)]).to_string());
        if page == 1 { reply.header("Link", next) } else { reply }
    });
    let report = run("github-issues", "issues", "", &server);
    let expected = json!([
        [10, "Issue, \"10\"", "ferris", 1],
        [11, "Issue, \"11\"", "ferris", 2],
        [20, "Issue, \"20\"", "ferris", 2],
        [21, "Issue, \"21\"", "ferris", 0]
    ]);
    assert_eq!(without_source(rows(&report)), expected);
    assert_eq!(server.requests()[0].path(), "/repos/rust-lang/cargo/issues");
}

/// The rows without the name of their source, which is the last column.
fn without_source(rows: &Value) -> Value {
    let cut = |row: &Value| row.as_array().map(|row| row[..row.len() - 1].to_vec());
    Value::from(rows.as_array().expect("rows").iter().filter_map(cut).map(Value::from).collect::<Vec<_>>())
}

#[test]
fn a_shop_by_cursor_and_the_details_of_each_item() {
    let server = Server::start(|request| match (request.path(), request.query().unwrap_or_default()) {
        ("/login", _) if request.text() == "{\"user\":\"reader\",\"password\":\"s3cret-0f-the-shop\"}" => {
            Reply::json("{\"access_token\":\"shop-t0ken\"}")
        }
        _ if bearer(request) != "shop-t0ken" => Reply::status(401),
        ("/items", "limit=100") => {
            Reply::json(r#"{"items":[{"id":3,"href":"/i/3"},{"id":1,"href":"/i/1"}],"cursor":"c 2"}"#)
        }
        ("/items", "limit=100&cursor=c%202") => Reply::json(r#"{"items":[{"id":2,"href":"i/2"}],"cursor":null}"#),
        (path, _) => Reply::json(format!(r#"{{"sku":"{path}","price":{{"net":19.90,"currency":"EUR"}}}}"#)),
    });
    let report = run("shop", "", "", &server);
    let results = report["results"].as_array().unwrap();
    let names: Vec<&Value> = results.iter().map(|result| &result["name"]).collect();
    assert_eq!(names, ["items", "detail[3]", "detail[1]", "detail[2]"]);
    assert_eq!(results[3]["data"].to_string(), r#"{"currency":"EUR","price":19.9,"sku":"/i/2"}"#);
}

#[test]
fn fifty_calls_with_one_token() {
    let tokens = AtomicUsize::new(0);
    let server = Server::start(move |request| match request.path() {
        "/oauth/token" => {
            tokens.fetch_add(1, Ordering::SeqCst);
            Reply::json(r#"{"access_token":"bank-t0ken","expires_in":3600,"token_type":"Bearer"}"#)
        }
        _ if bearer(request) != "bank-t0ken" || tokens.load(Ordering::SeqCst) != 1 => Reply::status(401),
        path => Reply::json(format!(
            "{{\"id\":\"{}\",\"balance\":1234567890123456789.01}}",
            path.rsplit('/').next().unwrap()
        )),
    });
    let report = run("oauth2", "", "", &server);
    assert_eq!(endings(&report), vec!["ok"; 50]);
    assert_eq!(report["results"][49]["data"]["account"], "50");
    assert_eq!(server.requests().len(), 51);
}

#[test]
fn graphql_with_cursors() {
    let server = Server::start(|request| {
        let second = request.text().ends_with("\"variables\":{\"after\":\"Y3Vyc29yOjI=\"}}");
        let (name, more) = if second { ("b", false) } else { ("a", true) };
        Reply::json(format!(
            r#"{{"data":{{"repositories":{{"nodes":[{{"name":"{name}","stars":7}}],"pageInfo":{{"hasNextPage":{more},"endCursor":"Y3Vyc29yOjI="}}}}}}}}"#
        ))
    });
    let report = run("graphql", "repositories", "", &server);
    assert_eq!(without_source(rows(&report)), json!([["a", 7], ["b", 7]]));
}

#[test]
fn json_api_with_links() {
    let server = Server::start(|request| match request.query() {
        Some("page[size]=2") => Reply::json(
            r#"{"data":[{"id":"1","attributes":{"title":"One"},"relationships":{"author":{"data":{"id":"9"}}}}],"links":{"next":"/articles?page[size]=2&page[after]=1"}}"#,
        ),
        _ => Reply::json(r#"{"data":[{"id":"2","attributes":{"title":"Two"}}],"links":{"next":null}}"#),
    });
    let report = run("json-api", "articles", "", &server);
    assert_eq!(without_source(rows(&report)), json!([["1", "One", "9"], ["2", "Two", null]]));
}

#[test]
fn an_export_by_post_poll_and_download() {
    let polls = AtomicUsize::new(0);
    let server = Server::start(move |request| match request.path() {
        "/exports" => Reply::status(202).header("Location", "/exports/7"),
        "/exports/7" if polls.fetch_add(1, Ordering::SeqCst) < 2 => Reply::json(r#"{"state":"running"}"#),
        "/exports/7" => {
            Reply::json(r#"{"state":"done","file":"https-is-not-here"}"#.replace("https-is-not-here", "/files/7.csv"))
        }
        _ => {
            Reply::text("city,people\r\n\"Oslo, city\",717710\r\nLima,10092000\r\n").header("Content-Type", "text/csv")
        }
    });
    let report = run("export", "export", "", &server);
    assert_eq!(without_source(rows(&report)), json!([["Oslo, city", 717_710], ["Lima", 10_092_000]]));
}

#[test]
fn exchange_rates_of_a_day() {
    let server = Server::start(|request| {
        let base = request.query().unwrap_or_default().trim_start_matches("base=").to_owned();
        let date = request.path().trim_start_matches('/').to_owned();
        Reply::json(format!(r#"{{"base":"{base}","date":"{date}","rates":{{"JPY":184.10,"GBP":0.86645}}}}"#))
    });
    let report = run("exchange-rates", "", "--variable date=2026-01-02", &server);
    let data: Vec<String> =
        report["results"].as_array().unwrap().iter().map(|result| result["data"].to_string()).collect();
    assert_eq!(
        data,
        [
            r#"{"base":"EUR","date":"2026-01-02","gbp":0.86645,"jpy":184.1}"#,
            r#"{"base":"USD","date":"2026-01-02","gbp":0.86645,"jpy":184.1}"#
        ]
    );
}

#[test]
fn sensors_that_answer_lines() {
    let server = Server::start(|request| {
        let degrees = if request.path() == "/attic" { "-1.50" } else { "7.0" };
        Reply::text(format!(
            "{{\"t\":\"2026-01-31T12:00:00Z\",\"c\":{degrees}}}\n{{\"t\":\"2026-01-31T12:01:00Z\",\"c\":8}}\n"
        ))
    });
    let report = run("sensors", "measurements", "", &server);
    let (one, two) = ("2026-01-31T12:00:00Z", "2026-01-31T12:01:00Z");
    let shown: Vec<Value> = rows(&report).as_array().unwrap().iter().map(|row| json!([row[0], row[1]])).collect();
    assert_eq!(shown, [json!([one, -1.5]), json!([two, 8]), json!([one, 7.0]), json!([two, 8])]);
}

#[test]
fn a_csv_of_an_authority_in_latin_1() {
    let server = Server::start(|_| {
        Reply::raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 62\r\n\r\nGemeinde;Einwohner\r\nK\xf6ln;1.084.831\r\n\"M\xfcnster; Stadt\";322.904\r\n".to_vec())
    });
    let report = run("government-csv", "towns", "", &server);
    assert_eq!(without_source(rows(&report)), json!([["K\u{f6}ln", 1_084_831], ["M\u{fc}nster; Stadt", 322_904]]));
}

#[test]
fn the_weather_of_cities_in_a_csv() {
    let server = Server::start(|request| {
        let query = request.query().unwrap_or_default().to_owned();
        let latitude = query.strip_prefix("latitude=").and_then(|rest| rest.split('&').next()).unwrap_or_default();
        Reply::json(format!(r#"{{"current":{{"time":"2026-01-31T12:00","temperature_2m":{latitude}}}}}"#))
    });
    let report = run("weather", "", "", &server);
    let results = report["results"].as_array().expect("results");
    let got: Vec<Value> = results.iter().map(|result| json!([result["name"], result["data"]["celsius"]])).collect();
    let expected = [
        json!(["weather[Oslo]", 59.91]),
        json!(["weather[Lima, Callao]", -12.05]),
        json!(["weather[S\u{e3}o Paulo]", -23.55]),
    ];
    assert_eq!(got, expected);
    assert!(server.requests().iter().any(|request| request.target.contains("latitude=-12.05&longitude=-77.04&")));
}
