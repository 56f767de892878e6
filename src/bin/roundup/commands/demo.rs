//! The built-in server, with and without somebody to round it up.

use futures_lite::StreamExt;
use roundup::EventLoop;
use roundup::units::parse_count;

use super::{TABLE, compare};
use crate::args::Serve;
use crate::exit::Exit;
use crate::failed::Failed;
use crate::manner::Manner;
use crate::options::Options;
use crate::print;
use crate::server::{Server, Stats, demo_urls};
use crate::signals::signals;
use crate::work::Work;

/// Where `serve` listens unless told otherwise.
const PORT: u16 = 8080;

/// How many sources the demo has under way at once unless told otherwise: all of them.
const DEMO_CONCURRENCY: &str = "50";

pub(crate) fn demo(mut options: Options) -> Result<Exit, Failed> {
    if options.one("concurrency").is_none() {
        options.give("concurrency", Some(DEMO_CONCURRENCY.to_owned()));
    }
    let manner = Manner::nearby(&options)?;
    let server = Server::start(0).map_err(|error| Failed::usage(format!("the demo's server cannot start: {error}")))?;
    let first = Work::from_named(demo_urls(server.address()), &options)?;
    let second = first.clone();
    if !manner.quiet {
        let line =
            format!("{} APIs on http://{}, some slow, some flaky, some limited\n", first.len(), server.address());
        compare::show(&line, manner.stdout_is_data())?;
    }
    let exit = compare::both(first, second, &manner, Some(TABLE))?;
    if !manner.quiet {
        compare::show(&told(&server.stats()), manner.stdout_is_data())?;
    }
    Ok(exit)
}

/// What the server saw, on one line.
fn told(stats: &Stats) -> String {
    let Stats { requests, connections, peak_in_flight, throttled, .. } = stats;
    format!(
        "the server saw {requests} requests on {connections} connections, at most {peak_in_flight} at once, and answered 429 to {throttled}\n"
    )
}

pub(crate) fn serve(serve: Serve) -> Result<Exit, Failed> {
    let mut options = Options::default();
    options.give("port", serve.port);
    options.give("quiet", serve.quiet);
    let quiet = options.on("quiet")?;
    let port = options.parsed("port", |text| parse_count(text, 0, u64::from(u16::MAX)))?;
    let port = port.map_or(PORT, |port| u16::try_from(port).unwrap_or(PORT));
    let server = Server::start(port).map_err(|error| Failed::usage(error.to_string()))?;
    // Whoever reads the address may end it at once.
    let mut signals = signals().map_err(|error| Failed::usage(format!("signals cannot be watched: {error}")))?;
    if !quiet {
        print(&format!("listening on http://{}; Ctrl-C ends it\n", server.address()))?;
    }
    let seen = EventLoop::new().run(server.run_until(signals.next()));
    let (_, stats) = seen.map_err(|error| Failed::usage(error.to_string()))?;
    if quiet { Ok(Exit::Success) } else { print(&told(&stats)) }
}
