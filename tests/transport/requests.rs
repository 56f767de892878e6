//! What a request looks like when it arrives, and what of a response reaches the caller.

use std::time::Duration;

use roundup::transport::DEFAULT_USER_AGENT;
use roundup::{Field, Kind, Transport};
use surf::http::Method;

use super::{client, configured, content, fetch, get, head, request, run, wire, with_options};
use crate::common::{Reply, Server};

fn header(server: &Server, name: &str) -> Option<String> {
    server.requests().last().and_then(|request| request.header(name).map(str::to_owned))
}

#[test]
fn a_request_says_what_goes_without_saying_and_no_more() {
    let server = Server::start(|_| Reply::json("{}"));
    run(fetch(&client(), get(&server.url("/a%20b?c=d#e")))).expect("it answers");
    let request = server.requests().remove(0);
    assert_eq!(request.target, "/a%20b?c=d");
    let expected = [
        ("Host", format!("127.0.0.1:{}", server.port())),
        ("User-Agent", DEFAULT_USER_AGENT.to_owned()),
        ("Accept", "*/*".to_owned()),
        ("Accept-Encoding", super::codings::accept_encoding()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    assert_eq!(request.headers, expected);
}

#[test]
fn given_fields_win_and_come_in_one_order() {
    let server = Server::start(|_| Reply::json("{}"));
    let client = roundup::surf::client(Transport::builder().user_agent("").build().expect("good settings"));
    run(async {
        for _ in 0..5 {
            let mut request = get(&server.url("/"));
            for (name, value) in [("x-b", "2"), ("accept", "text/html"), ("x-a", "1"), ("host", "other.example")] {
                request.insert_header(name, value);
            }
            fetch(&client, request).await.expect("it answers");
        }
    });
    for request in server.requests() {
        let lines: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            lines,
            [
                "host: other.example",
                &format!("Accept-Encoding: {}", super::codings::accept_encoding()),
                "accept: text/html",
                "x-a: 1",
                "x-b: 2"
            ]
        );
    }
}

#[test]
fn user_and_password_of_the_url_are_basic_credentials_unless_others_are_given() {
    let server = Server::start(|_| Reply::json("{}"));
    let client = client();
    let url = server.url("/").replace("//", "//Aladdin:open%20sesame@");
    run(async {
        fetch(&client, get(&url)).await.expect("it answers");
        assert_eq!(header(&server, "authorization").as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert_eq!(server.requests()[0].target, "/");
        let mut given = get(&url);
        given.insert_header("authorization", "Bearer mine");
        fetch(&client, given).await.expect("it answers");
        let (own, _) = with_options(get(&url), |options| {
            options.fields = vec![Field::new("Authorization", b"Bearer \xff").expect("allowed")];
        });
        fetch(&client, own).await.expect("it answers");
    });
    let sent: Vec<Vec<String>> =
        server.requests().iter().map(|r| r.headers_named("authorization").map(str::to_owned).collect()).collect();
    assert_eq!(sent[1..], [["Bearer mine"], ["Bearer \u{ff}"]]);
}

#[test]
fn field_values_need_not_be_ascii_in_either_direction() {
    let server = Server::start(|request| {
        let value = request.header("x-name").unwrap_or_default().to_owned();
        let reply = Reply::status(200).body("x").header("X-Echo", value);
        reply.header("X-Plain", "p").header("Content-Type", "text/\u{e4}")
    });
    run(async {
        for raw_head in [false, true] {
            let (request, _) = with_options(get(&server.url("/")), |options| {
                options.fields = vec![Field::new("X-Name", b"caf\xc3\xa9 \xff").expect("allowed")];
                options.raw_head = raw_head;
            });
            let mut response = head(&client(), request).await.expect("it answers");
            assert_eq!(wire(&response).head().get("x-echo"), Some(&b"caf\xc3\xa9 \xff"[..]));
            assert_eq!(response.header("x-plain").is_some(), !raw_head);
            // http-types cannot say it, and must not say something else.
            assert!(response.header("x-echo").is_none() && response.content_type().is_none());
            assert_eq!(content(&mut response).await.expect("whole"), b"x");
        }
    });
}

#[test]
fn statuses_that_nobody_has_registered_come_through() {
    let server = Server::start(|request| {
        let status = request.path()[1..].parse().expect("the test asks for numbers");
        Reply::status(status).body("why")
    });
    let client = client();
    for (status, nearest) in [(299, 200), (333, 300), (499, 400), (522, 504), (530, 502), (599, 500), (999, 500)] {
        run(async {
            let mut response = head(&client, get(&server.url(&format!("/{status}")))).await.expect("it answers");
            assert_eq!((wire(&response).head().status(), u16::from(response.status())), (status, nearest));
            assert_eq!(content(&mut response).await.expect("whole"), b"why");
        });
    }
    assert_eq!(server.stats().connections, 1);
}

#[test]
fn every_status_from_100_to_999_is_read() {
    let server = Server::start(|request| {
        let status: u16 = request.path()[1..].parse().expect("the test asks for numbers");
        let interim = if status < 200 { format!("HTTP/1.1 {status} X\r\n\r\n") } else { String::new() };
        let last = status.max(200);
        match last {
            204 | 304 => Reply::raw(format!("HTTP/1.1 {last} X\r\n\r\n")),
            _ => Reply::raw(format!("{interim}HTTP/1.1 {last} X\r\nContent-Length: 1\r\n\r\nx")),
        }
    });
    let client = client();
    run(async {
        for status in 100..=999 {
            let got = fetch(&client, get(&server.url(&format!("/{status}")))).await;
            match status {
                // Nobody asked for another protocol.
                101 => assert_eq!(got.expect_err("not asked for").kind(), Kind::Protocol),
                204 | 304 => assert_eq!(got.expect("it answers"), (status, Vec::new())),
                _ => assert_eq!(got.expect("it answers"), (status.max(200), b"x".to_vec())),
            }
        }
    });
    assert_eq!(server.stats().connections, 2, "101 alone ends its connection");
}

#[test]
fn the_example_for_surf_users_runs() {
    let server = Server::start(|request| match request.path() {
        "/" => Reply::redirect(302, "/there").gzip(),
        _ => Reply::text("content").gzip(),
    });
    assert_eq!(super::surf_backend::fetch(&server.url("/")).expect("it answers"), b"content");
    assert_eq!(server.stats().requests, 2);
    let error = super::surf_backend::fetch("http://no-such-host.invalid/").expect_err("RFC 6761 says so");
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}

#[test]
fn several_fields_of_one_name_stay_several() {
    let server = Server::start(|_| Reply::text("x").header("Set-Cookie", "a=1").header("Set-Cookie", "b=2"));
    let response = run(head(&client(), get(&server.url("/")))).expect("it answers");
    let cookies: Vec<&str> = response.header("set-cookie").expect("two").iter().map(|value| value.as_str()).collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(wire(&response).head().get_all("set-cookie").count(), 2);
}

#[test]
fn interim_responses_are_passed_over() {
    let server = Server::start(|_| {
        Reply::status(103).header("Link", "</a>").then(Reply::status(100)).then(Reply::text("final"))
    });
    let got = run(fetch(&client(), get(&server.url("/")))).expect("it answers");
    assert_eq!(got, (200, b"final".to_vec()));
}

#[test]
fn what_is_no_http_is_a_breach_of_the_protocol() {
    let server = Server::start(|request| {
        Reply::raw(match request.path() {
            "/ssh" => "SSH-2.0-OpenSSH_9.2\r\n",
            "/lengths" => "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "/sign" => "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab",
            "/coding" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "/switch" => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            "/half" => "HTTP/1.1 200 OK\r\nX: ",
            _ => "\0\0\0\0\0\0\0\0\0\0",
        })
        .close()
    });
    let client = client();
    for path in ["/ssh", "/lengths", "/sign", "/coding", "/switch", "/half", "/zeros"] {
        let error = run(fetch(&client, get(&server.url(path)))).expect_err(path);
        assert_eq!(error.kind(), Kind::Protocol, "{path}: {}", error.one_line());
    }
}

#[test]
fn a_head_without_end_is_refused_at_its_limit() {
    let limits = roundup::transport::h1::HeadLimits { max_bytes: 10_000, max_fields: 20, max_interim: 2 };
    let server = Server::start(|request| match request.path() {
        "/bytes" => Reply::raw(format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(1 << 20))).and_hang(),
        "/fields" => Reply::raw(format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(21))),
        _ => Reply::raw("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000)).and_hang(),
    });
    let client = roundup::surf::client(Transport::builder().head_limits(limits).build().expect("good settings"));
    for (path, kind) in [("/bytes", Kind::TooLarge), ("/fields", Kind::TooLarge), ("/interim", Kind::Protocol)] {
        let error = run(fetch(&client, get(&server.url(path)))).expect_err(path);
        assert_eq!(error.kind(), kind, "{path}: {}", error.one_line());
    }
}

#[test]
fn the_client_s_own_settings_are_honoured() {
    let server = Server::start(|request| if request.path() == "/hang" { Reply::hang() } else { Reply::json("{}") });
    let limit = Duration::from_millis(200);
    let client = configured(Transport::new(), |config| config.set_timeout(Some(limit)));
    run(async {
        let error = fetch(&client, get(&server.url("/hang"))).await.expect_err("it never answers");
        assert_eq!(error.kind(), Kind::Timeout);
        assert!(error.one_line().contains("200ms"), "{}", error.one_line());
    });
    let patient = configured(Transport::new(), |config| config.set_timeout(None));
    run(fetch(&patient, get(&server.url("/")))).expect("it answers");
}

#[test]
fn surf_s_own_conveniences_work() {
    let server = Server::start(|request| Reply::json(format!("{{\"method\":{:?}}}", request.method)));
    run(async {
        let client = client();
        let value: serde_json::Value = client.recv_json(get(&server.url("/"))).await.expect("JSON");
        assert_eq!(value["method"], "GET");
        let text = client.recv_string(request(Method::Put, &server.url("/"))).await.expect("text");
        assert_eq!(text, "{\"method\":\"PUT\"}");
    });
    assert_eq!(server.requests()[1].header("content-length"), Some("0"));
}
