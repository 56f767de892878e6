//! What people see in a terminal: how the run goes on, the width of the table, colours, Ctrl-C. The terminals are
//! those of tmux.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::peer::program;
use crate::common::{Dir, PATIENCE, Reply, Running, Server, TestCommand, invocation, is_read_by_roundup};

/// The server of the demo, and its URL.
struct Demo {
    _running: Running,
    url: String,
}

impl Demo {
    fn start() -> Demo {
        let mut running = TestCommand::new().args(["serve", "--port", "0"]).spawn();
        running.limit(Duration::from_secs(600));
        let said = running.wait_for_stdout(";");
        let url = said.strip_prefix("listening on ").and_then(|rest| rest.split(';').next());
        let url = url.unwrap_or_else(|| panic!("serve does not say where it listens: {said}")).to_owned();
        Demo { _running: running, url }
    }

    /// The URL of a response that takes so many seconds.
    fn delay(&self, seconds: &str) -> String {
        format!("'{}/delay/{seconds}'", self.url)
    }
}

/// A terminal in which a shell runs one command line, which ends with a line of `END` and its exit code.
struct Terminal {
    /// The name of a tmux server of its own.
    server: String,
    dir: Dir,
}

impl Terminal {
    /// `line` is for a shell, and `roundup` in it is the binary.
    fn run(columns: usize, line: &str) -> Terminal {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let server = format!("roundup-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let terminal = Terminal { server, dir: Dir::new() };
        let binary =
            invocation().iter().map(|word| format!("'{}'", word.to_string_lossy())).collect::<Vec<_>>().join(" ");
        // The shell outlives the Ctrl-C that is meant for the command.
        let script = format!("roundup() {{ {binary} \"$@\"; }}\ntrap : INT\n{line}\necho \"END $?\"\nexec sleep 600\n");
        let script = terminal.dir.write("script", script);
        let mut tmux = terminal.tmux();
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if (is_read_by_roundup(&name) && name != "TERM") || ["COLUMNS", "LINES", "TMUX"].contains(&&*name) {
                tmux.env_remove(&*name);
            }
        }
        let shell = format!("exec sh '{}'", script.display());
        tmux.args(["new-session", "-d", "-x", &columns.to_string(), "-y", "40", &shell])
            .current_dir(terminal.dir.path());
        assert!(tmux.status().is_ok_and(|status| status.success()), "tmux does not start");
        terminal
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new(program("tmux", "tmux"));
        tmux.args(["-L", &self.server, "-f", "/dev/null"]);
        tmux
    }

    /// What it shows; with escape sequences if `options` has `-e`.
    fn capture(&self, options: &[&str]) -> String {
        let output = self.tmux().args(["capture-pane", "-p"]).args(options).output().expect("tmux can be run");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until it shows this, and gives the whole screen.
    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.capture(&[]);
            if screen.contains(text) {
                return screen;
            }
            assert!(Instant::now() < end, "no {text:?} on the screen:\n{screen}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The screen after the command has ended.
    #[track_caller]
    fn end(&self) -> String {
        self.wait_for("END ")
    }

    /// The screen after the command has ended, if no look at it before showed progress.
    #[track_caller]
    fn end_without_progress(&self) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.capture(&[]);
            assert!(!screen.contains("in flight"), "{screen}");
            if screen.contains("END ") {
                return screen;
            }
            assert!(Instant::now() < end, "no end:\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn has_colors(&self) -> bool {
        self.end();
        let screen = self.capture(&["-e"]);
        ["\x1b[31m", "\x1b[32m", "\x1b[33m"].iter().any(|color| screen.contains(color))
    }

    fn is_plain(&self) -> bool {
        self.end();
        !self.capture(&["-e"]).contains("\x1b[")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended if its only session has.
        let _ = self.tmux().arg("kill-server").stderr(std::process::Stdio::null()).status();
    }
}

#[test]
#[ignore = "needs tmux"]
fn progress_is_shown_while_the_run_goes_on() {
    let demo = Demo::start();
    let terminal = Terminal::run(100, &format!("roundup get {} {}", demo.delay("2"), demo.delay("0")));
    terminal.wait_for("1/2 done, 1 in flight, 0 failed, 0 retried");
    let screen = terminal.end();
    assert!(screen.contains("END 0") && screen.contains("\n2 sources: 2 ok"), "{screen}");
    assert!(!screen.contains("in flight"), "progress is left behind:\n{screen}");
    assert!(terminal.has_colors(), "{screen}");

    // Only stderr is a terminal, and a narrow one.
    let terminal = Terminal::run(30, &format!("roundup get {} >out", demo.delay("2")));
    let screen = terminal.wait_for("0/1 done, 1 in flight");
    assert!(screen.trim_end().lines().all(|line| line.chars().count() < 30), "lines are broken:\n{screen}");
    let screen = terminal.end();
    assert!(!screen.contains("done"), "progress is left behind:\n{screen}");
    assert!(!terminal.dir.read("out").contains('\x1b'), "no colours in a file");
}

#[test]
#[ignore = "needs tmux"]
fn progress_is_not_shown_where_it_would_disturb() {
    let demo = Demo::start();
    for options in ["--quiet", "--progress none", "--report jsonl"] {
        Terminal::run(200, &format!("roundup get {} {options}", demo.delay("1"))).end_without_progress();
    }
    let terminal = Terminal::run(100, &format!("export TERM=dumb; roundup get {}", demo.delay("1")));
    terminal.end_without_progress();
    assert!(terminal.is_plain());
}

/// The longest line of the table.
fn width(screen: &str) -> usize {
    let is_row = |line: &&str| ["ok", "RESULT", "failed"].iter().any(|start| line.starts_with(start));
    screen.lines().filter(is_row).map(|line| line.chars().count()).max().expect("a table")
}

#[test]
#[ignore = "needs tmux"]
fn the_table_is_as_wide_as_the_terminal() {
    let demo = Demo::start();
    let long = format!("'{}/delay/0.05?{}'", demo.url, "long".repeat(40));
    let screen = Terminal::run(70, &format!("roundup get {long}")).end();
    assert!(width(&screen) <= 70 && screen.contains('…'), "{screen}");
    let screen = Terminal::run(100, &format!("export COLUMNS=60; roundup get {long}")).end();
    assert!(width(&screen) <= 60, "{screen}");
    let terminal = Terminal::run(100, &format!("roundup get {long} | cat"));
    let screen = terminal.end();
    assert!(!screen.contains('…'), "a pipe gets all of it:\n{screen}");
    assert!(terminal.is_plain(), "{screen}");
}

#[test]
#[ignore = "needs tmux"]
fn colors_are_for_terminals_unless_asked_otherwise() {
    let demo = Demo::start();
    let get = format!("roundup get {}", demo.delay("0"));
    let terminal = |line: String| Terminal::run(100, &line);
    assert!(terminal(format!("export NO_COLOR=1; {get}")).is_plain(), "NO_COLOR");
    assert!(terminal(format!("export CLICOLOR=0; {get}")).is_plain(), "CLICOLOR=0");
    assert!(terminal(format!("{get} --color never")).is_plain(), "--color never");
    assert!(terminal(format!("export NO_COLOR=1; {get} --color always")).has_colors(), "--color always");
    assert!(terminal(format!("{get} --color always | cat")).has_colors(), "--color always in a pipe");
}

#[test]
#[ignore = "needs tmux"]
fn ctrl_c_leaves_the_table_and_the_report() {
    let demo = Demo::start();
    let reports = "--report table --report json=report.json";
    let terminal = Terminal::run(100, &format!("roundup get {} {} {reports}", demo.delay("0"), demo.delay("50")));
    terminal.wait_for("1/2 done, 1 in flight");
    assert!(terminal.tmux().args(["send-keys", "C-c"]).status().is_ok_and(|status| status.success()));
    let screen = terminal.end();
    assert!(screen.contains("END 130"), "{screen}");
    assert!(screen.contains("\ninterrupted; 2 sources: 1 ok, 0 failed, 1 cancelled"), "{screen}");
    assert!(!screen.contains("in flight"), "progress is left behind:\n{screen}");
    let report: serde_json::Value = serde_json::from_str(&terminal.dir.read("report.json")).expect("JSON");
    assert_eq!(report["interrupted"], true);
}

/// A run whose sources are in every state, and its command line.
fn every_state() -> (Server, String) {
    let server = Server::builder().unused_ok().start(|request| match request.path() {
        "/limited" => Reply::status(429).header("Retry-After", "50"),
        "/flaky" => Reply::status(500).body("{\"message\":\"the disk is full\"}"),
        "/wrong" => Reply::status(401).body("{\"error\":\"invalid api key\"}"),
        path if path.starts_with("/quick") => Reply::json("1"),
        _ => Reply::hang(),
    });
    // Another host, so that its pause holds up no other source.
    let limited = server.url_at("localhost", "/limited");
    let urls = ["/quick[1-40]", "/wrong", "/flaky", "/hanging"].map(|path| format!("'{}'", server.url(path)));
    let options = "--retries 9 --timeout 60s --report json=report.json";
    let line = format!("echo BEFORE; roundup get {} '{limited}' {options}", urls.join(" "));
    (server, line)
}

#[test]
#[ignore = "needs tmux"]
fn the_live_view_names_what_matters_at_every_width_and_leaves_nothing_behind() {
    for (columns, waits) in [(40, "head, "), (80, "waiting for"), (200, "waiting for the response's head")] {
        let (server, line) = every_state();
        let terminal = Terminal::run(columns, &line);
        for text in ["41/44 done", waits, "again in", "paused for", "401: invalid api key"] {
            terminal.wait_for(text);
        }
        let screen = terminal.wait_for("in flight");
        assert!(screen.starts_with("BEFORE\n"), "{screen}");
        assert!(terminal.tmux().args(["send-keys", "C-c"]).status().is_ok_and(|status| status.success()));
        let screen = terminal.end();
        assert!(screen.contains("END 130"), "{screen}");
        for text in ["in flight", "again in", "paused for"] {
            assert!(!screen.contains(text), "{text} is left behind at {columns}:\n{screen}");
        }
        assert_eq!(screen.matches("BEFORE").count(), 1, "{screen}");
        assert!(server.stats().requests > 42);
    }
}

#[test]
#[ignore = "needs tmux"]
fn verbose_lines_stand_above_the_live_view() {
    let (_server, line) = every_state();
    let terminal = Terminal::run(200, &format!("{line} -v"));
    let screen = terminal.wait_for("attempt 2 in ");
    let screen = if screen.contains("in flight") { screen } else { terminal.wait_for("in flight") };
    let lines: Vec<&str> = screen.lines().collect();
    let counts = lines.iter().position(|line| line.contains("in flight")).expect("counts");
    let last = lines.iter().rposition(|line| line.contains(": attempt ")).expect("attempts");
    assert!(last < counts, "{screen}");
    assert!(terminal.tmux().args(["send-keys", "C-c"]).status().is_ok_and(|status| status.success()));
    assert!(!terminal.end().contains("in flight"));
}
