//! Options that decide where connections go.

use super::{complaint, line, roundup};
use crate::common::{Reply, Server};

#[test]
fn each_option_leads_to_the_server() {
    let server = Server::start(|_| Reply::json("1"));
    let port = server.port();
    let url = format!("http://api.invalid:{port}/");
    let resolve = format!("api.invalid:{port}:127.0.0.1");
    let elsewhere = format!("::127.0.0.1:{port}");
    for words in [
        &["--resolve", "x.invalid:1:::1", "--resolve", &resolve][..],
        &["--resolve", &format!("*:{port}:127.0.0.1,::1"), "-4"],
        &["--connect-to", "x.invalid:::1", "--connect-to", &elsewhere, "--ipv4"],
    ] {
        roundup(["get", &url, "-q"]).args(words).run().expect_code(0);
    }
    let variables = [("ROUNDUP_RESOLVE", format!("x.invalid:1:::1\n{resolve}")), ("ROUNDUP_CONNECT_TO", elsewhere)];
    for (name, value) in variables {
        roundup(["get", &url, "-q"]).env(name, value).run().expect_code(0);
    }
    let seen = server.requests();
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|request| request.header("host") == Some(&format!("api.invalid:{port}"))));
    let report = line("get http://127.0.0.1:1/ -6 --report json -q").run().expect_code(3).json();
    let said = report["results"][0]["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains("has no IPv6 address"), "{said}");
    // The command line goes over the environment.
    roundup(["get", &server.url("/"), "-q", "-4"]).env("ROUNDUP_IPV6", "1").run().expect_code(0);
}

#[cfg(unix)]
#[test]
fn a_socket_takes_all_and_no_proxy_is_asked() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    let dir = crate::common::Dir::new();
    // A relative path, because an absolute one may be too long for a socket.
    let listener = {
        let path = std::env::temp_dir().join(format!("roundup-cli-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a free name");
        std::os::unix::fs::symlink(&path, dir.join("s")).expect("a new link");
        (listener, path)
    };
    let server = std::thread::spawn(move || {
        let mut heads = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.0.accept().expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a whole head");
                head.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n7").expect("the client reads");
            heads.push(String::from_utf8(head).expect("text"));
        }
        let _ = std::fs::remove_file(&listener.1);
        heads
    });
    let call = |words: &str| line(&format!("get http://docker/info --body -q {words}")).inside(&dir);
    let output = call("--unix-socket s").env("http_proxy", "http://127.0.0.1:1").run().expect_code(0);
    assert_eq!(output.stdout(), "7");
    let output = call("").env("ROUNDUP_UNIX_SOCKET", "s").run().expect_code(0);
    assert_eq!(output.stdout(), "7");
    let heads = server.join().expect("the server does not panic");
    assert!(heads.iter().all(|head| head.starts_with("GET /info HTTP/1.1\r\nHost: docker\r\n")), "{heads:?}");
    let output = call("--unix-socket none --retries 0 --report json=r").run().expect_code(3);
    assert!(output.stderr.is_empty() || output.stderr.contains("the socket none"), "{output:?}");
    assert!(dir.read("r").contains("cannot connect to the socket none: no such file or directory"));
}

#[cfg(unix)]
#[test]
fn a_socket_is_a_source_like_any_other() {
    use crate::common::Dir;
    use crate::transport::sockets::socket_to;

    let server = Server::start(|request| Reply::json(format!("{{\"path\":\"{}\"}}", request.path())));
    let socket = socket_to(&server);
    let dir = Dir::new();
    let path = socket.path().to_str().expect("text");
    dir.write("list", format!("# mine\ninfo {}\n", socket.url("/v1/info")));
    dir.write(
        "plan.toml",
        format!(
            "[hosts.{path:?}]\nheaders = {{ X-From = \"hosts\" }}\nper_host = 1\n\
             [[job]]\nname = \"all\"\nurl = \"http+unix://{{socket}}/v1/{{n}}\"\n\
             each = {{ socket = [{path:?}], n = [1, 2, 3] }}\nselect = {{ path = \"/path\" }}\n"
        ),
    );
    let urls = [socket.url("/v1/[1-2]"), socket.url("/v1/3").replace("%2F", "%2f")];
    let report = roundup(["get", &urls[0], &urls[1], "--report", "json", "-q"]).run().expect_code(0).json();
    assert_eq!(report["results"][0]["url"], socket.url("/v1/1"));
    assert_eq!(report["results"][2]["url"], urls[1]);
    assert_eq!(report["results"][0]["attempts"][0]["address"], path);
    let output = line("get --input list --body -q").inside(&dir).run().expect_code(0);
    assert_eq!(output.stdout(), "{\"path\":\"/v1/info\"}");
    let explained = line("check plan.toml").inside(&dir).run().expect_code(0);
    assert!(explained.stdout().contains("host 1 at once"), "{explained:?}");
    let report = line("run plan.toml --report json -q").inside(&dir).run().expect_code(0).json();
    assert_eq!(report["results"][2]["data"]["path"], "/v1/3");
    assert_eq!(report["results"][2]["url"], format!("http+unix://{}/v1/3", path.replace('/', "%2F")));
    let seen = server.requests();
    assert_eq!(seen.len(), 7);
    assert!(seen.iter().all(|request| request.header("host") == Some("localhost")));
    assert!(seen[4..].iter().all(|request| request.header("x-from") == Some("hosts")));
    // The longest wait of those three is that of the third: they went one after the other.
    let started = |nth: usize| report["results"][nth]["attempts"][0]["started_ms"].as_f64().expect("a number");
    assert!(started(0) < started(1) && started(1) < started(2), "{report}");
    line("get --input list --output-dir out -q").inside(&dir).run().expect_code(0);
    let name = socket.url("/v1/info");
    line("get --output-dir urls -q").arg(&name).inside(&dir).run().expect_code(0);
    let saved = format!("urls/{}_v1_info", path.trim_start_matches('/').replace('/', "_"));
    assert_eq!(dir.read(&saved), dir.read("out/info"));
    // A path that no socket can have is found before anything is sent.
    let long = format!("http+unix://%2F{}/v1", "x".repeat(300));
    let output = roundup(["get", &long, "-q"]).run().expect_code(1);
    assert!(
        complaint(&output).ends_with("has a socket whose path is 301 bytes long: at most 107 are possible"),
        "{output:?}"
    );
    let output = line("get http+unix:///run/docker.sock/v1 -q").run().expect_code(1);
    let right = "names no socket: write its path percent-encoded where a host stands, as in \
                 http+unix://%2Frun%2Fdocker.sock/v1/info";
    assert!(complaint(&output).ends_with(right), "{output:?}");
}

#[test]
fn mistakes_say_what_would_be_right() {
    for (words, said) in [
        ("--resolve a:1", "--resolve: \"a:1\" has no address: write HOST:PORT:ADDRESS[,ADDRESS]"),
        ("--connect-to a:1:b", "--connect-to: \"a:1:b\" has fewer than three colons: write HOST1:PORT1:HOST2:PORT2"),
        ("-4 -6", "--ipv4 and --ipv6 exclude each other"),
        ("--interface 192.0.2.1", "--interface: \"192.0.2.1\" is not an address of this machine"),
        ("--interface if!", "--interface: \"if!\" names nothing to connect from: write the name of an interface"),
        ("--interface lo --unix-socket s", "--unix-socket and --interface exclude each other"),
        ("--unix-socket s --proxy http://h:1", "--unix-socket and --proxy exclude each other"),
    ] {
        let output = line(&format!("get http://127.0.0.1:1/ {words}")).run().expect_code(1);
        assert!(complaint(&output).starts_with(said), "{output:?}");
    }
}

#[test]
fn content_waits_where_the_header_field_says_so() {
    use std::io::{Read, Write};

    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let server = std::thread::spawn(move || {
        // The first is asked, the second waits it out.
        for asks in [true, false] {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a whole head");
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
            assert!(head.contains("\r\nexpect: 100-continue\r\n"), "{head}");
            if asks {
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").expect("the client reads");
            }
            stream.read_exact(&mut [0; 5]).expect("the content");
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n7").expect("the client reads");
        }
    });
    let words =
        ["get", &url, "-q", "-H", "expect: 100-continue", "-d", "hello", "--retries", "0", "--expect100-timeout"];
    roundup(words).arg("1h").run().expect_code(0);
    roundup(words).arg("10ms").run().expect_code(0);
    server.join().expect("all went as written");
}

#[cfg(target_os = "linux")]
#[test]
fn connections_are_made_from_where_it_is_said() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let server = std::thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        let mut peers = Vec::new();
        for _ in 0..3 {
            let (mut stream, peer) = listener.accept().expect("a connection");
            peers.push(peer.ip().to_string());
            let lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
            let head = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
            assert!(head.count() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n7").expect("the client reads");
        }
        peers
    });
    roundup(["get", &url, "-q", "--interface", "127.0.0.3"]).run().expect_code(0);
    roundup(["get", &url, "-q"]).env("ROUNDUP_INTERFACE", "host!127.0.0.4").run().expect_code(0);
    roundup(["get", &url, "-q", "--interface=if!lo"]).env("ROUNDUP_UNIX_SOCKET", "/no/such").run().expect_code(0);
    assert_eq!(server.join().expect("the server does not panic"), ["127.0.0.3", "127.0.0.4", "127.0.0.1"]);
}
