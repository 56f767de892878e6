//! `each = "cities.csv"`: a job for each row of a file.

use serde_json::{Value, json};

use super::line;
use crate::common::{Dir, Reply, Server};

/// The plan with this `each`, in a folder of its own.
fn plan(dir: &Dir, server: &Server, each: &str, keys: &str) {
    let text = format!("[[job]]\nname = \"a\"\nurl = \"{}?q={{city}}\"\neach = {each}\n{keys}", server.url("/"));
    dir.write("plans/plan.toml", text);
}

fn names(report: &Value) -> Vec<&str> {
    report["results"].as_array().expect("results").iter().filter_map(|result| result["name"].as_str()).collect()
}

#[test]
fn rows_of_csv_tsv_and_json_are_jobs_named_by_a_column() {
    let server = Server::start(|_| Reply::text("ok"));
    let dir = Dir::new();
    dir.write("plans/c.csv", "\u{feff}id,city,City name\r\n1,\"S\u{e3}o, \"\"P\"\"\",x\r\n2,a&b,y\r\n");
    dir.write("plans/semi.csv", "city;id\na;7\nb;8\n");
    dir.write("plans/t.tsv", "city\tid\na b\t7\n");
    dir.write("plans/c.json", r#"[{"id":1,"city":"x","all":[1]},{"id":20000000000000000001,"city":"y","all":{}}]"#);
    for (each, called, targets) in [
        ("\"c.csv\"", vec!["a[1]", "a[2]"], vec!["/?q=S%C3%A3o%2C%20%22P%22", "/?q=a%26b"]),
        ("{ file = \"semi.csv\", delimiter = \";\", key = \"id\" }", vec!["a[7]", "a[8]"], vec!["/?q=a", "/?q=b"]),
        ("\"t.tsv\"", vec!["a[a b]"], vec!["/?q=a%20b"]),
        ("\"c.json\"", vec!["a[1]", "a[20000000000000000001]"], vec!["/?q=x", "/?q=y"]),
        ("\"../plans/c.json\"", vec!["a[1]", "a[20000000000000000001]"], vec!["/?q=x", "/?q=y"]),
    ] {
        plan(&dir, &server, each, "");
        let before = server.requests().len();
        let run = line("run plans/plan.toml --report json -q --concurrency 1").inside(&dir).run().expect_code(0);
        assert_eq!(names(&run.json()), called, "{each}");
        let sent: Vec<String> = server.requests()[before..].iter().map(|request| request.target.clone()).collect();
        assert_eq!(sent, targets, "{each}");
    }
    let run = line("run plans/plan.toml --report json -q").inside(&dir);
    plan(&dir, &server, "\"-\"", "");
    assert_eq!(names(&run.stdin("city\nx\n").run().expect_code(0).json()), ["a[x]"]);
}

#[test]
fn values_of_json_keep_their_types_and_unused_columns_are_in_no_row() {
    let server = Server::start(|request| Reply::json(format!("{{\"sent\":[{}]}}", request.text())));
    let dir = Dir::new();
    dir.write("plans/c.json", r#"[{"city":"x","n":1.50,"on":true,"none":null,"unused":1}]"#);
    let keys = "json = { n = \"{n}\", on = \"{on}\", none = \"{none}\" }\nrows = \"/sent\"\nselect = { n = \"/n\" }\n";
    plan(&dir, &server, "\"c.json\"", keys.replace("n = \"/n\"", "sent = \"/n\"").as_str());
    let report = line("run plans/plan.toml --report json -q").inside(&dir).run().expect_code(0).json();
    assert_eq!(server.requests()[0].text(), r#"{"n":1.50,"on":true,"none":null}"#);
    assert_eq!(report["tables"][0]["columns"], json!(["sent", "city", "n", "on", "none", "source"]));
}

#[test]
fn what_is_wrong_with_a_file_is_said_in_one_line() {
    let server = Server::builder().unused_ok().start(|_| Reply::text("ok"));
    let dir = Dir::new();
    for (file, text) in [
        ("empty.csv", ""),
        ("names.csv", "city,id\n"),
        ("open.csv", "city\n\"Oslo\n"),
        ("short.csv", "city,id\nOslo\n"),
        ("spaces.csv", "City name,A b\na,b\n"),
        ("same.csv", "city\na\na\n"),
        ("object.json", "{\"city\":1}"),
        ("gap.json", "[{\"city\":1},{\"id\":1}]"),
        ("cut.json", "[{\"city\":1},"),
    ] {
        dir.write(&format!("plans/{file}"), text);
    }
    dir.write("plans/latin.csv", b"city\nK\xf6ln\n");

    for (each, said) in [
        ("\"none.csv\"", "none.csv cannot be read"),
        ("\".\"", "cannot be read"),
        ("\"empty.csv\"", "empty.csv: CSV begins with a line of names, and there is none"),
        ("\"names.csv\"", "names.csv: there are no rows"),
        ("\"open.csv\"", "open.csv: a quote that begins in line 2 never ends"),
        ("\"short.csv\"", "short.csv: line 2 has 1 values, and there are 2 names of columns"),
        ("\"spaces.csv\"", "spaces.csv: no name of its columns can be written in braces: \"City name\", \"A b\""),
        (
            "\"same.csv\"",
            "the name \"a[a]\" is taken by the job of line 2: name the rows by a column without equal values",
        ),
        ("\"object.json\"", "object.json: a JSON file is an array of objects, one for each job"),
        ("\"gap.json\"", "gap.json: row 2 has no \"city\", which the first row has"),
        ("\"cut.json\"", "cut.json: a JSON file is an array of objects"),
        ("\"latin.csv\"", "latin.csv:2: the file of \"each\" must be UTF-8 text"),
        ("{ file = \"same.csv\", key = \"id\" }", "same.csv has no column \"id\": the columns are city"),
        ("{ file = \"same.csv\", keys = \"id\" }", "unknown key \"keys\": did you mean \"key\"?"),
        ("{ file = \"same.csv\", delimiter = \"::\" }", "\"::\" is not a delimiter: write one character"),
    ] {
        plan(&dir, &server, each, "");
        let run = line("check plans/plan.toml").inside(&dir).run().expect_code(2);
        assert!(run.stderr.contains(said), "{each}: {}", run.stderr);
        assert!(run.stderr.starts_with("roundup: plans/plan.toml:"), "{each}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{each}: {}", run.stderr);
    }
    assert!(server.requests().is_empty());
}
