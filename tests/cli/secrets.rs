//! A secret of a plan reaches the server it is for, and no output.

use super::line;
use crate::common::{Dir, Reply, Server, refusing_port};

const SECRET: &str = "s3cr3t-t0ken-value";

/// A server that repeats the secret in every place of a response.
fn echo() -> Server {
    Server::start(|request| {
        let token = request.header("x-token").unwrap_or_default().to_owned();
        match request.path() {
            "/body" => Reply::json(format!("{{\"token\":\"{token}\"}}")).header("X-Echo", token),
            "/type" => Reply::status(200).header("Content-Type", format!("text/{token}")).body("x"),
            "/away" => Reply::redirect(302, &format!("/body?token={token}")),
            "/loop" => Reply::redirect(302, &format!("/loop?token={token}")),
            "/scheme" => Reply::redirect(302, &format!("ftp://{token}/")),
            "/junk" => Reply::raw(format!("{token} is no HTTP\r\n\r\n")).close(),
            "/field" => Reply::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {token}\r\n\r\n")).close(),
            "/expect" => Reply::json(format!("{{\"ok\":\"{token}\"}}")),
            _ => Reply::status(404).body(token),
        }
    })
}

#[test]
fn a_secret_is_in_no_output() {
    let server = echo();
    let dir = Dir::new();
    let mut plan = "[defaults]\nretries = 0\nheaders = { X-Token = \"${TOKEN}\" }\n".to_owned();
    for path in ["/body", "/type", "/away", "/loop", "/scheme", "/junk", "/field", "/gone", "/gone?x=${TOKEN}"] {
        plan += &format!("[[job]]\nurl = \"{}\"\n", server.url(path));
    }
    plan += &format!(
        "[[job]]\nurl = \"{}\"\nselect = {{ token = \"/ok\" }}\nexpect = {{ json = {{ \"/ok\" = 1 }} }}\n",
        server.url("/expect")
    );
    plan += &format!("[[job]]\nurl = \"http://127.0.0.1:{}/${{TOKEN}}\"\n", refusing_port());
    plan +=
        "[[job]]\nurl = \"http://${TOKEN}.invalid/\"\n[[job]]\nname = \"n ${TOKEN}\"\nurl = \"http://127.0.0.1:1/\"\n";
    dir.write("plan.toml", plan);
    dir.write("secrets", format!("TOKEN={SECRET}\n"));
    for words in [
        "run plan.toml",
        "run plan.toml -v --color always",
        "run plan.toml --report json --report jsonl=lines --report table=table -v",
        "run plan.toml --report jsonl",
        "run plan.toml --body",
        "run plan.toml --output-dir out --report json=saved",
        "check plan.toml",
        "check plan.toml -v",
    ] {
        let output = line(words).args(["--secrets", "secrets"]).inside(&dir).run();
        let said = String::from_utf8_lossy(&output.stdout_bytes).into_owned();
        // --body prints contents unchanged.
        assert!(words.contains("--body") || !said.contains(SECRET), "{output:?}");
        assert!(!output.stderr.contains(SECRET), "{output:?}");
    }
    for file in ["lines", "table", "saved"] {
        let text = dir.read(file);
        assert!(!text.contains(SECRET) && text.contains("[redacted]"), "{file}: {text}");
    }
    // The server did get the secret; otherwise the above would prove nothing.
    assert!(server.requests().iter().all(|request| request.header("x-token") == Some(SECRET)));
    assert!(server.stats().requests > 40);
}

#[test]
fn mistakes_around_secrets_do_not_show_them() {
    let dir = Dir::new();
    dir.write("secrets", format!("TOKEN={SECRET}\n{SECRET}\n"));
    dir.write("plan.toml", "[[job]]\nurl = \"${TOKEN}\"\n[[job]]\nurl = \"http://a/\"\nmethod = \"${TOKEN}\"\n");
    let output = line("run plan.toml --secrets secrets").inside(&dir).run().expect_code(2);
    assert!(output.stderr.contains("secrets:2") && !output.stderr.contains(SECRET), "{output:?}");
    let output = line("run plan.toml").inside(&dir).env("TOKEN", SECRET).run().expect_code(2);
    assert!(!output.stderr.is_empty() && !output.stderr.contains(SECRET), "{output:?}");
    let output = line("get http://127.0.0.1:1/ -H").arg(SECRET).run().expect_code(1);
    assert!(!output.stderr.contains(SECRET), "{output:?}");
}
