//! URLs of unix-domain sockets: `http+unix://%2Frun%2Fdocker.sock/v1/info`.

use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use roundup::surf::Redirect;
use roundup::transport::Proxies;
use roundup::{Error, Kind, Phase, Transport};

use super::{client, fetch, get, head, run, with_options};
use crate::common::{Reply, Server, refusing_port};

/// A socket that leads to a server. Its file goes with it.
pub(crate) struct Socket(PathBuf);

impl Socket {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A URL of this socket.
    pub(crate) fn url(&self, path: &str) -> String {
        let socket = self.0.to_str().expect("a path of ours is text").replace('/', "%2F");
        format!("http+unix://{socket}{path}")
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A socket whose connections are passed on to a server.
pub(crate) fn socket_to(server: &Server) -> Socket {
    // Not in the folder of a test: a path of a socket may have about a hundred bytes.
    let path = std::env::temp_dir().join(format!("roundup-{}-{}", std::process::id(), server.port()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a free name");
    let addr = server.addr();
    thread::spawn(move || {
        while let Ok((near, _)) = listener.accept() {
            let far = TcpStream::connect(addr).expect("the server listens");
            let (mut from, mut to) = (near.try_clone().expect("a socket"), far.try_clone().expect("a socket"));
            thread::spawn(move || std::io::copy(&mut from, &mut to));
            let (mut from, mut to) = (far, near);
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    Socket(path)
}

#[test]
fn a_url_leads_to_its_socket_whatever_is_set_for_others() {
    let (one, two) = (Server::start(|_| Reply::text("one")), Server::start(|_| Reply::text("two")));
    let (to_one, to_two) = (socket_to(&one), socket_to(&two));
    let nobody = format!("127.0.0.1:{}", refusing_port());
    let transport = Transport::builder()
        .proxies(Proxies::single(format!("http://{nobody}").parse().expect("a proxy")))
        .connect_to(format!("::{nobody}").parse().expect("well-formed"))
        .unix_socket("/no/such/socket")
        .build();
    let client = roundup::surf::client(transport.expect("good settings"));
    run(async {
        for _ in 0..2 {
            for (socket, text) in [(&to_one, "one"), (&to_two, "two")] {
                // The second is the same path, written in another way.
                let url = socket.url("/v1/info?x=%20y#z");
                for url in [url.clone(), url.replace("%2F", "%2f").replace("roundup", "%72oundup")] {
                    let (request, progress) = with_options(get(&url), |_| {});
                    assert_eq!(fetch(&client, request).await.expect("it answers").1, text.as_bytes());
                    let snapshot = progress.snapshot();
                    assert_eq!((snapshot.address, snapshot.dns, snapshot.phase), (None, None, Phase::Body));
                }
            }
        }
        for (path, target) in [("", "/"), ("?q", "/?q"), ("/", "/")] {
            let response = head(&client, get(&to_one.url(path))).await.expect("it answers");
            assert_eq!(response.status(), 200);
            assert_eq!(one.requests().pop().expect("it came").target, target);
        }
    });
    for server in [&one, &two] {
        let seen = server.requests();
        assert_eq!((seen[0].header("host"), &*seen[0].target), (Some("localhost"), "/v1/info?x=%20y"));
    }
    // Each path has its own connection, and keeps it.
    assert_eq!((two.stats().requests, two.stats().connections), (4, 1));
}

#[test]
fn user_and_host_can_be_given() {
    let server = Server::start(|_| Reply::text("x"));
    let socket = socket_to(&server);
    let mut request = get(&socket.url("/").replace("://", "://me:pw@"));
    request.insert_header("Host", "docker.example");
    run(fetch(&client(), request)).expect("it answers");
    let seen = server.requests();
    assert_eq!(seen[0].header("host"), Some("docker.example"));
    assert_eq!(seen[0].header("authorization"), Some("Basic bWU6cHc="));
}

#[test]
fn errors_name_the_socket() {
    let server = Server::start(|request| match request.path() {
        "/close" => Reply::raw("").close(),
        "/short" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").close(),
        _ => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").and_hang(),
    });
    let socket = socket_to(&server);
    let named = format!("({})", socket.path().display());
    for (path, kind, phase) in [
        ("/close", Kind::Protocol, Phase::Head),
        ("/short", Kind::Body, Phase::Body),
        ("/hang", Kind::Timeout, Phase::Body),
    ] {
        let limit = Duration::from_millis(300);
        let (request, _) = with_options(get(&socket.url(path)), |options| {
            options.deadline = (path == "/hang").then(|| (Instant::now() + limit, limit));
        });
        let error = run(fetch(&client(), request)).expect_err(path);
        assert_eq!((error.kind(), error.phase()), (kind, Some(phase)), "{}", error.one_line());
        assert!(error.one_line().contains(&named), "{}", error.one_line());
    }
    let error = run(fetch(&client(), get("http+unix://%2Fno%2Fsuch%2Fsocket/"))).expect_err("there is none");
    assert_eq!((error.kind(), error.phase()), (Kind::Connect, Some(Phase::Connect)));
    assert_eq!(error.one_line(), "cannot connect to the socket /no/such/socket: no such file or directory");
    for (url, text) in [
        (format!("http+unix://%2F{}/x", "y".repeat(200)), "has a socket whose path is 201 bytes long: at most"),
        ("http+unix:///run/docker.sock".into(), "names no socket: write its path percent-encoded"),
    ] {
        let error = run(fetch(&client(), get(&url))).expect_err(text);
        assert!(error.kind() == Kind::Url && error.one_line().contains(text), "{}", error.one_line());
    }
}

#[test]
fn redirects_stay_on_the_socket_and_never_lead_to_one() {
    let elsewhere = Server::start(|_| Reply::text("elsewhere"));
    let other = Server::builder().unused_ok().start(|_| Reply::text("must not be asked"));
    let to_other = socket_to(&other);
    let lead = to_other.url("/");
    let away = elsewhere.url("/");
    let server = Server::start(move |request| match request.path() {
        "/relative" => Reply::status(302).header("Location", "here?a"),
        "/away" => Reply::status(302).header("Location", &away),
        "/other" => Reply::status(302).header("Location", &lead),
        "/slashes" => Reply::status(302).header("Location", lead.trim_start_matches("http+unix:")),
        path => Reply::text(path.to_owned()),
    });
    let socket = socket_to(&server);
    let client = client().with(Redirect::default());
    let fetched = |url: String| fetch(&client, get(&url));
    run(async {
        assert_eq!(fetched(socket.url("/relative")).await.expect("it stays").1, b"/here");
        let with_secret = socket.url("/away").replace("://", "://me:hunter2@");
        assert_eq!(fetched(with_secret).await.expect("it goes on").1, b"elsewhere");
        for url in [socket.url("/other"), socket.url("/slashes"), server.url("/other")] {
            let error: Error = fetched(url.clone()).await.expect_err("another socket");
            assert_eq!(error.kind(), Kind::Redirect);
            assert!(error.one_line().contains("leads to another socket of this machine"), "{}", error.one_line());
        }
    });
    assert_eq!((other.stats().requests, server.stats().requests), (0, 6));
    assert_eq!(elsewhere.requests()[0].header("authorization"), None);
    // So that its own check is passed: it was started for nothing.
    assert_eq!(run(fetch(&client, get(&to_other.url("/")))).expect("it answers").0, 200);
}
