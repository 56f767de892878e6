//! Help, and that it tells the truth.

use roundup::{DEFAULT_CONCURRENCY, Settings};

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
fn the_overview_names_commands_and_codes() {
    let output = line("--help").run().expect_code(0);
    for word in ["get", "run", "check", "compare", "demo", "serve", "130"] {
        assert!(output.stdout().split_whitespace().any(|found| found == word), "{word}: {output:?}");
    }
}

/// What help says of an option, on one line.
fn said(help: &str, option: &str) -> String {
    let options = help.lines().skip_while(|line| *line != "Options:");
    let mut lines = options.skip_while(|line| !line.contains(&format!("--{option}")));
    let first = lines.next().unwrap_or_else(|| panic!("no --{option} in {help}"));
    // What goes on is indented further than options are.
    let rest = lines.take_while(|line| line.starts_with("        "));
    let text: Vec<&str> = std::iter::once(first).chain(rest).flat_map(str::split_whitespace).collect();
    text.join(" ")
}

#[test]
fn defaults_in_help_are_those_in_code() {
    let settings = Settings::default();
    let seconds = |duration: std::time::Duration| format!("({}s)", duration.as_secs());
    let (kept, saved) = (Settings::MAX_BODY_KEPT >> 20, Settings::MAX_BODY_SAVED >> 30);
    for command in ["get", "run", "check", "compare", "demo"] {
        let help = roundup([command, "--help"]).run().expect_code(0);
        let help = help.stdout();
        for (option, default) in [
            ("concurrency", format!("({DEFAULT_CONCURRENCY}; all 50 in the demo)")),
            ("per-host", "(no limit)".into()),
            ("rate", "(no limit)".into()),
            ("timeout", seconds(settings.timeout)),
            ("connect-timeout", seconds(settings.connect_timeout)),
            ("deadline", "(no limit)".into()),
            ("retries", format!("({})", settings.retries)),
            ("retry-after-max", seconds(settings.retry_after_max)),
            ("expect100-timeout", "(1s)".into()),
            ("method", format!("({};", settings.method)),
            ("accept", format!("({})", settings.accept)),
            ("follow", format!("({})", settings.follow)),
            ("max-body", format!("({kept}MiB; {saved}GiB")),
            ("report", "(table)".into()),
            ("roots", "(auto)".into()),
            ("color", "(auto)".into()),
        ] {
            let said = said(help, option);
            assert!(said.contains(&default), "{command}: {default} is not in: {said}");
        }
        for option in [
            "header",
            "data",
            "output-dir",
            "body",
            "raw",
            "fail-fast",
            "cacert",
            "insecure",
            "cert",
            "key",
            "pinnedpubkey",
            "keylog",
            "proxy",
            "user-agent",
            "quiet",
            "verbose",
            "retry-unsafe",
            "user",
            "bearer",
            "netrc",
            "resolve",
            "connect-to",
            "ipv4",
            "ipv6",
            "unix-socket",
            "interface",
        ] {
            assert!(said(help, option).split_whitespace().count() > 2, "{command} --{option}");
        }
    }
    assert!(said(line("serve --help").run().stdout(), "port").contains("(8080)"));
}
