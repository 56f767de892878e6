//! Real proxies: tinyproxy (HTTP) and microsocks (SOCKS5), with and without a password.

use std::process::Command;

use super::peer::{Peer, program};
use crate::common::{Authority, Leaf, Output, Reply, Server, TestCommand, refusing_port};

const HELLO: &str = "hello from the origin";
const LOGIN: &str = "walter:hunter2";

/// Two origins, a port that refuses connections, and the authority that the origin with TLS is trusted by.
struct Origins {
    http: Server,
    https: Server,
    closed: u16,
    authority: Authority,
}

impl Origins {
    fn start() -> Origins {
        let authority = Authority::new();
        let answer = |_: &_| Reply::text(HELLO);
        // A proxy may open a connection and send nothing.
        let new = || Server::builder().unused_ok().malformed_ok();
        let https = new().tls(authority.server(Leaf::Good)).start(answer);
        Origins { http: new().start(answer), https, closed: refusing_port(), authority }
    }

    fn plain(&self) -> String {
        self.http.url_at("localhost", "/hello.txt")
    }

    fn secure(&self) -> String {
        self.https.url_at("localhost", "/hello.txt")
    }

    fn get(&self, url: &str) -> TestCommand {
        let call = TestCommand::new().args(["get", "--quiet", "--body", "--retries", "0", url]);
        call.env("SSL_CERT_FILE", self.authority.ca_file())
    }

    /// tinyproxy, which tunnels to the origin with TLS and to the closed port alone.
    fn tinyproxy(&self, more: &str) -> Peer<1> {
        Peer::start("tinyproxy", |dir, [port]| {
            let (https, closed) = (self.https.port(), self.closed);
            let config = format!(
                "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nMaxClients 20\nLogLevel Connect\n\
                ConnectPort {https}\nConnectPort {closed}\n{more}\n"
            );
            let mut command = Command::new(program("tinyproxy", "tinyproxy-bin"));
            command.arg("-d").arg("-c").arg(dir.write("tinyproxy.conf", config));
            command
        })
    }
}

fn microsocks(login: &[&str]) -> Peer<1> {
    Peer::start("microsocks", |_, [port]| {
        let mut command = Command::new(program("microsocks", "microsocks"));
        command.args(["-i", "127.0.0.1", "-p", &port.to_string()]).args(login);
        command
    })
}

fn with_login(scheme: &str, proxy: &Peer<1>) -> String {
    format!("{scheme}://{LOGIN}@127.0.0.1:{}", proxy.ports[0])
}

fn without_login(scheme: &str, proxy: &Peer<1>) -> String {
    format!("{scheme}://127.0.0.1:{}", proxy.ports[0])
}

#[track_caller]
fn shows_no_password(output: &Output) {
    assert!(!format!("{}{}", output.stdout(), output.stderr).contains("hunter2"), "the password is shown: {output:?}");
}

/// The content comes.
#[track_caller]
fn works(call: TestCommand) {
    let output = call.run().expect_code(0);
    assert_eq!(output.stdout().trim_end(), HELLO, "{output:?}");
    shows_no_password(&output);
}

/// The content comes, and the proxy's log gets a line with this text.
#[track_caller]
fn works_through(proxy: &Peer<1>, logged: &str, call: TestCommand) {
    let before = proxy.log().matches(logged).count();
    works(call);
    let log = proxy.log();
    assert!(log.matches(logged).count() > before, "no {logged:?} in the log of the proxy: {log}");
}

/// It fails and says this.
#[track_caller]
fn fails(call: TestCommand, text: &str) {
    let output = call.run();
    assert!(!output.status.success(), "{output:?}");
    assert!(output.stdout().contains(text) || output.stderr.contains(text), "no {text:?}: {output:?}");
    shows_no_password(&output);
}

#[test]
#[ignore = "needs tinyproxy"]
fn http_proxies() {
    let origins = Origins::start();
    let open = origins.tinyproxy("");
    let guarded = origins.tinyproxy("BasicAuth walter hunter2");
    let (plain, secure) = (origins.plain(), origins.secure());
    let through = |url: &str, proxy: &str| origins.get(url).args(["--proxy", proxy]);
    let tunnel = format!("CONNECT localhost:{}", origins.https.port());

    works_through(&open, &format!("GET {plain}"), through(&plain, &without_login("http", &open)));
    works_through(&open, &tunnel, through(&secure, &format!("127.0.0.1:{}", open.ports[0])));
    let asked = format!("GET http://localhost:{}", origins.http.port());
    works_through(&guarded, &asked, through(&plain, &with_login("http", &guarded)));
    works_through(&guarded, &tunnel, through(&secure, &with_login("http", &guarded)));

    fails(through(&secure, &without_login("http", &guarded)), "status 407");
    let wrong = format!("http://walter:hunter22@127.0.0.1:{}", guarded.ports[0]);
    fails(through(&secure, &wrong), "does not accept this user");
    // A port that it does not tunnel to.
    let forbidden = format!("https://localhost:{}/", origins.http.port());
    fails(through(&forbidden, &without_login("http", &open)), "status 403");
    let closed = format!("https://localhost:{}/", origins.closed);
    fails(through(&closed, &without_login("http", &open)), "the proxy failed or could not reach the host");
    fails(through(&plain, &format!("http://127.0.0.1:{}", origins.closed)), "cannot be reached");
}

#[test]
#[ignore = "needs microsocks"]
fn socks_proxies() {
    let origins = Origins::start();
    let open = microsocks(&[]);
    let guarded = microsocks(&["-u", "walter", "-P", "hunter2"]);
    let (plain, secure) = (origins.plain(), origins.secure());
    let through = |url: &str, proxy: &str| origins.get(url).args(["--proxy", proxy]);
    let (http, https) = (origins.http.port(), origins.https.port());

    works_through(&open, &format!("localhost:{http}"), through(&plain, &without_login("socks5", &open)));
    works_through(&open, &format!("localhost:{https}"), through(&secure, &without_login("socks5h", &open)));
    works_through(&guarded, &format!("localhost:{http}"), through(&plain, &with_login("socks5", &guarded)));
    works_through(&guarded, &format!("localhost:{https}"), through(&secure, &with_login("socks5", &guarded)));
    let by_address = origins.http.url("/hello.txt");
    works_through(&open, &format!("127.0.0.1:{http}"), through(&by_address, &without_login("socks5", &open)));

    fails(through(&plain, &without_login("socks5", &guarded)), "the proxy asks for authentication");
    let wrong = format!("socks5://walter:hunter22@127.0.0.1:{}", guarded.ports[0]);
    fails(through(&plain, &wrong), "does not accept this user");
    let closed = format!("http://localhost:{}/", origins.closed);
    fails(through(&closed, &without_login("socks5", &open)), "SOCKS5 reply 5");
    fails(through("http://no-such-host.invalid/", &without_login("socks5", &open)), "SOCKS5 reply");
    fails(through(&secure, &without_login("http", &open)), "write socks5://");
}

#[test]
#[ignore = "needs tinyproxy, microsocks"]
fn proxies_of_the_environment() {
    let origins = Origins::start();
    let http_proxy = origins.tinyproxy("BasicAuth walter hunter2");
    let socks_proxy = microsocks(&["-u", "walter", "-P", "hunter2"]);
    let (plain, secure) = (origins.plain(), origins.secure());
    let (http, https) = (origins.http.port(), origins.https.port());
    let login = format!("{LOGIN}@127.0.0.1:{}", http_proxy.ports[0]);

    let asked = format!("GET http://localhost:{http}");
    works_through(&http_proxy, &asked, origins.get(&plain).env("http_proxy", &login));
    works_through(&http_proxy, &format!("CONNECT localhost:{https}"), origins.get(&secure).env("HTTPS_PROXY", &login));
    let all = with_login("socks5", &socks_proxy);
    works_through(&socks_proxy, &format!("localhost:{http}"), origins.get(&plain).env("ALL_PROXY", all));

    let nowhere = format!("http://127.0.0.1:{}", origins.closed);
    // CGI programs find a request's field Proxy in HTTP_PROXY, so it is not read.
    works(origins.get(&plain).env("HTTP_PROXY", &nowhere));
    works(origins.get(&plain).env("http_proxy", &nowhere).env("NO_PROXY", "localhost"));
    works(origins.get(&plain).args(["--proxy", &nowhere]).env("NO_PROXY", "localhost"));
}
