//! Values by place: what a plan gets from the environment arrives as it is wherever it stands, or is refused. It never
//! becomes another part of the request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use roundup::Job;
use roundup::plan::PlanReader;

const PLACES: [&str; 10] = [
    "url = \"http://h.example/a/${S}/b?q=${S}&r=1#${S}\"",
    "url = \"http://u${S}:p${S}@h.example/\"",
    "url = \"http://${S}/a\"",
    "url = \"http://h.example:${S}/a\"",
    "url = \"http://h.example/\"\nquery = { q = \"${S}\", r = \"1\" }",
    "url = \"http://h.example/\"\nform = { f = \"${S}\", g = \"1\" }",
    "url = \"http://h.example/\"\njson = { s = \"${S}\", t = [\"<${S}>\"] }",
    "url = \"http://h.example/\"\nheaders = { A = \"x${S}y\" }",
    "url = \"http://h.example/\"\ndata = \"${S}\"",
    "url = \"${S}/v1\"",
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, value)) = data.split_first() else { return };
    let Ok(value) = std::str::from_utf8(value) else { return };
    let place = usize::from(*choice) % PLACES.len();
    let secrets = |_: &str| Some(value.to_owned());
    let plan = format!("[[job]]\nname = \"j\"\n{}\n", PLACES[place]);
    match PlanReader::new().secrets(&secrets).read("p", &plan) {
        Ok(plan) => check(&plan.jobs[0], place, value),
        // A value that is short may be a part of the message by chance.
        Err(errors) => {
            let shown = errors.to_string();
            assert!(!shown.contains('\n') && (value.len() < 16 || !shown.contains(value)), "{shown}");
        }
    }
});

fn check(job: &Job, place: usize, value: &str) {
    let (url, settings) = (job.url(), job.settings());
    let content = || settings.data.as_deref().unwrap_or_default();
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
    let pairs = |pairs: url::form_urlencoded::Parse| pairs.into_owned().collect::<Vec<_>>();
    if !matches!(place, 2 | 9) {
        assert_eq!(url.host_str(), Some("h.example"), "{url}");
    }
    match place {
        0 => {
            let segments: Vec<_> = url.path_segments().expect("a path").map(decoded).collect();
            assert_eq!(segments, [Ok("a".to_owned()), Ok(value.to_owned()), Ok("b".to_owned())], "{url}");
            let expected = [("q".to_owned(), value.to_owned()), ("r".to_owned(), "1".to_owned())];
            assert_eq!(pairs(url.query_pairs()), expected, "{url}");
        }
        1 => {
            assert_eq!(decoded(url.username()), Ok(format!("u{value}")), "{url}");
            assert_eq!(url.password().map(decoded), Some(Ok(format!("p{value}"))), "{url}");
        }
        2 => {
            assert_eq!((url.path(), url.query(), url.fragment(), url.username()), ("/a", None, None, ""), "{url}");
        }
        3 => assert_eq!((url.path(), url.port_or_known_default()), ("/a", value.parse().ok().or(Some(80))), "{url}"),
        4 => {
            let expected = [("q".to_owned(), value.to_owned()), ("r".to_owned(), "1".to_owned())];
            assert_eq!(pairs(url.query_pairs()), expected, "{url}");
        }
        5 => {
            let expected = [("f".to_owned(), value.to_owned()), ("g".to_owned(), "1".to_owned())];
            assert_eq!(pairs(url::form_urlencoded::parse(content())), expected);
        }
        6 => {
            let sent: serde_json::Value = serde_json::from_slice(content()).expect("JSON");
            assert_eq!(sent, serde_json::json!({ "s": value, "t": [format!("<{value}>")] }));
        }
        7 => {
            let field = settings.headers.iter().find(|field| field.name() == "A").expect("it is there");
            assert_eq!(field.value(), format!("x{value}y").as_bytes());
            assert!(!value.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f), "{value:?}");
        }
        8 => assert_eq!(content(), value.as_bytes()),
        _ => assert!(matches!(url.scheme(), "http" | "https" | "http+unix"), "{url}"),
    }
}
