//! roundup and curl get the same from nginx, Apache httpd, lighttpd, Caddy and HAProxy, plain and over TLS.

use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::peer::{Peer, curl, for_root, nginx, program};
use super::{MIB, is_same, random_file};
use crate::common::{Authority, Dir, Leaf, PemFiles, TestCommand};

/// The files that every server sends, and the certificate that it sends them with.
struct Origin {
    dir: Dir,
    pem: PemFiles,
}

impl Origin {
    fn new() -> Origin {
        let dir = Dir::new();
        random_file(&dir, "1k", 1024);
        random_file(&dir, "large", 50 * MIB);
        let numbers: String = (1..=20_000).map(|n| format!("{n}\n")).collect();
        dir.write("text.txt", &numbers);
        dir.write("old/text.txt", &numbers);
        dir.write("empty", "");
        let text = dir.join("text.txt");
        let script = format!("printf 'Content-Type: text/plain\\r\\n\\r\\n'\ncat {}\n", text.display());
        dir.write("flow.cgi", script);
        Origin { dir, pem: Authority::new().server_files(Leaf::SelfSigned) }
    }

    fn root(&self) -> std::path::Display<'_> {
        self.dir.path().display()
    }

    fn certificate(&self) -> std::path::Display<'_> {
        self.pem.certificate.display()
    }

    fn key(&self) -> std::path::Display<'_> {
        self.pem.key.display()
    }

    /// nginx that answers with gzip and without chunks under /old/, so that this content ends with the connection.
    fn nginx(&self) -> Peer<2> {
        let more = "location /old/ { chunked_transfer_encoding off; }";
        nginx(self.dir.path(), &self.pem.certificate, &self.pem.key, more)
    }
}

/// A server at one scheme.
struct Site<'a> {
    origin: &'a Origin,
    scheme: &'static str,
    port: u16,
}

impl Site<'_> {
    fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    fn curl(&self) -> TestCommand {
        curl().args(["--http1.1", "--fail", "--cacert"]).arg(&self.origin.pem.certificate)
    }

    fn roundup(&self) -> TestCommand {
        TestCommand::new().args(["get", "--quiet", "--retries", "0", "--cacert"]).arg(&self.origin.pem.certificate)
    }

    /// Both get what is expected. Their options are words of a line.
    #[track_caller]
    fn same(&self, expected: &[u8], url: &str, for_roundup: &[&str], for_curl: &[&str]) {
        let by_curl = self.curl().args(for_curl).arg(url).run().expect_code(0);
        assert!(by_curl.stdout_bytes == expected, "curl gets something else from {url}");
        let by_roundup = self.roundup().arg("--body").args(for_roundup).arg(url).run().expect_code(0);
        assert!(by_roundup.stdout_bytes == expected, "roundup gets something else from {url}: {}", by_roundup.stderr);
    }

    /// The head that curl gets.
    fn head(&self, url: &str, options: &[&str]) -> String {
        let dump = ["--dump-header", "-", "--output", "/dev/null"];
        self.curl().args(dump).args(options).arg(url).run().expect_code(0).stdout().to_owned()
    }

    /// Both get the text, and curl sees this field, without which the check would be about something else.
    #[track_caller]
    fn same_with(&self, field: &str, url: &str) {
        let head = self.head(url, &["--compressed"]);
        assert!(
            head.lines().any(|line| line.to_ascii_lowercase().starts_with(field)),
            "no {field:?} from {url}: {head}"
        );
        self.same(&self.text(), url, &[], &["--compressed"]);
    }

    fn text(&self) -> Vec<u8> {
        self.origin.dir.read("text.txt").into_bytes()
    }

    /// Both get this status, and no content.
    #[track_caller]
    fn no_content(&self, url: &str, status: u16, for_roundup: &[&str], for_curl: &[&str]) {
        let shown = ["--output", "/dev/null", "--write-out", "%{http_code}"];
        let by_curl = self.curl().args(shown).args(for_curl).arg(url).run().expect_code(0);
        assert_eq!(by_curl.stdout(), status.to_string(), "curl gets another status from {url}");
        let expected = ["--report", "json", "--accept", &status.to_string()];
        let report = self.roundup().args(expected).args(for_roundup).arg(url).run().expect_code(0).json();
        let result = &report["results"][0];
        assert_eq!(result["status"], status, "{result:#}");
        assert_eq!(result["body_bytes"].as_u64().unwrap_or(0), 0, "{result:#}");
    }

    fn all(&self, flow: &str) {
        let kilobyte = std::fs::read(self.origin.dir.join("1k")).expect("it was written");
        let (small, text) = (self.url("/1k"), self.url("/text.txt"));
        self.same(&kilobyte, &small, &[], &[]);
        let by_name = format!("{}://localhost:{}/1k", self.scheme, self.port);
        self.same(&kilobyte, &by_name, &[], &["--ipv4"]);
        self.same(b"", &self.url("/empty"), &[], &[]);
        self.same_with("content-encoding: gzip", &text);
        self.same_with("transfer-encoding: chunked", &self.url(flow));
        self.same(&self.text(), &text, &["--raw"], &[]);
        self.same(&self.text(), &text, &[], &["--http1.0", "--no-alpn"]);
        self.no_content(&text, 200, &["--method", "HEAD"], &["--head"]);
        let head = self.head(&small, &["--head"]);
        let last_modified = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("last-modified"));
        let changed = format!("If-Modified-Since: {}", last_modified.expect("when it was changed").1.trim());
        self.no_content(&small, 304, &["-H", &changed], &["-H", &changed]);
        let range = ["-H", "Range: bytes=100-299"];
        self.same(&kilobyte[100..300], &small, &range, &range);
        self.keeps_connections();
        self.large();
        if self.scheme == "https" {
            self.pins_its_key(&kilobyte);
        }
    }

    #[track_caller]
    fn keeps_connections(&self) {
        let urls = ["/1k?[1-5]", "/text.txt", "/empty", "/1k"].map(|path| self.url(path));
        let call = self.roundup().args(["--report", "json", "--concurrency", "1"]).args(urls);
        let report = call.run().expect_code(0).json();
        let results = report["results"].as_array().expect("results").iter();
        let reused: Vec<Option<bool>> = results.map(|result| result["attempts"][0]["reused"].as_bool()).collect();
        assert_eq!(reused, [false, true, true, true, true, true, true, true].map(Some), "{report:#}");
    }

    #[track_caller]
    fn large(&self) {
        let (dir, url) = (Dir::new(), self.url("/large"));
        let original = self.origin.dir.join("large");
        self.curl().arg("--output").arg(dir.join("by-curl")).arg(&url).run().expect_code(0);
        assert!(is_same(&dir.join("by-curl"), &original), "curl gets something else");
        let options = ["--report", "json", "--output-dir"];
        let report = self.roundup().args(options).arg(dir.path()).arg(&url).run().expect_code(0).json();
        assert!(is_same(&super::saved(&report["results"][0], dir.path()), &original), "roundup gets something else");
    }

    /// By `openssl`, so that the pin is not computed by what checks it.
    #[track_caller]
    fn pins_its_key(&self, kilobyte: &[u8]) {
        let openssl = |words: &str, input: &[u8]| {
            let call = TestCommand::program(program("openssl", "openssl")).args(words.split(' ')).stdin(input);
            call.run().expect_code(0).stdout_bytes
        };
        let pem = std::fs::read(&self.origin.pem.certificate).expect("it was written");
        let key = openssl("pkey -pubin -outform der", &openssl("x509 -pubkey -noout", &pem));
        let pin = format!("sha256//{}", STANDARD.encode(openssl("dgst -sha256 -binary", &key)));
        let (url, right) = (self.url("/1k"), ["--pinnedpubkey", &pin]);
        self.same(kilobyte, &url, &right, &right);
        let other = ["--pinnedpubkey", "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="];
        assert!(!self.curl().args(other).arg(&url).run().status.success(), "curl takes another key");
        let output = self.roundup().arg("--body").args(other).arg(&url).run().expect_code(3);
        assert!(output.stdout().contains("not pinned") || output.stderr.contains("not pinned"), "{output:?}");
    }
}

/// All that is checked of every server. `flow` is what it sends in chunks.
fn check(origin: &Origin, server: &Peer<2>, flow: &str) {
    for site in sites(origin, server) {
        site.all(flow);
    }
}

fn sites<'a>(origin: &'a Origin, server: &Peer<2>) -> [Site<'a>; 2] {
    let [http, https] = server.ports;
    [("http", http), ("https", https)].map(|(scheme, port)| Site { origin, scheme, port })
}

#[test]
#[ignore = "needs nginx, curl, openssl"]
fn nginx_and_its_content_that_ends_with_the_connection() {
    let origin = Origin::new();
    let server = origin.nginx();
    check(&origin, &server, "/text.txt");
    for site in sites(&origin, &server) {
        site.same_with("content-encoding: gzip", &site.url("/old/text.txt"));
    }
}

#[test]
#[ignore = "needs apache2, curl, openssl"]
fn apache_and_its_answers_in_http_1_0() {
    let origin = Origin::new();
    let server = Peer::start("apache2", |dir, [http, https]| {
        let (at, root) = (dir.path().display(), origin.root());
        let modules = ["mpm_event", "authz_core", "deflate", "filter", "mime", "setenvif", "ssl"]
            .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"));
        // Under /old/ it answers in HTTP/1.0, whatever the request says.
        let old = "SetEnvIf Request_URI ^/old/ downgrade-1.0 force-response-1.0";
        let config = format!(
            "ServerName localhost\nServerRoot {at}\nPidFile {at}/pid\nDefaultRuntimeDir {at}\nErrorLog /dev/stderr\n\
            {user}\n{modules}Listen 127.0.0.1:{http}\nListen 127.0.0.1:{https}\nTypesConfig /dev/null\n\
            AddType text/plain .txt\nAddOutputFilterByType DEFLATE text/plain\nDocumentRoot {root}\n{old}\n\
            <VirtualHost 127.0.0.1:{https}>\nSSLEngine on\nSSLCertificateFile {certificate}\n\
            SSLCertificateKeyFile {key}\nDocumentRoot {root}\n{old}\n</VirtualHost>\n",
            user = for_root("User nobody\nGroup nogroup"),
            modules = modules.concat(),
            certificate = origin.certificate(),
            key = origin.key(),
        );
        let mut command = Command::new(program("apache2", "apache2-bin"));
        command.arg("-f").arg(dir.write("apache.conf", config)).args(["-D", "FOREGROUND"]);
        command
    });
    check(&origin, &server, "/text.txt");
    for site in sites(&origin, &server) {
        let old = site.url("/old/text.txt");
        assert!(site.head(&old, &[]).starts_with("HTTP/1.0 200"), "{old}");
        site.same(&site.text(), &old, &["--raw"], &[]);
        site.same_with("content-encoding: gzip", &old);
    }
}

#[test]
#[ignore = "needs lighttpd, curl, openssl"]
fn lighttpd() {
    let origin = Origin::new();
    let server = Peer::start("lighttpd", |dir, [http, https]| {
        let (root, both) = (origin.root(), origin.pem.both.display());
        // It knows how long a file is when it is compressed, so a program writes what is sent in chunks.
        let config = format!(
            "server.modules = ( \"mod_deflate\", \"mod_openssl\", \"mod_cgi\" )\nserver.stream-response-body = 1\n\
            cgi.assign = ( \".cgi\" => \"/bin/sh\" )\nserver.document-root = \"{root}\"\nserver.bind = \"127.0.0.1\"\n\
            server.port = {http}\nmimetype.assign = ( \".txt\" => \"text/plain\", \"\" => \"application/octet-stream\" )\n\
            deflate.mimetypes = ( \"text/plain\" )\ndeflate.allowed-encodings = ( \"gzip\" )\n\
            $SERVER[\"socket\"] == \"127.0.0.1:{https}\" {{ ssl.engine = \"enable\" ssl.pemfile = \"{both}\" }}\n"
        );
        let packages = "lighttpd lighttpd-mod-openssl lighttpd-mod-deflate";
        let mut command = Command::new(program("lighttpd", packages));
        command.arg("-D").arg("-f").arg(dir.write("lighttpd.conf", config));
        command
    });
    check(&origin, &server, "/flow.cgi");
}

#[test]
#[ignore = "needs caddy, curl, openssl"]
fn caddy() {
    let origin = Origin::new();
    let server = Peer::start("caddy", |dir, [http, https]| {
        let root = origin.root();
        let tls = format!("tls {} {}", origin.certificate(), origin.key());
        let site = |scheme: &str, port: u16, tls: &str| {
            let names = format!("{scheme}://127.0.0.1:{port}, {scheme}://localhost:{port}");
            format!("{names} {{\n root * {root}\n encode gzip\n file_server\n {tls}\n}}\n")
        };
        let options = "{\n admin off\n auto_https off\n default_sni localhost\n}\n";
        let config = options.to_owned() + &site("http", http, "") + &site("https", https, &tls);
        let mut command = Command::new(program("caddy", "caddy"));
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(dir.write("Caddyfile", config));
        command.env("XDG_DATA_HOME", dir.path()).env("XDG_CONFIG_HOME", dir.path());
        command
    });
    check(&origin, &server, "/text.txt");
}

#[test]
#[ignore = "needs haproxy, nginx, curl, openssl"]
fn haproxy_before_nginx() {
    let origin = Origin::new();
    let behind = origin.nginx();
    let server = Peer::start("haproxy", |dir, [http, https]| {
        let (both, behind): (PathBuf, u16) = (origin.pem.both.clone(), behind.ports[0]);
        let config = format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n\
            \x20compression algo gzip\n compression type text/plain\nfrontend all\n bind 127.0.0.1:{http}\n\
            \x20bind 127.0.0.1:{https} ssl crt {both}\n compression offload\n default_backend origin\n\
            backend origin\n server origin 127.0.0.1:{behind}\n",
            both = both.display(),
        );
        let mut command = Command::new(program("haproxy", "haproxy"));
        command.arg("-db").arg("-f").arg(dir.write("haproxy.conf", config));
        command
    });
    check(&origin, &server, "/text.txt");
}
