//! Connections made from an address or an interface of this machine. Of 127.0.0.0/8, Linux has every address.

use std::net::{IpAddr, TcpListener};
use std::sync::mpsc;
use std::thread;

use roundup::transport::{Interface, Proxies, Proxy, TransportBuilder};
use roundup::{Kind, Phase, Transport};
use surf::Client;

use super::{fetch, get, run};
use crate::common::{Server, refusing_port};

fn from(interface: &str) -> TransportBuilder {
    Transport::builder().interface(interface.parse::<Interface>().expect(interface))
}

fn client(builder: TransportBuilder) -> Client {
    roundup::surf::client(builder.build().expect("it is of this machine"))
}

/// A server that tells who its peers are.
fn server() -> (u16, mpsc::Receiver<IpAddr>) {
    use std::io::{BufRead, BufReader, Write};

    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        while let Ok((mut stream, peer)) = listener.accept() {
            if tell.send(peer.ip()).is_err() {
                return;
            }
            let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
            while lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).count() > 0 {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n7").expect("read");
            }
        }
    });
    (port, told)
}

#[test]
fn the_near_end_is_what_was_asked_for() {
    let (port, told) = server();
    for (interface, seen) in [
        ("127.0.0.2", "127.0.0.2"),
        ("host!127.0.0.3", "127.0.0.3"),
        ("lo", "127.0.0.1"),
        ("if!lo", "127.0.0.1"),
        ("ifhost!lo!127.0.0.4", "127.0.0.4"),
        ("localhost", "127.0.0.1"),
    ] {
        let got = run(fetch(&client(from(interface)), get(&format!("http://127.0.0.1:{port}/")))).expect(interface);
        assert_eq!(got, (200, b"7".to_vec()));
        assert_eq!(told.recv().expect("it was asked").to_string(), seen, "{interface}");
        // The same to a proxy.
        let proxy: Proxy = format!("http://127.0.0.1:{port}").parse().expect("a proxy");
        let through = client(from(interface).proxies(Proxies::single(proxy)));
        assert_eq!(run(fetch(&through, get("http://h.invalid/"))).expect(interface).0, 200);
        assert_eq!(told.recv().expect("it was asked").to_string(), seen, "{interface}");
    }
}

#[test]
fn errors_name_both_ends() {
    let port = refusing_port();
    let error = run(fetch(&client(from("127.0.0.2")), get(&format!("http://127.0.0.1:{port}/")))).expect_err("refused");
    let said = format!("cannot connect from 127.0.0.2 to 127.0.0.1:{port}: connection refused");
    assert_eq!((error.one_line(), error.kind(), error.phase()), (said, Kind::Connect, Some(Phase::Connect)));
    // The other family cannot be reached from there.
    let error = run(fetch(&client(from("127.0.0.2")), get("http://[::1]:1/"))).expect_err("out of reach");
    let said = "\"::1\" has no address of the family of 127.0.0.2: it has ::1";
    assert_eq!((error.one_line().as_str(), error.kind(), error.phase()), (said, Kind::Dns, Some(Phase::Dns)));
    let both = from("127.0.0.2").resolve(format!("two.invalid:{port}:[::1],127.0.0.1").parse().expect("well-formed"));
    let error = run(fetch(&client(both), get(&format!("http://two.invalid:{port}/")))).expect_err("refused");
    assert!(error.one_line().contains(&format!("to 127.0.0.1:{port}")) && !error.one_line().contains("[::1]"));
}

#[test]
fn what_is_not_of_this_machine_is_found_when_the_transport_is_built() {
    for (interface, said) in [
        ("192.0.2.1", "\"192.0.2.1\" is not an address of this machine"),
        ("if!no-such-if", "\"no-such-if\" is not an interface of this machine: write one of "),
    ] {
        let error = from(interface).build().expect_err(said);
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.one_line().starts_with(said), "{}", error.one_line());
    }
}

#[test]
fn connections_from_there_are_kept() {
    let server = Server::start(|_| crate::common::Reply::text("x"));
    let client = client(from("127.0.0.9"));
    run(async {
        for _ in 0..3 {
            assert_eq!(fetch(&client, get(&server.url("/"))).await.expect("it answers").0, 200);
        }
    });
    assert_eq!(server.stats().connections, 1);
}
