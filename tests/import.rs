//! Plans of curl commands and HTTP archives, and curl commands of jobs.

pub(crate) mod commands;
mod hostile;
mod round_trip;

use roundup::import::Imported;
use roundup::plan::{Plan, PlanReader};

/// The plan that was made, with its own secrets; variables of the shell have this value.
#[track_caller]
fn read(imported: &Imported, variable: &str) -> Plan {
    let value = |wanted: &str| {
        let (_, value) = imported.secrets.iter().find(|(name, _)| name == wanted)?;
        Some(value.clone().unwrap_or_else(|| variable.to_owned()))
    };
    let plan = PlanReader::new().secrets(&value).read("plan", &imported.plan);
    plan.unwrap_or_else(|errors| panic!("{errors}\n{}", imported.plan))
}

/// The commands of commands.txt: what each is, the command, and the same for bash, to a server at this host.
pub(crate) fn commands(host: &str) -> Vec<(String, String, String)> {
    let text = include_str!("import/commands.txt").replace("HOST", host);
    // Part of the last one.
    let blocks = text.split("=== ").filter(|block| !block.trim().is_empty());
    let command = |block: &str| {
        let (title, command) = block.split_once('\n').expect("a title and a command");
        let (command, bash) = command.split_once("--- bash\n").unwrap_or((command, command));
        (title.to_owned(), command.to_owned(), bash.to_owned())
    };
    blocks.map(command).collect()
}
