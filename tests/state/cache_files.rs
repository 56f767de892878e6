//! The place of kept responses: that it must be there, how it is bounded, and how a file comes to have it.

use super::{line, query, texts};
use crate::common::{Dir, Output, Reply, Server, refusing_port};

#[test]
fn without_a_state_one_line_says_what_is_missing() {
    let dir = Dir::new();
    let port = refusing_port();
    dir.write("plan.toml", format!("[[job]]\nurl = \"http://127.0.0.1:{port}/\"\ncache = true\n"));
    let late = "[[job]]\nname = \"b\"\nurl = \"http://127.0.0.1/{a.id}\"\nstale_if_error = \"1h\"\n";
    let first = format!("[[job]]\nname = \"a\"\nurl = \"http://127.0.0.1:{port}/\"\nselect = {{ id = \"/id\" }}\n");
    dir.write("late.toml", first + late);
    for words in [
        "run plan.toml".to_owned(),
        "run late.toml".to_owned(),
        format!("get http://127.0.0.1:{port}/ --cache"),
        format!("get http://127.0.0.1:{port}/ --stale-if-error 1h"),
    ] {
        let Output { stderr, .. } = line(&dir, &words).run().expect_code(1);
        let expected = "roundup: cache and stale_if_error need the file that responses are kept in: write --state FILE, or \
            [state] file = \"...\" in the plan\n";
        assert_eq!(stderr, expected, "{words}");
    }
}

#[test]
fn responses_go_with_the_run_that_used_them_last_or_when_there_is_no_room() {
    let server = Server::start(|_| Reply::json("1").header("Cache-Control", "max-age=600"));
    let dir = Dir::new();
    let get = |path: &str, more: &str| {
        let words = format!("get {} --cache --state runs.db -q {more}", server.url(path));
        line(&dir, &words).run().expect_code(0);
    };
    get("/a", "");
    get("/b", "");
    get("/a", "--keep 2");
    // Run 1 is gone, and /a was used by run 3.
    assert_eq!(query::<i64>(&dir, "select run from responses order by run"), [2, 3]);
    get("/a", "--keep 1");
    assert_eq!(query::<i64>(&dir, "select run from responses"), [4]);
    assert_eq!(query::<i64>(&dir, "select count(*) from bodies"), [1]);
    get("/c", "--state-size 4KiB");
    assert_eq!(query::<i64>(&dir, "select count(*) from responses"), [0]);
    assert_eq!(texts(&dir, "pragma integrity_check"), ["ok"]);
}

/// A file of the first layout, as it was before there was a cache.
#[test]
fn a_file_of_the_first_layout_keeps_its_contents() {
    let dir = Dir::new();
    let old = rusqlite::Connection::open(dir.join("runs.db")).expect("a database");
    old.execute_batch(include_str!("../../src/state/schema_1.sql")).expect("the first layout");
    old.execute_batch(
        "pragma application_id = 1919837296; pragma user_version = 1;
        insert into runs (plan, version, jobs, sources, started, how) values ('get', '0.1.0', x'00', 1, '2026', 'done');
        insert into outcomes (run, place, name, digest, settings, ended, ok, whole, record)
            values (1, 0, 'a', x'00', x'00', '2026', 1, 1, '{\"attempts\":[{\"status\":200}]}');
        insert into contents values (1, x'68656c6c6f');",
    )
    .expect("an old run");
    drop(old);
    let server = Server::start(|request| match request.header("if-none-match") {
        Some(_) => Reply::status(304),
        None => Reply::json("1").header("ETag", "\"x\""),
    });
    for used in [serde_json::Value::Null, "revalidated".into()] {
        let words = format!("get {} --cache --state runs.db --report json -q", server.url("/"));
        let report = line(&dir, &words).run().expect_code(0).json();
        assert_eq!(report["results"][0]["attempts"][0]["cache"], used);
    }
    assert_eq!(query::<i64>(&dir, "pragma user_version"), [5]);
    assert_eq!(texts(&dir, "select cast(bytes as text) from contents where outcome = 1"), ["hello"]);
    assert_eq!(query::<i64>(&dir, "select status from attempts where outcome = 1"), [200]);
    super::open(&dir).execute_batch("pragma foreign_keys = on; delete from runs where id = 1").expect("gone");
    assert_eq!(query::<i64>(&dir, "select count(*) from bodies"), [1], "the content of the first run is gone with it");
}

/// An outcome of each earlier layout, as it was written then.
#[test]
fn outcomes_of_older_layouts_stay_and_are_read_beside_new_ones() {
    const STEPS: [&str; 4] = [
        include_str!("../../src/state/schema_1.sql"),
        include_str!("../../src/state/schema_2.sql"),
        include_str!("../../src/state/schema_3.sql"),
        include_str!("../../src/state/schema_4.sql"),
    ];
    let server = Server::start(|_| Reply::json("1").header("X", "new"));
    for layout in 1..=STEPS.len() {
        let dir = Dir::new();
        let old = rusqlite::Connection::open(dir.join("runs.db")).expect("a database");
        STEPS[..layout].iter().for_each(|step| old.execute_batch(step).expect("a step"));
        let table = if layout < 3 { "outcomes" } else { "outcome_records" };
        old.execute_batch(&format!(
            r#"pragma application_id = 1919837296; pragma user_version = {layout};
            insert into runs (plan, version, jobs, sources, started, how) values ('get', '0.1.0', x'00', 1, '2026', 'done');
            insert into {table} (run, place, name, digest, settings, ended, ok, whole, record) values
            (1, 0, 'a', x'00', x'00', '2026', 1, 1, '{{"index":0,"name":"a","url":"http://old/","status":200,
            "fields":[{{"name":"X","value":"old"}}],"attempts":[],"timings":{{"queue":0.0,"dns":null,"connect":null,
            "tls":null,"first_byte":null,"body":null,"total":0.0}},"body_truncated":false}}');"#
        ))
        .expect("an old run");
        drop(old);
        let url = server.url("/");
        line(&dir, &format!("get {url} --state runs.db -q --report table=out.txt")).run().expect_code(0);
        assert_eq!(query::<i64>(&dir, "pragma user_version"), [5]);
        assert_eq!(texts(&dir, "select url from outcomes order by run"), ["http://old/", &url]);
        let fields =
            "select value ->> '$.value' from outcomes, json_each(fields) where value ->> '$.name' = 'X' order by run";
        assert_eq!(texts(&dir, fields), ["old", "new"]);
        for (run, url) in [(1, "http://old/"), (2, &*url)] {
            let result = line(&dir, &format!("render runs.db#{run} --report json")).run().expect_code(0).json();
            assert_eq!(
                (&result["results"][0]["url"], &result["results"][0]["place"]),
                (&url.into(), &serde_json::json!([0]))
            );
        }
    }
}
