//! Jobs of one table that are made when they start.

use roundup::{Job, Secrets, Settings};

use super::{bad, good};

const VALUES: [&str; 16] = [
    "a",
    "a b",
    "a/b",
    "..x",
    "%2e%2e",
    "?q=1&r#s",
    "#",
    "\\",
    "http://other.example/",
    "//other.example/",
    "@x",
    "é東",
    "100%",
    "${X}{x}",
    " ",
    "\\n\\t",
];

/// The second of two jobs of a table is made later than the first. It must be the one that it would be alone.
#[test]
fn a_job_of_many_is_what_it_would_be_alone() {
    for url in [
        "http://h.example/{v}",
        "https://me:pw@h.example:8443/a//{v}/../b?c={v}#{v}",
        "http://[::1]:80/a?{v}={v}&api_key={v}",
        "http://H.example/%7e/{v}/",
        "http://h.example/${KEY}/{v}",
        // With an empty value a path may begin with two slashes, as an authority does.
        "http://h.example/${EMPTY}/other.example/{v}",
        "http://h.example/${EMPTY}/{v}",
        "http://h.example/${EMPTY}\\\\{v}",
        "http://h.example\\\\{v}",
        "http://h.example//{v}",
        "http://h.example///other.example/{v}",
        "http://h.example?{v}",
        "http://h.example#{v}",
        "http:///h.example/{v}",
        "  http://h.example/{v} ",
        "http://h.example/a{v}\u{a0}",
        "http://h.example/%2{v}",
    ] {
        for name in ["", "name = \"job\"\n", "name = \"job {v}\"\n"] {
            for value in VALUES {
                let table = |values: &str| {
                    let rest = "select = { x = \"/x\" }\nheaders = { A = \"b\" }\n";
                    good(&format!("[[job]]\n{name}url = \"{url}\"\neach = {{ v = [{values}] }}\n{rest}")).jobs
                };
                let value = value.replace('\\', "\\\\").replace("${X}{x}", "$${X}{{x}}");
                let (alone, many) = (table(&format!("\"{value}\"")), table(&format!("\"first\", \"{value}\"")));
                let (alone, many) = (&alone[0], &many[1]);
                assert_eq!(many, alone, "{url} {value}");
                assert_eq!(many.origin_url().origin(), many.url().origin(), "{url} {value}");
            }
        }
    }
}

/// What is said of a job before it is made holds when it is, in whichever order.
#[test]
fn a_job_that_is_made_later_can_be_changed_before_and_after() {
    let jobs =
        || good("[[job]]\nname = \"j\"\nurl = \"http://h.example/{n}\"\neach = { n = { from = 1, to = 3 } }").jobs;
    let change = |job: Job| {
        let settings = Settings { retries: 7, ..Settings::default() };
        job.at(5).with_settings(settings.into()).with_secrets(Secrets::new([("N", "value")]))
    };
    for changed in jobs().into_iter().map(change) {
        // Looked at, it is made.
        let number = changed.name().to_owned();
        let again = jobs().into_iter().find(|job| job.name() == number).map(change).expect("it is there");
        assert_eq!((changed.index(), changed.settings().retries), (Some(5), 7));
        assert_eq!(changed, again);
        let copy = changed.clone().at(9).named("other").saved_to("file");
        assert_eq!((copy.index(), copy.name(), changed.index(), changed.name()), (Some(9), "other", Some(5), &*number));
        let written = serde_json::to_string(&changed).expect("it is plain data");
        assert_eq!(serde_json::from_str::<Job>(&written).expect("as written"), changed);
    }
}

/// Whether a value can stand where it does is known before anything is fetched.
#[test]
fn a_value_that_cannot_stand_in_a_url_is_found_in_any_row() {
    for value in [".", "..", ""] {
        let plan =
            format!("[[job]]\nurl = \"http://h.example/a/.{{v}}/b\"\neach = {{ v = [\"x\", \"y\", \"{value}\"] }}");
        match value {
            ".." => assert_eq!(good(&plan).jobs.len(), 3),
            _ => assert!(bad(&plan).contains("makes a segment of the path"), "{}", bad(&plan)),
        }
    }
    // Encoded steps are steps, and a job of each row is there or the plan is wrong.
    for (url, value) in
        [("http://h.example/%2{v}/q", "e"), ("http://h.example/{v}%2e/q", "."), ("http://h.example/%{v}", "2e")]
    {
        for name in ["", "name = \"x-{v}\"\n"] {
            let plan =
                |last: &str| format!("[[job]]\n{name}url = \"{url}\"\neach = {{ v = [\"0\", \"{last}\", \"1\"] }}");
            assert_eq!(good(&plan("2")).jobs.len(), 3);
            let said = bad(&plan(value));
            assert!(said.contains("makes a segment of the path"), "{url} {value}: {said}");
        }
    }
    let twice = "[[job]]\nname = \"{a}{b}\"\nurl = \"http://h.example/{a}/{b}\"\neach = { a = [\"1\", \"11\"], b = [\"11\", \"1\"] }";
    assert!(bad(twice).contains("the name \"111\" is taken"), "{}", bad(twice));
}
