//! Why a source failed, in the words of its server.

use super::{line, result};
use crate::common::{Dir, Reply, Server};

#[test]
fn what_the_server_says_stands_in_table_stderr_and_report() {
    let server = Server::start(|request| match request.path() {
        "/json" => {
            Reply::status(401).header("Content-Type", "application/json").body("{\"error\":\"invalid api key\"}")
        }
        "/problem" => Reply::status(403).body("{\"title\":\"No credit\",\"detail\":\"30 are left, 50 needed\"}"),
        "/page" => Reply::status(404).body("<html><head><title>404 Not Found</title></head><body>...</body></html>"),
        "/text" => Reply::status(400).body("\x1b[31mno such\x07 city\nmore"),
        "/drip" => Reply::raw("HTTP/1.1 400 x\r\nContent-Length: 1000\r\n\r\ntry later\n").and_hang(),
        _ => Reply::status(410),
    });
    let urls = ["json", "problem", "page", "text", "drip", "gone"].map(|path| server.url(&format!("/{path}")));
    let get = format!("get {} --retries 0", urls.join(" "));
    let says = |name: &str, text: &str, out: &str| {
        let line =
            out.lines().find(|line| line.contains(&format!("/{name}"))).unwrap_or_else(|| panic!("{name}: {out}"));
        assert!(line.ends_with(text), "{line}");
    };
    let table = line(&get).run().expect_code(3);
    let stderr = line(&format!("{get} --report json=report.json")).inside(&Dir::new()).run().expect_code(3);
    let report = line(&format!("{get} --report json")).run().expect_code(3).json();
    for (name, text) in [
        ("json", "401: invalid api key"),
        ("problem", "403: 30 are left, 50 needed"),
        ("page", "404: Not Found"),
        ("drip", "400: try later"),
        ("gone", "status 410 is not among the accepted 200-399"),
    ] {
        says(name, text, table.stdout());
        says(name, text, &stderr.stderr);
        assert_eq!(result(&report, &server.url(&format!("/{name}")))["error"]["message"], text);
    }
    // What could change the terminal is written as a code.
    assert!(!table.stdout().contains('\x1b') && table.stdout().contains("no such"), "{table:?}");
}

#[test]
fn a_secret_that_a_server_repeats_is_hidden_also_if_it_is_cut() {
    let secret = "s3cr3t-t0ken-value-of-24";
    let server = Server::start(move |request| {
        let token = request.header("x-token").unwrap_or_default().to_owned();
        let padding = if request.path() == "/cut" { 190 } else { 1 };
        Reply::status(401).body(format!("{} {token} is not known", "x".repeat(padding)))
    });
    let dir = Dir::new();
    let job =
        |path: &str| format!("[[job]]\nurl = \"{}\"\nheaders = {{ X-Token = \"${{TOKEN}}\" }}\n", server.url(path));
    dir.write("plan.toml", job("/whole") + &job("/cut"));
    for report in ["table", "json", "csv", "jsonl", "md", "html", "junit", "prom"] {
        let output = line(&format!("run plan.toml --report {report}")).env("TOKEN", secret).inside(&dir).run();
        let all = format!("{}{}", output.stdout(), output.stderr);
        if output.code() != Some(3) {
            // A format that this build does not have.
            continue;
        }
        assert!(!all.contains("s3cr3t") && all.contains("redacted"), "{all}");
    }
}
