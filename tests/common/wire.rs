//! A connection of the server, plain or encrypted.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

/// The socket is shared with the server's list of sockets, so that it can be shut down from there.
pub(super) struct Socket(Arc<TcpStream>);

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buf)
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self.0).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

pub(super) enum Wire {
    Plain(Socket),
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

impl Wire {
    pub(super) fn plain(socket: Arc<TcpStream>) -> Wire {
        Wire::Plain(Socket(socket))
    }

    /// Makes the connection an encrypted one.
    pub(super) fn handshake(&mut self, config: Arc<ServerConfig>) -> io::Result<(Wire, Option<HandshakeKind>)> {
        let mut socket = Socket(self.socket().clone());
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        let kind = connection.handshake_kind();
        Ok((Wire::Tls(Box::new(StreamOwned::new(connection, socket))), kind))
    }

    pub(super) fn sni(&self) -> Option<String> {
        match self {
            Wire::Plain(_) => None,
            Wire::Tls(stream) => stream.conn.server_name().map(str::to_owned),
        }
    }

    /// Ends what is sent: close_notify where there is TLS, then FIN. Fails where the peer is gone, which is as good.
    pub(super) fn close(&mut self) {
        if let Wire::Tls(stream) = self {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// Makes the coming close a reset.
    pub(super) fn linger_zero(&self) -> io::Result<()> {
        Ok(rustix::net::sockopt::set_socket_linger(&**self.socket(), Some(Duration::ZERO))?)
    }

    /// Writes past TLS.
    pub(super) fn naked(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut socket: &TcpStream = self.socket();
        socket.write_all(bytes)
    }

    /// Reads until the peer or the server ends it, or the time is over.
    pub(super) fn discard(&mut self, limit: Option<Duration>) {
        let start = Instant::now();
        let mut socket: &TcpStream = self.socket();
        let _ = socket.set_read_timeout(limit);
        let mut piece = vec![0; 64 * 1024];
        while limit.is_none_or(|limit| start.elapsed() < limit) && matches!(socket.read(&mut piece), Ok(1..)) {}
    }

    /// Carries bytes both ways until both sides have ended.
    pub(super) fn tunnel(&mut self, port: u16) -> io::Result<()> {
        let Wire::Plain(Socket(client)) = self else {
            return Err(io::Error::other("a tunnel starts on a plain connection"));
        };
        let target = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        let (client, target): (&TcpStream, &TcpStream) = (client, &target);
        let carry = |mut from: &TcpStream, mut to: &TcpStream| {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        };
        thread::scope(|scope| {
            scope.spawn(|| carry(target, client));
            carry(client, target);
            // What the server's end shut down on one side is to end the other too.
            let _ = target.shutdown(Shutdown::Read);
        });
        Ok(())
    }

    fn socket(&self) -> &Arc<TcpStream> {
        match self {
            Wire::Plain(Socket(socket)) => socket,
            Wire::Tls(stream) => &stream.sock.0,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.read(buf),
            Wire::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.write(buf),
            Wire::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(socket) => socket.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}
