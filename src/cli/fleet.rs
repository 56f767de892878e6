//! Runs that a fleet fetches: how they begin, are collected and end.

use std::collections::BTreeMap;
use std::path::PathBuf;

use roundup::event_loop::EventLoop;
use roundup::fleet::{Fleet, FleetAddress, FleetKey, FleetRun, FleetSettings, RunId};
use roundup::plan::parse_secrets;
use roundup::report::Output;
use roundup::transport::{Roots, Transport};
use roundup::{Error, Kind, Redactor, Result};

use super::config::{Config, FleetConfig};
use super::console::complain;
use super::error::CommandError;
use super::exit::Exit;
use super::flags::Flags;
use super::input;
use super::interrupts::Interrupts;
use super::jobs::JobSet;
use super::run::{PreparedRun, event_loop};

/// Options that are for those who send: with a fleet, its workers.
const OF_WORKERS: [&str; 15] = [
    "user_agent",
    "expect100_timeout",
    "proxy",
    "resolve",
    "connect_to",
    "ipv4",
    "ipv6",
    "unix_socket",
    "interface",
    "cacert",
    "roots",
    "insecure",
    "cert",
    "key",
    "pinnedpubkey",
];

/// Options that have no meaning with a fleet, and why.
const NOT_WITH_A_FLEET: &[(&str, &str)] = &[
    ("shard", "a fleet shares out the jobs by itself"),
    #[cfg(feature = "watch")]
    ("every", "a fleet runs a plan once"),
    ("output_dir", "give it to the workers, which have the contents"),
];

/// Options of a fleet that are given to a run without one: it would be sent from here, without a word.
pub(crate) fn check_options_without_fleet(flags: &Flags) -> Result<(), CommandError> {
    for name in ["fleet_key", "fleet_cacert", "fleet_keep", "lease"] {
        if flags.is_typed(name) {
            let option = name.replace('_', "-");
            let text = format!("--{option} has no effect without --fleet: write --fleet and the URL of the Redis");
            return Err(CommandError::usage(text));
        }
    }
    Ok(())
}

/// `run --fleet`.
pub(crate) fn run(
    plan: &str,
    jobs: JobSet,
    config: &Config,
    flags: &Flags,
    default_report: Option<Output>,
) -> Result<Exit, CommandError> {
    for name in OF_WORKERS {
        if flags.is_typed(name) {
            let option = format!("--{}", name.replace('_', "-"));
            return Err(CommandError::usage(format!("{option} has no effect with --fleet: give it to the workers")));
        }
    }
    for (name, why) in NOT_WITH_A_FLEET.iter().copied() {
        if flags.one(name).is_some() {
            let option = format!("--{}", name.replace('_', "-"));
            return Err(CommandError::usage(format!("{option} has no effect with --fleet: {why}")));
        }
    }
    let url = flags.text("fleet").unwrap_or_default();
    let (fleet, address) = fleet(&url, flags)?;
    check(&fleet, &jobs)?;
    let settings = settings(&jobs, config);
    let begin = |event_loop: &EventLoop| event_loop.run(fleet.begin(settings)).map_err(unreachable);
    fetch((plan, &url, &address), jobs, (config, flags), default_report, begin)
}

/// Fetches by a run of a fleet: it begins, or is found, when the reports are open.
pub(crate) fn fetch(
    (plan, url, address): (&str, &str, &FleetAddress),
    mut jobs: JobSet,
    (config, flags): (&Config, &Flags),
    default_report: Option<Output>,
    find: impl FnOnce(&EventLoop) -> Result<FleetRun, CommandError>,
) -> Result<Exit, CommandError> {
    jobs.may_be_kept = true;
    let run = PreparedRun::new(jobs, config, default_report)?;
    let event_loop = event_loop(config);
    let fleet_run = find(&event_loop)?;
    let id = fleet_run.id();
    if !config.output.quiet {
        complain(&format!("run {id} at {address}"));
    }
    let run = run.fetched_by(|fetcher| fleet_run.fetcher(fetcher));
    let result = event_loop.run(async {
        let interrupts = Interrupts::listen(&event_loop);
        run.execute(&event_loop, &interrupts).await
    });
    std::mem::forget(result.outcomes);
    // Until a report of the whole is written, the outcomes stay where they are.
    if matches!(result.exit, Exit::Interrupted | Exit::Report) {
        let (url, note) = typed_again(url);
        let command = format!("roundup collect {} {} --run {id}{}", for_shell(plan), for_shell(&url), files_of(flags));
        complain(&format!(
            "run {id} goes on: \"{command}\", with the other options of this run, writes the report of all of it, and ends it with --cancel{note}"
        ));
    } else if let Err(error) = event_loop.run(fleet_run.end()) {
        complain(&format!("run {id} is over, and its keys are still there until they expire: {}", error.one_line()));
    }
    Ok(result.exit)
}

/// A word as a shell takes it.
fn for_shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The URL of a fleet to be typed again, and what is to be known of it. A `${NAME}` in it stays, as its value comes from the secrets
/// file or the environment; a password that was written out is not shown, and a variable stands in its place.
fn typed_again(url: &str) -> (String, &'static str) {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?', '#']).map_or(url.len(), |at| authority + at);
    let user_info = &url[authority..url[authority..end].rfind('@').map_or(authority, |at| authority + at)];
    let Some((_, password)) = user_info.split_once(':') else { return (url.to_owned(), "") };
    let is_name = |text: &str| text.strip_prefix("${").is_some_and(|rest| rest.find('}') == Some(rest.len() - 1));
    if is_name(password) {
        return (url.to_owned(), "");
    }
    let from = authority + user_info.len() - password.len();
    let (before, behind) = (&url[..from], &url[from + password.len()..]);
    (
        format!("{before}${{REDIS_PASSWORD}}{behind}"),
        ", with the password of the Redis as REDIS_PASSWORD in the environment",
    )
}

/// The files without which who collects could not reach the Redis, open what is sealed, or have the plan's secrets, as options.
fn files_of(flags: &Flags) -> String {
    let given = ["fleet_cacert", "fleet_key", "secrets"].map(|name| (name.replace('_', "-"), flags.text(name)));
    given.into_iter().filter_map(|(option, file)| Some(format!(" --{option} {}", for_shell(&file?)))).collect()
}

/// Whether the jobs can go to other machines.
pub(crate) fn check(fleet: &Fleet, jobs: &JobSet) -> Result<(), CommandError> {
    fleet
        .check_jobs(&jobs.jobs, jobs.graph.as_ref())
        .map_err(|error| CommandError::usage(jobs.redactor.redact(&error.one_line())))
}

/// What the workers of a run hold to.
pub(crate) fn settings(jobs: &JobSet, config: &Config) -> FleetSettings {
    let is_kept = config.state.file.is_some() || jobs.state_file.is_some();
    let FleetConfig { lease, keep, .. } = config.fleet;
    FleetSettings {
        name: jobs.plan.clone(),
        plan: jobs.plan_digest(),
        lease,
        keep,
        bodies: config.output.keeps_bodies(),
        fields: is_kept || config.output.keeps_fields(),
        limits: jobs.limits.clone(),
    }
}

/// The fleet at this address.
pub(crate) fn fleet(url: &str, flags: &Flags) -> Result<(Fleet, FleetAddress), CommandError> {
    let address = address(url, flags)?;
    let fleet = Fleet::new(address.clone(), redis_transport(flags)?, complain);
    Ok((key(flags)?.into_iter().fold(fleet, Fleet::key), address))
}

/// What jobs and outcomes are sealed with, if a file of it is named.
pub(crate) fn key(flags: &Flags) -> Result<Option<FleetKey>, CommandError> {
    let Some(file) = flags.text("fleet_key") else { return Ok(None) };
    let wrong = |text: String| CommandError::usage(format!("--fleet-key: {text}"));
    let key = input::bytes(&file, "the key of the fleet").map_err(|error| wrong(error.one_line()))?;
    let key = FleetKey::new(&key).map_err(|error| wrong(format!("{}: {}", input::shown(&file), error.one_line())))?;
    Ok(Some(key))
}

/// A run at this address, by its name or because it is the only one of the plan.
pub(crate) fn find(
    event_loop: &EventLoop,
    fleet: &Fleet,
    address: &FleetAddress,
    jobs: &JobSet,
    flags: &Flags,
) -> Result<FleetRun, CommandError> {
    let plan = jobs.plan_digest();
    let id = match flags.parsed("run", str::parse::<RunId>)? {
        Some(id) => id,
        None => {
            let runs = event_loop.run(fleet.runs(plan)).map_err(unreachable)?;
            let mut of_plan: Vec<&RunId> = runs.iter().filter(|run| run.is_of_plan).map(|run| &run.id).collect();
            if of_plan.is_empty() {
                // To open it says which key is missing.
                let sealed = runs.iter().find(|run| run.is_sealed_otherwise && run.name == jobs.plan);
                of_plan.extend(sealed.map(|run| &run.id));
            }
            match of_plan[..] {
                [id] => id.clone(),
                [] => {
                    let others: Vec<String> = runs.iter().map(|run| format!("{} of {}", run.id, run.name)).collect();
                    let others = if others.is_empty() { "none at all".to_owned() } else { others.join(", ") };
                    let text = format!("{address} has no run of {}: there is {others}", jobs.plan);
                    return Err(CommandError::usage(text));
                }
                _ => {
                    let ids: Vec<String> = of_plan.iter().map(ToString::to_string).collect();
                    let text = format!(
                        "{address} has several runs of {}: write --run and one of {}",
                        jobs.plan,
                        ids.join(", ")
                    );
                    return Err(CommandError::usage(text));
                }
            }
        }
    };
    event_loop.run(fleet.run(&id, plan)).map_err(unreachable)
}

fn unreachable(error: Error) -> CommandError {
    CommandError::usage(error.one_line())
}

/// The address with the values of its `${NAME}`.
pub(crate) fn address(url: &str, flags: &Flags) -> Result<FleetAddress, CommandError> {
    let lookup = secrets(flags)?;
    let mut text = String::new();
    let mut rest = url;
    while let Some((before, behind)) = rest.split_once("${") {
        let Some((name, after)) = behind.split_once('}') else { break };
        let value = lookup(name)
            .ok_or_else(|| CommandError::usage(format!("there is no value for ${{{name}}} in the URL of the fleet")))?;
        text.push_str(before);
        text.push_str(&encoded(&value));
        rest = after;
    }
    text.push_str(rest);
    Ok(text.parse()?)
}

/// A value as it stands in a URL, whatever is in it.
fn encoded(value: &str) -> String {
    use std::fmt::Write as _;
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// Values by name: of the secrets file, or else of the environment.
pub(crate) fn secrets(flags: &Flags) -> Result<impl Fn(&str) -> Option<String> + Send + Sync + 'static, CommandError> {
    let values = secrets_file(flags)?.unwrap_or_default();
    Ok(move |name: &str| values.get(name).cloned().or_else(|| std::env::var(name).ok()))
}

/// Values for the `${NAME}` of jobs: of the secrets file, and of the environment only if there is none, because jobs may come
/// from whoever can write to the Redis, and could ask for all that stands there.
pub(crate) fn secrets_of_jobs(
    flags: &Flags,
) -> Result<impl Fn(&str) -> Option<String> + Send + Sync + 'static, CommandError> {
    let values = secrets_file(flags)?;
    Ok(move |name: &str| match &values {
        Some(values) => values.get(name).cloned(),
        None => std::env::var(name).ok(),
    })
}

/// What hides the values of the secrets file in what a worker logs. Attempts and heads hide those of their own jobs before.
pub(crate) fn log_redactor(flags: &Flags) -> Result<Redactor, CommandError> {
    Ok(Redactor::new(secrets_file(flags)?.unwrap_or_default().into_values()))
}

/// The values of the secrets file, if one is named.
fn secrets_file(flags: &Flags) -> Result<Option<BTreeMap<String, String>>, CommandError> {
    let unreadable = |error: Error| CommandError { exit: Exit::Plan, lines: vec![error.one_line()] };
    let Some(file) = flags.text("secrets") else { return Ok(None) };
    let text = input::text(&file, "the secrets file").map_err(unreadable)?;
    parse_secrets(input::shown(&file), &text).map(Some).map_err(|errors| CommandError::plan(&errors))
}

/// How Redis is reached: directly, and with authorities of its own if there are some.
pub(crate) fn redis_transport(flags: &Flags) -> Result<Transport, CommandError> {
    let builder = Transport::builder();
    let builder = match flags.text("fleet_cacert") {
        Some(file) => builder.roots(Roots::File(PathBuf::from(file))),
        None => builder,
    };
    builder.build().map_err(|error| {
        CommandError::usage(Error::new(Kind::Config, format!("--fleet-cacert: {}", error.one_line())).one_line())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_typed_again() {
        let note = ", with the password of the Redis as REDIS_PASSWORD in the environment";
        for (url, again, said) in [
            ("redis://h", "redis://h", ""),
            ("redis://h:6380/a:b@c", "redis://h:6380/a:b@c", ""),
            ("rediss://me:${PW}@h/1", "rediss://me:${PW}@h/1", ""),
            ("redis://:pw@h", "redis://:${REDIS_PASSWORD}@h", note),
            ("redis://me:p@:w@h:1/2", "redis://me:${REDIS_PASSWORD}@h:1/2", note),
            ("redis://me:${A}-pw@h", "redis://me:${REDIS_PASSWORD}@h", note),
            ("redis://me:${}${A}@h", "redis://me:${REDIS_PASSWORD}@h", note),
        ] {
            assert_eq!(typed_again(url), (again.to_owned(), said), "{url}");
        }
        for (word, quoted) in [
            ("a/b.toml", "a/b.toml"),
            ("my plan.toml", "'my plan.toml'"),
            ("redis://${HOST}:1", "'redis://${HOST}:1'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(for_shell(word), quoted);
        }
    }
}
