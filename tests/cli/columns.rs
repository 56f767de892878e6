//! Values of `select` in the table.

use super::line;
use crate::common::{Dir, Reply, Server};

/// A plan with a login, whose token is not marked as a secret, and two jobs with values.
fn plan(server: &Server, rows: &str) -> String {
    let url = |path: &str| server.url(path);
    format!(
        "[[job]]\nname = \"login\"\nurl = \"{}\"\nselect = {{ token = \"/token\" }}\n\
         [[job]]\nname = \"one\"\nurl = \"{}\"\nbearer = \"{{login.token}}\"\n\
         select = {{ okay = \"/ok\", number = \"/n\", key = \"/key\" }}\nsecret = [\"key\"]\n\
         [[job]]\nname = \"two\"\nurl = \"{}\"\nselect = {{ number = \"/n\", text = \"/t\" }}\n{rows}",
        url("/login"),
        url("/1"),
        url("/2"),
    )
}

fn server() -> Server {
    Server::start(|request| match request.path() {
        "/login" => Reply::json(r#"{"token":"t0ken-0f-login"}"#),
        "/1" => Reply::json(r#"{"ok":true,"n":7,"key":"k3y-0f-0ne"}"#),
        "/rows" => Reply::json(r#"[{"a":1}]"#),
        _ => Reply::json(r#"{"n":1234.50,"t":"a\nb"}"#),
    })
}

#[test]
fn the_table_shows_what_was_selected() {
    let (server, dir) = (server(), Dir::new());
    dir.write("plan.toml", plan(&server, ""));
    let run = line("run plan.toml -q").inside(&dir).run().expect_code(0);
    let words: Vec<Vec<&str>> = run.stdout().lines().take(4).map(|row| row.split_whitespace().collect()).collect();
    let titles = "RESULT NAME token okay number key text STATUS TIME SIZE TRIES";
    assert_eq!(words[0], titles.split(' ').collect::<Vec<_>>(), "{run:?}");
    assert_eq!(words[1][..3], ["ok", "login", "[redacted]"], "{run:?}");
    assert_eq!(words[2][..6], ["ok", "one", "true", "7", "[redacted]", "200"], "{run:?}");
    assert_eq!(words[3][..5], ["ok", "two", "1234.50", "a\u{fffd}b", "200"], "{run:?}");

    let run = line("run plan.toml -q --columns text,number,nosuch").inside(&dir).run().expect_code(0);
    assert!(run.stdout().contains("\nno source has a value: nosuch\n"), "{run:?}");
    let titles: Vec<&str> = run.stdout().lines().next().into_iter().flat_map(str::split_whitespace).collect();
    assert_eq!(titles[..5], ["RESULT", "NAME", "text", "number", "STATUS"], "{run:?}");
    let run = line("run plan.toml -q").arg("--columns=").inside(&dir).run().expect_code(0);
    assert!(run.stdout().starts_with("RESULT  NAME   STATUS "), "{run:?}");
}

#[test]
fn a_plan_with_rows_shows_values_if_asked() {
    let (server, dir) = (server(), Dir::new());
    let rows = format!("[[job]]\nname = \"rows\"\nurl = \"{}\"\nrows = \"\"\n", server.url("/rows"));
    dir.write("plan.toml", plan(&server, &rows));
    let run = line("run plan.toml -q").inside(&dir).run().expect_code(0);
    assert!(run.stdout().contains("\nRESULT  NAME   STATUS "), "{run:?}");
    let run = line("run plan.toml -q --columns okay").inside(&dir).run().expect_code(0);
    assert!(run.stdout().contains("\nRESULT  NAME   okay  STATUS "), "{run:?}");
}
