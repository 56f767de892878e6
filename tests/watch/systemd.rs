//! What systemd is told, by the protocol of sd_notify(3).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::process::Signal;

use super::{line, write_plan};
use crate::common::{Dir, PATIENCE, Reply, Server};

/// Reads messages until one begins so, and returns all of them.
fn until(socket: &UnixDatagram, begin: &str) -> Vec<String> {
    let mut messages = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|e| panic!("{e}: no {begin} after {messages:?}"));
        messages.push(String::from_utf8(buffer[..length].to_vec()).expect("text"));
        if messages.last().is_some_and(|message| message.starts_with(begin)) {
            return messages;
        }
    }
}

#[test]
fn it_says_that_it_is_ready_how_it_stands_and_that_it_ends() {
    let server = Server::start(|_| Reply::json("1"));
    let abstract_name = format!("roundup-test-{}", std::process::id());
    for is_abstract in [false, true] {
        let dir = Dir::new();
        write_plan(&dir, &server, "[watch]\nevery = \"1h\"\n", &["a"]);
        let (name, socket) = match is_abstract {
            true => {
                let address = SocketAddr::from_abstract_name(&abstract_name).expect("a name");
                (format!("@{abstract_name}"), UnixDatagram::bind_addr(&address).expect("bound"))
            }
            false => {
                // A path may have 107 bytes.
                let path = std::env::temp_dir().join(format!("{abstract_name}.sock"));
                let _ = std::fs::remove_file(&path);
                (path.display().to_string(), UnixDatagram::bind(&path).expect("bound"))
            }
        };
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        let running = line(&dir, "run plan.toml -q").env("NOTIFY_SOCKET", &name).env("WATCHDOG_USEC", "200000").spawn();
        let first = until(&socket, "READY=1");
        assert!(first.iter().all(|message| message == "READY=1" || message == "WATCHDOG=1"), "{first:?}");
        let status = until(&socket, "STATUS=round 1: 1 of 1 ok");
        assert!(status.last().is_some_and(|it| it.ends_with("a round every 1h")), "{status:?}");
        for _ in 0..3 {
            until(&socket, "WATCHDOG=1");
        }
        running.signal(Signal::HUP);
        let reloading = until(&socket, "RELOADING=1");
        assert!(reloading.last().is_some_and(|it| it.contains("\nMONOTONIC_USEC=")), "{reloading:?}");
        until(&socket, "READY=1");
        running.signal(Signal::TERM);
        until(&socket, "STOPPING=1");
        running.wait().expect_code(0);
        if !is_abstract {
            let _ = std::fs::remove_file(&name);
        }
    }
}

/// A manager that is not there costs a line at most, and no round.
#[test]
fn a_manager_that_does_not_listen_is_no_failure() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    write_plan(&dir, &server, "[watch]\nevery = \"10ms\"\nmax_runs = 2\n", &["a"]);
    let run = |socket: &str| line(&dir, "run plan.toml -q").env("NOTIFY_SOCKET", socket).run().expect_code(0);
    assert!(!run("/no/such/socket").stderr.contains("systemd"));
    assert!(run("vsock:2:1234").stderr.contains("systemd cannot be told how this stands: NOTIFY_SOCKET=vsock:2:1234"));
    assert!(!run("").stderr.contains("systemd"));
    assert_eq!(server.stats().requests, 6);
}

/// The number of another process: the watchdog is not for this one.
#[test]
fn the_watchdog_of_another_process_is_left_alone() {
    let server = Server::start(|_| Reply::json("1"));
    let dir = Dir::new();
    write_plan(&dir, &server, "[watch]\nevery = \"1h\"\n", &["a"]);
    let address = SocketAddr::from_abstract_name(format!("roundup-other-{}", std::process::id())).expect("a name");
    let socket = UnixDatagram::bind_addr(&address).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let running = line(&dir, "run plan.toml -q")
        .env("NOTIFY_SOCKET", format!("@roundup-other-{}", std::process::id()))
        .env("WATCHDOG_USEC", "1000")
        .env("WATCHDOG_PID", "1")
        .spawn();
    let mut messages = until(&socket, "STATUS=round 1");
    running.signal(Signal::TERM);
    messages.extend(until(&socket, "STOPPING=1"));
    running.wait().expect_code(0);
    assert!(messages.iter().all(|message| !message.contains("WATCHDOG")), "{messages:?}");
}
