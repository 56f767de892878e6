//! The command as its users see it: what it prints and where, what it exits with, what servers get to see.

mod bodies;
mod columns;
mod commands;
mod connection_keys;
mod connections;
#[cfg(feature = "cookies")]
mod cookies;
mod credentials;
mod curl;
mod curl_mistakes;
mod descriptors;
#[cfg(feature = "diff")]
mod diff;
mod each_files;
mod effects;
mod example_plans;
mod explain;
mod failures;
#[cfg(feature = "fleet")]
mod fleet;
mod graph;
mod help;
mod interrupts;
mod kills;
mod leaks;
mod logins;
mod memory;
#[cfg(feature = "merge")]
mod merge;
mod mistakes;
mod page_rows;
mod plans;
mod printable;
mod render;
mod report_tables;
mod reports;
mod secrets;
mod shards;
mod sources;
mod tasks;
mod tired;
mod told_secrets;
mod verbose;

use std::ffi::OsStr;

use serde_json::Value;

use crate::common::{Output, TestCommand};

/// A call with these words.
fn roundup<T: AsRef<OsStr>>(words: impl IntoIterator<Item = T>) -> TestCommand {
    TestCommand::new().args(words)
}

/// A call with the words of this line, parted by spaces.
fn line(line: &str) -> TestCommand {
    roundup(line.split_whitespace())
}

/// The one line on stderr, without the program's name; fails where there is anything else.
#[track_caller]
fn complaint(output: &Output) -> &str {
    let text = output.stderr.strip_suffix('\n').unwrap_or_else(|| panic!("no line on stderr: {output:?}"));
    assert!(!text.contains('\n'), "more than a line on stderr: {output:?}");
    assert_eq!(output.stdout(), "", "{output:?}");
    text.strip_prefix("roundup: ").unwrap_or_else(|| panic!("not from roundup: {output:?}"))
}

/// The result of this name in a report.
#[track_caller]
fn result<'a>(report: &'a Value, name: &str) -> &'a Value {
    let results = report["results"].as_array().expect("results");
    results.iter().find(|result| result["name"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

/// `kind/phase` of each result in order, `ok` where it succeeded.
fn endings(report: &Value) -> Vec<String> {
    let results = report["results"].as_array().expect("results");
    let ending = |result: &Value| match &result["error"] {
        Value::Null => "ok".to_owned(),
        error => format!("{}/{}", error["kind"].as_str().unwrap_or("-"), error["phase"].as_str().unwrap_or("-")),
    };
    results.iter().map(ending).collect()
}
