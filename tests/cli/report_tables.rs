//! The report of a plan: its tables, its title, and the files it asks for.

use super::{complaint, line};
use crate::common::{Dir, Reply, Server};

fn server() -> Server {
    Server::start(|request| match request.path() {
        "/oslo" => Reply::json(r#"{"temp": -3.5, "note": "=cmd()"}"#),
        "/lima" => Reply::json(r#"{"temp": 21, "note": "warm"}"#),
        _ => Reply::status(404),
    })
}

fn plan(server: &Server, report: &str) -> String {
    format!(
        "{report}\n[[job]]\nname = \"weather\"\nurl = \"{}\"\neach = {{ city = [\"oslo\", \"lima\", \"atlantis\"] }}\n\
         select = {{ temp = \"/temp\", note = \"/note\" }}\nretries = 0\n",
        server.url("/{city}")
    )
}

const TABLE: &str = "[report]\ntitle = \"Weather, {date}\"\n[[report.table]]\ntable = \"sources\"\n\
                     columns = [\"name\", \"temp\", \"note\"]\nsort = \"-temp\"\ntitle = \"Warmest\"\n";

#[test]
fn a_plan_says_what_is_written_and_where() {
    let server = server();
    let dir = Dir::new();
    let outputs =
        "[[report.output]]\nfile = \"{table}.csv\"\n[[report.output]]\nformat = \"json\"\nfile = \"{date}.json\"\n";
    dir.write("plan.toml", plan(&server, &format!("{TABLE}{outputs}")));
    line("run plan.toml -q").inside(&dir).run().expect_code(3);
    assert_eq!(
        dir.read("sources.csv"),
        "name,temp,note\r\nweather[lima],21,warm\r\nweather[oslo],-3.5,'=cmd()\r\nweather[atlantis],,\r\n"
    );
    let json = dir.names().into_iter().find(|name| name.ends_with(".json")).expect("a JSON report");
    let document: serde_json::Value = serde_json::from_str(&dir.read(&json)).expect("JSON");
    assert_eq!(document["title"], format!("Weather, {}", json.trim_end_matches(".json")));
    assert_eq!(document["tables"][0]["rows"][1], serde_json::json!(["weather[oslo]", -3.5, "=cmd()"]));
    crate::report::schema::Schema::load().check(&document).expect("valid");
}

#[test]
fn a_report_that_is_typed_replaces_those_of_the_plan() {
    let server = server();
    let dir = Dir::new();
    dir.write("plan.toml", plan(&server, &format!("{TABLE}[[report.output]]\nfile = \"sources.csv\"\n")));
    let output = line("run plan.toml --report table").inside(&dir).run().expect_code(3);
    assert_eq!(dir.names(), ["plan.toml"]);
    let lines: Vec<&str> = output.stdout().lines().collect();
    assert!(lines[0].starts_with("Weather, 2"), "{output:?}");
    assert_eq!(
        lines[2..7],
        [
            "Warmest",
            "name               temp  note",
            "weather[lima]        21  warm",
            "weather[oslo]      -3.5  =cmd()",
            "weather[atlantis]"
        ]
    );
}

#[test]
fn a_table_that_cannot_be_made_costs_no_other_report() {
    let server = server();
    let dir = Dir::new();
    let report = "[[report.table]]\ntable = \"sources\"\ncolumns = \"prize\"\n[[report.output]]\nformat = \"json\"\n";
    dir.write("plan.toml", plan(&server, report));
    let output = line("run plan.toml -q").inside(&dir).run().expect_code(5);
    let why = "roundup: the report's table \"sources\" (line 1 of the plan): no column \"prize\": there are name, url, host, ";
    assert!(output.stderr.starts_with(why) && output.stderr.lines().count() == 1, "{output:?}");
    let note = &output.json()["tables"][0]["notes"][0];
    assert!(
        note.as_str().is_some_and(|note| note.starts_with("this table could not be made: no column \"prize\"")),
        "{note}"
    );
}

#[test]
fn several_tables_do_not_go_into_one_csv_file() {
    let dir = Dir::new();
    let two =
        "[[report.table]]\ntable = \"sources\"\n[[report.table]]\ntable = \"sources\"\ntitle = \"Again, {date}\"\n";
    let job = "[[job]]\nurl = \"http://127.0.0.1:9/\"\n";
    let said = "2 tables do not go into one csv report";
    for command in ["check", "run"] {
        dir.write("plan.toml", format!("{two}[[report.output]]\nfile = \"all.csv\"\n{job}"));
        let output = line(&format!("{command} plan.toml")).inside(&dir).run().expect_code(2);
        let expected =
            format!("plan.toml:6: report.output[1]: {said}: write file = \"{{table}}.csv\", a file for each");
        assert_eq!(complaint(&output), expected);
    }
    dir.write("plan.toml", format!("{two}{job}"));
    let output = line("run plan.toml --report all.csv").inside(&dir).run().expect_code(1);
    assert_eq!(complaint(&output), format!("{said}: write csv={{table}}.csv, a file for each"));
    assert_eq!(dir.names(), ["plan.toml"]);
}

/// Two tables of rows were found to be too many for one file when all was fetched.
#[test]
fn tables_of_rows_are_counted_before_anything_is_fetched() {
    let dir = Dir::new();
    let job = |name: &str, more: &str| format!("[[job]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:9/\"\n{more}\n");
    let jobs = [
        job("a", "table = \"stock\"\nselect = { n = \"/n\" }"),
        job("b", "for_each = \"a\"\nrows = \"\""),
        // Neither is in the report, so neither counts.
        job("hidden", "rows = \"\"\ntable = \"hidden\"\nreport = false"),
        job("plain", "select = { n = \"/n\" }"),
    ];
    dir.write("plan.toml", format!("[[report.output]]\nfile = \"all.csv\"\n{}", jobs.concat()));
    let output = line("run plan.toml").inside(&dir).run().expect_code(2);
    assert!(complaint(&output).starts_with("plan.toml:1: report.output[1]: 2 tables do not go"), "{output:?}");
    dir.write("plan.toml", jobs.concat());
    let output = line("run plan.toml --report csv").inside(&dir).run().expect_code(1);
    assert!(complaint(&output).starts_with("2 tables do not go"), "{output:?}");
}

#[test]
fn mistakes_in_outputs_say_file_and_line() {
    let dir = Dir::new();
    let job = "[[job]]\nurl = \"http://127.0.0.1:9/\"\nretries = 0\n";
    dir.write("broken.md.j2", "{% for %}");
    let output = |text: &str| format!("[[report.output]]\n{text}\n");
    for (outputs, at, said, code) in [
        (output("format = \"pdf\"\nfile = \"x\""), 1_u8, "\"pdf\" is not a report format", 2),
        (
            output("file = \"x.html\"") + &output("format = \"md\"\nfile = \"./x.html\""),
            3,
            "two reports, html and md, cannot",
            2,
        ),
        (
            output("format = \"html\"") + &output("format = \"md\""),
            3,
            "two reports, html and md, cannot both go to stdout",
            2,
        ),
        (output("format = \"html\"\nfile = \"plan.toml\""), 1, "the html report would be written over the plan", 2),
        (output("format = \"template:none.j2\"\nfile = \"x\""), 1, "the template \"none.j2\" cannot be", 2),
        (output("format = \"template:broken.md.j2\"\nfile = \"x\""), 1, "broken.md.j2", 2),
        (output("file = \"x.html\"\nbom = true"), 1, "a byte order mark is for csv, and this is html", 2),
        (output("format = \"md\"\nfile = \".\""), 1, "cannot write the report to \".\": it is a folder", 5),
        (output("file = \"none/{table}.csv\""), 1, "there is no folder \"none\"", 5),
    ] {
        dir.write("plan.toml", format!("{outputs}{job}"));
        let ran = line("run plan.toml").inside(&dir).run().expect_code(code);
        let place = format!("plan.toml:{at}: report.output[{}]: ", at.div_ceil(2));
        assert!(complaint(&ran).starts_with(&place) && complaint(&ran).contains(said), "{outputs}: {ran:?}");
    }
    assert_eq!(dir.names(), ["broken.md.j2", "plan.toml"]);
}

#[test]
fn csv_begins_with_a_byte_order_mark_if_that_is_asked_for() {
    let server = server();
    let dir = Dir::new();
    let outputs = "[[report.output]]\nfile = \"{table}.csv\"\nbom = true\n";
    dir.write("plan.toml", plan(&server, &format!("{TABLE}{outputs}")));
    line("run plan.toml -q").inside(&dir).run().expect_code(3);
    let file = dir.read("sources.csv");
    assert!(file.starts_with("\u{feff}name,temp,note\r\n") && file.matches('\u{feff}').count() == 1, "{file:?}");
    line("run plan.toml -q --report csv:bom=typed.csv --report plain.csv").inside(&dir).run().expect_code(3);
    assert_eq!(dir.read("typed.csv"), file);
    assert_eq!(format!("\u{feff}{}", dir.read("plain.csv")), file);
    let stdout = line("run plan.toml -q --report csv:bom").inside(&dir).run().expect_code(3);
    assert_eq!(stdout.stdout(), file);
}

/// The name of the source went where the content had a key `source`, and of two columns of one name the last was left.
#[test]
fn no_column_takes_the_place_of_another() {
    let server = Server::start(|request| match request.path() {
        "/json" => Reply::json(r#"[{"source": "theirs", "city": "Oslo"}]"#),
        _ => Reply::status(200).header("Content-Type", "text/csv").body("n,source,n\r\n1,theirs,2\r\n"),
    });
    let dir = Dir::new();
    let job = |path: &str, query: &str, more: &str| {
        format!(
            "[[job]]\nname = \"{path}\"\nurl = \"{}\"\ntable = \"{path}\"\n{more}\n",
            server.url(&format!("/{path}?{query}"))
        )
    };
    let jobs = job("json", "{city}", "rows = \"\"\neach = { city = [\"oslo\"] }") + &job("csv", "", "");
    dir.write("plan.toml", jobs);
    line("run plan.toml -q --report {table}.csv").inside(&dir).run().expect_code(0);
    assert_eq!(dir.read("json.csv"), "source,city,city_2,source_2\r\ntheirs,Oslo,oslo,json[oslo]\r\n");
    assert_eq!(dir.read("csv.csv"), "n,source,n_2,source_2\r\n1,theirs,2,csv\r\n");
    let selected = "rows = \"\"\nselect = { city = \"/city\" }\neach = { city = [\"oslo\"] }";
    dir.write("plan.toml", job("json", "{city}", selected));
    let output = line("check plan.toml").inside(&dir).run().expect_code(2);
    let said = "plan.toml:1: job[1].select: \"city\" is a value of each, too, and both would be one column";
    assert!(complaint(&output).starts_with(said), "{output:?}");
}

/// A file named `a=b.csv` was taken for a format `a`.
#[test]
fn an_equals_sign_in_the_name_of_a_file_is_one() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    let job = format!("[[job]]\nurl = \"{}\"\n", server.url("/"));
    dir.write("plan.toml", format!("[[report.output]]\nfile = \"a=b.csv\"\n{job}"));
    line("run plan.toml -q").inside(&dir).run().expect_code(0);
    assert!(dir.read("a=b.csv").starts_with("result,name,"), "{:?}", dir.names());
}
