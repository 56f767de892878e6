//! From flags to the file that runs are kept in.

use std::path::PathBuf;

use roundup::{Error, KeptRuns, Kind, Result};

use crate::cli::flags::Flags;

/// Whether and how a run is kept.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "state"), allow(dead_code, reason = "no run is kept"))]
pub(crate) struct StateConfig {
    /// The file; that of the plan if there is none.
    pub(crate) file: Option<PathBuf>,
    pub(crate) repeat: Option<Repeated>,
    /// Which runs are kept; what the plan says if there is none.
    pub(crate) keep: Option<KeptRuns>,
    /// How many bytes the file may have in use, likewise.
    pub(crate) size: Option<u64>,
    /// An option that was typed and says something of the file.
    pub(crate) of_file: Option<&'static str>,
}

/// What of the last run is fetched again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// What it did not come to.
    Missing,
    /// What failed.
    Failed,
}

impl StateConfig {
    pub(super) fn new(flags: &Flags) -> Result<StateConfig> {
        let switch = |name| -> Result<_> { Ok(flags.on(name)?.then_some(())) };
        let why = "what failed includes what the run did not come to";
        let repeat =
            match flags.exclusive(("resume", switch("resume")?), ("only_failed", switch("only_failed")?), why)? {
                (Some(()), _) => Some(Repeated::Missing),
                (None, Some(())) => Some(Repeated::Failed),
                (None, None) => None,
            };
        let file = flags.parsed("state", |text| match text {
            "" => Err(Error::new(Kind::Config, "it is empty: write roundup.db")),
            "-" => Err(Error::new(
                Kind::Config,
                "a state is a file and no stream: write roundup.db, or ./- for a file of that name",
            )),
            text => Ok(PathBuf::from(text)),
        })?;
        let (keep, size) = (flags.parsed("keep", str::parse)?, flags.size("state_size")?);
        let of_file = [("keep", "--keep"), ("state_size", "--state-size")];
        let of_file = of_file.into_iter().find(|(name, _)| flags.is_typed(name)).map(|(_, typed)| typed);
        Ok(StateConfig { file, repeat, keep, size, of_file })
    }
}
