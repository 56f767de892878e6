//! Plans of requests that were written elsewhere, and back: curl commands as browsers and documentation have them, HTTP
//! archives, and the curl command of a job.
//!
//! ```
//! let text = "curl 'https://api.example.com/v1/items?limit=5' -H 'Authorization: Bearer s3cret-t0ken'";
//! let imported = roundup::import::curl(text, "command.txt", &|_| unreachable!("no file is named"))?;
//! assert_eq!(imported.secrets, [("TOKEN".to_owned(), Some("s3cret-t0ken".to_owned()))]);
//! let secrets = |name: &str| (name == "TOKEN").then(|| "s3cret-t0ken".to_owned());
//! let plan = roundup::plan::parse("plan.toml", &imported.plan, &secrets).unwrap();
//! assert_eq!(plan.jobs[0].settings().headers[0].value(), b"Bearer s3cret-t0ken");
//! # Ok::<(), roundup::Error>(())
//! ```

mod command;
mod curl_options;
mod cursor;
mod dialect;
mod har;
mod hiding;
mod marks;
mod operation;
mod plan_text;
mod request;
mod secret_places;
mod shell;
mod shell_word;
mod to_curl;
mod toml_text;
mod windows;
mod words;

use crate::error::Result;

pub use self::command::curl;
pub use self::curl_options::{is_curl_letter, is_curl_option};
pub use self::har::har;
pub use self::to_curl::CurlWriter;

/// A plan of imported requests.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The text of the plan, with comments.
    pub plan: String,
    /// What stands as `${NAME}` in it, by name. `None` for a variable of the shell, whose value was not written.
    pub secrets: Vec<(String, Option<String>)>,
    /// What was left out and why, a line each.
    pub notes: Vec<String>,
    /// How many jobs the plan has.
    pub jobs: usize,
}

/// Shows no secret.
impl std::fmt::Debug for Imported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.secrets.iter().map(|(name, _)| name.as_str()).collect();
        let mut shown = f.debug_struct("Imported");
        shown.field("plan", &self.plan).field("secrets", &names).field("notes", &self.notes).field("jobs", &self.jobs);
        shown.finish()
    }
}

impl Imported {
    /// The text of a file for `--secrets`: a line for each secret; those without a value are to be filled in.
    pub fn secrets_file(&self) -> String {
        let mut text = String::from("# Values of ${NAME} in the plan: keep this file to yourself.\n");
        for (name, value) in &self.secrets {
            match value.as_deref().map(quoted) {
                Some(Some(value)) => text.push_str(&format!("{name}={value}\n")),
                Some(None) => text.push_str(&format!("# {name} fits on no line here: set it in the environment\n")),
                None => text.push_str(&format!("# A variable of the shell: write its value.\n{name}=\n")),
            }
        }
        text
    }
}

/// A value as a secrets file can hold it, if it can.
fn quoted(value: &str) -> Option<String> {
    if value.contains(['\n', '\r', '\0']) {
        return None;
    }
    let is_plain = value.trim() == value && !value.contains('#') && !value.starts_with(['"', '\'']);
    if is_plain {
        return Some(value.to_owned());
    }
    let quote = ['"', '\''].into_iter().find(|quote| !value.contains(*quote))?;
    Some(format!("{quote}{value}{quote}"))
}

/// Reads a file that a command names.
pub type ReadFile<'f> = dyn Fn(&str) -> Result<Vec<u8>> + 'f;
