//! `render`: a result in other formats, without fetching.

use super::{complaint, line};
use crate::common::{Dir, Reply, Server};

#[test]
fn a_result_is_written_in_other_formats_and_as_itself() {
    let server = Server::start(|request| match request.path() {
        "/a" => Reply::json(r#"{"sku":"A1","price":1000000000000000000001.50}"#),
        "/b" => Reply::text("not JSON"),
        "/bytes" => Reply::status(200).body(b"\xff\0".to_vec()),
        _ => Reply::status(503),
    });
    let dir = Dir::new();
    let jobs: String = ["a", "b", "bytes", "gone"]
        .map(|path| format!("[[job]]\nname = \"{path}\"\nurl = \"{}\"\nretries = 0\n", server.url(&format!("/{path}"))))
        .concat();
    let picked =
        jobs.replacen("retries", "table = \"prices\"\nselect = { sku = \"/sku\", price = \"/price\" }\nretries", 1);
    dir.write("plan.toml", format!("[report]\ntitle = \"Prices\"\n{picked}"));
    line("run plan.toml -q --report one.json --report one.jsonl --report one.html --report one.md")
        .inside(&dir)
        .run()
        .expect_code(3);
    line("render one.json --report two.json --report two.html --report two.md --report two-{table}.csv")
        .inside(&dir)
        .run()
        .expect_code(0);
    assert_eq!(dir.read("two.json"), dir.read("one.json"), "what was read is what was written");
    assert_eq!(dir.read("two.md"), dir.read("one.md"));
    // A document that is an object is one row; numbers keep their digits through all of it.
    assert_eq!(dir.read("two-prices.csv"), "sku,price,source\r\nA1,1000000000000000000001.50,a\r\n");
    assert!(dir.read("two-sources.csv").starts_with("result,name,url,"), "{:?}", dir.names());
    assert!(dir.read("two.html").contains("1000000000000000000001.50"));
    line("render one.jsonl --report three.json").inside(&dir).run().expect_code(0);
    assert_eq!(dir.read("three.json"), dir.read("one.json"));
    let table = line("render one.json").inside(&dir).run().expect_code(0);
    assert!(table.stdout().starts_with("Prices\n\nprices\nsku"), "{table:?}");
}

#[test]
fn what_is_no_result_is_refused_in_a_line() {
    let dir = Dir::new();
    dir.write("other.json", "{\"a\":1}");
    for file in ["other.json", "none.json"] {
        let output = line(&format!("render {file} --report x.html")).inside(&dir).run().expect_code(2);
        assert!(complaint(&output).starts_with(&format!("{file}: ")), "{output:?}");
    }
    assert_eq!(dir.names(), ["other.json"]);
}

#[cfg(feature = "demo")]
#[test]
fn the_demo_ends_with_a_page() {
    let dir = Dir::new();
    let output = line("demo --open").inside(&dir).env("PATH", dir.path()).run().expect_code(0);
    let page = dir.read("roundup-demo.html");
    for said in ["What 50 APIs said", "hotend-v6", "greenhouse", "hamburg", "All 50 sources succeeded"] {
        assert!(page.contains(said), "{said}");
    }
    for said in ["Prices and stock\n", "Weather, warmest first\n", "\nthe report is in roundup-demo.html\n"] {
        assert!(output.stdout().contains(said), "{said}: {output:?}");
    }
    assert_eq!(dir.names(), ["roundup-demo.html"]);
    // Nothing opens pages here, which costs nothing but a line.
    assert!(output.stderr.starts_with("roundup: ") && output.stderr.contains("cannot be opened"), "{output:?}");
}
