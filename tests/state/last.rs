//! Rows of earlier runs in queries of the report.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::line;
use crate::common::{Dir, Reply, Server};

const PLAN: &str = r#"
[state]
file = "runs.db"
[[report.table]]
name = "changes"
sql = """
select sku, p.price, round(p.price - l.price, 2) as change
from prices p join last.prices l using (sku) order by sku"""
[[report.output]]
format = "csv"
file = "{table}.csv"
[defaults]
base_url = "URL"
retries = 0
[[job]]
name = "acme"
url = "/acme"
rows = ""
table = "prices"
[[job]]
name = "bits"
url = "/bits"
rows = ""
table = "prices"
"#;

#[test]
fn a_report_compares_with_the_run_before_in_which_each_source_succeeded() {
    let run = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = run.clone();
    let server = Server::start(move |request| {
        let run = counter.load(Ordering::SeqCst);
        match (request.path(), run) {
            ("/acme", 0) => Reply::json(r#"[{"sku":"a","price":1.10},{"sku":"b","price":2}]"#),
            ("/acme", 1) => Reply::status(500),
            ("/acme", _) => Reply::json(r#"[{"sku":"a","price":1.30,"note":"up"},{"sku":"b","price":2}]"#),
            ("/bits", 0) => Reply::json(r#"[{"sku":"c","price":7}]"#),
            (_, 1) => Reply::json(r#"[{"sku":"c","price":8}]"#),
            _ => Reply::json(r#"[{"sku":"c","price":9}]"#),
        }
    });
    let dir = Dir::new();
    dir.write("plan.toml", PLAN.replace("URL", server.url("/").trim_end_matches('/')));
    let next = |code| {
        line(&dir, "run plan.toml -q").run().expect_code(code);
        run.fetch_add(1, Ordering::SeqCst);
        dir.read("changes.csv").replace("\r\n", "\n")
    };
    assert_eq!(next(0), "sku,price,change\n", "nothing to compare with");
    assert_eq!(next(3), "sku,price,change\nc,8,1.0\n");
    // What failed in between is compared with the run before that.
    assert_eq!(next(0), "sku,price,change\na,1.3,0.2\nb,2,0.0\nc,9,1.0\n");
}
