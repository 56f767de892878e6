//! Redirects, counted by the servers that send them.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_lite::AsyncReadExt;
use futures_lite::io::Cursor;
use roundup::surf::{Follow, Redirect, Redirected, RequestOptions, WireHead};
use roundup::transport::Roots;
use roundup::{Error, Field, Kind, Phase, Transport};
use surf::http::{Method, Url};
use surf::{Body, Client, Request, Response};

use crate::common::{Authority, Leaf, Reply, Server};
use crate::transport::run;

fn client() -> Client {
    roundup::surf::client(Transport::new()).with(Redirect::default())
}

fn request(method: Method, url: &str) -> Request {
    Request::new(method, Url::parse(url).expect(url))
}

async fn send(client: &Client, request: Request) -> Result<Response, Error> {
    client.send(request).await.map_err(|error| error.downcast::<Error>().expect("an error of roundup's"))
}

fn status(response: &Response) -> u16 {
    response.ext::<WireHead>().map_or(0, |wire| wire.head().status())
}

fn refused(result: Result<Response, Error>, what: &str) -> String {
    let error = result.map(|response| status(&response)).expect_err(what);
    assert_eq!((error.kind(), error.phase()), (Kind::Redirect, Some(Phase::Head)), "{what}: {}", error.one_line());
    error.one_line()
}

#[test]
fn every_status_and_method_is_sent_once_and_as_it_must_be() {
    for (code, method, second, keeps) in [
        (301, Method::Get, "GET", true),
        (302, Method::Get, "GET", true),
        (303, Method::Get, "GET", true),
        (307, Method::Get, "GET", true),
        (308, Method::Get, "GET", true),
        (301, Method::Head, "HEAD", true),
        (303, Method::Head, "HEAD", true),
        (301, Method::Post, "GET", false),
        (302, Method::Post, "GET", false),
        (303, Method::Post, "GET", false),
        (307, Method::Post, "POST", true),
        (308, Method::Post, "POST", true),
        (301, Method::Put, "PUT", true),
        (302, Method::Put, "PUT", true),
        (303, Method::Put, "GET", false),
        (307, Method::Put, "PUT", true),
        (303, Method::Delete, "GET", false),
        (308, Method::Patch, "PATCH", true),
    ] {
        let server = Server::start(move |request| match request.path() {
            "/from" => Reply::redirect(code, "to?a=b#c").body("moved"),
            _ => Reply::text("there"),
        });
        let has_content = matches!(method, Method::Post | Method::Put | Method::Patch);
        let mut first = request(method, &server.url("/from"));
        first.insert_header("x-mine", "kept");
        if has_content {
            first.set_body(Body::from_string("content".into()));
        }
        let response = run(send(&client(), first)).expect("it leads somewhere");
        assert_eq!(status(&response), 200);
        let way = &response.ext::<Redirected>().expect("it was redirected").0;
        assert_eq!(way.iter().map(Url::as_str).collect::<Vec<_>>(), [server.url("/from"), server.url("/to?a=b#c")]);
        let stats = server.stats();
        assert_eq!(stats.lines(), [format!("{method} /from"), format!("{second} /to?a=b")], "{code} {method}");
        assert_eq!(stats.connections, 1, "{code} {method}: the content of a redirect is read to its end");
        let second = &stats.seen[1];
        let expected = if has_content && keeps { "content" } else { "" };
        assert_eq!(second.text(), expected, "{code} {method}");
        assert_eq!(second.header("content-type").is_some(), has_content && keeps, "{code} {method}");
        assert_eq!(second.header("x-mine"), Some("kept"));
    }
}

#[test]
fn what_is_no_redirect_is_handed_on() {
    let server = Server::start(|request| match request.path() {
        "/300" => Reply::redirect(300, "/choice"),
        "/304" => Reply::status(304),
        "/nowhere" => Reply::status(302),
        _ => Reply::redirect(301, "/elsewhere"),
    });
    let client = client();
    run(async {
        for (path, code) in [("/300", 300), ("/304", 304), ("/nowhere", 302)] {
            let response = send(&client, request(Method::Get, &server.url(path))).await.expect(path);
            assert_eq!((status(&response), response.ext::<Redirected>().is_none()), (code, true));
        }
        let mut own = request(Method::Get, &server.url("/301"));
        own.set_ext(Follow(0));
        assert_eq!(status(&send(&client, own).await.expect("not followed")), 301);
    });
    assert_eq!(server.stats().requests, 4);
}

#[test]
fn credentials_stay_with_their_origin() {
    let target = Server::start(|_| Reply::text("there"));
    let elsewhere = target.url("/there");
    let server = Server::start(move |request| match request.path() {
        "/same" => Reply::redirect(307, "/there"),
        "/other" => Reply::redirect(307, &elsewhere),
        _ => Reply::text("here"),
    });
    let client = client();
    for (path, kept) in [("/same", true), ("/other", false)] {
        let mut first = request(Method::Get, &server.url(path));
        for name in ["authorization", "cookie", "proxy-authorization", "x-mine"] {
            first.insert_header(name, "secret");
        }
        first.insert_header("host", "named.example");
        let mut options = RequestOptions::default();
        options.fields =
            vec![Field::new("Cookie", b"\xff").expect("allowed"), Field::new("X-Raw", b"\xff").expect("ok")];
        first.set_ext(options);
        run(send(&client, first)).expect("it leads somewhere");
        let last = if kept { server.requests().pop() } else { target.requests().pop() }.expect("it came");
        assert_eq!(last.target, "/there");
        for name in ["authorization", "cookie", "proxy-authorization"] {
            assert_eq!(last.header(name).is_some(), kept, "{name} {path}");
        }
        assert_eq!((last.header("x-mine"), last.header("x-raw")), (Some("secret"), Some("\u{ff}")));
        let own = format!("127.0.0.1:{}", target.port());
        assert_eq!(last.header("host"), Some(if kept { "named.example" } else { own.as_str() }));
    }
    // Credentials of the URL are the origin's too.
    let url = server.url("/other").replace("//", "//me:secret@");
    run(send(&client, request(Method::Get, &url))).expect("it leads somewhere");
    assert!(server.requests().last().is_some_and(|request| request.header("authorization").is_some()));
    assert!(target.requests().last().is_some_and(|request| request.header("authorization").is_none()));
}

#[test]
fn from_https_to_http_is_refused_and_never_sent() {
    let plain = Server::builder().unused_ok().start(|_| Reply::text("in the open"));
    let authority = Authority::new();
    let target = plain.url("/");
    let server = Server::builder().tls(authority.server(Leaf::Good)).start(move |_| Reply::redirect(302, &target));
    let roots = Roots::File(authority.ca_file().to_owned());
    let transport = Transport::builder().roots(roots).build().expect("a good file");
    let client = roundup::surf::client(transport).with(Redirect::default());
    let text = refused(run(send(&client, request(Method::Get, &server.url("/")))), "https to http");
    assert!(text.contains("from https to http"), "{text}");
    assert_eq!((server.stats().requests, plain.stats().connections), (1, 0));
}

#[test]
fn ways_that_lead_nowhere_are_refused_with_the_way() {
    let server = Server::start(|request| match request.path() {
        "/ftp" => Reply::redirect(302, "ftp://127.0.0.1/"),
        "/file" => Reply::redirect(302, "file:///etc/passwd"),
        "/bad" => Reply::redirect(302, "http://[/"),
        "/a" => Reply::redirect(302, "/b"),
        "/b" => Reply::redirect(302, "/a"),
        "/self" => Reply::redirect(301, "/self"),
        path => {
            let n: u32 = path[1..].parse().expect("a number");
            Reply::redirect(302, &format!("/{}", n + 1))
        }
    });
    let client = client();
    for (path, text, requests) in [
        ("/ftp", "leads out of http", 1),
        ("/file", "leads out of http", 1),
        ("/bad", "not a URL", 1),
        ("/a", "more than 10 redirects, which go in a circle", 11),
        ("/self", "more than 10 redirects, which go in a circle", 11),
        ("/0", "more than 10 redirects", 11),
    ] {
        let before = server.stats().requests;
        let message = refused(run(send(&client, request(Method::Get, &server.url(path)))), path);
        assert!(message.contains(text) && message.contains(path), "{path}: {message}");
        assert_eq!(server.stats().requests - before, requests, "{path}");
    }
}

#[test]
fn as_many_as_allowed_are_followed() {
    let server = Server::start(|request| match request.path() {
        "/3" => Reply::text("there"),
        path => Reply::redirect(302, &format!("/{}", path[1..].parse::<u32>().expect("a number") + 1)),
    });
    for (follow, good) in [(3, true), (2, false)] {
        let mut first = request(Method::Get, &server.url("/0"));
        first.set_ext(Follow(follow));
        assert_eq!(run(send(&client(), first)).is_ok(), good, "{follow}");
    }
}

/// A server sends a client round until something is ready, as browsers and curl have it.
#[test]
fn a_location_that_was_seen_before_is_followed() {
    let asked = AtomicU32::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0..3 => Reply::redirect(303, "/wait"),
        _ => Reply::text("ready"),
    });
    assert_eq!(status(&run(send(&client(), request(Method::Get, &server.url("/wait")))).expect("it ends")), 200);
    assert_eq!(server.stats().requests, 4);
}

#[test]
fn an_empty_location_is_no_redirect() {
    let server = Server::start(|_| Reply::redirect(307, "").body("the content"));
    run(async {
        let mut response = send(&client(), request(Method::Get, &server.url("/"))).await.expect("a response");
        assert_eq!((status(&response), response.ext::<Redirected>().is_none()), (307, true));
        assert_eq!(response.body_string().await.expect("text"), "the content");
    });
    assert_eq!(server.stats().requests, 1);
}

/// RFC 3986, section 5.2.2 keeps the user for a relative reference; an absolute one within the origin means the same.
#[test]
fn the_user_of_a_url_goes_with_an_absolute_redirect_within_the_origin() {
    let server = Server::start(|request| match request.path() {
        "/from" => {
            let host = request.header("host").unwrap_or_default().to_owned();
            Reply::redirect(302, &format!("http://{host}/to"))
        }
        _ => Reply::text("there"),
    });
    let url = server.url("/from").replace("//", "//me:secret@");
    run(send(&client(), request(Method::Get, &url))).expect("it leads somewhere");
    let sent: Vec<bool> = server.requests().iter().map(|request| request.header("authorization").is_some()).collect();
    assert_eq!(sent, [true, true]);
}

/// Bytes that are not UTF-8 go back to the server as they came, and not as U+FFFD.
#[test]
fn a_latin_1_location_keeps_its_bytes() {
    let server = Server::start(|request| match request.path() {
        "/from" => Reply::raw(b"HTTP/1.1 302 Found\r\nLocation: /caf\xe9\r\nContent-Length: 0\r\n\r\n".to_vec()),
        _ => Reply::text("there"),
    });
    run(send(&client(), request(Method::Get, &server.url("/from")))).expect("it leads somewhere");
    assert_eq!(server.stats().lines()[1], "GET /caf%E9");
}

#[test]
fn a_post_that_leads_to_its_own_page_is_no_circle() {
    let server = Server::start(|request| match request.method.as_str() {
        "POST" => Reply::redirect(303, "/form"),
        _ => Reply::text("thanks"),
    });
    let mut post = request(Method::Post, &server.url("/form"));
    post.set_body("a=b");
    assert_eq!(status(&run(send(&client(), post)).expect("it ends")), 200);
    assert_eq!(server.stats().lines(), ["POST /form", "GET /form"]);
}

#[test]
fn streamed_content_is_sent_once_and_missed_where_it_is_asked_for_again() {
    let server = Server::start(|request| match request.path() {
        "/303" => Reply::redirect(303, "/there"),
        "/307" => Reply::redirect(307, "/there"),
        _ => Reply::text("there"),
    });
    let streamed = |path: &str| {
        let mut post = request(Method::Post, &server.url(path));
        post.set_body(Body::from_reader(Cursor::new(b"once".to_vec()), None));
        post
    };
    let client = client();
    run(async {
        assert_eq!(status(&send(&client, streamed("/303")).await.expect("a GET needs none")), 200);
        let text = refused(send(&client, streamed("/307")).await, "the stream is gone");
        assert!(text.contains("streamed"), "{text}");
    });
    assert_eq!(server.stats().lines(), ["POST /303", "GET /there", "POST /307"]);
    assert_eq!(server.requests()[0].text(), "once");
}

#[test]
fn a_redirect_whose_content_never_comes_does_not_hold_anybody_up() {
    let server = Server::start(|request| match request.path() {
        "/to" => Reply::text("there"),
        "/length" => Reply::raw("HTTP/1.1 302 Found\r\nLocation: /to\r\nContent-Length: 9\r\n\r\n").and_hang(),
        "/close" => Reply::raw("HTTP/1.1 302 Found\r\nLocation: /to\r\n\r\nabc").and_hang(),
        _ => Reply::redirect(302, "/to").body(vec![b'x'; 10 << 20]),
    });
    let client = client();
    for path in ["/length", "/close", "/long"] {
        run(async {
            let mut response = send(&client, request(Method::Get, &server.url(path))).await.expect(path);
            let mut text = String::new();
            response.take_body().read_to_string(&mut text).await.expect("whole");
            assert_eq!(text, "there");
        });
    }
}

#[test]
fn a_location_beyond_ascii_is_followed_as_browsers_do() {
    let server = Server::start(|request| match request.path() {
        // UTF-8, byte by byte.
        "/from" => Reply::redirect(302, "/caf\u{c3}\u{a9}"),
        _ => Reply::text("there"),
    });
    run(send(&client(), request(Method::Get, &server.url("/from")))).expect("it leads somewhere");
    assert_eq!(server.stats().lines()[1], "GET /caf%C3%A9");
}
