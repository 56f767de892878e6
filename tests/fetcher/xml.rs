//! Values and rows of XML.

use roundup::Kind;

use super::rows::{lines, only, planned};
use super::{failure, one};
use crate::common::{Reply, Server};

const FEED: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE rss>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>
  <title>Prices &amp; more</title>
  <item n="1"><dc:creator>Ann</dc:creator><price cur="EUR">1.10</price></item>
  <!-- between -->
  <item n="2"><dc:creator>Bob</dc:creator><price cur="USD">123456789012345678901</price></item>
</channel></rss>"#;

fn xml(content: impl Into<Vec<u8>>) -> Reply {
    Reply::status(200).header("Content-Type", "application/rss+xml; charset=utf-8").body(content)
}

#[test]
fn elements_are_rows_and_attributes_are_values() {
    let server = Server::start(|_| xml(FEED));
    let keys = "rows = \"/rss/channel/item\"\n[job.select]\nn = \"/@n\"\nby = \"/dc:creator\"\n\
        price = { at = \"/price/#text\", type = \"number\" }\ncurrency = \"/price/@cur\"\ntitle = \"^/rss/channel/title\"\n";
    let outcome = one(planned(&server, "/", keys));
    assert!(outcome.ok(), "{outcome:?}");
    assert_eq!(
        lines(only(&outcome)),
        [r#""1" "Ann" 1.10 "EUR" "Prices & more" "j""#, r#""2" "Bob" 123456789012345678901 "USD" "Prices & more" "j""#,]
    );
}

#[test]
fn an_element_that_is_there_once_is_one_row() {
    let server = Server::start(|request| {
        xml(match request.path() {
            "/one" => "<a><i><n>1</n></i></a>",
            "/text" => "<a><i>1</i></a>",
            _ => "<a/>",
        })
    });
    let keys = "rows = \"/a/i\"\nselect = { n = \"/n\" }\n";
    assert_eq!(lines(only(&one(planned(&server, "/one", keys)))), [r#""1" "j""#]);
    let whole = "rows = \"/a/i\"\nselect = { n = \"\" }\n";
    assert_eq!(lines(only(&one(planned(&server, "/text", whole)))), [r#""1" "j""#]);
    let none = one(planned(&server, "/none", keys));
    assert_eq!(failure(&none).kind, Kind::Expectation);
    let said = "/a/i is not there, which has the rows: /a is null";
    assert!(failure(&none).message.contains(said), "{}", failure(&none).message);
}

#[test]
fn values_conditions_and_patterns_look_into_xml() {
    let server = Server::start(|_| Reply::status(200).header("Content-Type", "text/plain").body(FEED));
    let keys = "format = \"xml\"\n[job.select]\ntitle = \"/rss/channel/title\"\nfirst = \"/rss/channel/item/0/@n\"\n\
        raw = { text = \"<title>(.*)</title>\" }\n[job.expect]\njson = { \"/rss/@version\" = \"2.0\" }\nabsent = [\"/rss/error\"]\n";
    let outcome = one(planned(&server, "/", keys));
    assert!(outcome.ok(), "{outcome:?}");
    let data = outcome.data.as_ref().expect("values");
    let values: Vec<String> = data.iter().map(|(name, value)| format!("{name}={}", value.to_json())).collect();
    assert_eq!(values, ["title=\"Prices & more\"", "first=\"1\"", "raw=\"Prices &amp; more\""]);
}

#[test]
fn xml_says_its_charset_and_some_servers_call_json_xml() {
    let server = Server::start(|request| match request.path() {
        "/latin" => Reply::status(200)
            .header("Content-Type", "text/xml")
            .body(b"<?xml version='1.0' encoding='ISO-8859-1'?><a>Z\xfcrich</a>"),
        "/json" => Reply::status(200).header("Content-Type", "text/xml").body("{\"a\":\"x\"}"),
        _ => Reply::status(200).header("Content-Type", "text/xml").body(b"<a>Z\xfcrich</a>"),
    });
    let value = |path: &str| {
        let outcome = one(planned(&server, path, "select = { a = \"/a\" }\n"));
        assert!(outcome.ok(), "{outcome:?}");
        outcome.data.as_ref().and_then(|data| data.get("a")).map(|value| value.to_json().into_owned())
    };
    assert_eq!(value("/latin").as_deref(), Some("\"Zürich\""));
    assert_eq!(value("/json").as_deref(), Some("\"x\""));
    let unknown = one(planned(&server, "/unknown", "select = { a = \"/a\" }\n"));
    assert!(failure(&unknown).message.contains("not UTF-8"), "{}", failure(&unknown).message);
}

#[test]
fn what_is_not_well_formed_fails_alone_and_says_the_line() {
    let server = Server::start(|_| xml("<a>\n<b>1</b>\n<c></a>"));
    let outcome = one(planned(&server, "/", "select = { b = \"/a/b\" }\n"));
    assert_eq!(failure(&outcome).kind, Kind::Body);
    let said = "the content is not the XML that select, rows and expect look into: line 3: ";
    assert!(failure(&outcome).message.starts_with(said), "{}", failure(&outcome).message);
}
