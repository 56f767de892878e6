//! Keys of a plan that say how connections are made: `proxy`, `cacert`, `cert`, `cert_key`, `insecure`.

use serde_json::json;

use super::{complaint, endings, line, result};
use crate::common::{Authority, Dir, Leaf, Reply, Server};

fn base(server: &Server) -> String {
    server.url("/").trim_end_matches('/').to_owned()
}

/// A folder with a plan and the certificates that it names, which is not the one that the command runs in.
fn folder(authority: &Authority) -> Dir {
    let dir = Dir::new();
    std::fs::create_dir(dir.join("plans")).expect("a new folder");
    let client = authority.client();
    for (from, to) in [
        (authority.ca_file(), "plans/ca.pem"),
        (&client.certificate, "plans/client.pem"),
        (&client.key, "plans/client.key"),
        (&client.both, "plans/both.pem"),
    ] {
        std::fs::copy(from, dir.join(to)).expect("copied");
    }
    dir
}

#[test]
fn each_job_trusts_what_it_says() {
    let authority = Authority::new();
    let server = Server::builder().tls(authority.server(Leaf::Good)).start(|_| Reply::json("1"));
    let dir = folder(&authority);
    let url = base(&server);
    dir.write(
        "plans/plan.toml",
        format!(
            "[defaults]\nretries = 0\n[[job]]\nname = \"none\"\nurl = \"{url}/1\"\n[[job]]\nname = \"ca\"\nurl = \
             \"{url}/2\"\ncacert = \"ca.pem\"\n[[job]]\nname = \"any\"\nurl = \"{url}/3\"\ninsecure = true\n"
        ),
    );
    let run = |words: &str| line(&format!("run plans/plan.toml --report json -q {words}")).inside(&dir).run();
    assert_eq!(endings(&run("").expect_code(3).json()), ["tls/tls", "ok", "ok"]);
    // What the command line says goes before what the plan says.
    assert_eq!(endings(&run("--roots bundled").expect_code(3).json()), ["tls/tls", "tls/tls", "ok"]);
    assert_eq!(endings(&run("--cacert plans/ca.pem").expect_code(0).json()), ["ok", "ok", "ok"]);
}

#[test]
fn certificates_of_clients_are_those_of_their_jobs_and_so_are_connections() {
    let authority = Authority::new();
    let config = authority.server_for_clients(rustls::ALL_VERSIONS);
    let server = Server::builder().tls(config).start(|_| Reply::json("1"));
    let dir = folder(&authority);
    let url = base(&server);
    dir.write(
        "plans/plan.toml",
        format!(
            "[defaults]\nretries = 0\ncacert = \"ca.pem\"\n[[job]]\nname = \"one\"\nurl = \"{url}/1\"\ncert = \
             \"client.pem\"\ncert_key = \"client.key\"\n[[job]]\nname = \"two\"\nurl = \"{url}/2\"\ncert = \
             \"both.pem\"\n[[job]]\nname = \"again\"\nurl = \"{url}/3\"\ncert = \"both.pem\"\n[[job]]\nname = \
             \"without\"\nurl = \"{url}/4\"\n"
        ),
    );
    let report = line("run plans/plan.toml --report json -q --concurrency 1").inside(&dir).run().expect_code(3).json();
    assert_eq!(endings(&report)[..3], ["ok", "ok", "ok"]);
    assert_ne!(endings(&report)[3], "ok", "a connection with a certificate must not serve a job without");
    let reused = |name: &str| result(&report, name)["attempts"][0]["reused"].clone();
    assert_eq!((reused("one"), reused("two"), reused("again")), (json!(false), json!(false), json!(true)));
}

#[test]
fn a_proxy_is_that_of_its_jobs_and_its_password_is_hidden() {
    let proxy = Server::start(|request| {
        Reply::text(format!("{} {}", request.target, request.header("proxy-authorization").unwrap_or("-")))
    });
    let server = Server::start(|_| Reply::text("direct"));
    let (url, port) = (base(&server), proxy.port());
    let dir = Dir::new();
    dir.write(
        "plan.toml",
        format!(
            "[hosts.\"127.0.0.1\"]\nretries = 0\n[[job]]\nname = \"through\"\nurl = \"{url}/a\"\nproxy = \
             \"http://me:${{PASSWORD}}@127.0.0.1:{port}\"\n[[job]]\nname = \"direct\"\nurl = \"{url}/a\"\n[[job]]\nname = \
             \"written\"\nurl = \"{url}/b\"\nproxy = \"me:hunter2-hunter2@127.0.0.1:{port}\"\n"
        ),
    );
    let run = |words: &str| {
        let words = format!("run plan.toml --report json -q --concurrency 1 {words}");
        line(&words).inside(&dir).env("PASSWORD", "s3cret-0f-the-proxy").run()
    };
    let output = run("").expect_code(0);
    let report = output.json();
    assert_eq!(result(&report, "through")["body"], json!(format!("{url}/a Basic [redacted]")));
    assert_eq!(result(&report, "direct")["body"], json!("direct"));
    assert_eq!(result(&report, "written")["body"], json!(format!("{url}/b Basic [redacted]")));
    let sent: Vec<String> =
        proxy.requests().iter().filter_map(|it| it.header("proxy-authorization").map(Into::into)).collect();
    assert_eq!(sent, ["Basic bWU6czNjcmV0LTBmLXRoZS1wcm94eQ==", "Basic bWU6aHVudGVyMi1odW50ZXIy"]);
    for verbose in ["-vv", "--report jsonl"] {
        let output = run(verbose);
        let all = format!("{}{}", output.stdout(), output.stderr);
        assert!(!all.contains("s3cret-0f") && !all.contains("hunter2"), "{all}");
    }
    let all = run(&format!("--proxy 127.0.0.1:{port}")).expect_code(0).json();
    assert_eq!(result(&all, "direct")["body"], json!(format!("{url}/a -")));
    assert_eq!(result(&all, "through")["body"], json!(format!("{url}/a -")));
}

/// Jobs that are made late have the ways of their tables, too.
#[test]
fn jobs_that_need_others_connect_as_they_say() {
    let authority = Authority::new();
    let server = Server::builder().tls(authority.server(Leaf::Good)).start(|_| Reply::json("{\"id\":7}"));
    let dir = folder(&authority);
    let url = base(&server);
    dir.write(
        "plans/plan.toml",
        format!(
            "[hosts.\"127.0.0.1\"]\ncacert = \"ca.pem\"\n[[job]]\nname = \"first\"\nurl = \"{url}/1\"\nselect = {{ id = \
             \"/id\" }}\n[[job]]\nname = \"second\"\nurl = \"{url}/{{first.id}}\"\n"
        ),
    );
    line("run plans/plan.toml -q").inside(&dir).run().expect_code(0);
}

#[test]
fn mistakes_say_file_and_line() {
    let dir = Dir::new();
    dir.write("bad.pem", "no certificate");
    for (keys, said) in [
        ("proxy = \"ftp://h:1\"", ":3: job[1].proxy: "),
        ("proxy = \"http://me:hunter2@h:x\"", ":3: job[1].proxy: "),
        ("cacert = \"none.pem\"", ":3: job[1].cacert: "),
        ("cacert = \"bad.pem\"", ":3: job[1].cacert: "),
        ("cert = \"none.pem\"", ":3: job[1].cert: none.pem cannot be read: "),
        ("cert = \"bad.pem\"\ncert_key = \"bad.pem\"", ":4: job[1].cert_key: "),
        ("insecure = 1", ":3: job[1].insecure: "),
        ("key = \"client.key\"", "the key of a client certificate is \"cert_key\""),
    ] {
        dir.write("plan.toml", format!("[[job]]\nurl = \"http://127.0.0.1/\"\n{keys}\n"));
        let output = line("check plan.toml").inside(&dir).run().expect_code(2);
        assert!(complaint(&output).contains(said), "{keys}: {output:?}");
        assert!(!output.stderr.contains("hunter2"), "{output:?}");
    }
    // What only shows when the tables are laid over each other fails the source, and no other.
    dir.write("plan.toml", "[[job]]\nurl = \"http://127.0.0.1:1/\"\ncert_key = \"bad.pem\"\n");
    let report = line("run plan.toml --report json -q").inside(&dir).run().expect_code(3).json();
    let said = report["results"][0]["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains("cert_key has no effect without cert"), "{said}");
    assert_eq!(endings(&report), ["tls/tls"]);
    assert_eq!(report["results"][0]["attempts"].as_array().map(Vec::len), Some(1), "no further attempt mends it");
    crate::report::schema::Schema::load().check(&report).expect("valid");
}
