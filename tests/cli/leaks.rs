//! Every way a secret goes in, against every output: it reaches the server, and nothing else shows it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use roundup::report::Format;

use super::line;
use crate::common::{Dir, Reply, Request, Server, TestCommand};

/// 16 bytes, some of which are written in another way in URLs, forms and JSON.
const SECRET: &str = "t0p/s3cr+t=&\"k9%";

/// One that can be part of a file's name.
const FILE_SECRET: &str = "f1le-s3cret";

/// What nobody may read: the secret in all usual forms, and all parts of it that are half as long.
fn forms() -> Vec<String> {
    let percent: String = SECRET
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let lower = percent.replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d");
    let pair = BASE64_STANDARD.encode(format!("me:{SECRET}"));
    let json = SECRET.replace('"', "\\\"");
    vec![
        SECRET.to_owned(),
        SECRET[..9].to_owned(),
        percent,
        lower,
        json,
        pair,
        BASE64_STANDARD.encode(format!("{SECRET}:")),
        FILE_SECRET.to_owned(),
    ]
}

/// Repeats everything that came, in the forms in which servers do.
fn echo(request: &Request) -> Reply {
    let head: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let came = format!("{} {}\n{head}\n{}", request.method, request.target, request.text());
    let json = serde_json::json!({ "came": came, "target": request.target, came.as_str(): 1 });
    match request.path() {
        "/text" => Reply::text(came),
        "/fail" => Reply::status(401).header("Content-Type", "application/json").body(json.to_string()),
        "/away" => Reply::redirect(302, &format!("/text?{}", request.query().unwrap_or_default())),
        "/ftp" => Reply::redirect(302, &format!("ftp://h/{}", request.target)),
        "/cut" => {
            let token = request.header("authorization").unwrap_or_default().to_owned();
            Reply::json(serde_json::json!({ "ok": format!("{}{token}", "x".repeat(65)) }).to_string())
        }
        _ => Reply::json(json.to_string()).header("X-Echo", request.target.clone()),
    }
}

/// A way in: words of the command line, variables of the environment, a netrc file, and what stands before the host.
struct Way {
    name: &'static str,
    words: Vec<String>,
    env: Vec<(&'static str, String)>,
    user_info: String,
}

fn ways() -> Vec<Way> {
    let percent = &forms()[2];
    let way = |name, words: &[&str], env: &[(&'static str, &str)], user_info: &str| Way {
        name,
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        env: env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        user_info: user_info.to_owned(),
    };
    let user = format!("me:{SECRET}");
    let pair = BASE64_STANDARD.encode(&user);
    let field = |name: &str, value: &str| format!("{name}: {value}");
    vec![
        way("-H Authorization", &["-H", &field("Authorization", &format!("Bearer {SECRET}"))], &[], ""),
        way("-H authorization, no scheme", &["-H", &field("authorization", SECRET)], &[], ""),
        way("-H Authorization Basic", &["-H", &field("Authorization", &format!("Basic {pair}"))], &[], ""),
        way("-H Proxy-Authorization", &["-H", &field("Proxy-Authorization", &format!("Bearer {SECRET}"))], &[], ""),
        way("-H Cookie", &["-H", &field("Cookie", &format!("a=1; sid={SECRET}"))], &[], ""),
        way("-H X-Api-Key", &["-H", &field("X-Api-Key", SECRET)], &[], ""),
        way("-H X-Auth-Token", &["-H", &field("X-Auth-Token", SECRET)], &[], ""),
        way("-H PRIVATE-TOKEN", &["-H", &field("PRIVATE-TOKEN", SECRET)], &[], ""),
        way("--user", &["--user", &user], &[], ""),
        way("--bearer", &["--bearer", SECRET], &[], ""),
        way("--netrc", &["--netrc"], &[], ""),
        way("ROUNDUP_USER", &[], &[("ROUNDUP_USER", &user)], ""),
        way("ROUNDUP_BEARER", &[], &[("ROUNDUP_BEARER", SECRET)], ""),
        way("ROUNDUP_HEADER", &[], &[("ROUNDUP_HEADER", &field("Authorization", &format!("Bearer {SECRET}")))], ""),
        way("ROUNDUP_NETRC", &[], &[("ROUNDUP_NETRC", "1")], ""),
        way("the URL's user", &[], &[], &format!("me:{percent}@")),
        way("a token as the URL's user", &[], &[], &format!("{percent}@")),
        way("--user and the URL's user", &["--user", &user], &[], "me:other@"),
    ]
}

/// Fails if one of the outputs shows the secret.
fn assert_hidden(what: &str, outputs: &[(&str, &str)]) {
    for (output, text) in outputs {
        for form in forms() {
            assert!(!text.contains(&form), "{what}: {output} shows {form:?}:\n{text}");
        }
    }
}

#[test]
fn a_credential_of_the_command_line_is_in_no_output() {
    let server = Server::start(echo);
    let dir = Dir::new();
    dir.write(".netrc", format!("machine 127.0.0.1 login me password {SECRET}"));
    for way in ways() {
        let url = server.url("/{text,json,fail,away,ftp}").replace("//", &format!("//{}", way.user_info));
        for words in ["--report json=all --report csv=table -v", "--report jsonl", "--color always", "--report csv"] {
            let mut command = line("get --retries 0").args([&url]).args(words.split(' ')).args(&way.words).inside(&dir);
            command = command.env("HOME", dir.path());
            for (name, value) in &way.env {
                command = command.env(name, value);
            }
            let output = command.run();
            let stdout = String::from_utf8_lossy(&output.stdout_bytes).into_owned();
            let mut outputs = vec![("stdout", &*stdout), ("stderr", &*output.stderr)];
            let files =
                if words.contains("json=all") { [dir.read("all"), dir.read("table")] } else { Default::default() };
            outputs.extend(files.iter().map(|text| ("a file", &**text)));
            assert_hidden(&format!("{} {words}", way.name), &outputs);
        }
        // The server did get it; otherwise the above would prove nothing.
        let came = server.requests().last().map(|request| format!("{request:?}")).unwrap_or_default();
        let sent = BASE64_STANDARD.encode(format!("me:{SECRET}"));
        let alone = BASE64_STANDARD.encode(format!("{SECRET}:"));
        let got = server.requests().iter().any(|request| {
            request
                .headers
                .iter()
                .any(|(_, value)| value.contains(SECRET) || value.contains(&sent) || value.contains(&alone))
        });
        assert!(got, "{}: {came}", way.name);
    }
}

#[test]
fn a_secret_of_a_plan_is_in_no_output_wherever_it_stands() {
    let server = Server::start(echo);
    let dir = Dir::new();
    dir.write("secrets", format!("S='{SECRET}'\nF={FILE_SECRET}\n"));
    let host = server.url("/").replace("http://", "").replace('/', "");
    let places = [
        "headers = { Authorization = \"Bearer ${S}\" }\n".to_owned(),
        "headers = { X-Own = \"a${S}b\" }\n".to_owned(),
        "method = \"POST\"\ndata = \"a=${S}\"\n".to_owned(),
        "method = \"POST\"\njson = { a = \"${S}\" }\n".to_owned(),
        "method = \"POST\"\njson = { \"${S}\" = [\"x ${S} y\"] }\n".to_owned(),
    ];
    let mut plan = "[defaults]\nretries = 0\n".to_owned();
    let mut number = 0;
    let mut job = |text: String| {
        number += 1;
        format!("[[job]]\nname = \"n{number}\"\n{text}\n")
    };
    for path in ["/text", "/json", "/fail", "/away", "/ftp"] {
        for place in &places {
            plan += &job(format!("url = \"http://{host}{path}\"\n{place}"));
        }
        plan += &job(format!("url = \"http://{host}{path}?q=${{S}}\"\n"));
        plan += &job(format!("url = \"http://me:${{S}}@{host}{path}\"\n"));
        plan += &job(format!("url = \"http://{host}{path}\"\nselect = {{ v = \"/came\" }}\n{}", places[0]));
    }
    plan += &job(format!("url = \"http://{host}/${{S}}/x\"\noutput = \"saved/${{F}}.json\"\n"));
    plan +=
        &format!("[[job]]\nurl = \"http://{host}/cut\"\nexpect = {{ json = {{ \"/ok\" = \"no\" }} }}\n{}", places[0]);
    dir.write("plan.toml", plan);
    for words in ["run plan.toml -v --report json=all --report csv=table", "run plan.toml", "check plan.toml"] {
        let code = if words.starts_with("run") { 4 } else { 0 };
        let output = line(words).args(["--secrets", "secrets"]).inside(&dir).run().expect_code(code);
        let stdout = String::from_utf8_lossy(&output.stdout_bytes).into_owned();
        assert_hidden(words, &[("stdout", &stdout), ("stderr", &output.stderr)]);
    }
    assert_hidden("files", &[("json", &dir.read("all")), ("csv", &dir.read("table"))]);
    assert!(server.stats().requests > 40);
}

#[test]
fn the_password_of_a_proxy_that_repeats_it_is_in_no_output() {
    let proxy = Server::start(|request| {
        let came = request.header("proxy-authorization").unwrap_or_default().to_owned();
        Reply::status(407).header("X-Echo", came.clone()).body(format!("{came} me:{SECRET}"))
    });
    let dir = Dir::new();
    let address = proxy.url("/").replace("//", &format!("//me:{}@", forms()[2]));
    for by_option in [true, false] {
        let command = line("get http://h.example/ --retries 0 --report json -v").inside(&dir);
        let command = if by_option { command.args(["--proxy", &address]) } else { command.env("http_proxy", &address) };
        let output = command.run().expect_code(3);
        let stdout = String::from_utf8_lossy(&output.stdout_bytes).into_owned();
        assert_hidden("a proxy", &[("stdout", &stdout), ("stderr", &output.stderr)]);
    }
    assert_eq!(proxy.stats().requests, 2);
}

/// A field with a secret stays behind; content with one makes the source fail and is never sent emptied.
#[test]
fn secrets_do_not_follow_a_redirect_to_another_origin() {
    let target = Server::start(|_| Reply::text("there"));
    let elsewhere = target.url("/there");
    let server = Server::start(move |request| match request.path() {
        "/302" => Reply::redirect(302, &elsewhere),
        "/307" => Reply::redirect(307, &elsewhere),
        "/within" => Reply::redirect(307, "/here"),
        _ => Reply::text("here"),
    });
    let dir = Dir::new();
    dir.write("secrets", format!("S='{SECRET}'\n"));
    let mut number = 0;
    let mut job = |path: &str, more: &str| {
        number += 1;
        format!("[[job]]\nname = \"n{number}\"\nurl = \"{}\"\n{more}\n", server.url(path))
    };
    let own = "headers = { X-Own = \"a${S}b\", X-Plain = \"1\" }";
    let content = "method = \"POST\"\njson = { a = \"${S}\" }";
    dir.write(
        "plan.toml",
        job("/302", own)
            + &job("/302", content)
            + &job("/307", content)
            + &job("/within", content)
            + &job("/307", "method = \"POST\"\ndata = \"plain\""),
    );
    let output = line("run plan.toml --report json --secrets secrets").inside(&dir).run().expect_code(3);
    let results = output.json()["results"].clone();
    let ended: Vec<_> = (0..5).map(|n| results[n]["error"]["kind"].as_str().unwrap_or("ok")).collect();
    assert_eq!(ended, ["ok", "ok", "redirect", "ok", "ok"], "{output:?}");
    let message = results[2]["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("holds a secret, at another origin"), "{message}");
    for request in target.requests() {
        assert!(request.header("x-own").is_none() && !request.text().contains("t0p"), "{request:?}");
    }
    assert!(target.requests().iter().any(|request| request.header("x-plain") == Some("1")));
    assert_eq!(target.stats().requests, 3);
}

/// A captured value of rows, or within an object, stood in every report.
#[test]
fn captured_secrets_of_rows_and_within_objects_are_in_no_output() {
    const PLAN: &str = r#"
[[job]]
name = "keys"
url = "URL/keys"
rows = "/items"
table = "keys"
select = { id = "/id", key = "/key" }
secret = ["key"]
[[job]]
name = "use"
for_each = "keys"
key = "id"
url = "URL/echo?k={keys.key}"
[[job]]
name = "login"
url = "URL/login"
select = { session = "/session" }
secret = ["session"]
[[job]]
name = "again"
url = "URL/login?after={login.session}"
"#;
    let server = Server::start(|request| match request.path() {
        "/keys" => Reply::json(r#"{"items":[{"id":1,"key":"ROWSECRET-00001"},{"id":2,"key":"ROWSECRET-00002"}]}"#),
        "/login" => Reply::json(r#"{ "session" : { "token" : "OBJSECRETVALUE", "n" : [ 1234567890 ] } }"#)
            .header("Set-Cookie", "sid=SETCOOKIESECRET1"),
        _ => Reply::json(format!(r#"{{"asked":"{}"}}"#, request.query().unwrap_or_default())),
    });
    let dir = Dir::new();
    dir.write("plan.toml", PLAN.replace("URL", server.url("/").trim_end_matches('/')));
    // A workbook is compressed, so that nothing could be seen in it.
    let formats: Vec<&str> = Format::all().iter().map(|format| format.name).filter(|name| *name != "xlsx").collect();
    let reports: Vec<String> = formats.iter().map(|format| format!("{format}=report-{format}")).collect();
    let mut words = vec!["run", "plan.toml", "-vv", "--state", "runs.db"];
    reports.iter().for_each(|report| words.extend(["--report", report]));
    let output = TestCommand::new().args(&words).inside(&dir).run();
    let mut shown: Vec<(String, Vec<u8>)> =
        vec![("stdout".into(), output.stdout_bytes.clone()), ("stderr".into(), output.stderr.clone().into_bytes())];
    shown.extend(formats.iter().map(|format| {
        let file = dir.join(&format!("report-{format}"));
        (format.to_string(), std::fs::read(&file).unwrap_or_else(|error| panic!("{format}: {error}")))
    }));
    let asked: Vec<_> =
        server.requests().into_iter().filter_map(|request| request.query().map(str::to_owned)).collect();
    assert!(asked.iter().any(|query| query == "k=ROWSECRET-00002"), "it is sent as it came: {asked:?}");
    shown.push(("state".into(), std::fs::read(dir.join("runs.db")).expect("a state file")));
    for (name, bytes) in shown {
        let text = String::from_utf8_lossy(&bytes);
        for secret in ["ROWSECRET-0000", "OBJSECRETVALUE", "1234567890", "SETCOOKIESECRET1"] {
            let at = text.find(secret).map(|at| text[..at].chars().rev().take(80).collect::<Vec<char>>());
            assert_eq!(at.map(|chars| chars.into_iter().rev().collect::<String>()), None, "{secret} is in {name}");
        }
    }
}

/// A server that repeats a token with any of its characters escaped, or in wide characters: contents that are kept showed it.
#[test]
fn a_secret_behind_escapes_is_in_no_content_that_is_kept() {
    const TOKEN: &str = "t0p/s3cr3t-\u{e9}-k3y";
    let server = Server::start(|request| {
        let units = || TOKEN.encode_utf16();
        let json_units: String = units().map(|unit| format!("\\u{unit:04x}")).collect();
        let some = json_units.replace("\\u0070", "p").replace("\\u0033", "3");
        match request.path() {
            "/json" => Reply::json(format!("{{\"a\":\"{json_units}\",\"b\":[\"x{some}y\"]}}")),
            "/twice" => Reply::json(serde_json::json!({ "inner": format!("{{\"k\":\"{some}\"}}") }).to_string()),
            "/lines" => Reply::status(200)
                .header("Content-Type", "application/x-ndjson")
                .body(format!("{{\"a\":\"{some}\"}}\n{{\"a\":\"{json_units}\"}}\n")),
            "/script" => Reply::text(format!("let a = '{some}'; // {json_units}")),
            "/percent" => Reply::text("?k=%740p%2Fs%33cr3t-%C3%A9-k%33y"),
            "/html" => Reply::text("<b>t0p&#47;s&#x33;cr3t-&#233;-k3y</b>"),
            "/utf16" => Reply::status(200).body(units().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()),
            "/utf16be" => Reply::status(200)
                .header("Content-Type", "text/plain; charset=utf-16be")
                .body(units().flat_map(u16::to_be_bytes).collect::<Vec<u8>>()),
            _ => Reply::status(200).body(TOKEN.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect::<Vec<u8>>()),
        }
    });
    let dir = Dir::new();
    dir.write("secrets", format!("T={TOKEN}\n"));
    let paths = ["json", "twice", "lines", "script", "percent", "html", "utf16", "utf16be", "utf32"];
    let jobs = paths.map(|path| {
        format!(
            "[[job]]\nname = \"{path}\"\nurl = \"{}\"\nform = {{ t = \"${{T}}\" }}\n",
            server.url(&format!("/{path}"))
        )
    });
    dir.write("plan.toml", jobs.concat());
    let words = "run plan.toml --secrets secrets --state runs.db --report json=a.json --report jsonl=a.jsonl \
                 --report har=a.har --report html=a.html";
    line(words).inside(&dir).run().expect_code(0);
    let report: serde_json::Value = serde_json::from_str(&dir.read("a.json")).expect("JSON");
    for (at, path) in paths.iter().enumerate() {
        let result = &report["results"][at];
        let kept = match result["body_base64"].as_str() {
            Some(text) => BASE64_STANDARD.decode(text).expect("base64"),
            None => result["body"].to_string().into_bytes(),
        };
        let shown = String::from_utf8_lossy(&kept).into_owned();
        assert!(shown.contains("[redacted]"), "{path}: {shown}");
        for part in ["s3cr3t", "k3y", "cr3t", "0063", "\0c\0r"] {
            assert!(!shown.contains(part), "{path} shows {part:?}: {shown}");
        }
    }
    let har: serde_json::Value = serde_json::from_str(&dir.read("a.har")).expect("JSON");
    for entry in har["log"]["entries"].as_array().expect("entries") {
        let content = &entry["response"]["content"];
        let text = content["text"].as_str().expect("text");
        let is_base64 = content["encoding"] == "base64";
        let text = if is_base64 { BASE64_STANDARD.decode(text).expect("base64") } else { text.as_bytes().to_vec() };
        assert!(String::from_utf8_lossy(&text).contains("[redacted]"), "{entry}");
        if content["mimeType"] == "application/json" {
            serde_json::from_slice::<serde_json::Value>(&text).expect("still JSON");
        }
    }
    // A content with a secret is not kept at all.
    #[cfg(feature = "state")]
    {
        let state = rusqlite::Connection::open(dir.join("runs.db")).expect("a state file");
        let bodies: i64 = state.query_row("select count(*) from bodies", [], |row| row.get(0)).expect("a count");
        assert_eq!(bodies, 0);
    }
}

/// What was a number stays one, and a line says that it is not the one that came.
#[test]
fn a_number_with_the_digits_of_a_secret_is_0_and_it_is_said() {
    let server =
        Server::start(|_| Reply::json("{\"id\":20260131,\"at\":20260131120000,\"j\":2.0260131E7,\"n\":2026013}"));
    let dir = Dir::new();
    let plan = |value: &str| {
        format!(
            "[variables]\nDAY = \"20260131\"\n[[job]]\nname = \"a\"\nurl = \"{}\"\nquery = {{ day = \"{value}\" }}\n\
             select = {{ id = \"/id\", at = \"/at\", j = \"/j\", n = \"/n\" }}\n",
            server.url("/")
        )
    };
    const SAID: &str = "numbers that hold the digits of a secret are 0";
    for (value, data, is_said) in [
        ("${DAY}", serde_json::json!({"id": 0, "at": 0, "j": 0, "n": 2026013}), true),
        ("{DAY}", serde_json::json!({"id": 20260131, "at": 20260131120000u64, "j": 2.0260131E7, "n": 2026013}), false),
    ] {
        dir.write("plan.toml", plan(value));
        let words = "run plan.toml --report json --report csv=a.csv --report har=a.har";
        let output = line(words).inside(&dir).env("DAY", "20260131").run().expect_code(0);
        assert_eq!(output.json()["results"][0]["data"], data);
        assert_eq!(output.json()["results"][0]["body"], data);
        assert_eq!(output.stderr.matches(SAID).count(), usize::from(is_said), "{}", output.stderr);
        let har: serde_json::Value = serde_json::from_str(&dir.read("a.har")).expect("JSON");
        let text = har["log"]["entries"][0]["response"]["content"]["text"].as_str().expect("text").to_owned();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("still JSON"), data);
        assert_eq!(dir.read("a.csv").contains("20260131"), !is_said);
    }
}
