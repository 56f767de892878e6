//! What a run needs: flags and environment, read and checked, with their meaning.

mod connections;
mod content;
#[cfg(feature = "fleet")]
mod fleet;
mod limits;
mod output;
mod settings;
mod state;
mod tls;

use std::sync::Arc;
#[cfg(feature = "watch")]
use std::time::Duration;

use roundup::plan::{Globs, PlanReader};
use roundup::transport::{DEFAULT_USER_AGENT, TransportBuilder};
use roundup::{Error, Kind, Result, Settings, SettingsPatch, Shard};

use super::credentials::RequestCredentials;
use super::flags::Flags;

pub(crate) use self::connections::GivenConnections;
#[cfg(feature = "fleet")]
pub(crate) use self::fleet::FleetConfig;
pub(crate) use self::limits::LimitsPatch;
pub(crate) use self::output::{OutputConfig, ProgressStyle};
#[cfg(feature = "state")]
pub(crate) use self::state::Repeated;
pub(crate) use self::state::StateConfig;

/// Everything that flags and environment say about a run.
#[cfg_attr(feature = "watch", derive(Clone))]
pub(crate) struct Config {
    /// A list of URLs to read, besides those of the command line.
    pub(crate) list: Option<String>,
    pub(crate) globs: Globs,
    /// What goes into the query of every URL.
    pub(crate) query: Option<String>,
    /// The file with values for `${NAME}` in plans.
    pub(crate) secrets: Option<String>,
    /// Values for `{name}` in plans, by name.
    pub(crate) variables: Vec<(String, String)>,
    /// Goes over the settings of every job.
    pub(crate) settings: SettingsPatch,
    /// Goes over the limits of a plan.
    pub(crate) limits: LimitsPatch,
    pub(crate) credentials: Arc<RequestCredentials>,
    pub(crate) transport: TransportBuilder,
    /// What of it was given by flags.
    pub(crate) connections: GivenConnections,
    /// What is sent as User-Agent by jobs that name none.
    #[cfg_attr(not(feature = "state"), allow(dead_code, reason = "only a cache asks for it"))]
    pub(crate) user_agent: String,
    pub(crate) fail_fast: bool,
    /// The part of the jobs that is run, if it is not all of them.
    pub(crate) shard: Option<Shard>,
    pub(crate) output: OutputConfig,
    pub(crate) state: StateConfig,
    #[cfg(feature = "fleet")]
    pub(crate) fleet: FleetConfig,
    #[cfg(feature = "watch")]
    pub(crate) rounds: RoundsConfig,
}

/// What flags say of a plan that is run again and again; what the plan says if there is none.
#[cfg(feature = "watch")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoundsConfig {
    /// From the start of one round to that of the next.
    pub(crate) every: Option<Duration>,
    pub(crate) max_runs: Option<u32>,
}

impl Config {
    /// # Errors
    /// [`roundup::Kind::Config`], in a text that names the option or the variable.
    pub(crate) fn new(flags: &Flags) -> Result<Config> {
        Config::with_transport(flags, connections::transport(flags)?)
    }

    /// The same for a server on this machine, which the environment's proxies do not reach.
    #[cfg(feature = "demo")]
    pub(crate) fn local(flags: &Flags) -> Result<Config> {
        Config::with_transport(flags, connections::local_transport(flags)?)
    }

    /// What flags say over the settings of a job.
    pub(crate) fn over(&self, settings: &Settings) -> Settings {
        self.connections.over(self.settings.over(settings))
    }

    fn with_transport(flags: &Flags, transport: TransportBuilder) -> Result<Config> {
        let mut settings = settings::patch(flags)?;
        let content = if flags.on("get")? { settings.data.take() } else { None };
        Ok(Config {
            query: content.map(|content| content::query(&content)).transpose()?,
            settings,
            transport: tls::over(flags, transport)?,
            connections: GivenConnections::new(flags),
            output: OutputConfig::new(flags, &[])?,
            user_agent: flags.text("user_agent").unwrap_or_else(|| DEFAULT_USER_AGENT.to_owned()),
            fail_fast: flags.on("fail_fast")?,
            shard: flags.parsed("shard", str::parse)?,
            list: flags.text("input"),
            globs: if flags.on("globoff")? { Globs::Keep } else { Globs::Expand },
            secrets: flags.text("secrets"),
            variables: flags.all("variable").iter().map(|given| given.parse(variable)).collect::<Result<_>>()?,
            limits: LimitsPatch::new(flags)?,
            credentials: RequestCredentials::new(flags)?.into(),
            state: StateConfig::new(flags)?,
            #[cfg(feature = "fleet")]
            fleet: FleetConfig::new(flags)?,
            #[cfg(feature = "watch")]
            rounds: RoundsConfig { every: flags.time("every")?, max_runs: flags.count("max_runs")? },
        })
    }
}

#[cfg(test)]
mod tests;

/// `NAME=VALUE`.
fn variable(text: &str) -> Result<(String, String)> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| Error::new(Kind::Config, format!("\"{text}\" has no value: write NAME=VALUE")))?;
    // A name that no plan can have is told of here, where the option is named.
    PlanReader::new().variable(name, value)?;
    Ok((name.to_owned(), value.to_owned()))
}
