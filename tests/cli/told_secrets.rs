//! Secrets that are known by their names alone: in the query of a URL and in content that was typed.

use super::line;
use crate::common::{Dir, Reply, Server};

const SECRETS: [&str; 3] = ["BBB1", "BBB4", "BBB5"];

#[test]
fn they_are_in_nothing_that_is_shown_or_kept() {
    let server = Server::start(|request| match request.path() {
        "/moved" => Reply::redirect(302, "/gone?token=BBB4"),
        _ => Reply::status(404),
    });
    let dir = Dir::new();
    let url = server.url("/moved?access_token=BBB1&page=2&password=BBB4");
    let run =
        line("get -vv --retries 0 --state runs.db --report table --report all.json --report all.html --report all.csv")
            .args(["-d", "password=BBB5", &url])
            .inside(&dir)
            .run()
            .expect_code(3);
    assert_eq!(server.requests()[0].target, "/moved?access_token=BBB1&page=2&password=BBB4");
    let mut shown = vec![run.stdout().to_owned(), run.stderr.clone()];
    shown.extend(["all.json", "all.html", "all.csv"].map(|file| dir.read(file)));
    shown.push(line("history runs.db").inside(&dir).run().expect_code(0).stdout().to_owned());
    let state = std::fs::read(dir.join("runs.db")).expect("a state");
    shown.push(String::from_utf8_lossy(&state).into_owned());
    for text in &shown {
        let found = SECRETS.iter().find(|secret| text.contains(**secret));
        assert_eq!(found, None, "{text}");
    }
    let name = "/moved?access_token=[redacted]&page=2&password=[redacted]";
    assert!(run.stdout().contains(name) && shown[1].contains(&format!("> POST {name} HTTP/1.1")), "{run:?}");
}

/// The cells of the tables `sources` and `attempts`, the names of sources beside their rows, and in the state file the error
/// of a source without a secret of its own.
#[cfg(all(feature = "sql", feature = "template"))]
#[test]
fn they_are_in_no_table_and_no_error() {
    let server = Server::start(|request| match request.path() {
        "/rows" => Reply::json("[{\"a\":1}]"),
        _ => Reply::redirect(302, "ftp://h/cb?access_token=S3CRET"),
    });
    let dir = Dir::new();
    let (rows, leaves) = (server.url("/rows?access_token=S3CRET"), server.url("/leaves"));
    let plan = format!(
        "[[job]]\nurl = \"{rows}\"\nrows = \"\"\ntable = \"t\"\n\
        [[job]]\nurl = \"{leaves}\"\nrows = \"\"\ntable = \"t\"\n\
        [[report.table]]\ntable = \"t\"\n[[report.table]]\ntable = \"sources\"\n\
        [[report.table]]\nname = \"tries\"\nsql = \"select name, attempts.url, attempts.error from attempts join sources on name = source\"\n"
    );
    dir.write("plan.toml", plan);
    dir.write("page.j2", "{{ sources }}\n{{ tables }}");
    let mut files = vec!["all.sqlite", "all.md", "all.json", "all.html", "page.txt"];
    if cfg!(feature = "xlsx") {
        files.push("all.xlsx");
    }
    let mut run = line("run plan.toml --retries 0 --state runs.db --report table --report template:page.j2=page.txt");
    for file in files.iter().filter(|file| **file != "page.txt") {
        run = run.args(["--report", file]);
    }
    let run = run.inside(&dir).run().expect_code(3);
    let text = |file: &&str| match (*file, std::fs::read(dir.join(file)).expect(file)) {
        ("all.xlsx", bytes) => unzipped(&bytes),
        (_, bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    files.push("runs.db");
    let mut shown: Vec<(&str, String)> = files.iter().map(|file| (*file, text(file))).collect();
    shown.push(("stdout", run.stdout().to_owned()));
    for (file, text) in &shown {
        // Markdown has the brackets escaped.
        let text = &text.replace('\\', "");
        assert!(text.contains("/rows?access_token=[redacted]"), "{file}: {text}");
        assert!(text.contains("ftp://h/cb?access_token=[redacted]"), "{file}: {text}");
        assert!(!text.contains("S3CRET"), "{file}: {text}");
    }
}

/// The text of all files of a zip.
#[cfg(all(feature = "sql", feature = "template"))]
fn unzipped(zip: &[u8]) -> String {
    use std::io::Read as _;

    const HEAD: usize = 30;
    let mut text = String::new();
    for at in (0..zip.len()).filter(|at| zip[*at..].starts_with(b"PK\x03\x04")) {
        let length = |place: usize| usize::from(u16::from_le_bytes([zip[at + place], zip[at + place + 1]]));
        let content = &zip[at + HEAD + length(26) + length(28)..];
        flate2::read::DeflateDecoder::new(content).read_to_string(&mut text).expect("deflated text");
    }
    text
}

#[test]
fn curl_commands_have_variables_for_them() {
    let url = "http://a.example/x?access_token=BBB1&page=2&password=BBB4";
    let run = line("get --curl").args(["-d", "password=BBB5&n=1", url]).run().expect_code(0);
    let expected = "# http://a.example/x?access_token=[redacted]&page=2&password=[redacted]\n\
        # ACCESS_TOKEN, PASSWORD, PASSWORD_2 are left out: their names tell a secret\n\
        curl -L --compressed \"http://a.example/x?access_token=${ACCESS_TOKEN}&page=2&password=${PASSWORD}\" \\\n";
    assert!(run.stdout().starts_with(expected), "{run:?}");
    assert!(run.stdout().contains("--data-raw \"password=${PASSWORD_2}&n=1\""), "{run:?}");
    let coded = line("get --curl http://a.example/?api_key=a%2Fb%2Bc").run().expect_code(0);
    let expected = "# API_KEY is left out: its name tells a secret\n# API_KEY must be percent-encoded in this URL\n";
    assert!(coded.stdout().contains(expected), "{coded:?}");
    let json = line("get --curl").args(["--json", r#"{"api_key":"BBB1","a":[1]}"#, url]).run().expect_code(0);
    assert!(json.stdout().contains(r#"--data-raw "{\"api_key\":\"${ACCESS_TOKEN}\",\"a\":[1]}""#), "{json:?}");
}
