//! What people read is text: nothing from a server, a plan or the command line is a command to their terminal.

use roundup::is_printable;

use crate::common::{Dir, Reply, Server, TestCommand};

/// A control sequence, the name of a file whose ending is shown in front, a C1 control, a line of its own, and things that
/// cannot be seen.
const COMMANDS: &str = "\x1b[2Jtxt\u{202e}exe\u{9b}31m\u{2066}\nroundup: all is well\u{200b}\u{feff}";

/// The same as it can be in a plan: a string in TOML.
const ESCAPED: &str = r"\u001b[2Jtxt\u202eexe\u009b31m\u2066\nroundup: all is well\u200b\ufeff";

fn assert_printable(text: &str) {
    for line in text.lines() {
        assert!(line.chars().all(is_printable), "{line:?}");
    }
    assert!(!text.contains("\nroundup: all is well"), "{text:?}");
}

#[test]
fn get_shows_what_failed_as_text() {
    let dir = Dir::new();
    let server = Server::start(|_| Reply::status(302).header("Location", "http://[\u{9b}31m"));
    // The name of the source, with what a URL can hold. It is said on stderr, because no report on stdout shows it.
    let words = ["get", &server.url("/txt\u{202e}exe\u{2066}\u{200b}\u{feff}"), "--report", "json=r.json"];
    let output = TestCommand::new().args(words).inside(&dir).run().expect_code(3);
    assert!(output.stderr.contains("txt\u{fffd}exe"), "{}", output.stderr);
    assert_printable(&output.stderr);
    let verbose = TestCommand::new().args(words).arg("--verbose").inside(&dir).run().expect_code(3);
    assert_printable(&verbose.stderr);
}

#[test]
fn mistakes_are_quoted_as_text() {
    for words in [["get", COMMANDS], ["get", "http://h/{"], ["run", COMMANDS], [COMMANDS, "x"]] {
        let output = TestCommand::new().args(words.map(|word| format!("{word}{COMMANDS}"))).run();
        assert_ne!(output.code(), Some(0));
        assert_printable(&output.stderr);
    }
}

#[test]
fn check_shows_a_plan_as_text() {
    let dir = Dir::new();
    dir.write(
        "good.toml",
        format!("[[job]]\nname = \"txt\u{202e}exe\u{200b}\"\nurl = \"http://h/\"\ndata = \"{ESCAPED}\"\n"),
    );
    let good = TestCommand::new().args(["check", "good.toml"]).inside(&dir).run().expect_code(0);
    assert!(good.stdout().contains("txt\u{fffd}exe\u{fffd}"), "{}", good.stdout());
    assert_printable(good.stdout());
    dir.write("bad.toml", format!("[[job]]\nurl = \"{ESCAPED}\"\n\"{ESCAPED}\" = 1\ntimeout = \"{ESCAPED}\"\n"));
    let bad = TestCommand::new().args(["check", "bad.toml"]).inside(&dir).run().expect_code(2);
    assert!(bad.stderr.lines().count() >= 3, "{}", bad.stderr);
    assert_printable(&bad.stderr);
}
