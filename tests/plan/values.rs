//! Values in a plan: where they come from, and that each is written as its place asks for.

use roundup::plan::{Plan, PlanReader};
use roundup::{Method, REDACTED, Settings};

use super::{bad, body, good, header};

const JOB: &str = "[[job]]\nname = \"j\"\nurl = \"http://a.example/\"\n";

fn with_secret(text: &str, value: &str) -> Plan {
    let secrets = |name: &str| (name == "S").then(|| value.to_owned());
    PlanReader::new().secrets(&secrets).read("plan.toml", text).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

/// A secret was put in as it was: `ab#cd` lost all that stood behind it.
#[test]
fn a_value_in_a_query_or_path_stays_one_value() {
    for (value, encoded) in [
        ("ab#cd", "ab%23cd"),
        ("100%", "100%25"),
        ("what?", "what%3F"),
        ("a&b=c", "a%26b%3Dc"),
        ("1+1", "1%2B1"),
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("Zürich 東", "Z%C3%BCrich%20%E6%9D%B1"),
        ("a\r\nb", "a%0D%0Ab"),
        ("\"quoted\"", "%22quoted%22"),
        ("${S}{x}", "%24%7BS%7D%7Bx%7D"),
    ] {
        let plan =
            with_secret("[[job]]\nname = \"q\"\nurl = \"http://127.0.0.1:8080/e/${S}/f?key=${S}&x=1#${S}\"", value);
        let url = plan.jobs[0].url();
        assert_eq!((url.path(), url.query()), (&*format!("/e/{encoded}/f"), Some(&*format!("key={encoded}&x=1"))));
        assert_eq!(plan.jobs[0].written_url(), "http://127.0.0.1:8080/e/${S}/f?key=${S}&x=1#${S}");
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs, [("key".to_owned(), value.to_owned()), ("x".to_owned(), "1".to_owned())]);
        // A plain value is encoded in the same way.
        let text = "[[job]]\nname = \"q\"\nurl = \"http://127.0.0.1:8080/e/{v}/f?key={v}&x=1#{v}\"";
        let plain = PlanReader::new().variable("v", value).expect("a name").read("p", text).expect(value);
        assert_eq!(plain.jobs[0].url(), url);
    }
}

/// A password with `@` in it became part of the host.
#[test]
fn a_password_in_a_url_stays_a_password() {
    for (password, encoded) in [
        ("p@ss/w:rd#1 x", "p%40ss%2Fw%3Ard%231%20x"),
        ("a?b&c+d%e\\f", "a%3Fb%26c%2Bd%25e%5Cf"),
        ("[::1]", "%5B%3A%3A1%5D"),
        ("pä", "p%C3%A4"),
    ] {
        let plan = with_secret("[[job]]\nname = \"p\"\nurl = \"http://me:${S}@127.0.0.1:8080/echo\"", password);
        let url = plan.jobs[0].url();
        assert_eq!((url.username(), url.password()), ("me", Some(encoded)));
        assert_eq!((url.host_str(), url.port(), url.path()), (Some("127.0.0.1"), Some(8080), "/echo"));
        let plan = with_secret("[[job]]\nname = \"p\"\nurl = \"http://${S}:x@127.0.0.1:8080/echo\"", password);
        let url = plan.jobs[0].url();
        assert_eq!((url.username(), url.password(), url.port()), (encoded, Some("x"), Some(8080)));
    }
}

#[test]
fn a_value_that_begins_a_url_is_url_text() {
    let plan = with_secret("[[job]]\nname = \"b\"\nurl = \"${S}/v1?q=${S}\"", "https://me:p%40@h.example:8443/a%20b");
    let expected = "https://me:p%40@h.example:8443/a%20b/v1?q=https%3A%2F%2Fme%3Ap%2540%40h.example%3A8443%2Fa%2520b";
    assert_eq!(plan.jobs[0].url().as_str(), expected);
    assert_eq!(plan.jobs[0].written_url(), "${S}/v1?q=${S}");
}

#[test]
fn a_host_from_a_value_cannot_lead_elsewhere() {
    for (value, what) in [
        ("evil.example/", "host"),
        ("evil.example#", "host"),
        ("me@evil.example", "host"),
        ("", "host"),
        ("a b", "host"),
        ("evil.example\\", "host"),
    ] {
        let secrets = |_: &str| Some(value.to_owned());
        let errors =
            PlanReader::new().secrets(&secrets).read("p", "[[job]]\nurl = \"http://${H}/v1\"").expect_err(value);
        assert_eq!(
            errors.to_string(),
            format!(
                "p:2: job[1].url: the value of ${{H}} cannot stand in a {what}: write a name such as api.example.com, and / \
                 before a path"
            )
        );
    }
    let errors =
        PlanReader::new().secrets(&|_| Some("80/x".to_owned())).read("p", "[[job]]\nurl = \"http://h:${P}/v1\"");
    let errors = errors.expect_err("no port").to_string();
    assert_eq!(errors, "p:2: job[1].url: the value of ${P} cannot be a port: write a number up to 65535");
}

#[test]
fn values_in_json_headers_and_data_are_what_their_place_takes() {
    let value = "a \"b\" \\ é \n\t\u{1}";
    let text = "json = { s = \"${S}\", part = \"<${S}>\" }\nexpect.json = { \"/x\" = \"${S}\" }\n";
    let plan = with_secret(&format!("{JOB}{text}"), value);
    let sent: serde_json::Value = serde_json::from_str(body(&plan.jobs[0])).expect("JSON");
    assert_eq!(sent, serde_json::json!({"s": value, "part": format!("<{value}>")}));
    assert_eq!(plan.jobs[0].settings().expect.json[0].1, roundup::rows::Condition::from(value));
    let plan = with_secret(&format!("{JOB}data = '{{\"s\":\"${{S}}\"}}'\n"), value);
    assert_eq!(body(&plan.jobs[0]), format!("{{\"s\":\"{value}\"}}"));
    let plan = with_secret(&format!("{JOB}headers = {{ A = \"x ${{S}}\" }}\n"), "a \"b\" % é");
    assert_eq!(header(&plan.jobs[0], "A"), Some("x a \"b\" % é"));
    let errors = PlanReader::new()
        .variable("v", "b\r\nX: y")
        .expect("a name")
        .read("p", &format!("{JOB}headers = {{ A = \"{{v}}\" }}\n"))
        .expect_err("a line break");
    let expected =
        "p:4: job[1].headers.A: the value of the header A contains a line break or another control character";
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn a_header_may_have_several_values_or_be_left_out() {
    let text = "[defaults]\nheaders = { Accept = false, X-A = \"base\" }\n[[job]]\nurl = \"http://a/\"\nheaders.X-A = [\"1\", \"{v}\"]\n\
        each = { v = [\"2\"] }\n[[job]]\nurl = \"http://b/\"\nheaders = { Accept = \"x/y\", x-a = false }\n";
    let plan = PlanReader::new().read("p", text).expect("good");
    let fields = |index: usize| -> Vec<String> {
        let fields = plan.jobs[index].settings().headers.iter();
        let shown = |field: &roundup::Field| {
            let value = String::from_utf8_lossy(field.value()).into_owned();
            if field.is_omitted() { format!("no {}", field.name()) } else { format!("{}: {value}", field.name()) }
        };
        fields.map(shown).collect()
    };
    assert_eq!(fields(0), ["no Accept", "X-A: 1", "X-A: 2"]);
    assert_eq!(fields(1), ["Accept: x/y", "no x-a"]);
    for wrong in ["Host = false", "A = true", "A = []", "A = [1]", "A = [\"1\", [\"2\"]]"] {
        assert!(PlanReader::new().read("p", &format!("{JOB}headers = {{ {wrong} }}\n")).is_err(), "{wrong}");
    }
}

/// Was sent as it stood, or with the braces encoded.
#[test]
fn a_name_that_nothing_defines_is_an_error_wherever_it_stands() {
    let hint = "give it one in [variables] or in \"each\"; write {{city}} for the text itself";
    for key in [
        "url = \"http://127.0.0.1:8080/weather/{city}\"",
        "headers = { A = \"x{city}\" }",
        "data = '{\"a\":\"{city}\"}'",
        "json = { a = [\"{city}\"] }",
        "expect = { json = { \"/a\" = \"{city}\" } }",
        "output = \"{city}.json\"",
        "name = \"{city}\"",
        "timeout = \"{city}\"",
        "accept = [\"{city}\"]",
        "select = { a = \"/{city}\" }",
    ] {
        let rest: String = JOB
            .lines()
            .filter(|line| line.split('=').next() != key.split('=').next())
            .map(|l| format!("{l}\n"))
            .collect();
        let errors = bad(&format!("{rest}{key}"));
        assert!(errors.ends_with(&format!(": {{city}} has no value: {hint}")), "{key}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        // The text itself, and braces that begin no value.
        if !["timeout", "accept"].iter().any(|other| key.starts_with(other)) {
            good(&format!("{rest}{}", key.replace("{city}", "{{city}}")));
            good(&format!("{rest}{}", key.replace("{city}", "{ city }")));
        }
    }
    assert_eq!(
        bad(
            "[variables]\nyear = 1\n[[job]]\nurl = \"http://a/{town}/{env.HOME}/{login.token}\"\neach = { city = [1] }"
        ),
        "plan.toml:4: job[1].url: {env.HOME} has no value: it is not set in the environment"
    );
    assert_eq!(
        bad("[variables]\nyear = 1\n[[job]]\nurl = \"http://a/{city}/{town}\"\neach = { city = [1] }"),
        "plan.toml:4: job[1].url: {town} has no value: the names here are city, year; write {{town}} for the text itself"
    );
    // One in the defaults is said once, not with every job.
    let twice = "[defaults]\nheaders = { A = \"{x}\" }\n[[job]]\nurl = \"http://a/\"\n[[job]]\nurl = \"http://b/\"";
    assert!(bad(twice).starts_with("plan.toml:2: defaults.headers.A: {x} has no value"), "{}", bad(twice));
    assert_eq!(bad(twice).lines().count(), 1);
}

/// The wrong years were redacted in reports while they could only be secrets.
#[test]
fn plain_values_are_no_secrets_and_keep_their_type() {
    let text = r#"
        [[job]]
        name = "{year}"
        url = "{base}/{year}/{flag}/{env.CITY}/{next}"
        json = { year = "{year}", price = "{price}", flag = "{flag}", text = "in {year}", day = "{day}", given = "{given}" }
        timeout = "{limit}"
        [variables]
        base = "http://a.example"
        year = 2026
        price = 1.50
        flag = true
        day = 2026-01-31
        limit = "7s"
        next = "{year}-${KEY}"
    "#;
    let environment = |name: &str| (name == "CITY").then(|| "Oslo".to_owned());
    let reader = PlanReader::new().secrets(&super::variable).environment(&environment);
    let reader = reader.variable("given", "1").expect("a name");
    let plan = reader.read("plan.toml", text).expect("good");
    let job = &plan.jobs[0];
    assert_eq!((job.name(), job.written_url()), ("2026", "http://a.example/2026/true/Oslo/2026-${KEY}"));
    assert_eq!(job.url().path(), "/2026/true/Oslo/2026-t0ps3cret%20key%2F1");
    let sent = r#"{"year":2026,"price":1.50,"flag":true,"text":"in 2026","day":"2026-01-31","given":"1"}"#;
    assert_eq!((body(job), job.settings().timeout.as_secs()), (sent, 7));
    assert_eq!(plan.redactor.redact("20261 Oslo t0ps3cret key/1"), format!("20261 Oslo {REDACTED}"));

    // What is given beside the plan goes before it, with the plan's type if it has one.
    let reader = reader.variable("year", "2027").and_then(|r| r.variable("flag", "no")).expect("names");
    let plan = reader.read("plan.toml", text).expect("good");
    let sent = r#"{"year":2027,"price":1.50,"flag":"no","text":"in 2027","day":"2026-01-31","given":"1"}"#;
    assert_eq!((plan.jobs[0].name(), body(&plan.jobs[0])), ("2027", sent));
    for bad in ["", "a b", "1a", "a.b", "é", "-a", "env.X"] {
        let error = PlanReader::new().variable(bad, "x").expect_err(bad).one_line();
        assert!(error.contains("is not a name: letters, digits, _ and -"), "{error}");
    }
    // A value of the job goes before both.
    let plan = reader.read("plan.toml", &format!("{text}\neach.year = [1]\n").replace("{limit}", "5s"));
    assert!(plan.is_err(), "each belongs to the job and not to [variables]");
    let own = text.replace("name = \"{year}\"", "name = \"{year}\"\neach = { year = [1, 2] }");
    let plan = reader.read("plan.toml", &own).expect("good");
    assert_eq!(plan.jobs.iter().map(|job| job.name()).collect::<Vec<_>>(), ["1", "2"]);
}

/// `sort = { b, a }` went out sorted, which is another order of the answer.
#[test]
fn json_goes_out_in_the_order_and_with_the_digits_that_were_written() {
    let text = r#"
        [[job]]
        name = "mongo"
        url = "http://a.example/"
        json = { find = "coll", filter = { z = 1, a = 1 }, sort = { b = 1, a = -1 }, "" = [{ y = 1, x = 2 }] }
        [[job]]
        name = "dotted"
        url = "http://a.example/"
        json.sort.b = 1
        json.find = "coll"
        json.sort.a = -1
        [[job]]
        name = "sections"
        url = "http://a.example/"
        [job.json]
        z = 1_000
        [job.json.sort]
        b = +1
        a = 0x10
        [[job]]
        name = "digits"
        url = "http://a.example/"
        json = [0.10, 1e3, 1.0, -0.0, 6.02E+23, 7163309881222824985, 18446744073709551616, 123456789012345678901234567890]
        [[job]]
        name = "each"
        url = "http://a.example/{n}"
        each = { n = [0.10, 12345678901234567890123, 1_0] }
        json = { n = "{n}" }
    "#;
    let plan = good(text);
    let found: Vec<_> = plan.jobs.iter().map(|job| (job.name(), job.url().path(), body(job))).collect();
    assert_eq!(
        found,
        [
            ("mongo", "/", r#"{"find":"coll","filter":{"z":1,"a":1},"sort":{"b":1,"a":-1},"":[{"y":1,"x":2}]}"#),
            ("dotted", "/", r#"{"sort":{"b":1,"a":-1},"find":"coll"}"#),
            ("sections", "/", r#"{"z":1000,"sort":{"b":1,"a":16}}"#),
            (
                "digits",
                "/",
                "[0.10,1e3,1.0,-0.0,6.02E+23,7163309881222824985,18446744073709551616,123456789012345678901234567890]"
            ),
            ("each[0.10]", "/0.10", r#"{"n":0.10}"#),
            ("each[12345678901234567890123]", "/12345678901234567890123", r#"{"n":12345678901234567890123}"#),
            ("each[10]", "/10", r#"{"n":10}"#),
        ]
    );
}

#[test]
fn secrets_of_hosts_are_hidden_with_each_job_that_goes_there() {
    let reader = PlanReader::new().secrets(&super::variable);
    let hosts = reader.read_json_hosts(r#"{"a.example": {"headers": {"A": "${KEY}"}}}"#).expect("good");
    let reader = reader.hosts(&hosts);
    for plan in [reader.read_url("http://a.example/x"), reader.read_json_job("{\"url\":\n\"http://a.example/y\"}")] {
        let plan = plan.expect("good");
        assert_eq!(header(&plan.jobs[0], "A"), Some(super::KEY));
        assert_eq!(plan.redactor.redact(super::KEY), REDACTED);
    }
    let bad = reader.read_json_hosts(r#"{"a.example": {"headers": {"A": "{x}"}}}"#).expect("names are looked up later");
    let errors =
        reader.hosts(&bad).read_json_job("{\"url\":\n\n\"http://a.example/y\"}").expect_err("no x").to_string();
    assert!(errors.starts_with("job: \"a.example\".headers.A: {x} has no value: "), "{errors}");
}

#[test]
fn a_json_job_goes_out_as_it_was_written_too() {
    let text = r#"{"json": {"z": 1.10, "a": {"q": 1e400, "b": 12345678901234567890123}, "m": [null, "{n}"]},
        "each": {"n": [2.50, "x"]}, "url": "http://a.example/{n}"}"#;
    let plan = roundup::plan::parse_json_job(text, &Settings::default(), &|_| None).expect("good");
    let bodies: Vec<_> = plan.jobs.iter().map(|job| (job.url().path(), body(job))).collect();
    let sent = |n: &str| format!(r#"{{"z":1.10,"a":{{"q":1e400,"b":12345678901234567890123}},"m":[null,{n}]}}"#);
    assert_eq!(bodies, [("/2.50", &*sent("2.50")), ("/x", &*sent("\"x\""))]);
}

/// Pieces of JSON jobs; mutations put them where they do not belong.
const PIECES: [&str; 20] = [
    "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u0000", "\\ud800", "\u{e9}", "\0", "null", "1e400", "-0.10", "${KEY}",
    "{n}", "{{", "\n", "true",
];

#[test]
fn nothing_panics_on_mutated_json() {
    let job = r#"{"url": "http://me:${KEY}@a.example:80/{n}/x?y=${KEY}#z", "each": {"n": [1, 2.50, "a/b", true]}, "name": "j",
        "json": {"b": "{n}", "a": [null, 12345678901234567890123]}, "headers": {"A": "{n}"}, "retries": 1, "select": {"x": "/a"}}"#;
    let hosts =
        r#"{"a.example": {"per_host": 2, "rate": "5/s", "headers": {"B": "${KEY}"}}, "b:80": {"timeout": "5s"}}"#;
    let reader = PlanReader::new().secrets(&super::variable);
    let mut random = fastrand::Rng::with_seed(14);
    let (mut read, mut refused) = (0, 0);
    for round in 0..4000 {
        let mut text: Vec<char> = if round % 2 == 0 { job } else { hosts }.chars().collect();
        for _ in 0..random.usize(0..3) {
            let at = random.usize(0..=text.len());
            let end = if random.bool() { (at + random.usize(0..6)).min(text.len()) } else { at };
            drop(text.splice(at..end, PIECES[random.usize(0..PIECES.len())].chars()));
        }
        let text: String = text.into_iter().collect();
        let result = match round % 2 {
            0 => reader.read_json_job(&text),
            _ => reader
                .read_json_hosts(&text)
                .and_then(|hosts| reader.clone().hosts(&hosts).read_url("http://a.example/")),
        };
        match result {
            Ok(plan) => {
                read += 1;
                assert!(!plan.explain().collect::<String>().contains("t0ps3cret"), "{text}");
            }
            Err(errors) => {
                refused += 1;
                assert!(!errors.to_string().contains("t0ps3cret"), "{text}: {errors}");
            }
        }
    }
    assert!(read > 500 && refused > 500, "both happened: {read} and {refused}");
}

#[test]
fn queries_forms_and_base_urls_are_put_together() {
    let text = r#"
[variables]
city = "S\u00e3o Paulo"
[defaults]
base_url = "https://${HOST}/v1/"
query = { key = "${KEY}", n = 1 }
[[job]]
name = "a"
url = "/cities?x=1#top"
query = { city = "{city}", n = [2, 3.50], on = true }
[[job]]
name = "b"
url = "https://b.example/x"
form = { q = "a b&{city}", n = 7 }
[[job]]
name = "c"
base_url = "https://c.example/v1"
url = "?x=1"
"#;
    let secrets = |name: &str| Some(if name == "HOST" { "a.example" } else { "s3cret&key" }.to_owned());
    let plan = PlanReader::new().secrets(&secrets).read("plan.toml", text).expect("good");
    let urls: Vec<&str> = plan.jobs.iter().map(|job| job.url().as_str()).collect();
    let (city, key) = ("S%C3%A3o%20Paulo", "s3cret%26key");
    assert_eq!(
        urls,
        [
            format!("https://a.example/v1/cities?x=1&key={key}&city={city}&n=2&n=3.50&on=true#top"),
            format!("https://b.example/x?key={key}&n=1"),
            format!("https://c.example/v1?x=1&key={key}&n=1"),
        ]
    );
    assert_eq!(
        plan.jobs[0].written_url(),
        format!("https://${{HOST}}/v1/cities?x=1&key=${{KEY}}&city={city}&n=2&n=3.50&on=true#top")
    );
    let settings = plan.jobs[1].settings();
    assert_eq!(settings.data.as_deref(), Some(&b"q=a+b%26S%C3%A3o+Paulo&n=7"[..]));
    assert_eq!(settings.method, Method::POST);
}
