//! A fetcher of the library, whose concurrency nobody has held to the descriptors that there are: what lacks one waits.

use std::env;
use std::fs::File;
use std::process::Command;

use roundup::{Fetcher, Job, Kind, Phase};

use super::{at_once, collect, job};
use crate::common::{Reply, Server};

/// Holds two servers' URLs in the process of its own.
const SERVERS: &str = "ROUNDUP_TEST_DESCRIPTORS";

#[test]
fn sources_wait_for_descriptors_and_idle_connections_give_theirs() {
    let servers = [(); 2].map(|()| Server::start(|_| Reply::json("1")));
    let test = module_path!().split_once("::").expect("the crate comes first").1.to_owned() + "::with_few_descriptors";
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 48 && exec \"$@\"", "sh"])
        .arg(env::current_exe().expect("this is a file"))
        .args([&test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(SERVERS, servers.each_ref().map(|server| server.url("/")).join(" "))
        .output()
        .expect("this test binary can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{}:\n{stdout}\n{stderr}", output.status);
}

#[test]
#[ignore = "lowers the limit of the whole process: the test above runs it in one of its own"]
fn with_few_descriptors() {
    let Ok(servers) = env::var(SERVERS) else { return };
    let fetcher = Fetcher::new().limits(at_once(200));
    let jobs = |url: &str| -> Vec<Job> {
        (0..200).map(|n| job(format!("{url}{n}")).with(|settings| settings.retries = 0)).collect()
    };
    // The connections to the first server are idle when those to the second need descriptors.
    for server in servers.split(' ') {
        let failed = collect(&fetcher, jobs(server)).into_iter().find(|outcome| !outcome.ok());
        assert!(failed.is_none(), "{failed:?}");
    }
    // If something else holds them all, that is said after a while.
    let all: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let two = vec![jobs("http://127.0.0.1:9/").remove(0), jobs("http://name.invalid/").remove(0)];
    let outcomes = collect(&Fetcher::new(), two);
    drop(all);
    for (outcome, phase) in outcomes.iter().zip([Phase::Connect, Phase::Dns]) {
        let failure = outcome.error.as_ref().expect("it failed");
        assert_eq!((failure.kind, failure.phase), (Kind::Io, Some(phase)), "{failure:?}");
        assert!(failure.message.contains("RLIMIT_NOFILE"), "{failure:?}");
    }
}
