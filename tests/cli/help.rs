//! Help, and that it is true.

use roundup::report::Format;
use roundup::{DEFAULT_CONCURRENCY, DEFAULT_PER_HOST, Settings};

use super::{line, roundup};

#[test]
fn help_is_on_stdout_and_a_success() {
    for words in
        ["--help", "-h", "help", "help get", "get --help", "get -h", "run --help", "serve --help", "get x --help"]
    {
        let output = line(words).run().expect_code(0);
        assert!(output.stdout().starts_with("Usage: roundup") && output.stderr.is_empty(), "{output:?}");
    }
    assert_eq!(line("help compare").run().stdout(), line("compare --help").run().stdout());
    let version = format!("roundup {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(line("--version").run().expect_code(0).stdout(), version);
    assert_eq!(line("-V").run().expect_code(0).stdout(), version);
}

#[test]
fn every_report_format_is_named() {
    let help = line("get --help").run().expect_code(0);
    let text = said(help.stdout(), "report");
    let (_, list) = text.split_once("a report (").expect("a list");
    let named: Vec<&str> = list.split(')').next().expect("its end").split(", ").collect();
    // A binary with more features than this test knows names more.
    assert!(Format::all().iter().all(|format| named.contains(&format.name)), "{help:?}");
}

#[test]
fn the_overview_names_commands_and_codes() {
    let output = line("--help").run().expect_code(0);
    for word in ["get", "run", "check", "compare", "demo", "serve", "130"] {
        assert!(output.stdout().split_whitespace().any(|found| found == word), "{word}: {output:?}");
    }
}

/// What help says of an option, on one line.
fn said(help: &str, option: &str) -> String {
    let names = |line: &str| line.split([' ', ',']).any(|word| word == format!("--{option}"));
    let mut lines = help.lines().skip_while(|line| !names(line));
    let first = lines.next().unwrap_or_else(|| panic!("no --{option} in {help}"));
    // What goes on is indented further than options are.
    let rest = lines.take_while(|line| line.starts_with("        "));
    let text: Vec<&str> = std::iter::once(first).chain(rest).flat_map(str::split_whitespace).collect();
    text.join(" ")
}

#[test]
fn help_of_a_command_is_grouped_and_shows_values_and_defaults() {
    let settings = Settings::default();
    let seconds = |duration: std::time::Duration| format!("(default: {}s)", duration.as_secs());
    for command in ["get", "run", "check", "compare", "demo"] {
        let help = roundup([command, "--help"]).run().expect_code(0);
        let help = help.stdout();
        for title in ["Limits:", "Request:", "Credentials:", "Connections:", "TLS:", "Output:"] {
            assert!(help.lines().any(|line| line == title), "{command}: {title}");
        }
        for (option, value, text) in [
            ("concurrency", "N", format!("(default: {DEFAULT_CONCURRENCY})")),
            ("per-host", "N", format!("in the demo, 50 (default: {DEFAULT_PER_HOST})")),
            ("rate", "RATE", "(no limit)".into()),
            ("timeout", "TIME", seconds(settings.timeout)),
            ("retries", "N", format!("(default: {})", settings.retries)),
            ("accept", "STATUSES", format!("(default: {})", settings.accept)),
            (
                "max-body",
                "SIZE",
                format!("1GiB if it only goes to a file (default: {}MiB)", Settings::MAX_BODY_KEPT >> 20),
            ),
            ("user", "NAME:PASSWORD", String::new()),
            ("roots", "auto|os|bundled", "(default: auto)".into()),
            ("report", "FORMAT[=FILE]", "may be given several times (default: table)".into()),
        ] {
            let said = said(help, option);
            assert!(said.contains(&format!("--{option} {value} ")) && said.ends_with(&text), "{command}: {said}");
        }
        assert!(help.contains("ROUNDUP_PER_HOST for --per-host"), "{help}");
        assert!(help.contains("[limits], concurrency, per_host"), "{help}");
    }
    assert!(said(line("serve --help").run().stdout(), "port").ends_with("(default: 8080)"));
}
