//! One connection to Redis: commands go out together, and their replies come in order.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::address::FleetAddress;
use super::resp::{Commands, Decoder, Reply};
use crate::error::{Error, Kind};
use crate::event_loop::timeout;
use crate::transport::{ByteStream, Transport};

/// How long Redis may take for replies, beside the time for which a command waits by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How much is read at once.
const READ: usize = 64 << 10;

/// The oldest Redis that has what is needed: XAUTOCLAIM.
const OLDEST: (u32, u32) = (6, 2);

/// Why commands did not do what they should.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// The connection is gone, or could not be made. Another may be.
    Lost(String),
    /// Redis cannot do it now: it is starting, or full.
    Busy(String),
    /// The run is not there any more.
    Gone,
    /// It will not help to try again.
    Fatal(String),
}

impl Trouble {
    /// What an error of Redis means.
    fn of(text: &str) -> Trouble {
        // Before Redis 7 an error within a script is told as one of the script, and a word alone gets ERR before it.
        let text = [" -OOM ", " -MISCONF ", " -NOGROUP ", " -GONE"]
            .iter()
            .find_map(|word| text.starts_with("ERR ").then(|| text.find(word)).flatten())
            .map_or_else(|| if text == "ERR GONE" { "GONE" } else { text }, |at| &text[at + 2..]);
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let said: String = text.chars().take(200).collect();
        match word {
            // Scripts say so of themselves.
            "GONE" => Trouble::Gone,
            // The stream was deleted, before the command or while it waited.
            "NOGROUP" | "UNBLOCKED" => Trouble::Gone,
            "OOM" => Trouble::Busy("is full: give it more than its maxmemory allows, or let other keys go".to_owned()),
            "MISCONF" => Trouble::Busy(format!("cannot write to its disk: {said}")),
            // It was told to forget them; a new connection loads them again.
            "NOSCRIPT" => Trouble::Lost("has forgotten its scripts".to_owned()),
            "LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" => Trouble::Busy(format!("is busy: {said}")),
            "READONLY" | "MASTERDOWN" => {
                Trouble::Fatal("is a replica that can only be read: name the one that it follows".to_owned())
            }
            "WRONGPASS" => Trouble::Fatal("does not take this user and password".to_owned()),
            "NOAUTH" => Trouble::Fatal("wants a password: write redis://user:password@host".to_owned()),
            "NOPERM" => Trouble::Fatal(format!("does not let this user do what a fleet needs: {said}")),
            "WRONGTYPE" => {
                Trouble::Fatal("has other data under the keys of a fleet, which begin with \"ru:\"".to_owned())
            }
            "MOVED" | "ASK" => Trouble::Fatal("is one of a cluster: name a Redis that stands alone".to_owned()),
            "ERR"
                if rest.contains("Client sent AUTH")
                    || rest.contains("AUTH <password> called without any password") =>
            {
                Trouble::Fatal("has no password, and one was given".to_owned())
            }
            "ERR" if rest.starts_with("invalid password") => {
                Trouble::Fatal("does not take this user and password".to_owned())
            }
            "ERR" if rest.starts_with("DB index") => Trouble::Fatal("has no database of this number".to_owned()),
            _ => Trouble::Fatal(format!("says: {said}")),
        }
    }

    /// The line for it.
    pub(super) fn line(&self, address: &FleetAddress) -> String {
        match self {
            Trouble::Lost(why) | Trouble::Busy(why) | Trouble::Fatal(why) => format!("{address} {why}"),
            Trouble::Gone => format!("the run is not in {address} any more: it is over, was cancelled, or has expired"),
        }
    }

    pub(super) fn into_error(self, address: &FleetAddress) -> Error {
        Error::new(Kind::Config, self.line(address))
    }
}

/// Makes connections to one Redis.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) address: Arc<FleetAddress>,
    transport: Transport,
}

/// A connection that is open.
pub(super) struct Connection {
    stream: ByteStream,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl Connector {
    pub(super) fn new(address: FleetAddress, transport: Transport) -> Connector {
        Connector { address: address.into(), transport }
    }

    /// A connection that has shown who asks.
    pub(super) async fn connect(&self) -> Result<Connection, Trouble> {
        let opened = self.transport.open_stream(self.address.origin.clone(), CONNECT).await;
        let stream = opened.map_err(|error| Trouble::Lost(format!("cannot be reached: {}", error.one_line())))?;
        let mut connection = Connection { stream, decoder: Decoder::default(), buffer: vec![0; READ] };
        let FleetAddress { user, password, database, .. } = &*self.address;
        let mut commands = Commands::default();
        match (user, password) {
            (Some(user), Some(password)) => commands.add(&["AUTH", user, password]),
            (None, Some(password)) => commands.add(&["AUTH", password]),
            (_, None) => commands.add(&["PING"]),
        }
        if *database > 0 {
            commands.add(&["SELECT", &database.to_string()]);
        }
        connection.call(&commands, Duration::ZERO).await?;
        Ok(connection)
    }

    /// A connection to a Redis that can hold a fleet, and what is to be said about it.
    pub(super) async fn connect_first(&self) -> Result<(Connection, Option<String>), Trouble> {
        let mut connection = self.connect().await?;
        let mut commands = Commands::default();
        commands.add(&["INFO"]);
        let info =
            connection.call(&commands, Duration::ZERO).await?.pop().and_then(Reply::into_text).unwrap_or_default();
        let note = ServerInfo::read(&info).check()?;
        Ok((connection, note))
    }
}

impl Connection {
    /// Sends commands and takes their replies, of which none is an error. Those that wait by themselves do so for at most
    /// `wait`.
    pub(super) async fn call(&mut self, commands: &Commands, wait: Duration) -> Result<Vec<Reply>, Trouble> {
        let replies = self.replies(commands, wait).await?;
        match replies.iter().find_map(|reply| if let Reply::Error(text) = reply { Some(text) } else { None }) {
            Some(text) => Err(Trouble::of(text)),
            None => Ok(replies),
        }
    }

    async fn replies(&mut self, commands: &Commands, wait: Duration) -> Result<Vec<Reply>, Trouble> {
        match timeout(PATIENCE + wait, self.exchange(commands)).await {
            Ok(replies) => replies,
            Err(_) => Err(Trouble::Lost(format!("has not answered within {} s", PATIENCE.as_secs()))),
        }
    }

    async fn exchange(&mut self, commands: &Commands) -> Result<Vec<Reply>, Trouble> {
        let lost = |error: std::io::Error| Trouble::Lost(format!("cannot be reached: {error}"));
        self.stream.write_all(commands.bytes()).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)?;
        let mut replies = Vec::with_capacity(commands.count());
        loop {
            let next = self.decoder.next();
            match next.map_err(|why| Trouble::Fatal(format!("does not speak the protocol of Redis: {why}")))? {
                Some(reply) => replies.push(reply),
                None => match self.stream.read(&mut self.buffer).await.map_err(lost)? {
                    0 => return Err(Trouble::Lost("has closed the connection".to_owned())),
                    read => self.decoder.push(&self.buffer[..read]),
                },
            }
            if replies.len() == commands.count() {
                return Ok(replies);
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// What Redis says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct ServerInfo<'a> {
    version: &'a str,
    is_replica: bool,
    max_memory: u64,
    policy: &'a str,
}

impl<'a> ServerInfo<'a> {
    fn read(info: &'a str) -> ServerInfo<'a> {
        let mut server = ServerInfo::default();
        for (key, value) in info.lines().filter_map(|line| line.trim().split_once(':')) {
            match key {
                "redis_version" => server.version = value,
                "role" => server.is_replica = value == "slave",
                "maxmemory" => server.max_memory = value.parse().unwrap_or(0),
                "maxmemory_policy" => server.policy = value,
                _ => {}
            }
        }
        server
    }

    /// Whether it can hold a fleet, and what is to be said about it.
    fn check(&self) -> Result<Option<String>, Trouble> {
        let mut numbers = self.version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version < OLDEST && !self.version.is_empty() {
            return Err(Trouble::Fatal(format!("is Redis {}: a fleet needs 6.2 or later", self.version)));
        }
        if self.is_replica {
            return Err(Trouble::of("READONLY"));
        }
        let evicts = self.max_memory > 0 && !matches!(self.policy, "" | "noeviction");
        Ok(evicts.then(|| {
            let policy = self.policy;
            format!("drops keys when it is full ({policy}): a run can lose jobs then. Set maxmemory-policy noeviction")
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_says_of_itself_decides() {
        let info =
            "# Server\r\nredis_version:7.0.15\r\nrole:master\r\nmaxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\n";
        let server = ServerInfo::read(info);
        assert_eq!((server.version, server.is_replica, server.max_memory), ("7.0.15", false, 1000));
        assert!(server.check().is_ok_and(|note| note.is_some_and(|note| note.contains("(allkeys-lru)"))));
        let fine = ServerInfo { policy: "noeviction", ..ServerInfo::read(info) };
        assert!(fine.check().is_ok_and(|note| note.is_none()));
        for (server, said) in [
            (ServerInfo { version: "6.0.9", ..ServerInfo::default() }, "is Redis 6.0.9: a fleet needs 6.2 or later"),
            (
                ServerInfo { version: "8.0.0", is_replica: true, ..ServerInfo::default() },
                "is a replica that can only be read: name the one that it follows",
            ),
        ] {
            assert!(matches!(server.check(), Err(Trouble::Fatal(line)) if line == said), "{said}");
        }
    }

    #[test]
    fn errors_of_redis_are_told_apart() {
        for gone in ["GONE", "GONE the run", "ERR GONE", "ERR Error running script: @user_script:1: -GONE the run"] {
            assert!(matches!(Trouble::of(gone), Trouble::Gone), "{gone}");
        }
        let full = "ERR Error running script (call to f_1): @user_script:3: -OOM command not allowed when used memory > 'maxmemory'.";
        assert!(matches!(Trouble::of(full), Trouble::Busy(_)));
        assert!(matches!(Trouble::of("OOM command not allowed when used memory > 'maxmemory'."), Trouble::Busy(_)));
        assert!(matches!(Trouble::of("LOADING Redis is loading the dataset in memory"), Trouble::Busy(_)));
        assert!(matches!(Trouble::of("WRONGPASS invalid username-password pair"), Trouble::Fatal(_)));
    }
}
