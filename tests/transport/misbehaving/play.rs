//! Plays one row: its server, its requests, and those that show that nothing of it is left.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::AsyncReadExt;
use futures_lite::io::Cursor;
use roundup::event_loop::{sleep, timeout, unblock};
use roundup::surf::Redirect;
use roundup::transport::{PoolLimits, Roots, body_error};
use roundup::{Error, Kind, Phase, Transport};
use rustix::fd::OwnedFd;
use rustls::ServerConfig;
use surf::http::Method;
use surf::{Body, Client};

use super::super::{fetch, get, head, request, wire, with_options};
use super::{Ask, Comes, Content, Does, Ends, Row, Then};
use crate::common::{Authority, Leaf, PATIENCE, Reply, Request, Server};

/// The path that every server answers as it should.
const PLAIN: &str = "/plain";

/// Limits of time for rows that end by one, in milliseconds. The next is taken where a busy machine did not get as far
/// as the row is about.
const LIMITS: [u64; 4] = [100, 500, 2500, 12_500];

/// Long enough for bytes to be read.
pub(super) const BRIEF: Duration = Duration::from_millis(20);

/// More than all buffers on the way hold.
static LARGE: [u8; 16 << 20] = [0; 16 << 20];

/// Content over this is counted and not kept.
const KEPT: usize = 2 << 20;

/// What all rows share.
pub(super) struct Scene {
    authority: Authority,
    tls: Arc<ServerConfig>,
    well: Server,
}

/// A server for one row.
pub(super) struct Stage {
    server: Option<Arc<Server>>,
    address: SocketAddr,
    /// The URL of the row, without its path.
    url: String,
    /// The same for what goes well, if anything can.
    plain: Option<String>,
    _held: Held,
}

/// What keeps others from the port of a row.
#[expect(dead_code, reason = "it is only held")]
enum Held {
    Nothing,
    /// A port that is taken and not listened to.
    Bound(OwnedFd),
    /// A port whose queue of connections is full.
    #[cfg(target_os = "linux")]
    Full(TcpListener, Vec<TcpStream>),
}

impl Scene {
    pub(super) fn new() -> Scene {
        let authority = Authority::new();
        let tls = authority.server(Leaf::Good);
        let well = Server::start(|request| Reply::text(format!("well, {}", request.target)));
        Scene { authority, tls, well }
    }

    /// A client that keeps what it may keep, for as long as the table takes: so that it can be counted.
    pub(super) fn client(&self) -> Client {
        let patient = PoolLimits { per_origin: 50, total: 10_000, idle_age: Duration::from_secs(3600) };
        let roots = Roots::File(self.authority.ca_file().into());
        let transport = Transport::builder().roots(roots).pool(patient).connect_timeout(PATIENCE);
        roundup::surf::client(transport.build().expect("a good file")).with(Redirect::default())
    }

    /// Asks the server that behaves.
    ///
    /// # Errors
    /// What is wrong with its answer.
    pub(super) async fn ask_who_behaves(&self, client: &Client, n: usize) -> Result<(), String> {
        let path = format!("/{n}");
        let got = fetch(client, get(&self.well.url(&path))).await;
        match got {
            Ok((200, content)) if content == format!("well, {path}").as_bytes() => Ok(()),
            other => Err(format!("then the server that behaves: {}", shown(&other))),
        }
    }

    /// How many connections there are to the server that behaves.
    pub(super) fn open_to_who_behaves(&self) -> usize {
        self.well.stats().open
    }

    /// Plays a row with this client, `among` so many others. Resolves to how many idle connections the client has of
    /// it.
    ///
    /// # Errors
    /// What is not as the row says.
    pub(super) async fn play(&self, row: &Row, client: &Client, among: usize) -> Result<usize, String> {
        let patience = if among > 10 { PATIENCE * 3 } else { PATIENCE / 2 };
        let played = timeout(patience, self.play_to_its_end(row, client, among)).await;
        played.unwrap_or_else(|_| Err("hangs".to_owned()))
    }

    async fn play_to_its_end(&self, row: &Row, client: &Client, among: usize) -> Result<usize, String> {
        // What keeps all of them busy at once would only make each try again.
        let limits = if among > 10 { &LIMITS[1..] } else { &LIMITS[..] };
        for ms in limits {
            let limit = Duration::from_millis(*ms);
            let stage = self.set(row.does).await;
            let got = stage.ask(row, client, limit).await?;
            let too_slow = match (&got, row.comes) {
                (Err(error), Comes::Fails(Kind::Timeout, phase, _)) => {
                    error.kind() == Kind::Timeout && error.phase() < Some(phase)
                }
                _ => false,
            };
            let last = !too_slow || limits.last() == Some(ms);
            let played = match stage.judge(row, &got) {
                Ok(()) => stage.ask_for_plain(row, client).await,
                Err(wrong) => Err(wrong),
            };
            // Where many do so at once, waiting for their threads would hold the loop for long.
            unblock(move || drop(stage)).await;
            if last {
                return played;
            }
        }
        unreachable!("the last limit returns")
    }

    async fn set(&self, does: Does) -> Stage {
        let builder = Server::builder().malformed_ok();
        let server = match does {
            Does::Nobody => {
                let (address, bound) = bound();
                return Stage::without_server(address, Held::Bound(bound));
            }
            #[cfg(target_os = "linux")]
            Does::Full => {
                let full = unblock(super::super::timeouts::full_port).await;
                return Stage::without_server(full.0.local_addr().expect("bound"), Held::Full(full.0, full.1));
            }
            Does::Says(bytes, ends) => builder.start(plainly(move |_| {
                let reply = Reply::raw(bytes);
                match ends {
                    Ends::Waits => reply,
                    Ends::Closes => reply.close(),
                    Ends::Resets if bytes.is_empty() => reply.reset(),
                    // So that the reset does not overtake the bytes.
                    Ends::Resets => reply.pause(BRIEF).reset(),
                }
            })),
            Does::Plays(play) => builder.start(plainly(play)),
            Does::Early(play) => builder.on_head(early(play)).start(plainly(served)),
            Does::Accepts(play) => builder.on_connect(first(play)).start(plainly(served)),
            Does::Https(play) => builder.tls(self.tls.clone()).start(plainly(play)),
            Does::BeforeTls(play) => builder.tls(self.tls.clone()).on_connect(first(play)).start(plainly(served)),
            Does::Shows(leaf) => builder.tls(self.authority.server(leaf)).start(plainly(served)),
            Does::TlsOnHttp => builder.tls(self.tls.clone()).start(plainly(served)),
            Does::HttpOnTls => builder.start(plainly(served)),
        };
        let base = |scheme: &str| format!("{scheme}://{}", server.addr());
        let (url, plain) = match does {
            Does::Shows(_) => (base("https"), None),
            Does::Https(_) | Does::BeforeTls(_) => (base("https"), Some(base("https"))),
            Does::TlsOnHttp => (base("http"), Some(base("https"))),
            Does::HttpOnTls => (base("https"), Some(base("http"))),
            _ => (base("http"), Some(base("http"))),
        };
        Stage { address: server.addr(), server: Some(Arc::new(server)), url, plain, _held: Held::Nothing }
    }
}

/// A port of 127.0.0.1 that refuses connections, and that nobody else gets while it is held.
fn bound() -> (SocketAddr, OwnedFd) {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let bound = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&bound, &any).expect("a free port");
    let address = getsockname(&bound).expect("it is bound").try_into().expect("an internet address");
    (address, bound)
}

/// What is good is answered well, all else as the row says.
fn plainly(play: impl Fn(&Request) -> Reply + Send + Sync) -> impl Fn(&Request) -> Reply + Send + Sync {
    move |request| if request.path() == PLAIN { Reply::text("plain") } else { play(request) }
}

fn early(play: fn(&Request) -> Reply) -> impl Fn(&Request) -> Option<Reply> {
    move |request| (request.path() != PLAIN).then(|| play(request))
}

fn first(play: fn() -> Reply) -> impl Fn(usize) -> Option<Reply> {
    move |n| (n == 1).then(play)
}

fn served(_: &Request) -> Reply {
    Reply::text("served")
}

impl Stage {
    fn without_server(address: SocketAddr, held: Held) -> Stage {
        Stage { server: None, address, url: format!("http://{address}"), plain: None, _held: held }
    }

    async fn ask(&self, row: &Row, client: &Client, limit: Duration) -> Result<Result<(u16, Vec<u8>), Error>, String> {
        let url = |path: &str| format!("{}{path}", self.url);
        let of = |then: Then| match then {
            Then::Get => get(&url("/")),
            Then::Post => small(&url("/")),
        };
        let request = match row.ask {
            Ask::Get => get(&url("/")),
            Ask::Head => request(Method::Head, &url("/")),
            Ask::Post => small(&url("/")),
            Ask::Upload => large(&url("/"), Some(LARGE.len())),
            Ask::Stream => large(&url("/"), None),
            Ask::Again(then) => {
                self.first(client).await?;
                of(then)
            }
            Ask::AfterClose(then) => {
                self.first(client).await?;
                self.wait_until_open(0).await?;
                of(then)
            }
        };
        let limited = matches!(row.comes, Comes::Fails(Kind::Timeout, ..));
        let (request, _) = with_options(request, |options| {
            options.deadline = limited.then(|| (Instant::now() + limit, limit));
        });
        let answer = async {
            let mut response = head(client, request).await?;
            let status = wire(&response).head().status();
            Ok((status, read(response.take_body(), row.up_to).await?))
        };
        Ok(answer.await)
    }

    /// The request that goes well.
    async fn first(&self, client: &Client) -> Result<(), String> {
        match fetch(client, get(&format!("{}/first", self.url))).await {
            Ok((200, content)) if content == b"first" => Ok(()),
            other => Err(format!("the first request: {}", shown(&other))),
        }
    }

    /// Whether it came as the row says.
    fn judge(&self, row: &Row, got: &Result<(u16, Vec<u8>), Error>) -> Result<(), String> {
        let right = match (got, row.comes) {
            (Ok((status, content)), Comes::Ok(expected, Content::Text(text))) => {
                *status == expected && content == text.as_bytes()
            }
            (Ok((status, content)), Comes::Ok(expected, Content::Zeros(length))) => {
                *status == expected && content.len() == length && content.iter().all(|byte| *byte == 0)
            }
            (Err(error), Comes::Fails(kind, phase, cause)) => {
                let line = error.one_line();
                let named = row.elsewhere || line.contains(&self.address.to_string());
                let class = error.phase().map(|phase| (error.kind(), phase));
                let classified = class == Some((kind, phase)) || class.is_some() && row.or.contains(&class);
                classified && named && line.contains(cause)
            }
            _ => false,
        };
        let wanted = || match row.comes {
            Comes::Ok(status, Content::Text(text)) => format!("{status} with {text:?}"),
            Comes::Ok(status, Content::Zeros(length)) => format!("{status} with {length} zeros"),
            Comes::Fails(kind, phase, cause) => format!("{kind} in {phase} with {cause:?} and {}", self.address),
        };
        if right { Ok(()) } else { Err(format!("{}, where {} is right", shown(got), wanted())) }
    }

    /// Asks the same server for what goes well: it comes on the same connection where the row says that this is kept,
    /// and else on a new one, while all others are closed.
    async fn ask_for_plain(&self, row: &Row, client: &Client) -> Result<usize, String> {
        let Some(server) = &self.server else { return Ok(0) };
        self.wait_until_open(usize::from(row.kept) + row.stalled).await?;
        let Some(plain) = &self.plain else { return Ok(0) };
        let before = server.stats().connections;
        match fetch(client, get(&format!("{plain}{PLAIN}"))).await {
            Ok((200, content)) if content == b"plain" => {}
            other => return Err(format!("then the same server: {}", shown(&other))),
        }
        let new = server.stats().connections - before;
        if new != usize::from(!row.kept) {
            return Err(format!("{new} new connections, though kept is {}", row.kept));
        }
        self.wait_until_open(1 + row.stalled).await?;
        Ok(1)
    }

    /// What the client has dropped the server sees closed, sooner or later.
    async fn wait_until_open(&self, expected: usize) -> Result<(), String> {
        let Some(server) = &self.server else { return Ok(()) };
        let limit = Instant::now() + PATIENCE / 4;
        loop {
            let open = server.stats().open;
            if open == expected {
                return Ok(());
            }
            if Instant::now() >= limit {
                return Err(format!("{open} connections are open, where {expected} should be"));
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
}

fn small(url: &str) -> surf::Request {
    let mut request = request(Method::Post, url);
    request.set_body("once");
    request
}

fn large(url: &str, length: Option<usize>) -> surf::Request {
    let mut request = request(Method::Post, url);
    request.set_body(Body::from_reader(Cursor::new(&LARGE[..]), length));
    request
}

/// The content, or so much of it as is asked for.
async fn read(mut body: Body, up_to: Option<usize>) -> Result<Vec<u8>, Error> {
    let most = up_to.unwrap_or(usize::MAX);
    let mut content = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    let mut total = 0;
    while total < most {
        let wanted = (most - total).min(piece.len());
        let n = body.read(&mut piece[..wanted]).await.map_err(body_error)?;
        if n == 0 {
            break;
        }
        total += n;
        if content.len() + n <= KEPT {
            content.extend_from_slice(&piece[..n]);
        }
    }
    Ok(content)
}

fn shown(got: &Result<(u16, Vec<u8>), Error>) -> String {
    match got {
        Ok((status, content)) => {
            let start = content[..content.len().min(60)].escape_ascii();
            format!("{status} with {} bytes, \"{start}\"", content.len())
        }
        Err(error) => {
            let phase = error.phase().map_or("no phase", Phase::as_str);
            format!("{} in {phase}: {}", error.kind(), error.one_line())
        }
    }
}
