//! What `--curl` prints, imported again, sends the same.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use roundup::import::CurlWriter;
use roundup::plan::PlanReader;
use roundup::{Job, Secrets};

use crate::common::{Dir, Reply, Server, TestCommand};

/// What a job sends and within which limits. Fields in the order of their names; credentials of the URL as a field.
fn sent(job: &Job) -> String {
    let settings = job.settings();
    let field = |field: &roundup::Field| {
        let value =
            if field.is_omitted() { "(none)".into() } else { String::from_utf8_lossy(field.value()).into_owned() };
        format!("{}: {value}", field.name().to_ascii_lowercase())
    };
    let mut fields: Vec<String> = settings.headers.iter().map(field).collect();
    if settings.raw && !fields.iter().any(|field| field.starts_with("accept-encoding:")) {
        fields.push("accept-encoding: (none)".to_owned());
    }
    let mut url = job.url().clone();
    let decoded = |text: &str| roundup_http::percent::decode(text.as_bytes());
    if !url.username().is_empty() || url.password().is_some() {
        let pair = [decoded(url.username()), b":".to_vec(), decoded(url.password().unwrap_or_default())].concat();
        if !fields.iter().any(|field| field.starts_with("authorization:")) {
            fields.push(format!("authorization: Basic {}", BASE64_STANDARD.encode(pair)));
        }
    }
    url.set_username("").expect("it has a host");
    url.set_password(None).expect("it has a host");
    url.set_fragment(None);
    fields.sort();
    let data = settings.data.as_deref().map(String::from_utf8_lossy);
    let limits = (settings.timeout, settings.connect_timeout, settings.follow, settings.retries, settings.max_body);
    format!("{} {url}\n{fields:#?}\n{data:?}\n{limits:?} {:?}", settings.method, job.output())
}

/// A random plan of one job.
fn random_plan(random: &mut fastrand::Rng) -> String {
    let text = |random: &mut fastrand::Rng, most: usize, letters: &str| -> String {
        let part = |random: &mut fastrand::Rng| match random.usize(..6) {
            0 => "${A}".to_owned(),
            1 => "${B}".to_owned(),
            _ => letters.chars().nth(random.usize(..letters.chars().count())).unwrap_or('a').to_string(),
        };
        (0..random.usize(..most)).map(|_| part(random)).collect()
    };
    let any = "ab 01'\"\\`!$%&*()[]~;<>|#?/=+,.:@\u{e9}\u{1f600}";
    let in_url = "ab01'!*()[]~;+,.:=-_%|^";
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let host = ["h.example", "h.example:8080", "127.0.0.1:81", "[::1]:80"][random.usize(..4)];
    let user = ["", "", "", "me@", "me:${A}@", "me:p%20w@", ":${B}@"][random.usize(..7)];
    let query = if random.bool() { format!("?{}", text(random, 12, &format!("{in_url}&/?"))) } else { String::new() };
    let url = format!("http://{user}{host}/{}{query}", text(random, 10, in_url).replace('%', "%25"));
    let mut plan =
        format!("[[job]]\nname = \"job\"\nurl = {}\n", quoted(&url.replace('$', "\u{1}").replace("\u{1}{", "${")));
    if random.bool() {
        plan.push_str(&format!(
            "method = \"{}\"\n",
            random.choice(["GET", "PUT", "DELETE", "HEAD", "POST", "PATCH"]).expect("one")
        ));
    }
    let content = match random.usize(..5) {
        0 => format!("data = {}\n", quoted(&text(random, 20, &format!("{any}\n\t")))),
        1 => format!("json = {{ a = {}, token = \"${{A}}\" }}\n", quoted(&text(random, 8, any))),
        2 => format!("form = {{ a = {}, password = \"${{B}}\" }}\n", quoted(&text(random, 8, any))),
        _ => String::new(),
    };
    plan.push_str(&content);
    let names = [
        "X-A",
        "X-Api-Key",
        "Accept",
        "Cookie",
        "authorization",
        "Content-Type",
        "User-Agent",
        "Range",
        "Accept-Encoding",
    ];
    let mut fields = std::collections::BTreeMap::new();
    for _ in 0..random.usize(..4) {
        let name = names[random.usize(..names.len())];
        let value = match random.usize(..6) {
            0 => "false".to_owned(),
            1 => "\"\"".to_owned(),
            2 => "[\"1\", \"two\"]".to_owned(),
            3 => "\"Bearer ${B}\"".to_owned(),
            _ => quoted(&text(random, 12, any)),
        };
        fields.insert(name, value);
    }
    for (name, value) in fields {
        plan.push_str(&format!("headers.{name} = {value}\n"));
    }
    for line in [
        "user = \"you:${A}\"\n",
        "raw = true\n",
        "timeout = \"1500ms\"\n",
        "connect_timeout = \"3s\"\n",
        "follow = 0\n",
        "follow = 3\n",
        "retries = 0\n",
        "max_body = 5000\n",
        "output = \"a b/c.json\"\n",
    ] {
        let key = line.split(' ').next().unwrap_or_default();
        let is_there = plan.contains(&format!("\n{key} "));
        let is_second = key == "user" && plan.to_ascii_lowercase().contains("authorization");
        let is_new = !is_there && !is_second;
        if random.usize(..6) == 0 && is_new {
            plan.push_str(line);
        }
    }
    plan
}

#[test]
fn a_command_imported_again_sends_the_same() {
    let mut random = fastrand::Rng::with_seed(20);
    let mut compared = 0;
    for _ in 0..3_000 {
        let text = random_plan(&mut random);
        let values = ["tok-12345", "p@ss w/o\"rd", "50%&x=1", "\u{e9}'!$`\\", "ab", " blank "];
        let (a, b) = (values[random.usize(..values.len())], values[random.usize(..values.len())]);
        let lookup = |name: &str| match name {
            "A" => Some(a.to_owned()),
            "B" => Some(b.to_owned()),
            _ => None,
        };
        // Some are no plans, as where a field would have a character that none can have.
        let Ok(plan) = PlanReader::new().secrets(&lookup).read("plan", &text) else { continue };
        let mut writer = CurlWriter::new();
        let command = writer.command(&plan.jobs[0], &[]);
        let imported = roundup::import::curl(&command, "--curl", &|_| unreachable!("no file is named"));
        let imported = imported.unwrap_or_else(|error| panic!("{}\n{command}\n{text}", error.one_line()));
        let secrets: Vec<(String, String)> =
            writer.secrets().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let lookup = |wanted: &str| {
            let own = imported.secrets.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.clone());
            own.or_else(|| secrets.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone()))
        };
        let again = PlanReader::new().secrets(&lookup).read("plan", &imported.plan);
        let again = again.unwrap_or_else(|errors| panic!("{errors}\n{}\n{command}\n{text}", imported.plan));
        assert_eq!(sent(&again.jobs[0]), sent(&plan.jobs[0]), "{}\n{command}\n{text}", imported.plan);
        for value in [a, b].iter().filter(|value| value.len() > 5 && text.contains('$')) {
            assert!(!command.contains(*value) || text.contains(*value), "{command}");
        }
        compared += 1;
    }
    assert!(compared > 1_500, "{compared}");
}

#[test]
fn commands_are_printed_and_nothing_is_fetched() {
    let server = Server::builder().unused_ok().start(|_| Reply::json("1"));
    let dir = Dir::new();
    let plan = format!(
        "[[job]]\nname = \"login\"\nurl = \"{0}/login?key=${{KEY}}\"\nselect = {{ token = \"/token\" }}\n\
         [[job]]\nname = \"me\"\nurl = \"{0}/me\"\nheaders = {{ X-Token = \"{{login.token}}\" }}\n\
         [[job]]\nname = \"put\"\nurl = \"{0}/put\"\nmethod = \"PUT\"\njson = {{ a = \"${{KEY}}\" }}\nuser = \"me:${{KEY}}\"\n",
        server.url("/").trim_end_matches('/')
    );
    dir.write("plan.toml", plan);
    dir.write("secrets", "KEY=s3cret-value\n");
    let words = "run plan.toml --secrets secrets --curl --proxy http://u:pr0xy-pw@p:1 -k".split(' ');
    let output = TestCommand::new().args(words).inside(&dir).run().expect_code(0);
    let text = output.stdout();
    for expected in [
        "# login\n",
        "key=${KEY}",
        "# me: its requests are made of",
        "-X PUT",
        "-u \"me:${KEY}\"",
        "\"u:${PROXY_PASSWORD}@p:1\"",
        "--insecure",
    ] {
        let expected = expected.replace("\"u:", "u:").replace("1\"", "1");
        assert!(text.contains(&expected), "{expected}: {text}");
    }
    assert!(!text.contains("s3cret") && !text.contains("pr0xy-pw"), "{text}");
    let words = ["get", "--curl", "-H", "Authorization: Bearer t0ken-value", "-d", "a=1", &server.url("/[1-2]")];
    let output = TestCommand::new().args(words).run().expect_code(0);
    assert_eq!(output.stdout().matches("Bearer ${TOKEN}").count(), 2, "{output:?}");
    assert!(!output.stdout().contains("t0ken-value"), "{output:?}");
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn a_value_has_one_name_in_all_commands() {
    let job = |token: &str| {
        let url = "http://a.example/";
        Job::get(url).expect(url).with(|settings| settings.headers.extend(roundup::Field::new("X-Api-Key", token)))
    };
    let mut writer = CurlWriter::new();
    let commands: Vec<String> = ["one", "two", "one"].iter().map(|token| writer.command(&job(token), &[])).collect();
    assert!(commands[0] == commands[2] && commands[1].contains("${X_API_KEY_2}"), "{commands:?}");
    assert_eq!(format!("{writer:?}"), "CurlWriter(2 secrets)");
    let secrets = job("x").with_secrets(Secrets::new([("KEY", "x")]));
    assert!(writer.command(&secrets, &[]).contains("X-Api-Key: ${KEY}"));
}

#[test]
fn connections_of_a_job_are_words_of_its_command() {
    let job = Job::get("https://h/").expect("a URL").with(|settings| {
        settings.proxy = Some(roundup::ProxyUrl::new("http://me:hunter2@proxy:3128"));
        (settings.cacert, settings.cert) = (Some("my ca.pem".into()), Some("client.pem".into()));
        (settings.cert_key, settings.insecure) = (Some("client.key".into()), true);
    });
    let command = CurlWriter::new().command(&job, &[]);
    let expected = [
        "-x \"http://me:${PROXY_PASSWORD}@proxy:3128\"",
        "--cacert 'my ca.pem'",
        "--cert client.pem",
        "--key client.key",
        "-k",
    ];
    assert!(command.ends_with(&expected.join(" \\\n  ")), "{command}");
}
