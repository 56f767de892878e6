//! A report of outcomes in one call.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::output::{Output, open};
use super::run_info::RunInfo;
use super::style::Style;
use crate::error::Result;
use crate::outcome::Outcome;

/// Writes a report of these outcomes to a file, in the format that its ending tells: `report.html`, `prices.csv`. The file
/// appears when it is whole. Blocks.
///
/// The run is taken to have ended now. Credentials that the outcomes may hold are not known here; a [`RunInfo`] with a
/// [`Redactor`](crate::Redactor) and an [`Output`] hide them.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("roundup-save-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let file = folder.join("report.csv");
/// let outcomes = roundup::fetch_all(["nonsense"]);
/// roundup::report::save(&file, &outcomes)?;
/// # assert!(std::fs::read_to_string(&file)?.contains("nonsense"));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Kind::Config`](crate::Kind::Config) for an ending that no format has, [`Kind::Io`](crate::Kind::Io) if the file cannot
/// be written.
pub fn save(file: impl AsRef<Path>, outcomes: &[Outcome]) -> Result<()> {
    let output = Output::to_file(file.as_ref())?;
    let ended = |outcome: &Outcome| {
        let last = outcome.attempts.iter().map(|attempt| attempt.started + attempt.total).max();
        last.unwrap_or(outcome.timings.queue)
    };
    let elapsed = outcomes.iter().map(ended).max().unwrap_or(Duration::ZERO);
    let started = SystemTime::now().checked_sub(elapsed).unwrap_or(SystemTime::UNIX_EPOCH);
    let run = RunInfo { started, elapsed, ..RunInfo::default() };
    let summary = run.summary(outcomes);
    for mut report in open(&[output], &Style::default())? {
        report.results(&run.redactor, outcomes)?;
        report.finish(&run, &summary, outcomes)?;
    }
    Ok(())
}
