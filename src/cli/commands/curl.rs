//! `--curl`: the curl command of each job, and nothing fetched.

use std::fmt::Write as _;

use roundup::Job;
use roundup::import::CurlWriter;

use crate::cli::config::Config;
use crate::cli::console::{complain, print};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::Flags;
use crate::cli::jobs::JobSet;

/// The options that have the same name and meaning in curl, and belong to no job.
const OPTIONS: [&str; 12] = [
    "proxy",
    "resolve",
    "connect_to",
    "ipv4",
    "ipv6",
    "unix_socket",
    "interface",
    "cacert",
    "insecure",
    "cert",
    "key",
    "pinnedpubkey",
];

/// Prints the commands. Jobs that need others have none before these have answered.
pub(crate) fn print_commands(mut jobs: JobSet, config: &Config, flags: &Flags) -> Result<Exit, CommandError> {
    if let Some(shard) = config.shard {
        jobs.keep_shard(shard, config);
    }
    let mut writer = CurlWriter::new();
    let others = other_words(flags, &mut writer)?;
    let rejected = jobs.rejected;
    for outcome in &jobs.known {
        let error = outcome.error.as_ref().map_or("", |error| &error.message);
        complain(&format!("{}: {error}", outcome.name));
    }
    let late: Vec<String> = jobs.graph.iter().flat_map(|graph| graph.late_names()).collect();
    let redactor = jobs.redactor.clone();
    let mut text = String::new();
    for job in &jobs.jobs {
        let _ = writeln!(text, "# {}", shown(&redactor.redact(job.name())));
        let _ = writeln!(text, "{}\n", command(&mut writer, job, &others));
    }
    for name in late {
        let _ =
            writeln!(text, "# {}: its requests are made of what other jobs answer\n", shown(&redactor.redact(&name)));
    }
    text.pop();
    let exit = print(&text)?;
    Ok(if rejected > 0 { exit.max(Exit::Failed) } else { exit })
}

fn command(writer: &mut CurlWriter, job: &Job, others: &[String]) -> String {
    writer.command(job, others)
}

/// A name on one line.
fn shown(name: &str) -> String {
    roundup::printable(name, &[]).replace(['\n', '\r'], " ")
}

/// Words of curl for the options that are no settings of jobs.
fn other_words(flags: &Flags, writer: &mut CurlWriter) -> Result<Vec<String>, CommandError> {
    let mut words = Vec::new();
    if let Some(agent) = flags.text("user_agent") {
        words.extend(["-A".to_owned(), CurlWriter::word(&agent)]);
    }
    for name in OPTIONS {
        let long = format!("--{}", name.replace('_', "-"));
        if matches!(name, "ipv4" | "ipv6" | "insecure") {
            if flags.on(name)? {
                words.push(long);
            }
            continue;
        }
        for value in flags.all(name) {
            let word = if name == "proxy" { writer.url_word(&value.text) } else { CurlWriter::word(&value.text) };
            words.extend([long.clone(), word]);
        }
    }
    Ok(words)
}
